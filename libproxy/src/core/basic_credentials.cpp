// SPDX-License-Identifier: Apache-2.0
#include "core/basic_credentials.hpp"

#include <algorithm>
#include <cstdint>

#include "core/ascii_case.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {
namespace {

constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void encode_base64(std::string& out, std::string_view input) {
  for (std::size_t at = 0; at < input.size(); at += 3) {
    const std::size_t left = input.size() - at;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < left ? static_cast<std::uint8_t>(input[at + i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i)
      out.push_back(i <= left ? base64_alphabet[group >> (18 - 6 * i) & 63] : '=');
  }
}

std::optional<std::string> decode_base64(std::string_view input) {
  if (input.empty() || input.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = input.ends_with("==") ? 2 : input.ends_with('=') ? 1 : 0;
  input.remove_suffix(padding);
  std::string out;
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const char letter : input) {
    const std::size_t value = base64_alphabet.find(letter);
    if (value == base64_alphabet.npos) return std::nullopt;
    group = group << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<char>(group >> bits & 0xff));
  }
  // What is left over are zeros, or the same octets would have several texts.
  if ((group & ((1u << bits) - 1)) != 0) return std::nullopt;
  return out;
}

bool has_control(std::string_view text) noexcept {
  return std::ranges::any_of(
      text, [](char letter) { return static_cast<unsigned char>(letter) < ' ' || letter == 0x7f; });
}

}  // namespace

std::optional<basic_credentials> decode_basic_credentials(std::string_view field_value) {
  const std::size_t space = field_value.find(' ');
  if (space == field_value.npos || !equal_ignoring_case(field_value.substr(0, space), "basic"))
    return std::nullopt;
  const std::size_t token = field_value.find_first_not_of(' ', space);
  if (token == field_value.npos) return std::nullopt;
  const auto text = decode_base64(field_value.substr(token));
  if (!text) return std::nullopt;
  const std::size_t colon = text->find(':');
  if (colon == text->npos) return std::nullopt;
  return basic_credentials{text->substr(0, colon), text->substr(colon + 1)};
}

std::optional<std::string> encode_basic_credentials(std::string_view user,
                                                    std::string_view password) {
  if (user.find(':') != user.npos || has_control(user) || has_control(password))
    return std::nullopt;
  std::string out = "Basic ";
  encode_base64(out, std::string(user).append(":").append(password));
  return out;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
