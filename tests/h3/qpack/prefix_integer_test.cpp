// SPDX-License-Identifier: Apache-2.0
#include "core/qpack/prefix_integer.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>

#include "octets.hpp"

using namespace strata::h3::core::qpack;
using strata::h3::test::octets;
using strata::transport::varint_max;

namespace {

parse_status read(const std::vector<std::byte>& input, unsigned prefix_bits, std::uint64_t& value) {
  input_cursor cursor{strata::transport::bytes(input)};
  const parse_status status = read_prefix_integer(cursor, prefix_bits, value);
  CHECK((status == parse_status::whole ? cursor.empty() : cursor.at == input.data()));
  return status;
}

}  // namespace

TEST_CASE("prefix_integer: the examples of RFC 7541 appendix C.1 decode", "[h3][qpack]") {
  std::uint64_t value = 0;
  CHECK(read(octets("0a"), 5, value) == parse_status::whole);
  CHECK(value == 10);
  CHECK(read(octets("1f9a0a"), 5, value) == parse_status::whole);
  CHECK(value == 1337);
  CHECK(read(octets("2a"), 8, value) == parse_status::whole);
  CHECK(value == 42);
}

//= RFC 9204 section 4.1.1
//= type=test
//# QPACK implementations MUST be able to decode integers up to and
//# including 62 bits long.
TEST_CASE(
    "prefix_integer: every boundary survives a round trip with every prefix, and no truncation is "
    "whole",
    "[h3][qpack]") {
  for (unsigned prefix_bits = 3; prefix_bits <= 8; ++prefix_bits) {
    for (unsigned bit = 0; bit <= 62; ++bit) {
      for (const std::uint64_t value : {(std::uint64_t{1} << bit) - 1, std::uint64_t{1} << bit,
                                        (std::uint64_t{1} << bit) + 1}) {
        if (value > varint_max) continue;
        std::array<std::byte, max_prefix_integer_size> memory;
        const std::byte* end = write_prefix_integer(memory.data(), 0, prefix_bits, value);
        const std::vector<std::byte> encoded(memory.data(), const_cast<std::byte*>(end));
        std::uint64_t back = 0;
        REQUIRE(read(encoded, prefix_bits, back) == parse_status::whole);
        REQUIRE(back == value);
        for (std::size_t cut = 0; cut < encoded.size(); ++cut)
          REQUIRE(read({encoded.begin(), encoded.begin() + static_cast<std::ptrdiff_t>(cut)},
                       prefix_bits, back) == parse_status::truncated);
      }
    }
  }
}

//= RFC 9204 section 7.4
//# this MUST be treated as a stream error of type QPACK_DECOMPRESSION_FAILED if on a request
//# stream or a connection error of the appropriate type
TEST_CASE("prefix_integer H10: 2^62 and beyond is invalid, 2^62-1 is not",
          "[h3][qpack][attack][H10]") {
  std::uint64_t value = 0;
  CHECK(read(octets("ff80feffffffffffff3f"), 8, value) == parse_status::whole);
  CHECK(value == varint_max);
  CHECK(read(octets("ff81feffffffffffff3f"), 8, value) == parse_status::invalid);
  CHECK(read(octets("ffffffffffffffffff7f"), 8, value) == parse_status::invalid);
}

TEST_CASE("prefix_integer H10: more than nine continuation bytes are invalid whatever they say",
          "[h3][qpack][attack][H10]") {
  std::uint64_t value = 0;
  CHECK(read(octets("ff 80 80 80 80 80 80 80 80 00"), 8, value) == parse_status::whole);
  CHECK(value == 255);
  CHECK(read(octets("ff 80 80 80 80 80 80 80 80 80 00"), 8, value) == parse_status::invalid);
  CHECK(read(octets("ff ff ff ff ff ff ff ff ff ff ff ff"), 8, value) == parse_status::invalid);
}

TEST_CASE("string_literal H09: a length beyond the limit is invalid before the bytes come",
          "[h3][qpack][attack][H09]") {
  string_literal literal;
  const auto exact = octets("02 6162");
  input_cursor cursor{strata::transport::bytes(exact)};
  CHECK(read_string_literal(cursor, 7, 2, literal) == parse_status::whole);
  CHECK(strata::transport::as_text(literal.encoded) == "ab");
  CHECK(!literal.huffman);
  const auto header = octets("03");
  cursor = input_cursor{strata::transport::bytes(header)};
  CHECK(read_string_literal(cursor, 7, 3, literal) == parse_status::truncated);
  CHECK(read_string_literal(cursor, 7, 2, literal) == parse_status::invalid);
}
