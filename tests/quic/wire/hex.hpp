// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "strata/transport/core/bytes.hpp"

namespace strata::testkit {

/// The bytes that hexadecimal text stands for; spaces are skipped. Exactly as large as they are, so
/// that the address sanitizer sees a read beyond the end.
inline std::vector<std::byte> from_hex(std::string_view text) {
  const auto digit = [](char c) {
    return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
  };
  std::string digits;
  for (const char c : text) {
    if (c != ' ') digits += c;
  }
  std::vector<std::byte> octets;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    octets.push_back(static_cast<std::byte>(digit(digits[i]) << 4 | digit(digits[i + 1])));
  }
  octets.shrink_to_fit();
  return octets;
}

inline std::string to_hex(transport::bytes octets) {
  std::string text;
  for (const std::byte octet : octets) {
    text += "0123456789abcdef"[std::to_integer<unsigned>(octet) >> 4];
    text += "0123456789abcdef"[std::to_integer<unsigned>(octet) & 15];
  }
  return text;
}

/// A copy of its own, for cutting short.
inline std::vector<std::byte> copy_of(transport::bytes octets) {
  return {octets.begin(), octets.end()};
}

}  // namespace strata::testkit
