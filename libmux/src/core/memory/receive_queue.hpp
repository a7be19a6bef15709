// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/memory/lent_views.hpp"
#include "core/memory/page_chain.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// The unread bytes of a stream: those of earlier input in pages, then those of the present input
/// where they are, until settle().
class receive_queue {
 public:
  /// Shared by the streams of a session.
  struct memory {
    page_recycler& pages;
    lent_views& lent;
  };

  std::size_t size() const noexcept { return size_; }
  bool has_lent() const noexcept { return first_lent_ != lent_views::none; }

  /// `added` must stay until settle(). Throws std::bad_alloc, and then has not taken it.
  void append(memory from, transport::bytes added);
  /// The next bytes in one piece, until the next call that changes the queue.
  transport::bytes front(const lent_views& lent) const noexcept;
  /// The same for as many pieces as there are and the list holds; how many it filled.
  std::size_t gather(const lent_views& lent, std::span<transport::bytes> pieces) const noexcept;
  /// Copies out, and consumes, as much as there is and `pieces` hold; says how much.
  std::size_t read(memory from, std::span<const transport::mutable_bytes> pieces) noexcept;
  /// `size` <= size().
  void consume(memory from, std::size_t size) noexcept;
  /// Copies what is lent. Throws std::bad_alloc; then some of it is still lent.
  void settle(memory from);
  /// Forgets what is lent, as if it had not come.
  void drop_lent(memory from) noexcept;
  void clear(memory from) noexcept { consume(from, size_); }

 private:
  page_chain held_;
  std::size_t size_ = 0;
  std::uint32_t first_lent_ = lent_views::none;
  std::uint32_t last_lent_ = lent_views::none;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
