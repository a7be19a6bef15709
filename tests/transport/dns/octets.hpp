// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cctype>
#include <cstddef>
#include <string_view>
#include <vector>

#include "strata/transport/core/dns_message.hpp"

namespace strata::testkit {

/// Octets written as RFCs write them: hexadecimal digits, white space anywhere, and text between
/// quotes as it is.
inline std::vector<std::byte> octets(std::string_view text) {
  std::vector<std::byte> out;
  int high = -1;
  for (bool quoted = false; const char letter : text) {
    if (letter == '\'') {
      quoted = !quoted;
    } else if (quoted) {
      out.push_back(static_cast<std::byte>(letter));
    } else if (std::isxdigit(static_cast<unsigned char>(letter)) != 0) {
      const int value = letter <= '9' ? letter - '0' : (letter | 0x20) - 'a' + 10;
      if (high < 0) {
        high = value;
        continue;
      }
      out.push_back(static_cast<std::byte>(high << 4 | value));
      high = -1;
    }
  }
  return out;
}

inline transport::dns_name name(std::string_view text) {
  return transport::dns_name::parse(text).value();
}

}  // namespace strata::testkit
