// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/varint.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core::qpack {

/// How reading one item of a QPACK stream or section went.
enum class parse_status : std::uint8_t {
  whole,
  truncated,  ///< The input ends inside the item: more may come.
  invalid,    ///< No more input makes it right.
};

/// Where a parser is in its input.
struct input_cursor {
  const std::byte* at = nullptr;
  const std::byte* end = nullptr;

  explicit input_cursor(transport::bytes input) noexcept
      : at(input.data()), end(input.data() + input.size()) {}
  bool empty() const noexcept { return at == end; }
  std::size_t remaining() const noexcept { return static_cast<std::size_t>(end - at); }
};

/// Bytes the encoding of any integer takes at most: a prefix and nine more.
inline constexpr std::size_t max_prefix_integer_size = 10;

//= RFC 9204 section 4.1.1
//# QPACK implementations MUST be able to decode integers up to and
//# including 62 bits long.
/// Reads an integer with a prefix of `prefix_bits` bits. Beyond 62 bits, or ten bytes whatever
/// their value, it is invalid: the check comes before the shift (an eleventh byte would shift by
/// 70).
inline parse_status read_prefix_integer(input_cursor& cursor, unsigned prefix_bits,
                                        std::uint64_t& value) noexcept {
  if (cursor.empty()) return parse_status::truncated;
  const std::byte* at = cursor.at;
  const std::uint64_t prefix_mask = (std::uint64_t{1} << prefix_bits) - 1;
  std::uint64_t sum = std::to_integer<std::uint64_t>(*at++) & prefix_mask;
  if (sum == prefix_mask) {
    for (unsigned shift = 0;; shift += 7) {
      if (shift > 56) return parse_status::invalid;
      if (at == cursor.end) return parse_status::truncated;
      const std::uint64_t octet = std::to_integer<std::uint64_t>(*at++);
      sum += (octet & 0x7f) << shift;
      if ((octet & 0x80) == 0) break;
    }
    //= RFC 9204 section 7.4
    //# this MUST be treated as a stream error of type QPACK_DECOMPRESSION_FAILED if on a request
    //# stream or a connection error of the appropriate type
    if (sum > transport::varint_max) return parse_status::invalid;
  }
  cursor.at = at;
  value = sum;
  return parse_status::whole;
}

/// Writes `value` after the bits of `first` above the prefix; returns the end. At most
/// max_prefix_integer_size bytes.
inline std::byte* write_prefix_integer(std::byte* out, std::uint8_t first, unsigned prefix_bits,
                                       std::uint64_t value) noexcept {
  const std::uint64_t prefix_mask = (std::uint64_t{1} << prefix_bits) - 1;
  if (value < prefix_mask) {
    *out++ = static_cast<std::byte>(first | value);
    return out;
  }
  *out++ = static_cast<std::byte>(first | prefix_mask);
  for (value -= prefix_mask; value >= 0x80; value >>= 7)
    *out++ = static_cast<std::byte>(0x80 | (value & 0x7f));
  *out++ = static_cast<std::byte>(value);
  return out;
}

/// A string literal as it stands in the input, not yet decoded.
struct string_literal {
  transport::bytes encoded;
  bool huffman = false;
};

/// Reads a string literal whose length has a prefix of `length_bits`, the Huffman flag being the
/// bit above. When the length is beyond `max_size` the literal is invalid at once, before its bytes
/// arrive.
inline parse_status read_string_literal(input_cursor& cursor, unsigned length_bits,
                                        std::size_t max_size, string_literal& literal) noexcept {
  if (cursor.empty()) return parse_status::truncated;
  literal.huffman = (std::to_integer<unsigned>(*cursor.at) >> length_bits & 1) != 0;
  input_cursor rest = cursor;
  std::uint64_t size = 0;
  if (const parse_status status = read_prefix_integer(rest, length_bits, size);
      status != parse_status::whole)
    return status;
  if (size > max_size) return parse_status::invalid;
  if (size > rest.remaining()) return parse_status::truncated;
  literal.encoded = {rest.at, static_cast<std::size_t>(size)};
  cursor.at = rest.at + size;
  return parse_status::whole;
}

}  // namespace core::qpack
}  // namespace v0
}  // namespace strata::h3
