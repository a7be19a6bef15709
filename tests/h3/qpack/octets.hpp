// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "strata/h3/core/field_section.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::h3::test {

/// Bytes written in hexadecimal; spaces are for the reader.
inline std::vector<std::byte> octets(std::string_view hexadecimal) {
  std::vector<std::byte> out;
  unsigned value = 0;
  bool half = false;
  for (const char c : hexadecimal) {
    if (c == ' ') continue;
    value = value << 4 | static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
    if (half) out.push_back(static_cast<std::byte>(value & 0xff));
    half = !half;
  }
  return out;
}

inline std::vector<std::byte> text_octets(std::string_view text) {
  const auto view = transport::as_bytes(text);
  return {view.begin(), view.end()};
}

inline void append(std::vector<std::byte>& to, transport::bytes from) {
  to.insert(to.end(), from.begin(), from.end());
}

/// A section as "name: value\n" lines, to compare and to print.
inline std::string printed(const field_section& section) {
  std::string out;
  for (const field_line line : section) {
    out += line.name;
    out += ": ";
    out += line.value;
    out += '\n';
  }
  return out;
}

}  // namespace strata::h3::test
