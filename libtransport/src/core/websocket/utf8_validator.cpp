// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/utf8_validator.hpp"

#include <cstring>

namespace strata::transport {
inline namespace v0 {
namespace websocket {
namespace {

/// How many bytes of ASCII there are at the front, a multiple of 16 or all of them.
std::size_t ascii_prefix(const std::byte* text, std::size_t size) noexcept {
  std::size_t at = 0;
  for (; at + 16 <= size; at += 16) {
    std::uint64_t words[2];
    std::memcpy(words, text + at, sizeof words);
    if (((words[0] | words[1]) & 0x8080808080808080) != 0) break;
  }
  return at;
}

}  // namespace

bool utf8_validator::add(bytes text) noexcept {
  const std::byte* octets = text.data();
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (needed_ == 0) {
      at += ascii_prefix(octets + at, text.size() - at);
      if (at == text.size()) break;
    }
    const auto octet = std::to_integer<std::uint8_t>(octets[at]);
    if (needed_ == 0) {
      if (!begin(octet)) return false;
      continue;
    }
    if (octet < low_ || octet > high_) return expect(1, 0xff, 0), false;
    --needed_;
    low_ = 0x80;
    high_ = 0xbf;
  }
  return true;
}

/// RFC 3629 section 4: the second byte's range excludes overlong forms, surrogates, and what is
/// beyond U+10FFFF.
bool utf8_validator::begin(std::uint8_t octet) noexcept {
  if (octet < 0x80) return true;
  if (octet >= 0xc2 && octet <= 0xdf) return expect(1, 0x80, 0xbf);
  if (octet == 0xe0) return expect(2, 0xa0, 0xbf);
  if (octet == 0xed) return expect(2, 0x80, 0x9f);
  if (octet >= 0xe1 && octet <= 0xef) return expect(2, 0x80, 0xbf);
  if (octet == 0xf0) return expect(3, 0x90, 0xbf);
  if (octet >= 0xf1 && octet <= 0xf3) return expect(3, 0x80, 0xbf);
  if (octet == 0xf4) return expect(3, 0x80, 0x8f);
  return expect(1, 0xff, 0), false;
}

/// An empty range, low above high, is what nothing satisfies ever after.
bool utf8_validator::expect(std::uint8_t needed, std::uint8_t low, std::uint8_t high) noexcept {
  needed_ = needed;
  low_ = low;
  high_ = high;
  return true;
}

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
