// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/masking.hpp"

#include <array>
#include <cstring>

namespace strata::transport {
inline namespace v0 {
namespace websocket {
namespace {

/// Blocks of a fixed size that are loaded before anything is stored: so the compiler uses vector
/// registers, for any alignment and in place, too.
template <std::size_t Words>
void mask_block(std::byte* out, const std::byte* in, std::uint64_t key) noexcept {
  std::array<std::uint64_t, Words> block;
  std::memcpy(block.data(), in, sizeof block);
  for (std::uint64_t& word : block) word ^= key;
  std::memcpy(out, block.data(), sizeof block);
}

}  // namespace

mask_key apply_mask(std::byte* out, bytes in, mask_key key) noexcept {
  const std::byte* from = in.data();
  std::size_t left = in.size();
  if (key == 0) {
    if (out != from) copy_bytes(out, in);
    return key;
  }
  const std::uint64_t wide = std::uint64_t{key} << 32 | key;
  for (; left >= 64; left -= 64, from += 64, out += 64) mask_block<8>(out, from, wide);
  for (; left >= 8; left -= 8, from += 8, out += 8) mask_block<1>(out, from, wide);
  std::array<std::byte, 4> octets;
  std::memcpy(octets.data(), &key, sizeof key);
  for (std::size_t i = 0; i < left; ++i) out[i] = from[i] ^ octets[i % 4];
  return advance(key, left);
}

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
