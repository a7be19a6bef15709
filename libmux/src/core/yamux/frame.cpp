// SPDX-License-Identifier: Apache-2.0
#include "core/yamux/frame.hpp"

#include <utility>

namespace strata::mux {
inline namespace v0 {
namespace core {
namespace {

constexpr std::uint8_t version = 0;

void put(std::byte* out, std::uint32_t value, unsigned size) noexcept {
  for (unsigned i = 0; i < size; ++i)
    out[i] = static_cast<std::byte>(value >> (8 * (size - 1 - i)));
}

std::uint32_t take(const std::byte* from, unsigned size) noexcept {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < size; ++i) value = value << 8 | std::to_integer<std::uint32_t>(from[i]);
  return value;
}

bool flags_fit(const frame_header& header) noexcept {
  constexpr std::uint16_t known = flag::syn | flag::ack | flag::fin | flag::rst;
  constexpr std::uint16_t both = flag::syn | flag::ack;
  if (header.has(static_cast<std::uint16_t>(~known))) return false;
  switch (header.type) {
    case frame_type::data:
    case frame_type::window_update: return (header.flags & both) != both;
    case frame_type::ping: return header.flags == flag::syn || header.flags == flag::ack;
    case frame_type::go_away: return header.flags == 0;
  }
  return false;
}

}  // namespace

void encode(const frame_header& header, std::byte* out) noexcept {
  out[0] = static_cast<std::byte>(version);
  out[1] = static_cast<std::byte>(header.type);
  put(out + 2, header.flags, 2);
  put(out + 4, header.stream_id, 4);
  put(out + 8, header.length, 4);
}

std::expected<frame_header, errc> decode(
    std::span<const std::byte, frame_header::encoded_size> input) noexcept {
  if (input[0] != static_cast<std::byte>(version)) return std::unexpected(errc::bad_version);
  if (input[1] > static_cast<std::byte>(frame_type::go_away))
    return std::unexpected(errc::bad_frame_type);
  const frame_header header{.type = static_cast<frame_type>(input[1]),
                            .flags = static_cast<std::uint16_t>(take(input.data() + 2, 2)),
                            .stream_id = take(input.data() + 4, 4),
                            .length = take(input.data() + 8, 4)};
  if (!flags_fit(header)) return std::unexpected(errc::bad_flags);
  const bool of_a_stream =
      header.type == frame_type::data || header.type == frame_type::window_update;
  if (of_a_stream != (header.stream_id != 0)) return std::unexpected(errc::bad_stream_id);
  return header;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
