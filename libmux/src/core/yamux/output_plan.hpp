// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/memory/piece_list.hpp"
#include "core/yamux/frame.hpp"
#include "core/yamux/stream.hpp"
#include "strata/mux/core/limits.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// Whose frame it is, and so what changes when the carrier takes its first byte.
enum class frame_origin : std::uint8_t { rest, pong, ping, refusal, go_away, control, data };

/// What the carrier was offered last. Nothing of the session changes while it is made: the carrier
/// may take all, some or none of it, and what it does not take is planned anew, behind control
/// frames that came up meanwhile.
class output_plan {
 public:
  struct entry {
    frame_origin origin = frame_origin::rest;
    stream* owner = nullptr;
    frame_header header;
  };

  std::size_t size() const noexcept { return count_; }
  const entry& operator[](std::size_t index) const noexcept { return entries_[index]; }
  void clear() noexcept { count_ = 0; }

  /// There is room for a frame with payload, in here and in `pieces`.
  bool has_room(const piece_list& pieces) const noexcept {
    return count_ != entries_.size() && pieces.room() >= 2 &&
           pieces.size() < limits::yamux::max_batch_bytes;
  }
  /// Adds a frame and its header, which may still be changed by set_header(). Needs has_room().
  entry& add(const entry& added, piece_list& pieces) noexcept {
    std::byte* const place = encoded_.data() + count_ * frame_header::encoded_size;
    encode(added.header, place);
    pieces.add({place, frame_header::encoded_size});
    return entries_[count_++] = added;
  }
  void set_header(entry& of, const frame_header& header) noexcept {
    of.header = header;
    const auto index = static_cast<std::size_t>(&of - entries_.data());
    encode(header, encoded_.data() + index * frame_header::encoded_size);
  }
  /// A frame whose header, or part of it, the carrier already has.
  void add_rest() noexcept { entries_[count_++] = {}; }

 private:
  std::array<entry, limits::yamux::max_batch_frames> entries_;
  // Beside each other, so that control frames are one piece of the gather list.
  std::array<std::byte, limits::yamux::max_batch_frames * frame_header::encoded_size> encoded_;
  std::size_t count_ = 0;
};

/// The frame that the carrier has begun to take.
struct begun_frame {
  stream* owner = nullptr;  ///< Whose unsent bytes the payload is; null: the orphaned bytes.
  std::array<std::byte, frame_header::encoded_size> header{};
  std::uint32_t header_left = 0;
  std::uint32_t payload_left = 0;

  bool is_complete() const noexcept { return header_left == 0 && payload_left == 0; }
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
