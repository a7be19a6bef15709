// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Frames made and read by hand, so that the library's own codec is not its judge.
namespace strata::transport::tests {

enum raw_opcode : unsigned {
  continuation = 0,
  text = 1,
  binary = 2,
  closing = 8,
  ping = 9,
  pong = 10
};

struct raw_frame {
  unsigned opcode = binary;
  std::string payload;
  bool fin = true;
  bool masked = false;
  unsigned reserved = 0;  // RSV1 to RSV3 as the bits 4, 2, 1
  std::array<unsigned char, 4> key{0x37, 0xfa, 0x21, 0x3d};
  unsigned length_bytes = 0;              // 2 or 8 for a form that is longer than needed
  std::optional<std::uint64_t> length{};  // said instead of the true one
};

inline std::string encode(const raw_frame& frame) {
  const std::uint64_t length = frame.length.value_or(frame.payload.size());
  const unsigned extended = frame.length_bytes != 0 ? frame.length_bytes
                            : length > 0xffff       ? 8
                            : length > 125          ? 2
                                                    : 0;
  std::string out;
  const auto put = [&](std::uint64_t octet) { out.push_back(static_cast<char>(octet & 0xff)); };
  put((frame.fin ? 0x80u : 0u) | frame.reserved << 4 | frame.opcode);
  put((frame.masked ? 0x80u : 0u) | (extended == 8 ? 127 : extended == 2 ? 126 : length));
  for (unsigned i = extended; i != 0; --i) put(length >> (8 * (i - 1)));
  if (frame.masked)
    for (const unsigned char octet : frame.key) put(octet);
  for (std::size_t i = 0; i < frame.payload.size(); ++i)
    put(static_cast<unsigned char>(frame.payload[i]) ^ (frame.masked ? frame.key[i % 4] : 0u));
  return out;
}

/// Takes one frame from the front of a stream, unmasked; nothing while it is incomplete.
inline std::optional<raw_frame> decode(std::string_view& stream) {
  const auto octet = [&](std::size_t at) {
    return static_cast<std::uint64_t>(static_cast<unsigned char>(stream[at]));
  };
  if (stream.size() < 2) return std::nullopt;
  raw_frame frame;
  frame.fin = (octet(0) & 0x80) != 0;
  frame.reserved = static_cast<unsigned>(octet(0) >> 4 & 7);
  frame.opcode = static_cast<unsigned>(octet(0) & 15);
  frame.masked = (octet(1) & 0x80) != 0;
  std::uint64_t length = octet(1) & 127;
  std::size_t at = 2;
  const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  if (stream.size() < at + extended + (frame.masked ? 4 : 0)) return std::nullopt;
  if (extended != 0) length = 0;
  for (std::size_t i = 0; i < extended; ++i) length = length << 8 | octet(at++);
  frame.length_bytes = static_cast<unsigned>(extended);
  for (std::size_t i = 0; frame.masked && i < 4; ++i)
    frame.key[i] = static_cast<unsigned char>(octet(at++));
  if (stream.size() - at < length) return std::nullopt;
  frame.payload = stream.substr(at, static_cast<std::size_t>(length));
  for (std::size_t i = 0; frame.masked && i < frame.payload.size(); ++i)
    frame.payload[i] = static_cast<char>(frame.payload[i] ^ static_cast<char>(frame.key[i % 4]));
  stream.remove_prefix(at + static_cast<std::size_t>(length));
  return frame;
}

inline std::string close_payload(unsigned code, std::string_view reason = {}) {
  return std::string{static_cast<char>(code >> 8), static_cast<char>(code & 255)} +
         std::string(reason);
}

inline unsigned code_of(const raw_frame& frame) {
  if (frame.payload.size() < 2) return 1005;
  return static_cast<unsigned>(static_cast<unsigned char>(frame.payload[0])) << 8 |
         static_cast<unsigned char>(frame.payload[1]);
}

}  // namespace strata::transport::tests
