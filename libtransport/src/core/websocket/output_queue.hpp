// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/websocket/frame_header.hpp"
#include "core/websocket/page_queue.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/random.hpp"
#include "strata/transport/core/websocket_connection.hpp"

namespace strata::transport {
inline namespace v0 {
namespace websocket {

/// Walks over the bytes of a gather list.
class piece_reader {
 public:
  explicit piece_reader(std::span<const bytes> pieces) noexcept : pieces_(pieces) {}
  /// At least one byte and at most `most`, which are there.
  bytes next(std::size_t most) noexcept;

 private:
  std::span<const bytes> pieces_;
  std::size_t offset_ = 0;
};

/// Frames on their way to the carrier, masked as the role wants it. Those of messages wait in a
/// queue; a ping and a pong go between two of them, as early as can be, and there is at most one of
/// each: who pings faster than the carrier takes pongs gets an answer to the latest (RFC 6455
/// section 5.5.3).
class output_queue {
 public:
  output_queue(websocket_role role, random_source& random) noexcept
      : random_(&random), masks_(role == websocket_role::client) {}

  /// Bytes of queued frames.
  std::size_t size() const noexcept { return frames_.size(); }
  /// Nothing is to be sent.
  bool empty() const noexcept;

  /// A frame of `header.length` bytes of `payload`, behind the others; its mask is made here.
  void append(frame_header header, piece_reader& payload);
  void set_ping(bytes payload) noexcept { ping_.set(payload); }
  void set_pong(bytes payload) noexcept { pong_.set(payload); }
  /// Drops all frames but one that is partly out. Then comes a Close with this payload, unless one
  /// was on its way already, and nothing more.
  void abort(bytes close_payload) noexcept;
  /// Drops all there is.
  void clear() noexcept;

  std::size_t poll(std::span<bytes> pieces);
  void sent(std::size_t size) noexcept;

  bool holds_spare_memory() const noexcept { return frames_.holds_spare_memory(); }
  void release_spare_memory() noexcept { frames_.release_spare_memory(); }

 private:
  struct control {
    std::array<std::byte, max_control_payload> payload;
    std::uint8_t size = 0;
    bool waits = false;
    void set(bytes from) noexcept;
  };

  mask_key next_key();
  void seal_controls();
  void seal(opcode code, control& from);
  void drop_frames() noexcept;
  std::size_t frame_size_at_front() const noexcept;
  bool close_is_out() const noexcept;

  random_source* random_;
  const bool masks_;
  std::array<mask_key, 64> keys_;
  std::size_t keys_left_ = 0;

  page_queue frames_;
  std::size_t frame_left_ = 0;        // of the first frame, when a part of it is out
  std::size_t close_frame_size_ = 0;  // of the last frame, when that is a Close

  control ping_;
  control pong_;
  control close_;  // after an abort
  // Control frames as they go out: fixed once a poll has shown them.
  std::array<std::byte, 2 * (max_frame_header + max_control_payload)> sealed_;
  std::size_t sealed_size_ = 0;
  std::size_t sealed_sent_ = 0;

  bool shown_ = false;  // a poll has lent memory of frames_
  bool aborted_ = false;
  bool cleared_ = false;
};

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
