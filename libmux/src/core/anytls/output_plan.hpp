// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "core/anytls/frame.hpp"
#include "core/anytls/stream.hpp"
#include "core/memory/piece_list.hpp"
#include "strata/mux/core/limits.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core::anytls {

/// What the carrier was offered last: the rest of a frame, frames of the session, frames of
/// streams. Nothing of the session changes while it is made: the carrier may take all, some or none
/// of it, and what it does not take is planned anew.
class output_plan {
 public:
  struct entry {
    stream* owner = nullptr;
    frame_header header;
  };

  std::size_t size() const noexcept { return count_; }
  const entry& operator[](std::size_t index) const noexcept { return frames_->entries[index]; }
  void clear() noexcept {
    count_ = 0;
    rest = control = 0;
  }

  /// There is room for a frame with payload, in here and in `pieces`.
  bool has_room(const piece_list& pieces) const noexcept {
    return count_ != limits::anytls::max_batch_frames && pieces.room() >= 2 &&
           pieces.size() < limits::anytls::max_batch_bytes;
  }
  /// Adds a frame and its header, which may still be changed by set_length(). Needs has_room().
  /// Throws std::bad_alloc.
  entry& add(const entry& added, piece_list& pieces) {
    if (!frames_) frames_ = std::make_unique<frames>();
    std::byte* const place = place_of(count_);
    encode(added.header, place);
    pieces.add({place, frame_header::encoded_size});
    return frames_->entries[count_++] = added;
  }
  void set_length(entry& of, std::size_t length) noexcept {
    of.header.length = static_cast<std::uint16_t>(length);
    encode(of.header, place_of(static_cast<std::size_t>(&of - frames_->entries.data())));
  }

  /// Nothing is planned, and nothing will be for a while.
  void release_memory() noexcept { frames_.reset(); }

  std::size_t rest = 0;     ///< Bytes of the frame that had begun.
  std::size_t control = 0;  ///< Bytes of the session's frames.

 private:
  std::byte* place_of(std::size_t index) noexcept {
    return frames_->encoded.data() + index * frame_header::encoded_size;
  }

  struct frames {
    std::array<entry, limits::anytls::max_batch_frames> entries;
    std::array<std::byte, limits::anytls::max_batch_frames * frame_header::encoded_size> encoded;
  };

  std::unique_ptr<frames> frames_;
  std::size_t count_ = 0;
};

/// The frame of a stream that the carrier has begun to take.
struct begun_frame {
  stream* owner = nullptr;
  std::array<std::byte, frame_header::encoded_size> header{};
  std::size_t header_left = 0;
  std::size_t payload_left = 0;

  bool is_complete() const noexcept { return header_left == 0 && payload_left == 0; }
};

}  // namespace core::anytls
}  // namespace v0
}  // namespace strata::mux
