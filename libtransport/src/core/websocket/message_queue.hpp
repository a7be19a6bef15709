// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/websocket/masking.hpp"
#include "core/websocket/page_queue.hpp"
#include "core/websocket/ring_queue.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/websocket_connection.hpp"

namespace strata::transport {
inline namespace v0 {
namespace websocket {

/// Payload that has come and was not read: views of the carrier's input, still masked, and behind
/// keep() bytes in pages. What is read within its own turn is copied, and unmasked, once.
class message_queue {
 public:
  explicit message_queue(websocket_mode mode) noexcept
      : borders_(mode == websocket_mode::messages) {}

  /// Payload of the message that is coming, lent until keep().
  void add(bytes lent, mask_key key, websocket_kind kind);
  /// In mode messages: that message is complete.
  void end_message(websocket_kind kind);
  void keep();
  void clear() noexcept;

  /// There is neither a byte nor an end.
  bool empty() const noexcept { return size_ == 0 && ends_ == 0; }
  /// What it counts against websocket_config::max_unread.
  std::size_t cost() const noexcept { return size_ + ends_ * limits::websocket_message_cost; }

  // In mode stream.
  std::size_t read(mutable_bytes out) noexcept;
  bytes peek();
  void consume(std::size_t size) noexcept;
  // In mode messages; nothing when it is empty.
  std::optional<websocket_part> read_part(mutable_bytes out) noexcept;

  bool holds_spare_memory() const noexcept { return kept_.holds_spare_memory(); }
  void release_spare_memory() noexcept;

 private:
  struct segment {
    const std::byte* first = nullptr;  // null where the bytes are the next of kept_
    std::size_t size = 0;
    mask_key key = 0;
    websocket_kind kind = websocket_kind::binary;
    bool end = false;
  };

  segment* first_segment() noexcept;
  void pop_segment() noexcept;
  std::size_t take(segment& from, mutable_bytes out) noexcept;
  void keep(const segment& lent);

  const bool borders_;
  page_queue kept_;
  ring_queue<segment> segments_;  // of kept_, in mode messages only
  ring_queue<segment> lent_;
  std::size_t size_ = 0;
  std::size_t ends_ = 0;
};

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
