// SPDX-License-Identifier: Apache-2.0
#include "core/qpack/decoder.hpp"

#include <catch2/catch_test_macros.hpp>

#include "core/qpack/static_table.hpp"
#include "octets.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::h3;
using namespace strata::h3::core;
using namespace strata::h3::core::qpack;
using test::octets;
using test::printed;

namespace {

decode_outcome decode(decoder& decoder, const char* encoded, field_section& section,
                      std::uint64_t stream_id = 4) {
  return decoder.decode(stream_id, octets(encoded), section);
}

decode_outcome decode(const char* encoded) {
  decoder decoder({});
  field_section section;
  return decode(decoder, encoded, section);
}

bool receive(const char* instructions, std::uint64_t max_capacity = 4096) {
  decoder decoder({.max_table_capacity = max_capacity});
  return decoder.receive(octets(instructions));
}

/// A raw literal insertion: name and value as they are.
std::vector<std::byte> insertion(std::string_view name, std::string_view value) {
  std::vector<std::byte> out(2 * max_prefix_integer_size);
  std::byte* at = write_prefix_integer(out.data(), 0x40, 5, name.size());
  out.resize(static_cast<std::size_t>(at - out.data()));
  test::append(out, strata::transport::as_bytes(name));
  std::byte length[max_prefix_integer_size];
  test::append(out, {length, write_prefix_integer(length, 0, 7, value.size())});
  test::append(out, strata::transport::as_bytes(value));
  return out;
}

}  // namespace

//= RFC 9204 section 2.2.2.1
//# After the decoder finishes decoding a field section encoded using representations containing
//# dynamic table references, it MUST emit a Section Acknowledgment instruction (Section 4.4.1).
//= RFC 9204 section 3.2
//# duplicate entries MUST NOT be treated as an error by the decoder
TEST_CASE("qpack decoder: RFC 9204 appendix B step by step, with what it answers", "[h3][qpack]") {
  decoder decoder({.max_table_capacity = 220});
  field_section section;
  CHECK(decode(decoder, "0000 510b 2f69 6e64 6578 2e68 746d 6c", section, 0) ==
        decode_outcome::decoded);
  CHECK(printed(section) == ":path: /index.html\n");
  CHECK(decoder.output().empty());

  REQUIRE(decoder.receive(octets(
      "3fbd01 c00f 7777 772e 6578 616d 706c 652e 636f 6d c10c 2f73 616d 706c 652f 7061 7468")));
  CHECK(decoder.table().size() == 106);
  CHECK(decode(decoder, "0381 10 11", section, 4) == decode_outcome::decoded);
  CHECK(printed(section) == ":authority: www.example.com\n:path: /sample/path\n");
  CHECK(std::vector(decoder.output().begin(), decoder.output().end()) == octets("84"));
  decoder.sent(1);

  REQUIRE(decoder.receive(octets("4a63 7573 746f 6d2d 6b65 790c 6375 7374 6f6d 2d76 616c 7565")));
  CHECK(decoder.table().size() == 160);
  CHECK(std::vector(decoder.output().begin(), decoder.output().end()) == octets("01"));
  decoder.sent(1);

  REQUIRE(decoder.receive(octets("02")));
  CHECK(decoder.table().size() == 217);
  CHECK(decode(decoder, "0500 80 c1 81", section, 8) == decode_outcome::decoded);
  CHECK(printed(section) == ":authority: www.example.com\n:path: /\ncustom-key: custom-value\n");
  decoder.cancel(8);
  CHECK(std::vector(decoder.output().begin(), decoder.output().end()) == octets("88 48"));
  decoder.sent(2);

  REQUIRE(decoder.receive(octets("810d 6375 7374 6f6d 2d76 616c 7565 32")));
  CHECK(decoder.table().size() == 215);
  CHECK(decoder.table().evicted_count() == 1);
}

TEST_CASE("qpack decoder: an empty section has no lines, a cut prefix is an error", "[h3][qpack]") {
  CHECK(decode("0000") == decode_outcome::decoded);
  CHECK(decode("") == decode_outcome::failed);
  CHECK(decode("00") == decode_outcome::failed);
  CHECK(decode("ff") == decode_outcome::failed);
  CHECK(decode("00ff") == decode_outcome::failed);
}

//= RFC 9204 section 3.1
//= type=test
//# When the decoder encounters an invalid static table index in a field line
//# representation, it MUST treat this as a connection error of type
//# QPACK_DECOMPRESSION_FAILED.
TEST_CASE("qpack decoder: static index 98 exists, 99 fails, as line and as name", "[h3][qpack]") {
  CHECK(decode("0000 ff23") == decode_outcome::decoded);
  CHECK(decode("0000 ff24") == decode_outcome::failed);
  CHECK(decode("0000 5f53 00") == decode_outcome::decoded);
  CHECK(decode("0000 5f54 00") == decode_outcome::failed);
}

//= RFC 9204 section 3.1
//= type=test
//# If this index is received on the encoder stream,
//# this MUST be treated as a connection error of type QPACK_ENCODER_STREAM_ERROR.
TEST_CASE("qpack decoder: static index 99 on the encoder stream is its error", "[h3][qpack]") {
  CHECK(receive("3fe11f ff23 00"));
  CHECK(!receive("3fe11f ff24 00"));
  CHECK(!receive("3fe11f ff24"));  // known before the value comes
}

//= RFC 9204 section 4.3.1
//= type=test
//# The decoder MUST treat a new dynamic table capacity value that
//# exceeds this limit as a connection error of type QPACK_ENCODER_STREAM_ERROR.
TEST_CASE("qpack decoder: the capacity may reach what we promised and not pass it", "[h3][qpack]") {
  CHECK(receive("3fe01f"));         // 4095
  CHECK(receive("3fe11f"));         // 4096
  CHECK(!receive("3fe21f"));        // 4097
  CHECK(!receive("3fe1c7afa025"));  // 10^10
  CHECK(receive("20", 0));
  CHECK(!receive("21", 0));
}

//= RFC 9204 section 3.2.2
//= type=test
//# It is an
//# error if the encoder attempts to add an entry that is larger than the dynamic
//# table capacity; the decoder MUST treat this as a connection error of type
//# QPACK_ENCODER_STREAM_ERROR.
TEST_CASE("qpack decoder: insertions before a capacity, or larger than it, are errors at once",
          "[h3][qpack]") {
  CHECK(!receive("4161 00"));  // capacity 0
  CHECK(!receive("c0 00"));
  decoder decoder({});
  REQUIRE(decoder.receive(octets("3f45")));  // 100
  CHECK(decoder.receive(insertion("name", std::string(64, 'v'))));
  CHECK(!decoder.receive(insertion("name", std::string(65, 'v'))));
}

TEST_CASE(
    "qpack decoder H09: a huge declared length on the encoder stream is refused before its bytes",
    "[h3][qpack][attack][H09]") {
  CHECK(!receive("3fe11f 5fffffff7f"));
  CHECK(!receive("3fe11f c0 7fffffff7f"));
  CHECK(!receive("3fe11f c0 ffffffff7f"));
}

TEST_CASE("qpack decoder: the encoder stream may be cut anywhere", "[h3][qpack]") {
  std::vector<std::byte> stream = octets("3fe11f");
  test::append(stream, octets("c00f 7777772e6578616d706c652e636f6d"));  // a static name
  test::append(stream, insertion("custom-key", std::string(300, 'v')));
  test::append(stream, octets("81 82 6402"));  // a dynamic name, "302" in Huffman
  test::append(stream, octets("02 00"));       // duplicates
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    decoder decoder({});
    REQUIRE(decoder.receive(strata::transport::bytes(stream).first(cut)));
    REQUIRE(decoder.receive(strata::transport::bytes(stream).subspan(cut)));
    REQUIRE(decoder.insert_count() == 5);
    REQUIRE(decoder.table().at(1)->value == std::string(300, 'v'));
    REQUIRE(decoder.table().at(3)->name == ":authority");
  }
  decoder decoder({});
  for (const std::byte octet : stream) REQUIRE(decoder.receive({&octet, 1}));
  CHECK(decoder.insert_count() == 5);
}

//= RFC 9204 section 2.2.3
//= type=test
//# If the decoder encounters a reference in an encoder instruction to a dynamic
//# table entry that has already been evicted, it MUST treat this as a connection
//# error of type QPACK_ENCODER_STREAM_ERROR.
TEST_CASE("qpack decoder: instructions may not name what is evicted or never was", "[h3][qpack]") {
  CHECK(!receive("3fe11f 00"));     // duplicate of nothing
  CHECK(!receive("3fe11f 80 00"));  // name of nothing
  CHECK(receive("3fe11f 4161 00 00"));
  CHECK(!receive("3fe11f 4161 00 01"));
  CHECK(receive("3f21 4161 00 4162 00 00"));   // capacity 64: one entry at a time
  CHECK(!receive("3f21 4161 00 4162 00 01"));  // 'a' is gone
  CHECK(!receive("3f21 4161 00 20 00"));       // capacity 0 evicts all
}

TEST_CASE("qpack decoder H07: an insertion may take its name from the entry it evicts",
          "[h3][qpack][attack][H07]") {
  decoder decoder({});
  REQUIRE(decoder.receive(octets("3f21")));  // capacity 64
  REQUIRE(decoder.receive(insertion("a-name", "first")));
  for (int i = 0; i < 10; ++i) REQUIRE(decoder.receive(octets("80 06 7365636f6e64")));
  CHECK(decoder.table().at(10)->name == "a-name");
  CHECK(decoder.table().at(10)->value == "second");
  REQUIRE(decoder.receive(octets("00")));
  CHECK(decoder.table().at(11)->value == "second");
  CHECK(!decoder.table().at(10));
}

TEST_CASE("qpack decoder H08: empty literals, plain and Huffman, everywhere",
          "[h3][qpack][attack][H08]") {
  CHECK(receive("3fe11f 40 00 60 80 c0 80 c0 00 80 80 00"));
  CHECK(decode("0000 20 00") == decode_outcome::decoded);
  CHECK(decode("0000 28 80") == decode_outcome::decoded);
  CHECK(decode("0000 50 80 50 00") == decode_outcome::decoded);
}

//= RFC 9204 section 4.5.1.1
//= type=test
//# If the decoder encounters a value of EncodedInsertCount that
//# could not have been produced by a conformant encoder, it MUST treat this as a
//# connection error of type QPACK_DECOMPRESSION_FAILED.
TEST_CASE("qpack decoder: Required Insert Count is rebuilt as in RFC 9204, or refused",
          "[h3][qpack]") {
  // Table of 100 bytes: three entries, counted modulo 6.
  decoder decoder({.max_table_capacity = 100});
  field_section section;
  CHECK(decode(decoder, "0700", section) == decode_outcome::failed);  // beyond the full range
  CHECK(decode(decoder, "0100", section) == decode_outcome::failed);  // would be 0
  CHECK(decode(decoder, "0500", section) ==
        decode_outcome::failed);  // 4 > 0 + 3 with nothing inserted
  REQUIRE(decoder.receive(octets("3f45")));
  for (int i = 0; i < 10; ++i) REQUIRE(decoder.receive(octets("4161 00")));
  CHECK(decode(decoder, "0400 80", section) ==
        decode_outcome::decoded);  // 9, as the RFC's example says
  CHECK(decode(decoder, "0500 80", section) == decode_outcome::decoded);     // 10
  CHECK(decode(decoder, "0600 80", section, 8) == decode_outcome::blocked);  // 11
  CHECK(decode(decoder, "0300 80", section) ==
        decode_outcome::decoded);  // 8: entries 7, 8, 9 are left
  CHECK(decode(decoder, "0300 81", section) == decode_outcome::failed);  // entry 6 is evicted
  CHECK(qpack::decoder({.max_table_capacity = 0}).decode(0, octets("0100"), section) ==
        decode_outcome::failed);
  CHECK(qpack::decoder({.max_table_capacity = 31}).decode(0, octets("0100"), section) ==
        decode_outcome::failed);
}

//= RFC 9204 section 4.5.1.2
//= type=test
//# An endpoint MUST treat a field block with a Sign bit of 1 as
//# invalid if the value of Required Insert Count is less than or equal to the value
//# of Delta Base.
//= RFC 9204 section 4.5.1.2
//# The value of Base MUST NOT be negative.
TEST_CASE("qpack decoder: a negative Base is refused, also with an empty section", "[h3][qpack]") {
  CHECK(decode("0080") == decode_outcome::failed);
  decoder decoder({});
  field_section section;
  REQUIRE(decoder.receive(octets("3fe11f 4161 00 4162 00")));
  CHECK(decode(decoder, "0381 10 11", section) == decode_outcome::decoded);  // Base 0
  CHECK(printed(section) == "a: \nb: \n");
  CHECK(decode(decoder, "0382", section) == decode_outcome::failed);
  CHECK(decode(decoder, "03ffffffffffffffff7f", section) == decode_outcome::failed);
  CHECK(decode(decoder, "037fffffffffffffff3f c0", section) ==
        decode_outcome::decoded);  // a huge Base is of no harm
}

//= RFC 9204 section 2.2.3
//= type=test
//# If the decoder encounters a reference in a field line representation to a
//# dynamic table entry that has already been evicted or that has an absolute
//# index greater than or equal to the declared Required Insert Count
//# (Section 4.5.1), it MUST treat this as a connection error of type
//# QPACK_DECOMPRESSION_FAILED.
//= RFC 9204 section 2.2.1
//# If it encounters a Required Insert Count smaller than expected, it MUST treat this as a
//# connection error of type QPACK_DECOMPRESSION_FAILED.
TEST_CASE("qpack decoder: references at or beyond the Required Insert Count are refused",
          "[h3][qpack]") {
  decoder decoder({});
  field_section section;
  REQUIRE(decoder.receive(octets("3fe11f 4161 00 4162 00 4163 00")));
  CHECK(decode(decoder, "0200 80", section) == decode_outcome::decoded);
  CHECK(decode(decoder, "0201 80", section) ==
        decode_outcome::failed);  // Base 2: entry 1 is beyond
  CHECK(decode(decoder, "0201 81", section) == decode_outcome::decoded);
  CHECK(decode(decoder, "0200 81", section) == decode_outcome::failed);  // before the first entry
  CHECK(decode(decoder, "0200 10", section) == decode_outcome::failed);  // post-Base 0 is entry 1
  CHECK(decode(decoder, "0200 00 00", section) == decode_outcome::failed);
  CHECK(decode(decoder, "0200 40 00", section) == decode_outcome::decoded);
  CHECK(decode(decoder, "0000 80", section) ==
        decode_outcome::failed);  // no dynamic references at all
  CHECK(decode(decoder, "0000 1f ff ff ff ff ff ff ff ff 3f", section) == decode_outcome::failed);
}

//= RFC 9204 section 2.1.2
//= type=test
//# If a decoder encounters
//# more blocked streams than it promised to support, it MUST treat this as a
//# connection error of type QPACK_DECOMPRESSION_FAILED.
TEST_CASE("qpack decoder H05: as many streams may block as promised, not one more",
          "[h3][qpack][attack][H05]") {
  decoder decoder({.max_blocked_streams = 3});
  field_section section;
  for (std::uint64_t id = 0; id < 3; ++id)
    CHECK(decode(decoder, "0200 80", section, 4 * id) == decode_outcome::blocked);
  CHECK(decode(decoder, "0200 80", section, 4) == decode_outcome::blocked);  // again the same
  CHECK(decoder.blocked_streams() == 3);
  CHECK(decode(decoder, "0200 80", section, 12) == decode_outcome::failed);
  decoder.cancel(4);
  CHECK(decode(decoder, "0200 80", section, 12) == decode_outcome::blocked);

  REQUIRE(decoder.receive(octets("3fe11f 4161 00")));
  std::uint64_t stream_id = 99;
  std::string order;
  while (decoder.poll_unblocked(stream_id)) {
    order += std::to_string(stream_id) + " ";
    CHECK(decode(decoder, "0200 80", section, stream_id) == decode_outcome::decoded);
  }
  CHECK(order == "0 8 12 ");
  CHECK(decoder.blocked_streams() == 0);
  // Stream 4 was cancelled; the three acknowledgments imply the insertion.
  CHECK(std::vector(decoder.output().begin(), decoder.output().end()) == octets("44 80 88 8c"));
}

TEST_CASE("qpack decoder: a blocked section keeps its Required Insert Count while insertions go on",
          "[h3][qpack]") {
  // Table of 96 bytes: three entries, counts modulo 6. Rebuilt after more insertions, the encoding
  // 2 would mean 7.
  decoder decoder({.max_table_capacity = 96});
  field_section section;
  REQUIRE(decode(decoder, "0200 80", section) == decode_outcome::blocked);
  SECTION("its entry is still there") {
    REQUIRE(decoder.receive(octets("3f41 4161 00")));
    CHECK(decode(decoder, "0200 80", section) == decode_outcome::decoded);
    CHECK(printed(section) == "a: \n");
  }
  SECTION("its entry is evicted: an error, neither another entry nor blocked for ever") {
    REQUIRE(decoder.receive(octets("3f41 4161 00 4162 00 4163 00 4164 00")));
    std::uint64_t stream_id = 0;
    REQUIRE(decoder.poll_unblocked(stream_id));
    CHECK(decode(decoder, "0200 80", section) == decode_outcome::failed);
    CHECK(decoder.blocked_streams() == 0);
    REQUIRE(decoder.receive(octets("4165 00 4166 00 4167 00 4168 00")));
    CHECK(!decoder.poll_unblocked(stream_id));
  }
  SECTION("no number of insertions blocks it again") {
    REQUIRE(decoder.receive(octets("3f41 4161 00")));
    for (int i = 0; i < 20; ++i) REQUIRE(decoder.receive(octets("00")));
    CHECK(decode(decoder, "0200 80", section) == decode_outcome::failed);
    CHECK(decoder.blocked_streams() == 0);
  }
}

TEST_CASE("qpack decoder: a limit of no blocked streams refuses the first", "[h3][qpack]") {
  decoder decoder({.max_blocked_streams = 0});
  field_section section;
  CHECK(decode(decoder, "0200 80", section) == decode_outcome::failed);
}

TEST_CASE("qpack decoder H03: the decoded size is limited with 32 bytes per line, while decoding",
          "[h3][qpack][attack][H03]") {
  decoder decoder({.max_table_capacity = 4096, .max_section_size = 1000, .max_field_count = 5});
  field_section section;
  REQUIRE(decoder.receive(octets("3fe11f")));
  REQUIRE(decoder.receive(insertion("a", std::string(966, 'v'))));  // 966 + 1 + 32 = 999
  REQUIRE(decoder.receive(insertion("b", std::string(967, 'v'))));
  REQUIRE(decoder.receive(insertion("c", std::string(968, 'v'))));
  CHECK(decode(decoder, "0400 82", section) == decode_outcome::decoded);
  CHECK(decode(decoder, "0400 81", section) == decode_outcome::decoded);
  CHECK(decode(decoder, "0400 80", section) == decode_outcome::too_large);
  CHECK(decode(decoder, "0400 82 82", section) == decode_outcome::too_large);

  std::vector<std::byte> bomb = octets("0400");
  bomb.insert(bomb.end(), 50'000, std::byte{0x82});
  CHECK(decoder.decode(4, bomb, section) == decode_outcome::too_large);
  CHECK(section.memory() < 8192);
}

TEST_CASE("qpack decoder H22: the number of lines is limited", "[h3][qpack][attack][H22]") {
  decoder decoder({});
  field_section section;
  for (const std::size_t count :
       {limits::max_field_count - 1, limits::max_field_count, limits::max_field_count + 1}) {
    std::vector<std::byte> encoded = octets("0000");
    encoded.insert(encoded.end(), count, std::byte{0xc1});
    CHECK((decoder.decode(0, encoded, section) == decode_outcome::decoded) ==
          (count <= limits::max_field_count));
  }
}

TEST_CASE("qpack decoder: a table of capacity zero needs no cancellations", "[h3][qpack]") {
  decoder decoder({.max_table_capacity = 0});
  decoder.cancel(4);
  CHECK(decoder.output().empty());
}

TEST_CASE("qpack decoder: random input never does more than fail", "[h3][qpack]") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    strata::testkit::fake_random random(seed);
    decoder decoder(
        {.max_table_capacity = 256, .max_blocked_streams = 4, .max_section_size = 2000});
    field_section section;
    bool alive = decoder.receive(octets("3fe101"));
    for (int step = 0; alive && step < 200; ++step) {
      std::vector<std::byte> input(random.below(40));
      random.fill(input);
      if (random.happens(0.5)) {
        alive = decoder.receive(input);
      } else {
        if (input.size() > 2 && random.happens(0.8))
          input[0] = static_cast<std::byte>(random.below(17)), input[1] = std::byte{0};
        alive = decoder.decode(random.below(8), input, section) != decode_outcome::failed ||
                random.happens(0.9);
      }
      REQUIRE(decoder.table().size() <= 256);
      REQUIRE(decoder.blocked_streams() <= 4);
    }
  }
}
