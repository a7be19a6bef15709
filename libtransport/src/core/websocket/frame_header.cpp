// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/frame_header.hpp"

#include <cstring>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/buffer_writer.hpp"

namespace strata::transport {
inline namespace v0 {
namespace websocket {
namespace {

constexpr std::uint8_t fin_bit = 0x80;
constexpr std::uint8_t reserved_bits = 0x70;
constexpr std::uint8_t mask_bit = 0x80;
constexpr std::uint8_t length_16 = 126;
constexpr std::uint8_t length_64 = 127;

constexpr bool is_known(std::uint8_t code) noexcept {
  return code <= 2 || (code >= 8 && code <= 10);
}

}  // namespace

std::optional<std::size_t> frame_header_size(std::byte first, std::byte second,
                                             websocket_role reader) noexcept {
  const auto flags = std::to_integer<std::uint8_t>(first);
  const auto sizes = std::to_integer<std::uint8_t>(second);
  const auto code = static_cast<std::uint8_t>(flags & 15);
  const auto length = static_cast<std::uint8_t>(sizes & 127);
  const bool masked = (sizes & mask_bit) != 0;
  // No extension was negotiated that would give the reserved bits a meaning.
  if ((flags & reserved_bits) != 0 || !is_known(code)) return std::nullopt;
  // Unmasked bytes of a client could be made to look like requests to an intermediary, and a server
  // that masks is none (RFC 6455 section 5.1).
  if (masked != (reader == websocket_role::server)) return std::nullopt;
  if (is_control(opcode{code}) && ((flags & fin_bit) == 0 || length > max_control_payload))
    return std::nullopt;
  const std::size_t extended = length == length_16 ? 2 : length == length_64 ? 8 : 0;
  return 2 + extended + (masked ? sizeof(mask_key) : 0);
}

std::optional<frame_header> parse_frame_header(bytes header) noexcept {
  buffer_reader reader(header);
  const std::uint8_t flags = reader.u8();
  const std::uint8_t sizes = reader.u8();
  frame_header found;
  found.code = opcode{static_cast<std::uint8_t>(flags & 15)};
  found.fin = (flags & fin_bit) != 0;
  found.masked = (sizes & mask_bit) != 0;
  found.length = sizes & 127;
  if (found.length == length_16) {
    found.length = reader.u16();
    if (found.length < length_16) return std::nullopt;
  } else if (found.length == length_64) {
    found.length = reader.u64();
    if (found.length <= 0xffff || found.length >> 63 != 0) return std::nullopt;
  }
  if (found.masked) std::memcpy(&found.key, reader.take(sizeof found.key).data(), sizeof found.key);
  return found;
}

std::size_t write_frame_header(const frame_header& header, std::byte* out) noexcept {
  buffer_writer writer({out, max_frame_header});
  writer.u8(static_cast<std::uint8_t>((header.fin ? fin_bit : 0) |
                                      static_cast<std::uint8_t>(header.code)));
  const std::uint8_t mask = header.masked ? mask_bit : 0;
  if (header.length < length_16) {
    writer.u8(static_cast<std::uint8_t>(mask | header.length));
  } else if (header.length <= 0xffff) {
    writer.u8(mask | length_16);
    writer.u16(static_cast<std::uint16_t>(header.length));
  } else {
    writer.u8(mask | length_64);
    writer.u64(header.length);
  }
  if (header.masked) writer.put(std::as_bytes(std::span(&header.key, 1)));
  return writer.size();
}

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
