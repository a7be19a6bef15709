// SPDX-License-Identifier: Apache-2.0
// What section 19 forbids, each at its edge.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "core/wire/frame.hpp"
#include "hex.hpp"

using namespace strata;
using namespace strata::quic::core;
using quic::protocol_failure;
using quic::transport_error;
using testkit::from_hex;
using testkit::to_hex;
using transport::buffer_reader;
using transport::buffer_writer;
using transport::bytes;

namespace {

std::optional<protocol_failure> failure_of(const std::string& text) {
  const auto octets = from_hex(text);
  buffer_reader reader{bytes(octets)};
  const auto result = decode_frame(reader);
  return result ? std::nullopt : std::optional(result.error());
}

void check_malformed(const std::string& text, std::uint64_t type) {
  INFO(text);
  const auto failure = failure_of(text);
  REQUIRE(failure);
  CHECK(failure->code == transport_error::frame_encoding_error);
  CHECK(failure->frame_type == type);
  CHECK(*failure->reason != '\0');
}

void check_valid(const std::string& text) {
  INFO(text);
  CHECK_FALSE(failure_of(text));
}

std::string varint(std::uint64_t value) {
  std::vector<std::byte> memory(8);
  buffer_writer writer(memory);
  writer.varint(value);
  return to_hex(writer.written());
}

template <class Frame>
bool encodes(const Frame& one) {
  std::vector<std::byte> memory(200);
  buffer_writer writer(memory);
  encode(one, writer);
  return writer.ok();
}

constexpr std::uint64_t largest = transport::varint_max;

}  // namespace

TEST_CASE("frame: unknown types are a FRAME_ENCODING_ERROR that names them",
          "[quic][wire][frame][Q20][attack]") {
  //= RFC 9000 section 12.4
  //= type=test
  //# An endpoint MUST treat the receipt of a frame of unknown type as a connection
  //# error of type FRAME_ENCODING_ERROR.
  for (std::uint64_t type = frame_type::end; type < 64; ++type)
    check_malformed(varint(type) + "00000000", type);
  for (const std::uint64_t type : {std::uint64_t{64}, std::uint64_t{0x3fff}, std::uint64_t{0x4000},
                                   std::uint64_t{0x17f7586d}, std::uint64_t{1} << 40, largest}) {
    check_malformed(varint(type) + "0000", type);
  }
}

TEST_CASE("frame: a type that the packet cuts off is a FRAME_ENCODING_ERROR, never PADDING",
          "[quic][wire][frame][Q20][attack]") {
  for (const char* text :
       {"", "40", "80", "8000", "800000", "c0", "c000", "c0000000000000", "7f", "bfffff"}) {
    check_malformed(text, 0);
  }
}

TEST_CASE("frame: a type in more bytes than it needs is a PROTOCOL_VIOLATION",
          "[quic][wire][frame][Q20][attack]") {
  //= RFC 9000 section 12.4
  //= type=test
  //# An endpoint
  //# MAY treat the receipt of a frame type that uses a longer encoding than
  //# necessary as a connection error of type PROTOCOL_VIOLATION.
  const std::pair<const char*, std::uint64_t> longer[]{{"4001", 1},
                                                       {"4000", 0},
                                                       {"401e", 0x1e},
                                                       {"80000001", 1},
                                                       {"c000000000000001", 1},
                                                       {"403f", 0x3f},
                                                       {"80003fff", 0x3fff},
                                                       {"c00000003fffffff", 0x3fffffff}};
  for (const auto& [text, type] : longer) {
    const auto failure = failure_of(std::string(text) + "0000");
    INFO(text);
    REQUIRE(failure);
    CHECK(failure->code == transport_error::protocol_violation);
    CHECK(failure->frame_type == type);
  }
}

TEST_CASE("frame: fields may be longer than necessary", "[quic][wire][frame]") {
  const auto octets = from_hex("0e c000000000000004 80000001 4002 aabb");
  buffer_reader reader{bytes(octets)};
  const auto stream = std::get<stream_frame>(decode_frame(reader).value());
  CHECK(stream.stream_id == 4);
  CHECK(stream.offset == 1);
  CHECK(to_hex(stream.data) == "aabb");
  check_valid("02 4005 80000000 4000 4000");
}

TEST_CASE("STREAM: offset and length reach 2^62-1 and not beyond", "[quic][wire][frame]") {
  //= RFC 9000 section 19.8
  //= type=test
  //# The largest offset delivered
  //# on a stream -- the sum of the offset and data length -- cannot exceed
  //# 2<sup>62</sup>-1, as it is not possible to provide flow control credit for that
  //# data.  Receipt of a frame that exceeds this limit MUST be treated as a
  //# connection error of type FRAME_ENCODING_ERROR or FLOW_CONTROL_ERROR.
  check_valid("0e 00" + varint(largest - 2) + "01 aa");
  check_valid("0e 00" + varint(largest - 2) + "02 aaaa");
  check_malformed("0e 00" + varint(largest - 2) + "03 aaaaaa", 0x0e);
  check_valid("0c 00" + varint(largest - 1) + "aa");
  check_malformed("0c 00" + varint(largest - 1) + "aaaa", 0x0c);
  check_valid("0d 00" + varint(largest));
  check_malformed("0d 00" + varint(largest) + "aa", 0x0d);
}

TEST_CASE("STREAM: a length beyond the packet is a FRAME_ENCODING_ERROR", "[quic][wire][frame]") {
  check_malformed("0a 00 02 aa", 0x0a);
  check_malformed("0a 00" + varint(largest) + "aa", 0x0a);
  check_malformed("0e 00" + varint(largest) + varint(largest) + "aa", 0x0e);
}

TEST_CASE("CRYPTO: offset and length reach 2^62-1 and not beyond", "[quic][wire][frame]") {
  //= RFC 9000 section 19.6
  //= type=test
  //# The largest offset delivered on a stream -- the sum of the offset and data
  //# length -- cannot exceed 2<sup>62</sup>-1.  Receipt of a frame that exceeds this
  //# limit MUST be treated as a connection error of type FRAME_ENCODING_ERROR or
  //# CRYPTO_BUFFER_EXCEEDED.
  check_valid("06" + varint(largest - 2) + "01 aa");
  check_valid("06" + varint(largest - 2) + "02 aaaa");
  check_malformed("06" + varint(largest - 2) + "03 aaaaaa", 0x06);
  check_malformed("06 00" + varint(largest) + "aa", 0x06);
}

//= RFC 9000 section 19.7
//# The token MUST NOT be empty.
TEST_CASE("NEW_TOKEN: an empty token is refused and not sent", "[quic][wire][frame]") {
  //= RFC 9000 section 19.7
  //= type=test
  //# A client MUST treat receipt of a NEW_TOKEN frame with
  //# an empty Token field as a connection error of type FRAME_ENCODING_ERROR.
  check_malformed("07 00", 0x07);
  check_malformed("07 4000", 0x07);
  check_valid("07 01 aa");
  CHECK_FALSE(encodes(new_token_frame{}));
}

//= RFC 9000 section 4.6
//# If either is received, the connection MUST be closed immediately with a connection error of
//# type TRANSPORT_PARAMETER_ERROR if the offending value was received in a transport parameter or
//# of type FRAME_ENCODING_ERROR if it was received in a frame.
TEST_CASE("MAX_STREAMS and STREAMS_BLOCKED: 2^60 is the most", "[quic][wire][frame]") {
  //= RFC 9000 section 19.11
  //= type=test
  //# Receipt of a frame that permits opening of a stream larger
  //# than this limit MUST be treated as a connection error of type
  //# FRAME_ENCODING_ERROR.
  //= RFC 9000 section 19.14
  //= type=test
  //# Receipt of
  //# a frame that encodes a larger stream ID MUST be treated as a connection error
  //# of type STREAM_LIMIT_ERROR or FRAME_ENCODING_ERROR.
  for (const std::uint64_t type : {0x12u, 0x13u, 0x16u, 0x17u}) {
    check_valid(varint(type) + varint(max_streams_limit - 1));
    check_valid(varint(type) + varint(max_streams_limit));
    check_malformed(varint(type) + varint(max_streams_limit + 1), type);
    check_malformed(varint(type) + varint(largest), type);
  }
  CHECK(encodes(max_streams_frame{true, max_streams_limit}));
  CHECK_FALSE(encodes(max_streams_frame{true, max_streams_limit + 1}));
  CHECK(encodes(streams_blocked_frame{false, max_streams_limit}));
  CHECK_FALSE(encodes(streams_blocked_frame{false, max_streams_limit + 1}));
}

TEST_CASE("NEW_CONNECTION_ID: connection IDs have 1 to 20 bytes", "[quic][wire][frame]") {
  //= RFC 9000 section 19.15
  //= type=test
  //# Values
  //# less than 1 and greater than 20 are invalid and MUST be treated as a
  //# connection error of type FRAME_ENCODING_ERROR.
  const std::string token(32, 'a');
  for (unsigned size = 0; size < 256; ++size) {
    const auto octet = static_cast<std::byte>(size);
    const std::string text = "18 01 00" + to_hex({&octet, 1}) + std::string(2 * size, 'c') + token;
    if (size >= 1 && size <= 20) {
      check_valid(text);
    } else {
      check_malformed(text, 0x18);
    }
  }
  CHECK_FALSE(encodes(new_connection_id_frame{1, 0, {}, {}}));
}

//= RFC 9000 section 19.15
//# The value in the Retire Prior To field MUST be less than or equal to the value in the Sequence
//# Number field.
TEST_CASE("NEW_CONNECTION_ID: retire_prior_to is at most the sequence number",
          "[quic][wire][frame]") {
  //= RFC 9000 section 19.15
  //= type=test
  //# Receiving a value in the Retire
  //# Prior To field that is greater than that in the Sequence Number field MUST be
  //# treated as a connection error of type FRAME_ENCODING_ERROR.
  const std::string rest = "01 cc" + std::string(32, 'a');
  check_valid("18 07 06" + rest);
  check_valid("18 07 07" + rest);
  check_malformed("18 07 08" + rest, 0x18);
  const quic::connection_id id{bytes(from_hex("cc"))};
  CHECK(encodes(new_connection_id_frame{7, 7, id, {}}));
  CHECK_FALSE(encodes(new_connection_id_frame{7, 8, id, {}}));
}

TEST_CASE("CONNECTION_CLOSE: a reason beyond the packet is a FRAME_ENCODING_ERROR",
          "[quic][wire][frame]") {
  check_valid("1c 00 00 00");
  check_malformed("1c 00 00 01", 0x1c);
  check_valid("1d 00 00");
  check_malformed("1d 00" + varint(largest), 0x1d);
}

TEST_CASE("frame: values that no varint holds make the writer fail", "[quic][wire][frame]") {
  CHECK(encodes(max_data_frame{largest}));
  CHECK_FALSE(encodes(max_data_frame{largest + 1}));
  CHECK_FALSE(encodes(stream_frame{largest + 1, 0, {}, false}));
  CHECK_FALSE(encodes(reset_stream_frame{0, largest + 1, 0}));
}
