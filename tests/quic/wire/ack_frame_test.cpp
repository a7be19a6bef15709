// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "core/wire/frame.hpp"
#include "hex.hpp"

using namespace strata;
using namespace strata::quic::core;
using quic::transport_error;
using testkit::from_hex;
using testkit::to_hex;
using transport::buffer_reader;
using transport::buffer_writer;
using transport::bytes;

namespace {

std::vector<ack_range> ranges_of(const ack_frame& ack) {
  std::vector<ack_range> ranges;
  ack.for_each_range([&ranges](std::uint64_t smallest, std::uint64_t largest) {
    ranges.push_back({smallest, largest});
  });
  return ranges;
}

/// The ranges of the frame in `text`; nothing when it is refused with FRAME_ENCODING_ERROR.
std::optional<std::vector<ack_range>> decoded(const std::string& text) {
  const auto octets = from_hex(text);
  buffer_reader reader{bytes(octets)};
  const auto result = decode_frame(reader);
  if (!result) {
    CHECK(result.error().code == transport_error::frame_encoding_error);
    CHECK(result.error().frame_type == 0x02);
    return std::nullopt;
  }
  return ranges_of(std::get<ack_frame>(*result));
}

std::vector<ack_range> every_other(std::size_t count) {
  std::vector<ack_range> ranges;
  for (std::size_t i = 0; i < count; ++i) ranges.push_back({2 * (count - i), 2 * (count - i)});
  return ranges;
}

}  // namespace

//= RFC 9000 section 19.3
//# QUIC implementations MUST properly handle both types
TEST_CASE("ACK: fields are where section 19.3 puts them", "[quic][wire][frame][ack]") {
  const auto octets = from_hex("03 4064 19 02 05 02 03 00 0a 4201 02 03");
  buffer_reader reader{bytes(octets)};
  const auto ack = std::get<ack_frame>(decode_frame(reader).value());
  CHECK(reader.empty());
  CHECK(ack.largest_acknowledged == 100);
  CHECK(ack.ack_delay == 25);
  CHECK(ack.range_count == 2);
  CHECK(ack.first_ack_range == 5);
  CHECK(to_hex(ack.ranges) == "0203000a");
  CHECK(ack.ecn_counts == ecn_counts{0x201, 2, 3});
  CHECK(ranges_of(ack) == std::vector<ack_range>{{95, 100}, {88, 91}, {76, 86}});
}

TEST_CASE("ACK: ranges reach packet number 0 and not below",
          "[quic][wire][frame][ack][Q16][attack]") {
  //= RFC 9000 section 19.3.1
  //= type=test
  //# If any computed packet number is negative, an endpoint MUST generate a
  //# connection error of type FRAME_ENCODING_ERROR.
  CHECK(decoded("02 05 00 00 05") == std::vector<ack_range>{{0, 5}});
  CHECK_FALSE(decoded("02 05 00 00 06"));
  CHECK(decoded("02 00 00 00 00") == std::vector<ack_range>{{0, 0}});
  CHECK_FALSE(decoded("02 00 00 00 01"));
  // 10; then gap 0 reaches 8, whose range may be as long as 8.
  CHECK(decoded("02 0a 00 01 00 00 08") == std::vector<ack_range>{{10, 10}, {0, 8}});
  CHECK_FALSE(decoded("02 0a 00 01 00 00 09"));
  // The gap alone may go too far: 10 - gap - 2.
  CHECK(decoded("02 0a 00 01 00 08 00") == std::vector<ack_range>{{10, 10}, {0, 0}});
  CHECK_FALSE(decoded("02 0a 00 01 00 09 00"));
  CHECK_FALSE(decoded("02 01 00 01 00 00 00"));
  CHECK_FALSE(decoded("02 00 00 01 00 00 00"));
}

TEST_CASE("ACK: the largest integers cannot make a range wrap",
          "[quic][wire][frame][ack][Q16][attack]") {
  const std::string most(16, 'f');
  CHECK(decoded("02" + most + "00 00 00"));
  CHECK(decoded("02" + most + "00 00" + most) ==
        std::vector<ack_range>{{0, transport::varint_max}});
  CHECK_FALSE(decoded("02" + most + "00 01 00" + most + "00"));
  CHECK_FALSE(decoded("02" + most + "00 01 00 00" + most));
  CHECK_FALSE(decoded("02 0a 00 01 00" + most + most));
}

TEST_CASE("ACK: a count that the packet cannot hold is refused at once",
          "[quic][wire][frame][ack][Q16][attack]") {
  CHECK_FALSE(decoded("02 0a 00" + std::string(16, 'f') + "00 00 00"));
  CHECK_FALSE(decoded("02 0a 00 02 00 00 00"));
  CHECK_FALSE(decoded("02 0a 00 02 00 00 00 00"));
  CHECK_FALSE(decoded("02 0a 00 01 00 00"));
}

TEST_CASE("ACK: a full datagram of ranges decodes without keeping them",
          "[quic][wire][frame][ack][Q16][attack]") {
  const auto sent = every_other(30000);
  std::vector<std::byte> memory(65507);
  buffer_writer writer(memory);
  REQUIRE(encode_ack({sent, 0, std::nullopt}, writer) == sent.size());
  buffer_reader reader{writer.written()};
  const auto ack = std::get<ack_frame>(decode_frame(reader).value());
  CHECK(ack.range_count == sent.size() - 1);
  CHECK(ranges_of(ack) == sent);
}

TEST_CASE("ACK: a visitor that returns false ends the walk", "[quic][wire][frame][ack]") {
  const auto octets = from_hex("02 20 00 02 00 00 00 00 00");
  buffer_reader reader{bytes(octets)};
  const auto ack = std::get<ack_frame>(decode_frame(reader).value());
  int visits = 0;
  ack.for_each_range([&visits](std::uint64_t, std::uint64_t) { return ++visits < 2; });
  CHECK(visits == 2);
}

TEST_CASE("encode_ack: writes every range when there is room", "[quic][wire][frame][ack]") {
  const std::vector<ack_range> ranges{{95, 100}, {88, 91}, {76, 86}};
  std::vector<std::byte> memory(64);
  buffer_writer writer(memory);
  CHECK(encode_ack({ranges, 25, ecn_counts{0x201, 2, 3}}, writer) == 3);
  CHECK(to_hex(writer.written()) == "0340641902050203000a42010203");
  buffer_writer without_ecn(memory);
  CHECK(encode_ack({ranges, 25, std::nullopt}, without_ecn) == 3);
  CHECK(to_hex(without_ecn.written()) == "0240641902050203000a");
}

TEST_CASE("encode_ack: writes the newest ranges that fit, whatever the room",
          "[quic][wire][frame][ack]") {
  const auto ranges = every_other(200);
  for (const auto& ecn : {std::optional<ecn_counts>(), std::optional(ecn_counts{1, 70, 20000})}) {
    std::size_t last = 0;
    for (std::size_t space = 0; space < 420; ++space) {
      std::vector<std::byte> memory(space);
      buffer_writer writer(memory);
      const std::size_t count = encode_ack({ranges, 3, ecn}, writer);
      REQUIRE(writer.ok());
      CHECK(count >= last);
      last = count;
      if (count == 0) {
        CHECK(writer.size() == 0);
        continue;
      }
      // One more range would take two bytes, and at 64 ranges a third for their count.
      if (count < ranges.size()) CHECK(space - writer.size() < 3);
      buffer_reader reader{writer.written()};
      const auto ack = std::get<ack_frame>(decode_frame(reader).value());
      CHECK(reader.empty());
      CHECK(ack.ecn_counts == ecn);
      const auto again = ranges_of(ack);
      REQUIRE(again.size() == count);
      CHECK(std::equal(again.begin(), again.end(), ranges.begin()));
    }
    CHECK(last == ranges.size());
  }
}

TEST_CASE("encode_ack: respects a writer that already failed", "[quic][wire][frame][ack]") {
  const auto ranges = every_other(1);
  std::vector<std::byte> memory(64);
  buffer_writer writer(memory);
  writer.fail();
  CHECK(encode_ack({ranges, 0, std::nullopt}, writer) == 0);
}
