// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "harness.hpp"
#include "strata/transport/core/error.hpp"

using namespace strata::h3;
using namespace strata::h3::test;
using strata::transport::errc;
namespace limits = strata::h3::core::limits;

namespace {

/// A server that has a whole request on stream 0 and has not answered.
harness requested(const field_list& lines = get_lines) {
  harness server = harness::server();
  server.feed(0, headers(lines), true);
  server.events.clear();
  server.writes = false;
  return server;
}

std::size_t size_of(const core::output& output) {
  std::size_t size = 0;
  for (const bytes piece : output.pieces) size += piece.size();
  return size;
}

byte_vector joined(const core::output& output) {
  byte_vector out;
  for (const bytes piece : output.pieces) out.insert(out.end(), piece.begin(), piece.end());
  return out;
}

std::error_code error_of(const auto& result) { return result ? std::error_code{} : result.error(); }

}  // namespace

TEST_CASE("output: a small response is one write of headers, lent content and fin",
          "[h3][connection]") {
  harness server = requested();
  const std::string content = "hello world";
  const bytes pieces[] = {strata::transport::as_bytes(std::string_view(content).substr(0, 6)),
                          strata::transport::as_bytes(std::string_view(content).substr(6))};
  REQUIRE(server.core.request(0).send_headers(with(ok_lines, "content-length", "11"), false));
  REQUIRE(server.core.request(0).send_body(pieces, true) == content.size());
  core::output output;
  REQUIRE(server.core.poll_output(output));
  CHECK(output.stream_id == 0);
  CHECK(output.fin);
  CHECK(joined(output) == headers(with(ok_lines, "content-length", "11")) + data_frame(content));
  REQUIRE(output.pieces.size() == 3);
  CHECK(output.pieces[1].data() == pieces[0].data());  // not copied
  CHECK(output.pieces[2].data() == pieces[1].data());
  server.core.sent(0, size_of(output));
  CHECK(!server.core.poll_output(output));
  CHECK(server.core.request_count() == 0);
}

TEST_CASE("output: lent content that QUIC does not take is copied, at every place",
          "[h3][connection]") {
  const byte_vector whole = headers(ok_lines) + data_frame("hello world");
  for (std::size_t taken = 0; taken <= whole.size(); ++taken) {
    harness server = requested();
    REQUIRE(server.core.request(0).send_headers(ok_lines, false));
    {
      const std::string content = "hello world";
      const bytes pieces[] = {strata::transport::as_bytes(std::string_view(content).substr(0, 5)),
                              {},
                              strata::transport::as_bytes(std::string_view(content).substr(5))};
      REQUIRE(server.core.request(0).send_body(pieces, true) == content.size());
      core::output output;
      REQUIRE(server.core.poll_output(output));
      server.core.sent(0, taken);
    }
    core::output output;
    CHECK(!server.core.poll_output(output));
    if (taken == whole.size()) continue;
    server.core.writable(0);
    REQUIRE(server.core.poll_output(output));
    CHECK(joined(output) ==
          byte_vector(whole.begin() + static_cast<std::ptrdiff_t>(taken), whole.end()));
    CHECK(output.fin);
    server.core.sent(0, size_of(output));
    CHECK(server.core.request_count() == 0);
  }
}

TEST_CASE("output: content lent twice before a write is in order", "[h3][connection]") {
  harness server = requested();
  REQUIRE(server.core.request(0).send_headers(ok_lines, false));
  for (const char* word : {"one", "two", "three"}) {
    const bytes piece = strata::transport::as_bytes(word);
    REQUIRE(server.core.request(0).send_body({&piece, 1}, false));
  }
  REQUIRE(server.core.request(0).send_trailers({{{"x-sum", "1"}}}));
  core::output output;
  REQUIRE(server.core.poll_output(output));
  CHECK(joined(output) == headers(ok_lines) + data_frame("one") + data_frame("two") +
                              data_frame("three") + headers({{"x-sum", "1"}}));
  CHECK(output.fin);
}

TEST_CASE(
    "output: a stream holds 64 KiB that QUIC has not taken, then writes are short and `writable` "
    "follows",
    "[h3][connection]") {
  for (const std::size_t size :
       {limits::max_unsent_body - 1, limits::max_unsent_body, limits::max_unsent_body + 1}) {
    harness server = requested();
    REQUIRE(server.core.request(0).send_headers(ok_lines, false));
    core::output output;
    REQUIRE(server.core.poll_output(output));
    server.core.sent(0, size_of(output));
    const std::string content(size, 'x');
    const bytes piece = strata::transport::as_bytes(content);
    const std::size_t taken = *server.core.request(0).send_body({&piece, 1}, true);
    CHECK(taken == std::min(size, limits::max_unsent_body));
    REQUIRE(server.core.poll_output(output));
    CHECK(output.fin == (taken == size));
    server.core.sent(0, 0);
    const bytes more = strata::transport::as_bytes("more");
    if (taken < size) CHECK(server.core.request(0).send_body({&more, 1}, false) == 0u);
    server.core.writable(0);
    REQUIRE(server.core.poll_output(output));
    server.core.sent(0, size_of(output));
    server.flush();
    CHECK(server.saw("writable 0") == (taken < size));
  }
}

TEST_CASE("output: a pure fin is offered once", "[h3][connection]") {
  harness server = requested();
  REQUIRE(server.core.request(0).send_headers(ok_lines, false));
  core::output output;
  REQUIRE(server.core.poll_output(output));
  CHECK(!output.fin);
  server.core.sent(0, size_of(output));
  REQUIRE(server.core.request(0).send_body({}, true) == 0u);
  REQUIRE(server.core.poll_output(output));
  CHECK(output.fin);
  CHECK(size_of(output) == 0);
  server.core.sent(0, 0);
  CHECK(!server.core.poll_output(output));
  CHECK(server.core.request_count() == 0);
}

//= RFC 9114 section 4.2
//# Characters in field names MUST be converted to lowercase prior to their encoding.
TEST_CASE("output: what RFC 9114 forbids is not sent", "[h3][connection]") {
  harness server = requested();
  auto request = server.core.request(0);
  CHECK(error_of(request.send_headers({{{":status", "101"}}}, true)) == errc::invalid_argument);
  CHECK(error_of(request.send_headers(with(ok_lines, "Server", "x"), true)) ==
        errc::invalid_argument);
  CHECK(error_of(request.send_headers(with(ok_lines, "connection", "close"), true)) ==
        errc::invalid_argument);
  CHECK(error_of(request.send_headers(with(ok_lines, "x", "a\r\nb"), true)) ==
        errc::invalid_argument);
  CHECK(error_of(request.send_headers(get_lines, true)) == errc::invalid_argument);
  CHECK(error_of(request.send_headers({{{":status", "103"}}}, true)) == errc::invalid_argument);
  CHECK(error_of(request.send_body({}, true)) == errc::invalid_argument);  // before the headers
  CHECK(error_of(request.send_trailers({})) == errc::invalid_argument);
  REQUIRE(request.send_headers({{{":status", "103"}}}, false));
  REQUIRE(request.send_headers(ok_lines, false));
  CHECK(error_of(request.send_headers(ok_lines, false)) == errc::invalid_argument);
  CHECK(error_of(request.send_trailers({{{":status", "200"}}})) == errc::invalid_argument);
  REQUIRE(request.send_trailers({}));
  CHECK(error_of(request.send_body({}, true)) == errc::write_finished);
  CHECK(error_of(server.core.request(4).send_headers(ok_lines, true)) == errc::closed);
}

TEST_CASE("output: content that contradicts our content-length is not sent", "[h3][connection]") {
  const bytes five = strata::transport::as_bytes("12345");
  for (const char* declared : {"4", "5", "6"}) {
    harness server = requested();
    REQUIRE(server.core.request(0).send_headers(with(ok_lines, "content-length", declared), false));
    const auto sent = server.core.request(0).send_body({&five, 1}, true);
    CHECK(sent.has_value() == (declared[0] == '5'));
  }
  harness server = requested();
  CHECK(error_of(server.core.request(0).send_headers(with(ok_lines, "content-length", "5"),
                                                     true)) == errc::invalid_argument);
  field_list head = get_lines;
  head[0].value = "HEAD";
  harness to_head = requested(head);
  CHECK(to_head.core.request(0).send_headers(with(ok_lines, "content-length", "5"), false));
  CHECK(!to_head.core.request(0).send_body({&five, 1}, true));
  CHECK(to_head.core.request(0).send_body({}, true));
}

//= RFC 9114 section 4.2.2
//= type=test
//# An
//# implementation that has received this parameter SHOULD NOT send an HTTP message
//# header that exceeds the indicated size, as the peer will likely refuse to
//# process it.
TEST_CASE("output: a section larger than the peer takes is refused", "[h3][connection]") {
  for (const std::uint64_t limit : {41u, 42u, 43u}) {  // ":status: 200" counts 42
    harness server = requested();
    server.feed(2, varint(0) + settings_frame({.max_field_section_size = limit}));
    CHECK(server.core.request(0).send_headers(ok_lines, true).has_value() == (limit >= 42));
  }
}

//= RFC 9114 section 7.2.4.2
//# An HTTP implementation MUST NOT send frames or requests that would be invalid based on its
//# current understanding of the peer's settings.
TEST_CASE("output: extended CONNECT waits for the server's setting", "[h3][connection]") {
  const field_list extended{{":method", "CONNECT"},
                            {":protocol", "websocket"},
                            {":scheme", "https"},
                            {":authority", "a"},
                            {":path", "/"}};
  harness client = harness::client();
  auto request = client.core.open_request(0);
  CHECK(!request->send_headers(extended, false));
  client.feed(3, varint(0) + settings_frame({.enable_connect_protocol = true}));
  CHECK(request->send_headers(extended, false));
  harness server({.role = role::server, .enable_connect_protocol = true});
  server.feed(0, headers(extended));
  CHECK(server.saw("headers 0"));
}

TEST_CASE("output: STOP_SENDING drops what waits, reset and stop_reading command QUIC",
          "[h3][connection]") {
  harness server = requested();
  REQUIRE(server.core.request(0).send_headers(ok_lines, false));
  const bytes piece = strata::transport::as_bytes("x");
  REQUIRE(server.core.request(0).send_body({&piece, 1}, false));
  server.core.stop_sending(server.now, 0, 0);
  core::output output;
  CHECK(!server.core.poll_output(output));
  server.flush();
  CHECK(server.events == "stopped 0\n");
  CHECK(server.core.request_count() == 0);

  server.feed(4, headers(post_lines));
  server.core.request(4).stop_reading(error_code::no_error);
  server.flush();
  CHECK(server.commands.empty());  // its end may be on the way
  server.feed(4, data_frame("x"));
  server.flush();
  CHECK(server.commands == "stop 4 H3_NO_ERROR\n");
  REQUIRE(server.core.request(4).send_headers(ok_lines, true));
  server.writes = true;
  server.flush();
  CHECK(server.core.request_count() == 0);

  server.feed(8, headers(post_lines));
  server.core.request(8).reset(error_code::internal_error);
  server.flush();
  CHECK(server.commands.ends_with("reset 8 H3_INTERNAL_ERROR\nstop 8 H3_INTERNAL_ERROR\n"));
  CHECK(server.core.request_count() == 0);
}

//= RFC 9114 section 4.1
//# A client MUST send only a single request on a given stream.
TEST_CASE("output: only a client opens requests, on its own bidirectional streams, once each",
          "[h3][connection]") {
  harness server = harness::server();
  CHECK(!server.core.open_request(0));
  harness client = harness::client();
  CHECK(!client.core.open_request(1));
  CHECK(!client.core.open_request(2));
  CHECK(client.core.open_request(0));
  CHECK(!client.core.open_request(0));
}
