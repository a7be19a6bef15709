// SPDX-License-Identifier: Apache-2.0
#include "observers/json_text.hpp"

#include <cstddef>
#include <cstdint>

namespace strata::quic {
inline namespace v0 {
namespace observers {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

/// One code point; size zero when `text` does not begin with one.
struct code_point {
  std::uint32_t value = 0;
  std::size_t size = 0;
};

code_point first_code_point(std::string_view text) noexcept {
  const auto octet = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const std::uint32_t lead = octet(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  std::uint32_t value = lead & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((octet(i) & 0xc0) != 0x80) return {};
    value = value << 6 | (octet(i) & 0x3fu);
  }
  constexpr std::uint32_t smallest_of_three = 0x800, smallest_of_four = 0x10000;
  const bool overlong =
      (size == 3 && value < smallest_of_three) || (size == 4 && value < smallest_of_four);
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (overlong || surrogate || value > 0x10ffff) return {};
  return {value, size};
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t size = first_code_point(text).size;
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const code_point first = first_code_point(text);
    // The second block of controls, U+0080 to U+009F, commands terminals as well.
    const bool control = first.value < 0x20 || (first.value >= 0x7f && first.value < 0xa0);
    if (first.size == 0) {
      out += "\\ufffd";
    } else if (control || first.value == '"' || first.value == '\\') {
      out += "\\u00";
      out += digits[first.value >> 4];
      out += digits[first.value & 15];
    } else {
      out += text.substr(0, first.size);
    }
    text.remove_prefix(first.size == 0 ? 1 : first.size);
  }
  out += '"';
}

void append_hexadecimal(std::string& out, transport::bytes data) {
  for (const std::byte octet : data) {
    out += digits[std::to_integer<unsigned>(octet) >> 4];
    out += digits[std::to_integer<unsigned>(octet) & 15];
  }
}

}  // namespace observers
}  // namespace v0
}  // namespace strata::quic
