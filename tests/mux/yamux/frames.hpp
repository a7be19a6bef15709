// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/yamux/frame.hpp"
#include "strata/transport/core/bytes.hpp"

/// Frames by hand: what a peer of any kind may put on the wire.
namespace strata::mux::core::testing {

using transport::bytes;
using byte_vector = std::vector<std::byte>;

inline byte_vector frame(const frame_header& header, std::string_view payload = {}) {
  byte_vector made(frame_header::encoded_size);
  encode(header, made.data());
  const bytes content = transport::as_bytes(payload);
  made.insert(made.end(), content.begin(), content.end());
  return made;
}

inline byte_vector data_frame(std::uint32_t id, std::uint16_t flags,
                              std::string_view payload = {}) {
  return frame({frame_type::data, flags, id, static_cast<std::uint32_t>(payload.size())}, payload);
}
inline byte_vector window_frame(std::uint32_t id, std::uint16_t flags, std::uint32_t delta = 0) {
  return frame({frame_type::window_update, flags, id, delta});
}
inline byte_vector ping_frame(std::uint16_t flags, std::uint32_t value) {
  return frame({frame_type::ping, flags, 0, value});
}
inline byte_vector go_away_frame(std::uint32_t code) {
  return frame({frame_type::go_away, 0, 0, code});
}

inline byte_vector operator+(byte_vector a, const byte_vector& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

struct seen_frame {
  frame_header header;
  std::string payload;

  bool is(frame_type type, std::uint16_t flags, std::uint32_t id, std::uint32_t length) const {
    return header == frame_header{type, flags, id, length};
  }
};

/// All whole frames at the front of `input`, which loses them.
inline std::vector<seen_frame> take_frames(byte_vector& input) {
  std::vector<seen_frame> seen;
  std::size_t at = 0;
  while (input.size() - at >= frame_header::encoded_size) {
    const bytes rest = bytes(input).subspan(at);
    const auto header = decode(rest.first<frame_header::encoded_size>());
    if (!header) throw std::logic_error("a session sent a frame that no session takes");
    const std::size_t size = frame_header::encoded_size + header->payload();
    if (rest.size() < size) break;
    const bytes payload = rest.subspan(frame_header::encoded_size, header->payload());
    seen.push_back({*header, std::string(transport::as_text(payload))});
    at += size;
  }
  input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(at));
  return seen;
}

}  // namespace strata::mux::core::testing
