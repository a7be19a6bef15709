// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/anytls/frame.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::mux::core::testing {

using anytls::command;
using anytls::frame_header;
using byte_vector = std::vector<std::byte>;
using transport::bytes;

inline byte_vector operator+(byte_vector front, const byte_vector& back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

inline byte_vector octets(std::string_view text) {
  const bytes view = transport::as_bytes(text);
  return {view.begin(), view.end()};
}

inline std::string text_of(bytes of) { return std::string(transport::as_text(of)); }

/// One frame, whatever the command.
inline byte_vector frame(std::uint8_t which, std::uint32_t id, std::string_view content = {}) {
  byte_vector made(frame_header::encoded_size);
  anytls::encode({.command = static_cast<command>(which),
                  .stream_id = id,
                  .length = static_cast<std::uint16_t>(content.size())},
                 made.data());
  return made + octets(content);
}
inline byte_vector frame(command which, std::uint32_t id, std::string_view content = {}) {
  return frame(std::to_underlying(which), id, content);
}

struct seen_frame {
  anytls::command command{};
  std::uint32_t id = 0;
  std::string content;

  bool is(anytls::command which, std::uint32_t of, std::string_view text = {}) const {
    return command == which && id == of && content == text;
  }
  friend bool operator==(const seen_frame&, const seen_frame&) = default;
};

/// Takes the whole frames from the front.
inline std::vector<seen_frame> take_frames(byte_vector& from) {
  constexpr std::size_t head = frame_header::encoded_size;
  std::vector<seen_frame> made;
  std::size_t at = 0;
  while (from.size() - at >= head) {
    const frame_header header = anytls::decode(bytes(from).subspan(at).first<head>());
    if (from.size() - at - head < header.length) break;
    made.push_back(
        {header.command, header.stream_id, text_of(bytes(from).subspan(at + head, header.length))});
    at += head + header.length;
  }
  from.erase(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(at));
  return made;
}

}  // namespace strata::mux::core::testing
