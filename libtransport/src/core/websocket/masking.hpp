// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "strata/transport/core/bytes.hpp"

namespace strata::transport {
inline namespace v0 {
namespace websocket {

/// The four bytes of a masking key as they lie in memory; zero masks nothing.
using mask_key = std::uint32_t;

/// The key whose first byte is the one that comes after `size` bytes.
constexpr mask_key advance(mask_key key, std::size_t size) noexcept {
  const int bits = static_cast<int>(8 * (size % 4));
  return std::endian::native == std::endian::little ? std::rotr(key, bits) : std::rotl(key, bits);
}

/// Masks or unmasks `in` into `out`, which has room for as much and is either the same memory or
/// does not overlap it (RFC 6455 section 5.3). Gives the key for the bytes that follow.
mask_key apply_mask(std::byte* out, bytes in, mask_key key) noexcept;

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
