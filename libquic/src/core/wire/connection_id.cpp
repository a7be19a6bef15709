// SPDX-License-Identifier: Apache-2.0
#include "strata/quic/core/connection_id.hpp"

#include <cstring>

namespace strata::quic {
inline namespace v0 {
namespace {

/// The finaliser of SplitMix64: every input bit reaches every output bit. Not a MAC: it keeps
/// buckets even as long as the key stays secret, and nothing more is asked of it.
constexpr std::uint64_t mixed(std::uint64_t value) noexcept {
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
  value = (value ^ value >> 27) * 0x94d049bb133111ebu;
  return value ^ value >> 31;
}

}  // namespace

std::uint64_t connection_id::hash(std::uint64_t key) const noexcept {
  std::uint64_t first = 0, second = 0;
  std::uint32_t third = 0;
  std::memcpy(&first, storage_.data(), 8);
  std::memcpy(&second, storage_.data() + 8, 8);
  std::memcpy(&third, storage_.data() + 16, 4);
  std::uint64_t state = mixed((key + 0x9e3779b97f4a7c15u) ^ first);
  state = mixed((state + key) ^ second);
  return mixed((state + key) ^ (std::uint64_t{size_} << 32 | third));
}

std::string connection_id::hex() const {
  std::string text;
  text.reserve(2 * size_);
  for (const std::byte octet : bytes()) {
    const auto value = std::to_integer<unsigned>(octet);
    text += "0123456789abcdef"[value >> 4];
    text += "0123456789abcdef"[value & 15];
  }
  return text;
}

}  // namespace v0
}  // namespace strata::quic
