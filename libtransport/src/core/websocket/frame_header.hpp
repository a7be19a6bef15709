// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/websocket/masking.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/websocket_connection.hpp"

namespace strata::transport {
inline namespace v0 {
namespace websocket {

/// RFC 6455 section 5.2.
enum class opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10,
};
constexpr bool is_control(opcode code) noexcept { return code >= opcode::close; }

inline constexpr std::size_t max_frame_header = 14;
inline constexpr std::size_t max_control_payload = 125;

struct frame_header {
  opcode code = opcode::binary;
  bool fin = true;
  bool masked = false;
  mask_key key = 0;
  std::uint64_t length = 0;
};

/// How long the header is that begins with these two bytes; nothing when `reader` must refuse it: a
/// reserved bit or opcode, a control frame in pieces or with more than 125 bytes, a mask that is
/// missing or should not be there (RFC 6455 sections 5.1, 5.2, 5.5).
std::optional<std::size_t> frame_header_size(std::byte first, std::byte second,
                                             websocket_role reader) noexcept;
/// All of a header that frame_header_size() accepted; nothing when its length is not in the
/// shortest form or beyond 2^63.
std::optional<frame_header> parse_frame_header(bytes header) noexcept;
/// Writes at most max_frame_header bytes and says how many.
std::size_t write_frame_header(const frame_header& header, std::byte* out) noexcept;

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
