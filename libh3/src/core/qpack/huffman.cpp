// SPDX-License-Identifier: Apache-2.0
#include "core/qpack/huffman.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace strata::h3 {
inline namespace v0 {
namespace core::qpack {
namespace {

constexpr std::size_t symbol_count = 257;
constexpr std::size_t end_of_string = 256;
constexpr unsigned longest_code = 30;
constexpr unsigned lookup_bits = 11;

/// Bits of each symbol's code (RFC 7541 appendix B). The code is canonical: lengths alone give it.
constexpr std::array<std::uint8_t, symbol_count> code_length{
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,
    5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8,  15, 6,  12, 10, 13, 6,  7,  7,  7,  7,  7,  7,
    7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8,  13, 19, 13, 14, 6,
    15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,  6,  7,  6,  5,  5,  6,  7,  7,
    7,  7,  7,  15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30};

/// The canonical code: symbols sorted by length and value, and where each length begins.
struct canonical_code {
  std::array<std::uint32_t, symbol_count> code{};
  std::array<std::uint16_t, symbol_count> sorted{};
  std::array<std::uint32_t, longest_code + 1> first_code{};
  std::array<std::uint16_t, longest_code + 1> first_index{};
  std::array<std::uint32_t, longest_code + 1>
      limit{};  // left-aligned in longest_code bits: codes below are no longer
};

constexpr canonical_code make_code() {
  canonical_code result;
  std::uint32_t next = 0;
  std::uint16_t index = 0;
  for (unsigned length = 1; length <= longest_code; ++length) {
    next <<= 1;
    result.first_code[length] = next;
    result.first_index[length] = index;
    for (std::size_t symbol = 0; symbol < symbol_count; ++symbol) {
      if (code_length[symbol] != length) continue;
      result.code[symbol] = next++;
      result.sorted[index++] = static_cast<std::uint16_t>(symbol);
    }
    result.limit[length] = next << (longest_code - length);
  }
  return result;
}

constexpr canonical_code code = make_code();
static_assert(code.limit[longest_code] == std::uint32_t{1} << longest_code,
              "every bit string means something");
static_assert(code.code[end_of_string] == 0x3fffffff);

/// What the next lookup_bits bits begin with: one or two whole symbols, or (bits == 0) the start of
/// a longer code.
struct lookup_entry {
  std::array<char, 2> symbols{};
  std::uint8_t first_bits = 0;
  std::uint8_t bits = 0;
};

constexpr lookup_entry look_up_one(std::uint32_t window, unsigned available) {
  for (unsigned length = 5; length <= available; ++length) {
    const std::uint32_t aligned = window << (longest_code - available);
    if (aligned >= code.limit[length]) continue;
    const std::uint32_t offset = (aligned >> (longest_code - length)) - code.first_code[length];
    lookup_entry entry;
    entry.symbols[0] = static_cast<char>(code.sorted[code.first_index[length] + offset]);
    entry.first_bits = entry.bits = static_cast<std::uint8_t>(length);
    return entry;
  }
  return {};
}

constexpr auto make_lookup() {
  std::array<lookup_entry, std::size_t{1} << lookup_bits> table{};
  for (std::uint32_t window = 0; window < table.size(); ++window) {
    lookup_entry entry = look_up_one(window, lookup_bits);
    if (entry.bits != 0) {
      const unsigned left = lookup_bits - entry.bits;
      const lookup_entry second = look_up_one(window & ((1u << left) - 1), left);
      entry.symbols[1] = second.symbols[0];
      entry.bits = static_cast<std::uint8_t>(entry.bits + second.bits);
    }
    table[window] = entry;
  }
  return table;
}

constexpr auto lookup = make_lookup();

struct long_symbol {
  std::uint16_t symbol;
  unsigned bits;
};

/// The symbol that the top bits of `window` begin with, when its code is longer than the lookup
/// reaches.
long_symbol decode_long(std::uint64_t window) noexcept {
  const auto top = static_cast<std::uint32_t>(window >> (64 - longest_code));
  unsigned length = lookup_bits + 1;
  while (top >= code.limit[length]) ++length;  // ends: limit[longest_code] is beyond every value
  const std::uint32_t offset = (top >> (longest_code - length)) - code.first_code[length];
  return {code.sorted[code.first_index[length] + offset], length};
}

std::uint64_t load_big_endian(const std::byte* from) noexcept {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (std::endian::native == std::endian::little) value = __builtin_bswap64(value);
  return value;
}

/// The last bits of the input, followed by ones: fewer than a long code may need.
char* decode_tail(std::uint64_t window, unsigned bits, char* out) noexcept {
  window |= bits == 0 ? ~std::uint64_t{0} : ~std::uint64_t{0} >> bits;
  while (bits != 0) {
    const lookup_entry& entry = lookup[window >> (64 - lookup_bits)];
    unsigned used = entry.bits;
    if (used == 0) {
      const long_symbol next = decode_long(window);
      used = next.bits;
      if (used > bits) break;
      *out++ = static_cast<char>(next.symbol);
    } else if (used <= bits) {
      out[0] = entry.symbols[0];
      out[1] = entry.symbols[1];
      out += used == entry.first_bits ? 1 : 2;
    } else {
      used = entry.first_bits;
      if (used > bits) break;
      *out++ = entry.symbols[0];
    }
    window = window << used | ((std::uint64_t{1} << used) - 1);
    bits -= used;
  }
  return bits <= 7 && window == ~std::uint64_t{0} ? out : nullptr;
}

}  // namespace

std::optional<std::size_t> huffman_decode(transport::bytes input, char* out) noexcept {
  const std::byte* from = input.data();
  const std::byte* const end = from + input.size();
  const char* const begin = out;
  std::uint64_t window =
      0;  // the next bits, left-aligned; below them zeros or bits that are loaded again
  unsigned bits = 0;
  for (;;) {
    if (end - from >= 8) {
      window |= load_big_endian(from) >> bits;
      const unsigned whole = (63 - bits) / 8;
      from += whole;
      bits += 8 * whole;
    } else {
      for (; bits <= 56 && from != end; ++from, bits += 8)
        window |= std::to_integer<std::uint64_t>(*from) << (56 - bits);
      if (bits < longest_code) break;
    }
    while (bits >= longest_code) {
      const lookup_entry& entry = lookup[window >> (64 - lookup_bits)];
      unsigned used = entry.bits;
      if (used != 0) [[likely]] {
        out[0] = entry.symbols[0];
        out[1] = entry.symbols[1];
        out += used == entry.first_bits ? 1 : 2;
      } else {
        const long_symbol next = decode_long(window);
        if (next.symbol == end_of_string) return std::nullopt;
        *out++ = static_cast<char>(next.symbol);
        used = next.bits;
      }
      window <<= used;
      bits -= used;
    }
  }
  const char* const finish = decode_tail(window, bits, out);
  if (finish == nullptr) return std::nullopt;
  return static_cast<std::size_t>(finish - begin);
}

std::size_t huffman_encoded_size(std::string_view text) noexcept {
  std::size_t bits = 0;
  for (const char c : text) bits += code_length[static_cast<unsigned char>(c)];
  return (bits + 7) / 8;
}

std::byte* huffman_encode(std::string_view text, std::byte* out) noexcept {
  std::uint64_t window = 0;  // right-aligned
  unsigned bits = 0;
  for (const char c : text) {
    const auto symbol = static_cast<unsigned char>(c);
    window = window << code_length[symbol] | code.code[symbol];
    bits += code_length[symbol];
    while (bits >= 8) {
      bits -= 8;
      *out++ = static_cast<std::byte>(window >> bits);
    }
  }
  if (bits != 0) *out++ = static_cast<std::byte>(window << (8 - bits) | 0xffu >> bits);
  return out;
}

}  // namespace core::qpack
}  // namespace v0
}  // namespace strata::h3
