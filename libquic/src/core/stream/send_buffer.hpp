// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/connection/event_queue.hpp"
#include "core/stream/interval_set.hpp"
#include "core/stream/page_recycler.hpp"
#include "core/stream/ring_queue.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// The bytes of one sent stream from write to acknowledgement: copied ones in pages, borrowed ones
/// where the application keeps them, in the order they were written. A page goes back, and a token
/// is reported, as soon as all of its bytes are acknowledged, whatever is still missing before it.
/// A token is reported exactly once.
class send_buffer {
 public:
  /// Where pages go back to and tokens are reported.
  struct release_target {
    page_recycler& pages;
    event_queue& events;
    std::uint64_t stream;
  };

  void append(page_recycler& pages, transport::bytes data);
  /// `data` is not empty, and stays unchanged until its token is reported.
  void append_borrowed(transport::bytes data, std::uint64_t token);

  /// All that was written.
  std::uint64_t end() const noexcept { return end_; }
  /// All that was sent at least once.
  std::uint64_t sent_end() const noexcept { return sent_end_; }
  std::uint64_t unsent() const noexcept { return end_ - sent_end_; }
  /// Copied bytes among those.
  std::uint64_t unsent_copied() const noexcept { return unsent_copied_; }
  bool all_acked() const noexcept { return acked_end_ == end_; }
  bool has_lost() const noexcept { return !lost_.empty(); }
  const interval& first_lost() const noexcept { return lost_.front(); }

  /// Copies bytes that were written and not yet acknowledged.
  void copy_to(std::uint64_t offset, transport::mutable_bytes out) const noexcept;
  /// A frame with these bytes was written: a part of first_lost(), or what follows sent_end().
  void on_sent(std::uint64_t offset, std::uint64_t size) noexcept;
  void on_acked(const release_target& target, std::uint64_t offset, std::uint64_t size);
  void on_lost(std::uint64_t offset, std::uint64_t size);
  /// Counts up to `most` of the oldest bytes in flight as lost; false when nothing is in flight.
  bool send_again(std::uint64_t most);
  /// Nothing more will be sent: pages go back, tokens are abandoned, and the end is what was sent.
  void drop(const release_target& target);
  /// After all_acked() or drop(): starts again at offset zero.
  void clear() noexcept;

 private:
  struct segment {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::unique_ptr<page_recycler::page> page;  ///< None when borrowed or released.
    const std::byte* borrowed = nullptr;        ///< None when copied or released.
    std::uint64_t token = 0;

    std::uint64_t end() const noexcept { return offset + size; }
    const std::byte* memory() const noexcept { return page ? page->data() : borrowed; }
  };
  static constexpr std::size_t kept_segments = 64;

  std::size_t index_of(std::uint64_t offset) const noexcept;
  void release(const release_target& target, segment& done, event_kind how);
  void release_acked_front(const release_target& target);
  void release_acked_within(const release_target& target, std::uint64_t offset, std::uint64_t end);

  ring_queue<segment> segments_;
  interval_set acked_;           ///< Past acked_end_.
  interval_set lost_;            ///< To be sent again.
  std::uint64_t acked_end_ = 0;  ///< Everything below is acknowledged.
  std::uint64_t sent_end_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t unsent_copied_ = 0;
  std::size_t sending_ = 0;  ///< Index of the segment of sent_end_, or one before it.
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
