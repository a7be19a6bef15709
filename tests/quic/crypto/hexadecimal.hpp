// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "strata/transport/core/bytes.hpp"

namespace strata::quic::tests {

inline std::vector<std::byte> from_hexadecimal(std::string_view digits) {
  const auto value = [](char c) {
    return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
  };
  std::vector<std::byte> out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.push_back(static_cast<std::byte>(value(digits[i]) << 4 | value(digits[i + 1])));
  }
  return out;
}

inline std::string to_hexadecimal(transport::bytes value) {
  std::string out;
  for (const std::byte octet : value) {
    out += "0123456789abcdef"[std::to_integer<unsigned>(octet) >> 4];
    out += "0123456789abcdef"[std::to_integer<unsigned>(octet) & 15];
  }
  return out;
}

}  // namespace strata::quic::tests
