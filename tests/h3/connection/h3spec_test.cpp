// SPDX-License-Identifier: Apache-2.0
// The HTTP/3 checks of the h3spec conformance tool, played against the server core.
#include <catch2/catch_test_macros.hpp>

#include "harness.hpp"

using namespace strata::h3;
using namespace strata::h3::test;

namespace {

std::string closes(std::uint64_t id, const byte_vector& input, bool fin = false) {
  harness server = harness::server();
  server.feed(2, varint(0) + settings_frame());
  REQUIRE(server.closed_with().empty());
  server.feed(id, input, fin);
  return server.closed_with();
}

/// What a malformed request on stream 0 is reset with.
std::string malformed(const field_list& lines) {
  harness server = harness::server();
  server.feed(0, headers(lines), true);
  CHECK(server.closed_with().empty());
  CHECK(server.events.empty());
  CHECK(server.commands == "reset 0 H3_MESSAGE_ERROR\nstop 0 H3_MESSAGE_ERROR\n");
  CHECK(server.core.request_count() == 0);
  return server.commands;
}

}  // namespace

//= RFC 9114 section 4.1
//= type=test
//# In particular, a DATA frame before
//# any HEADERS frame, or a HEADERS or DATA frame after the trailing HEADERS frame,
//# is considered invalid.
//= RFC 9114 section 7.2.1
//# DATA frames MUST be associated with an HTTP request or response.
TEST_CASE("h3spec 1: DATA before HEADERS closes with H3_FRAME_UNEXPECTED",
          "[h3][connection][h3spec][attack][H3SPEC-H01]") {
  CHECK(closes(0, data_frame("x")) == "H3_FRAME_UNEXPECTED");
}

TEST_CASE("h3spec 2 H20: a duplicate pseudo-header field is H3_MESSAGE_ERROR",
          "[h3][connection][h3spec][attack][H3SPEC-H02][H20]") {
  malformed(with(get_lines, ":method", "GET"));
}

TEST_CASE("h3spec 3 H20: a missing pseudo-header field is H3_MESSAGE_ERROR",
          "[h3][connection][h3spec][attack][H3SPEC-H03][H20]") {
  malformed({{":method", "GET"}, {":scheme", "https"}, {":authority", "example.org"}});
}

TEST_CASE("h3spec 4 H20: an unknown pseudo-header field is H3_MESSAGE_ERROR",
          "[h3][connection][h3spec][attack][H3SPEC-H04][H20]") {
  malformed(with(get_lines, ":autority", "example.org"));
  malformed(with(get_lines, ":foo", "bar"));
}

TEST_CASE("h3spec 5 H20: a pseudo-header field after a field is H3_MESSAGE_ERROR",
          "[h3][connection][h3spec][attack][H3SPEC-H05][H20]") {
  malformed({{":method", "GET"},
             {":scheme", "https"},
             {":authority", "a"},
             {"accept", "*/*"},
             {":path", "/"}});
}

//= RFC 9114 section 6.2.1
//= type=test
//# If
//# the first frame of the control stream is any other frame type, this MUST be
//# treated as a connection error of type H3_MISSING_SETTINGS.
TEST_CASE(
    "h3spec 6: a control stream that does not begin with SETTINGS closes with H3_MISSING_SETTINGS",
    "[h3][connection][h3spec][attack][H3SPEC-H06]") {
  for (const std::uint64_t type : {0x00u, 0x03u, 0x07u, 0x0du, 0x21u, 0xf0700u}) {
    harness server = harness::server();
    server.feed(2, varint(0) + frame(type, varint(0)));
    CHECK(server.closed_with() == "H3_MISSING_SETTINGS");
  }
}

//= RFC 9114 section 7.2.1
//# If a DATA frame is received on a control stream, the recipient MUST respond with a connection
//# error of type H3_FRAME_UNEXPECTED.
TEST_CASE("h3spec 7: DATA on the control stream closes with H3_FRAME_UNEXPECTED",
          "[h3][connection][h3spec][attack][H3SPEC-H07]") {
  CHECK(closes(2, data_frame("x")) == "H3_FRAME_UNEXPECTED");
}

//= RFC 9114 section 7.2.2
//# If a HEADERS frame is received on a control stream, the recipient MUST respond with a
//# connection error of type H3_FRAME_UNEXPECTED.
TEST_CASE("h3spec 8: HEADERS on the control stream closes with H3_FRAME_UNEXPECTED",
          "[h3][connection][h3spec][attack][H3SPEC-H08]") {
  CHECK(closes(2, headers(get_lines)) == "H3_FRAME_UNEXPECTED");
}

//= RFC 9114 section 7.2.4
//= type=test
//# If
//# an endpoint receives a second SETTINGS frame on the control stream, the endpoint
//# MUST respond with a connection error of type H3_FRAME_UNEXPECTED.
TEST_CASE("h3spec 9 H12: a second SETTINGS closes with H3_FRAME_UNEXPECTED",
          "[h3][connection][h3spec][attack][H3SPEC-H09][H12]") {
  CHECK(closes(2, settings_frame()) == "H3_FRAME_UNEXPECTED");
}

//= RFC 9114 section 7.2.3
//# Receiving a CANCEL_PUSH frame on a stream other than the control stream MUST be treated as a
//# connection error of type H3_FRAME_UNEXPECTED.
TEST_CASE("h3spec 10: CANCEL_PUSH on a request stream closes with H3_FRAME_UNEXPECTED",
          "[h3][connection][h3spec][attack][H3SPEC-H10]") {
  CHECK(closes(0, frame(frame_type::cancel_push, varint(0))) == "H3_FRAME_UNEXPECTED");
}

TEST_CASE("h3spec 11 H12: the HTTP/2 setting 0x2 closes with H3_SETTINGS_ERROR",
          "[h3][connection][h3spec][attack][H3SPEC-H11][H12]") {
  harness server = harness::server();
  server.feed(2, varint(0) + frame(frame_type::settings, varint(2) + varint(1)));
  CHECK(server.closed_with() == "H3_SETTINGS_ERROR");
}

TEST_CASE("h3spec 12: static index 99 in a field line closes with QPACK_DECOMPRESSION_FAILED",
          "[h3][connection][h3spec][attack][H3SPEC-H12]") {
  const byte_vector section{std::byte{0}, std::byte{0}, std::byte{0xff}, std::byte{0x24}};
  CHECK(closes(0, frame(frame_type::headers, section)) == "QPACK_DECOMPRESSION_FAILED");
}

TEST_CASE("h3spec 13: a table capacity of 10^10 closes with QPACK_ENCODER_STREAM_ERROR",
          "[h3][connection][h3spec][attack][H3SPEC-H13]") {
  byte_vector instruction(core::qpack::max_prefix_integer_size);
  std::byte* end = core::qpack::write_prefix_integer(instruction.data(), 0x20, 5, 10'000'000'000);
  instruction.resize(static_cast<std::size_t>(end - instruction.data()));
  CHECK(closes(6, varint(2) + instruction) == "QPACK_ENCODER_STREAM_ERROR");
}

//= RFC 9114 section 6.2.1
//= type=test
//# If either
//# control stream is closed at any point, this MUST be treated as a connection
//# error of type H3_CLOSED_CRITICAL_STREAM.
TEST_CASE("h3spec 14 H13: the end of the control stream closes with H3_CLOSED_CRITICAL_STREAM",
          "[h3][connection][h3spec][attack][H3SPEC-H14][H13]") {
  CHECK(closes(2, {}, true) == "H3_CLOSED_CRITICAL_STREAM");
}

TEST_CASE("h3spec 15 H06: an Insert Count Increment of 0 closes with QPACK_DECODER_STREAM_ERROR",
          "[h3][connection][h3spec][attack][H3SPEC-H15][H06]") {
  CHECK(closes(6, varint(3) + byte_vector{std::byte{0}}) == "QPACK_DECODER_STREAM_ERROR");
}

//= RFC 9114 section 7.2.4
//# The same setting identifier MUST NOT occur more than once in the SETTINGS frame.
TEST_CASE("h3spec 16: a repeated setting closes with H3_SETTINGS_ERROR",
          "[h3][connection][h3spec]") {
  harness server = harness::server();
  server.feed(
      2, varint(0) + frame(frame_type::settings, varint(6) + varint(1) + varint(6) + varint(1)));
  CHECK(server.closed_with() == "H3_SETTINGS_ERROR");
}
