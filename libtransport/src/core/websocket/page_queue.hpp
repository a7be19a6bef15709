// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/websocket/masking.hpp"
#include "core/websocket/ring_queue.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::transport {
inline namespace v0 {
namespace websocket {

/// Bytes in pages, first in, first out. A byte stays where it is until it is consumed, so that a
/// view of it stays valid while others are added. Pages are used again, last in, first out.
class page_queue {
 public:
  static constexpr std::size_t page_size = 16 * 1024;

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  /// Copies, and masks or unmasks on the way; gives the key for what follows.
  mask_key append(bytes added, mask_key key = 0);
  /// Copies up to out.size() bytes and consumes them.
  std::size_t read(mutable_bytes out) noexcept;
  /// The first bytes, as many as lie together; empty when there are none.
  bytes front() const noexcept;
  std::byte at(std::size_t offset) const noexcept;
  /// Views of at most `most` bytes from `offset` on; says how many of `pieces` it filled.
  std::size_t gather(std::size_t offset, std::size_t most, std::span<bytes> pieces) const noexcept;
  void consume(std::size_t size) noexcept;
  /// Keeps the first `size` bytes.
  void truncate(std::size_t size) noexcept;

  bool holds_spare_memory() const noexcept { return !spare_.empty(); }
  void release_spare_memory() noexcept;

 private:
  using page = std::array<std::byte, page_size>;

  void add_page();
  void drop_back(std::size_t pages) noexcept;

  ring_queue<std::unique_ptr<page>> pages_;  // all full, but for the ends
  std::vector<std::unique_ptr<page>> spare_;
  std::size_t first_ = 0;  // offset of the first byte in the first page
  std::size_t size_ = 0;
};

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
