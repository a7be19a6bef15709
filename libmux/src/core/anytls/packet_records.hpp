// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/anytls/frame.hpp"
#include "core/memory/piece_list.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core::anytls {

/// One packet of a client that pads: its bytes, and how they are cut into records and filled up.
/// The bytes are copied, since a packet is small and what it is made of may change until the last
/// of its records has left.
class packet_records {
 public:
  /// A packet of one record: `content` and so many zeros, limits::anytls::max_padding_size at most.
  /// Throws std::bad_alloc.
  void begin_whole(transport::bytes content, std::size_t zeros);
  /// A packet of frames: `sizes` as anytls_padding_scheme::draw() gave them. Throws std::bad_alloc.
  void begin(std::span<const transport::bytes> content, std::span<const std::uint32_t> sizes);

  /// A record, or a part of one, is still to be sent.
  bool active() const noexcept { return left() != 0; }
  /// The record whose turn it is, or what is left of it. The list has room for three pieces.
  void gather(piece_list& to) const noexcept;
  /// `size` bytes of it have left. How many of them were padding.
  std::size_t sent(std::size_t size) noexcept;
  /// Forgets the packet.
  void clear() noexcept;
  /// Gives the memory back. Not while active().
  void release_memory() noexcept;

 private:
  std::size_t left() const noexcept { return payload_left_ + header_left_ + zeros_left_; }
  void next_record() noexcept;
  void fill(std::size_t zeros) noexcept;

  std::vector<std::byte> content_;
  std::vector<std::uint32_t> sizes_;
  std::size_t at_ = 0;       ///< In content_: where the rest of the present record begins.
  std::size_t planned_ = 0;  ///< In content_: where the next record begins.
  std::size_t next_size_ = 0;
  std::array<std::byte, frame_header::encoded_size> header_{};  ///< Of the padding.
  std::size_t payload_left_ = 0;
  std::size_t header_left_ = 0;
  std::size_t zeros_left_ = 0;
};

}  // namespace core::anytls
}  // namespace v0
}  // namespace strata::mux
