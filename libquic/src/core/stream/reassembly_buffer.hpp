// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/stream/interval_set.hpp"
#include "core/stream/lent_views.hpp"
#include "core/stream/page_recycler.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Puts the bytes of one received stream in order. Those that arrive in order are lent, not copied,
/// until settle(); the others are copied into pages at the place their offset names, so that
/// however a peer cuts and repeats them, the memory is that of the pages its bytes fall into: at
/// most one page more than the flow control credit it has used. The first copy of a byte that
/// arrives is the one that counts.
class reassembly_buffer {
 public:
  /// Where the memory comes from; shared by the streams of a connection.
  struct memory {
    page_recycler& pages;
    lent_views& lent;
  };

  enum class outcome : std::uint8_t {
    nothing_new,    ///< No more can be read than before.
    readable,       ///< More can be read now.
    too_many_gaps,  ///< More than limits::max_reassembly_gaps holes: the attack of a byte here and
                    ///< a byte there.
  };

  /// `offset` + size <= 2^62 - 1. `data` must stay until settle().
  outcome insert(memory from, std::uint64_t offset, transport::bytes data);
  /// The next bytes in one piece; empty when there are none. Valid until the next consume(),
  /// settle() or insert().
  transport::bytes front(const lent_views& lent) const noexcept;
  /// Takes `size` bytes of what can be read; not more than there are.
  void consume(memory from, std::uint64_t size) noexcept;
  /// Copies what is still lent.
  void settle(memory from);
  /// Drops everything. Offsets start again at zero.
  void clear(page_recycler& pages) noexcept;

  std::uint64_t read_offset() const noexcept { return read_offset_; }
  /// Everything below has arrived.
  std::uint64_t contiguous_end() const noexcept { return contiguous_end_; }
  bool has_lent() const noexcept { return first_lent_ != lent_views::none; }
  std::size_t gaps() const noexcept { return beyond_.size(); }
  std::size_t pages_held() const noexcept { return held_.size() - first_held_; }

 private:
  /// Bytes of the stream from number * page_size on.
  struct held_page {
    std::uint64_t number = 0;
    std::unique_ptr<page_recycler::page> bytes;
  };
  static constexpr std::size_t kept_entries = 32;

  void extend(memory from, transport::bytes data);
  void join_beyond() noexcept;
  void store(page_recycler& pages, std::uint64_t offset, transport::bytes data);
  held_page& page_at(page_recycler& pages, std::uint64_t number);
  std::size_t position_of(std::uint64_t number) const noexcept;
  void release_read_pages(page_recycler& pages) noexcept;

  interval_set beyond_;          ///< Received past contiguous_end_.
  std::vector<held_page> held_;  ///< By number; those before first_held_ were given back.
  std::size_t first_held_ = 0;
  std::uint64_t read_offset_ = 0;
  std::uint64_t contiguous_end_ = 0;
  std::uint32_t first_lent_ = lent_views::none;
  std::uint32_t last_lent_ = lent_views::none;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
