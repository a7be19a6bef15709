// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/opening_key.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/websocket/sha1.hpp"

namespace strata::transport {
inline namespace v0 {
namespace websocket {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view protocol_id = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

std::string base64(bytes input) {
  std::string out;
  for (; !input.empty(); input = input.subspan(std::min<std::size_t>(3, input.size()))) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < input.size() ? std::to_integer<std::uint32_t>(input[i]) : 0);
    for (std::size_t i = 0; i < 4; ++i)
      out.push_back(i <= input.size() ? alphabet[group >> (18 - 6 * i) & 63] : '=');
  }
  return out;
}

}  // namespace

std::string make_key(random_source& random) {
  std::array<std::byte, 16> octets;
  random.fill(octets);
  return base64(octets);
}

bool is_key(std::string_view value) noexcept {
  return value.size() == 24 && value.ends_with("==") &&
         std::all_of(value.begin(), value.end() - 2,
                     [](char octet) { return alphabet.find(octet) != alphabet.npos; });
}

std::string accept_of(std::string_view key) {
  return base64(sha1(as_bytes(std::string(key).append(protocol_id))));
}

bool is_accept(std::string_view value, std::string_view expected) noexcept {
  unsigned difference = value.size() == expected.size() ? 0 : 1;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const char octet = i < value.size() ? value[i] : '\0';
    difference |= static_cast<unsigned>(octet ^ expected[i]);
  }
  return difference == 0;
}

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
