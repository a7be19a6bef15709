// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/sha1.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace strata::transport {
inline namespace v0 {
namespace websocket {
namespace {

using digest_words = std::array<std::uint32_t, 5>;
using block = std::array<std::byte, 64>;

struct round_rule {
  std::uint32_t mix;
  std::uint32_t constant;
};

/// RFC 3174 section 5: f(t; B, C, D) and K(t).
round_rule rule_of(unsigned t, const digest_words& h) noexcept {
  const auto [a, b, c, d, e] = h;
  if (t < 20) return {(b & c) | (~b & d), 0x5a827999};
  if (t < 40) return {b ^ c ^ d, 0x6ed9eba1};
  if (t < 60) return {(b & c) | (b & d) | (c & d), 0x8f1bbcdc};
  return {b ^ c ^ d, 0xca62c1d6};
}

void add_block(digest_words& digest, const block& input) noexcept {
  std::array<std::uint32_t, 80> words;
  for (unsigned t = 0; t < 16; ++t) {
    words[t] = 0;
    for (unsigned i = 0; i < 4; ++i)
      words[t] = words[t] << 8 | std::to_integer<std::uint32_t>(input[4 * t + i]);
  }
  for (unsigned t = 16; t < 80; ++t)
    words[t] = std::rotl(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1);
  digest_words h = digest;
  for (unsigned t = 0; t < 80; ++t) {
    const auto [mix, constant] = rule_of(t, h);
    const std::uint32_t next = std::rotl(h[0], 5) + mix + h[4] + words[t] + constant;
    h = {next, h[0], std::rotl(h[1], 30), h[2], h[3]};
  }
  for (std::size_t i = 0; i < digest.size(); ++i) digest[i] += h[i];
}

}  // namespace

std::array<std::byte, 20> sha1(bytes text) noexcept {
  digest_words digest{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  const std::uint64_t bits = std::uint64_t{text.size()} * 8;
  block input;
  for (; text.size() >= input.size(); text = text.subspan(input.size())) {
    std::copy_n(text.begin(), input.size(), input.begin());
    add_block(digest, input);
  }
  input.fill(std::byte{0});
  std::copy(text.begin(), text.end(), input.begin());
  input[text.size()] = std::byte{0x80};
  if (text.size() >= 56) {
    add_block(digest, input);
    input.fill(std::byte{0});
  }
  for (unsigned i = 0; i < 8; ++i) input[56 + i] = static_cast<std::byte>(bits >> (56 - 8 * i));
  add_block(digest, input);
  std::array<std::byte, 20> out;
  for (unsigned i = 0; i < 20; ++i)
    out[i] = static_cast<std::byte>(digest[i / 4] >> (24 - 8 * (i % 4)));
  return out;
}

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
