// SPDX-License-Identifier: Apache-2.0
#include "core/http1/syntax.hpp"

#include <algorithm>
#include <array>

namespace strata::transport {
inline namespace v0 {
namespace http1 {
namespace {

enum octet_class : std::uint8_t {
  token_octet = 1,
  field_octet = 2,
  target_octet = 4,
  host_octet = 8,
  scheme_octet = 16,
};

constexpr std::array<std::uint8_t, 256> classes = [] {
  std::array<std::uint8_t, 256> table{};
  const auto mark = [&](std::string_view octets, unsigned kind) {
    for (const char octet : octets)
      table[static_cast<unsigned char>(octet)] |= static_cast<std::uint8_t>(kind);
  };
  for (unsigned octet = 0x20; octet < 256; ++octet)
    if (octet != 0x7f) table[octet] |= field_octet;
  table['\t'] |= field_octet;
  for (unsigned octet = 0x21; octet < 0x7f; ++octet)
    if (octet != '#') table[octet] |= target_octet;
  mark("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
       token_octet | host_octet | scheme_octet);
  mark("!#$%&'*+-.^_`|~", token_octet);
  mark("-._~%!$&'()*+,;=", host_octet);
  mark("+-.", scheme_octet);
  return table;
}();

bool is(char octet, octet_class kind) noexcept {
  return (classes[static_cast<unsigned char>(octet)] & kind) != 0;
}

bool all_are(std::string_view text, octet_class kind) noexcept {
  return std::all_of(text.begin(), text.end(), [kind](char octet) { return is(octet, kind); });
}

bool is_blank(char octet) noexcept { return octet == ' ' || octet == '\t'; }

char lower(char octet) noexcept {
  return octet >= 'A' && octet <= 'Z' ? static_cast<char>(octet + 32) : octet;
}

}  // namespace

bool is_digit(char octet) noexcept { return octet >= '0' && octet <= '9'; }

std::optional<unsigned> hex_digit(char octet) noexcept {
  const char small = lower(octet);
  if (is_digit(octet)) return static_cast<unsigned>(octet - '0');
  if (small >= 'a' && small <= 'f') return static_cast<unsigned>(small - 'a' + 10);
  return std::nullopt;
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() && all_are(text, token_octet);
}
bool is_field_text(std::string_view text) noexcept { return all_are(text, field_octet); }
bool is_field_octet(char octet) noexcept { return is(octet, field_octet); }
bool is_field_value(std::string_view text) noexcept {
  return text.empty() || (is_field_text(text) && !is_blank(text.front()) && !is_blank(text.back()));
}
bool is_target_text(std::string_view text) noexcept {
  return !text.empty() && all_are(text, target_octet);
}

bool is_host_name(std::string_view text) noexcept {
  if (text.empty() || !all_are(text, host_octet)) return false;
  for (std::size_t at = text.find('%'); at != text.npos; at = text.find('%', at + 1))
    if (at + 2 >= text.size() || !hex_digit(text[at + 1]) || !hex_digit(text[at + 2])) return false;
  return true;
}

bool is_scheme(std::string_view text) noexcept {
  return !text.empty() && all_are(text, scheme_octet) && lower(text.front()) >= 'a';
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

bool list_reader::next(std::string_view& element) noexcept {
  if (over_) return false;
  const std::size_t comma = rest_.find(',');
  element = trim(rest_.substr(0, comma));
  over_ = comma == rest_.npos;
  if (!over_) rest_.remove_prefix(comma + 1);
  return true;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t most) noexcept {
  // Nineteen digits cannot overflow, and no length needs more, leading zeros included.
  if (text.empty() || text.size() > 19 || !std::all_of(text.begin(), text.end(), is_digit))
    return std::nullopt;
  std::uint64_t value = 0;
  for (const char octet : text) value = 10 * value + static_cast<std::uint64_t>(octet - '0');
  if (value > most) return std::nullopt;
  return value;
}

}  // namespace http1
}  // namespace v0
}  // namespace strata::transport
