// SPDX-License-Identifier: Apache-2.0
#include "core/qpack/encoder.hpp"

#include <catch2/catch_test_macros.hpp>

#include "core/qpack/decoder.hpp"
#include "core/qpack/static_table.hpp"
#include "octets.hpp"

using namespace strata::h3;
using namespace strata::h3::core::qpack;
using test::octets;

namespace {

std::vector<std::byte> encoded(std::vector<field_line> lines) {
  std::vector<std::byte> out;
  encoder().encode(0, lines, out);
  return out;
}

}  // namespace

TEST_CASE("encoder: a line of the static table is one or two bytes", "[h3][qpack]") {
  CHECK(encoded({{":method", "GET"}}) == octets("0000 d1"));
  CHECK(encoded({{":status", "500"}}) == octets("0000 ff08"));
  CHECK(encoded({{":path", "/a"}}) == octets("0000 51 02 2f61"));
}

TEST_CASE("encoder: every line of the static table survives a round trip", "[h3][qpack]") {
  std::vector<field_line> lines;
  for (std::uint64_t i = 0; i < static_table_size; ++i) {
    const static_entry* entry = static_entry_at(i);
    REQUIRE(entry != nullptr);
    REQUIRE(entry->name == field_name(entry->id));
    lines.push_back({entry->name, entry->value});
  }
  CHECK(static_entry_at(static_table_size) == nullptr);
  decoder decoder({});
  field_section section;
  REQUIRE(decoder.decode(0, encoded(lines), section) == decode_outcome::decoded);
  REQUIRE(section.size() == lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    CHECK(section[i].name == lines[i].name);
    CHECK(section[i].value == lines[i].value);
    CHECK(section[i].id == find_known_field(lines[i].name));
  }
}

//= RFC 9204 section 4.5.4
//= type=test
//# When the 'N' bit is set, the encoded field
//# line MUST always be encoded with a literal representation.
TEST_CASE("encoder: secrets carry the never-index bit and stay literals", "[h3][qpack]") {
  decoder decoder({});
  field_section section;
  REQUIRE(decoder.decode(0,
                         encoded({{"authorization", ""},
                                  {"cookie", "short=1"},
                                  {"cookie", "long=0123456789abcdef0123456789"},
                                  {"set-cookie", "a=b"},
                                  {"proxy-authorization", "x"},
                                  {":method", "GET", known_field::unknown, true},
                                  {"x-token", "y", known_field::unknown, true},
                                  {"accept", "*/*"}}),
                         section) == decode_outcome::decoded);
  std::string marks;
  for (const field_line line : section) marks += line.never_indexed ? 'N' : '-';
  CHECK(marks == "NN-NNNN-");
}

TEST_CASE("encoder: a cookie of 19 bytes is never indexed, one of 20 may be", "[h3][qpack]") {
  CHECK(is_never_indexed({"cookie", "0123456789012345678", known_field::cookie}));
  CHECK(!is_never_indexed({"cookie", "01234567890123456789", known_field::cookie}));
  CHECK(!is_never_indexed({"cookie", "012345678901234567890", known_field::cookie}));
}

//= RFC 9204 section 4.4.1
//# If an encoder receives a Section Acknowledgment instruction referring to a stream on which
//# every encoded field section with a non-zero Required Insert Count has already been
//# acknowledged, this MUST be treated as a connection error of type QPACK_DECODER_STREAM_ERROR.
//= RFC 9204 section 4.4.3
//# An encoder that receives an Increment field equal to zero, or one that increases the Known
//# Received Count beyond what the encoder has sent, MUST treat this as a connection error of type
//# QPACK_DECODER_STREAM_ERROR.
TEST_CASE("encoder H06: acknowledgments and increments of nothing are errors, in every split",
          "[h3][qpack][attack][H06]") {
  for (const char* wrong : {"00", "01", "3f00", "80", "84", "ff8001"}) {
    const auto input = octets(wrong);
    encoder whole;
    CHECK(!whole.receive(input));
    encoder split;
    bool ok = true;
    for (const std::byte octet : input) ok = ok && split.receive({&octet, 1});
    CHECK(!ok);
  }
}

TEST_CASE("encoder: stream cancellations are welcome, an overlong integer is not", "[h3][qpack]") {
  encoder encoder;
  for (int i = 0; i < 100; ++i) REQUIRE(encoder.receive(octets("40 44 7f01 7fffff0f")));
  REQUIRE(encoder.receive(octets("7f")));
  REQUIRE(encoder.receive(octets("ff")));
  REQUIRE(encoder.receive(octets("03")));
  CHECK(!encoder.receive(octets("7f ff ff ff ff ff ff ff ff ff ff")));
}

TEST_CASE("encoder: names and values of every kind of emptiness survive", "[h3][qpack]") {
  decoder decoder({});
  field_section section;
  REQUIRE(decoder.decode(0, encoded({{"", ""}, {"x", ""}, {"", "y"}, {"content-type", ""}}),
                         section) == decode_outcome::decoded);
  CHECK(test::printed(section) == ": \nx: \n: y\ncontent-type: \n");
}
