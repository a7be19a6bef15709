// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "strata/mux/core/error.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// yamux spec, Type Field.
enum class frame_type : std::uint8_t { data = 0, window_update = 1, ping = 2, go_away = 3 };

/// yamux spec, Flag Field.
namespace flag {
inline constexpr std::uint16_t syn = 1;
inline constexpr std::uint16_t ack = 2;
inline constexpr std::uint16_t fin = 4;
inline constexpr std::uint16_t rst = 8;
}  // namespace flag

/// All of a frame but the payload of a data frame.
struct frame_header {
  static constexpr std::size_t encoded_size = 12;

  frame_type type = frame_type::data;
  std::uint16_t flags = 0;
  std::uint32_t stream_id = 0;  ///< Zero: the session.
  std::uint32_t length = 0;     ///< Payload, window delta, ping value or code; a reset's code too.

  bool has(std::uint16_t wanted) const noexcept { return (flags & wanted) != 0; }
  std::uint32_t payload() const noexcept { return type == frame_type::data ? length : 0; }

  friend bool operator==(const frame_header&, const frame_header&) = default;
};

void encode(const frame_header& header, std::byte* out) noexcept;

/// What a header says, or which rule it breaks that does not depend on the session's state. All
/// three references keep these rules; a peer that does not has lost its place in the byte stream.
std::expected<frame_header, errc> decode(
    std::span<const std::byte, frame_header::encoded_size> input) noexcept;

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
