// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace strata::transport {
inline namespace v0 {

/// The largest value a variable-length integer holds (RFC 9000 section 16).
inline constexpr std::uint64_t varint_max = (std::uint64_t{1} << 62) - 1;

/// Bytes that the shortest encoding of `value` takes: 1, 2, 4 or 8. `value` <= varint_max.
constexpr std::size_t varint_size(std::uint64_t value) noexcept {
  if (value < (1u << 6)) return 1;
  if (value < (1u << 14)) return 2;
  if (value < (1u << 30)) return 4;
  return 8;
}

/// Bytes of the encoding that starts with `first`, from its two most significant bits.
constexpr std::size_t varint_size_from_first_byte(std::byte first) noexcept {
  return std::size_t{1} << (std::to_integer<unsigned>(first) >> 6);
}

/// Writes `value` in `size` bytes (1, 2, 4 or 8; it must fit) at `out`: longer than needed is
/// legal, and lets a length be filled in after what it counts.
inline void encode_varint(std::uint64_t value, std::size_t size, std::byte* out) noexcept {
  for (std::size_t i = 0; i < size; ++i)
    out[i] = static_cast<std::byte>(value >> (8 * (size - 1 - i)));
  out[0] |= static_cast<std::byte>(std::countr_zero(size) << 6);
}

}  // namespace v0
}  // namespace strata::transport
