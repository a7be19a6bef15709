// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "harness.hpp"

using namespace strata::h3;
using namespace strata::h3::test;
using strata::h3::core::grease_id;
using strata::h3::core::section_role;

namespace {

const std::string get_text = ":method=GET;:scheme=https;:authority=example.org;:path=/;\n";
const std::string post_text = ":method=POST;:scheme=https;:authority=example.org;:path=/;\n";

/// A client with one request under way on stream 0.
harness asked(const field_list& lines = get_lines) {
  harness client = harness::client();
  REQUIRE(client.core.open_request(0)->send_headers(lines, true));
  client.flush();
  return client;
}

byte_vector insertion() {  // capacity 4096, then "x: y"
  return varint(2) + byte_vector{std::byte{0x3f}, std::byte{0xe1}, std::byte{0x1f}, std::byte{0x41},
                                 std::byte{'x'},  std::byte{1},    std::byte{'y'}};
}

/// A GET whose last line is the first dynamic entry.
byte_vector blocked_headers() {
  byte_vector section;
  core::qpack::encoder().encode(0, get_lines, section);
  section[0] = std::byte{2};
  section.push_back(std::byte{0x80});
  return frame(frame_type::headers, section);
}

}  // namespace

TEST_CASE("message: a request with content and trailers, in order", "[h3][connection]") {
  harness server = harness::server();
  server.feed(0,
              headers(post_lines) + data_frame("abc") + data_frame("") + data_frame("def") +
                  headers({{"x-sum", "1"}}),
              true);
  CHECK(server.streams[0].sections == post_text + "x-sum=1;\n");
  CHECK(server.streams[0].body == "abcdef");
  CHECK(server.events == "headers 0\nbody 0\nbody 0\ntrailers 0\nfinished 0\n");
}

TEST_CASE("message H23: every split of a request of three frames gives the same",
          "[h3][connection][attack][H23]") {
  const byte_vector request = headers(with(post_lines, "content-length", "6")) +
                              data_frame("abcdef") + headers({{"x-sum", "1"}});
  for (std::size_t first = 0; first <= request.size(); ++first) {
    for (std::size_t second = first; second <= request.size(); ++second) {
      harness server = harness::server();
      const auto part = [&](std::size_t from, std::size_t to) {
        return byte_vector(request.begin() + static_cast<std::ptrdiff_t>(from),
                           request.begin() + static_cast<std::ptrdiff_t>(to));
      };
      server.feed(0, part(0, first));
      server.feed(0, part(first, second));
      server.feed(0, part(second, request.size()), true);
      if (server.streams[0].body != "abcdef" || server.count("finished 0") != 1 ||
          !server.streams[0].sections.ends_with("x-sum=1;\n"))
        FAIL("split at " << first << " and " << second << ": " << server.events
                         << server.closed_with());
    }
  }
}

TEST_CASE("message: nothing is read beyond a section until it is taken, nor beyond content",
          "[h3][connection]") {
  harness server = harness::server();
  server.takes_sections = server.reads_bodies = false;
  const byte_vector head = headers(post_lines);
  server.feed(0, head + data_frame("abc") + headers({{"x", "1"}}), true);
  CHECK(server.events == "headers 0\n");
  CHECK(server.streams[0].unread == data_frame("abc") + headers({{"x", "1"}}));
  server.takes_sections = true;
  CHECK(server.take_section(0));
  server.pump(0);
  CHECK(server.events == "headers 0\nbody 0\n");
  CHECK(server.streams[0].unread.size() == 3 + headers({{"x", "1"}}).size());
  CHECK(server.streams[0].shown == 3);
  server.pump(0);
  CHECK(server.count("body 0") == 1);  // an edge
  server.read_body(0, 1);
  server.pump(0);
  CHECK(server.streams[0].shown == 2);
  server.read_body(0, 2);
  server.pump(0);
  CHECK(server.streams[0].body == "abc");
  CHECK(server.saw("trailers 0"));
  CHECK(server.saw("finished 0"));
}

TEST_CASE("message: a section that was taken is gone, its memory goes round", "[h3][connection]") {
  harness server = harness::server();
  server.takes_sections = false;
  server.feed(0, headers(get_lines), true);
  field_section section;
  CHECK(server.core.request(0).take_section(section) == section_role::headers);
  CHECK(section.size() == 4);
  CHECK(!server.core.request(0).take_section(section));
  CHECK(!server.core.request(4).take_section(section));
}

//= RFC 9114 section 4.1
//= type=test
//# Receipt of an invalid sequence of frames MUST be treated as a connection error
//# of type H3_FRAME_UNEXPECTED.
TEST_CASE("message: HEADERS or DATA after the trailers close the connection", "[h3][connection]") {
  for (const byte_vector& late : {data_frame("x"), data_frame(""), headers({{"y", "1"}})}) {
    harness server = harness::server();
    server.feed(0, headers(post_lines) + headers({{"x", "1"}}) + late);
    CHECK(server.closed_with() == "H3_FRAME_UNEXPECTED");
  }
}

//= RFC 9114 section 4.1
//# On a given stream, receipt of multiple requests or receipt of an additional HTTP response
//# following a final HTTP response MUST be treated as malformed.
TEST_CASE("message: a second request section is malformed, not a second request",
          "[h3][connection]") {
  harness server = harness::server();
  server.feed(0, headers(get_lines) + headers(get_lines), true);
  CHECK(server.failed_with(0) == "H3_MESSAGE_ERROR");
  CHECK(server.count("headers 0") == 1);
}

//= RFC 9114 section 7.1
//= type=test
//# When a stream terminates cleanly, if the last frame on the stream was truncated,
//# this MUST be treated as a connection error of type H3_FRAME_ERROR.
TEST_CASE("message: an end inside any frame is H3_FRAME_ERROR", "[h3][connection]") {
  const byte_vector head = headers(post_lines);
  const byte_vector body = data_frame("abc");
  for (std::size_t cut = 1; cut < head.size(); ++cut) {
    harness server = harness::server();
    server.feed(0, byte_vector(head.begin(), head.begin() + static_cast<std::ptrdiff_t>(cut)),
                true);
    CHECK(server.closed_with() == "H3_FRAME_ERROR");
  }
  for (std::size_t cut = 1; cut < body.size(); ++cut) {
    harness server = harness::server();
    server.feed(
        0, head + byte_vector(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(cut)), true);
    CHECK(server.closed_with() == "H3_FRAME_ERROR");
  }
}

TEST_CASE("message: a request stream that ends without a request is H3_REQUEST_INCOMPLETE",
          "[h3][connection]") {
  harness server = harness::server();
  server.feed(0, {}, true);
  CHECK(server.commands == "reset 0 H3_REQUEST_INCOMPLETE\nstop 0 H3_REQUEST_INCOMPLETE\n");
  CHECK(server.core.request_count() == 0);
  server.feed(4, frame(grease_id(1), text("pad")), true);
  CHECK(server.commands.ends_with("stop 4 H3_REQUEST_INCOMPLETE\n"));
  CHECK(server.closed_with().empty());
}

//= RFC 9114 section 4.1.2
//= type=test
//# A request or response that is defined as having content when it contains a Content-Length header
//# field (Section 8.6 of [RFC9110]) is malformed if the value of the Content-Length header field does
//# not equal the sum of the DATA frame lengths received.
TEST_CASE("message H16 H17: content-length is the sum of DATA on every end path",
          "[h3][connection][attack][H16][H17]") {
  const auto outcome = [](const std::vector<byte_vector>& parts, bool fin_alone) {
    harness server = harness::server();
    server.feed(0, headers(with(post_lines, "content-length", "10")));
    for (std::size_t i = 0; i < parts.size(); ++i)
      server.feed(0, parts[i], !fin_alone && i + 1 == parts.size());
    if (fin_alone) server.feed(0, {}, true);
    CHECK(server.closed_with().empty());
    CHECK(server.saw("finished 0") == server.failed_with(0).empty());
    return server.failed_with(0);
  };
  for (const bool fin_alone : {true, false}) {
    CHECK(outcome({data_frame("0123456789")}, fin_alone) == "");
    CHECK(outcome({data_frame("01234"), data_frame("56789"), headers({{"x", "1"}})}, fin_alone) ==
          "");
    CHECK(outcome({data_frame("012345678")}, fin_alone) == "H3_MESSAGE_ERROR");
    CHECK(outcome({data_frame("0123456789a")}, fin_alone) == "H3_MESSAGE_ERROR");
    CHECK(outcome({data_frame("01234"), headers({{"x", "1"}})}, fin_alone) == "H3_MESSAGE_ERROR");
    CHECK(outcome({data_frame("01234"), frame(grease_id(0), text("56789"))}, fin_alone) ==
          "H3_MESSAGE_ERROR");
  }
  CHECK(outcome({}, true) == "H3_MESSAGE_ERROR");
}

TEST_CASE("message H17: content beyond content-length is refused before any of it is shown",
          "[h3][connection][attack][H17]") {
  harness server = harness::server();
  server.feed(0, headers(with(post_lines, "content-length", "2")) + data_frame("abc"));
  CHECK(server.streams[0].body.empty());
  CHECK(server.failed_with(0) == "H3_MESSAGE_ERROR");
}

//= RFC 9114 section 4.1.2
//= type=test
//# Malformed requests or responses that are detected MUST be treated as a stream
//# error of type H3_MESSAGE_ERROR.
TEST_CASE(
    "message H19: after a stream error the rest of the stream is dropped, the connection lives",
    "[h3][connection][attack][H19]") {
  harness server = harness::server();
  server.feed(0,
              headers(with(get_lines, "Upper", "case")) + headers(get_lines) + data_frame("x") +
                  frame(frame_type::settings, {}),
              true);
  CHECK(server.commands == "reset 0 H3_MESSAGE_ERROR\nstop 0 H3_MESSAGE_ERROR\n");
  CHECK(server.closed_with().empty());
  CHECK(server.core.receive(server.now, 0, headers(get_lines), true).consumed ==
        headers(get_lines).size());
  CHECK(server.core.request_count() == 0);
  server.feed(4, headers(get_lines), true);
  CHECK(server.saw("finished 4"));
}

TEST_CASE("message: a stream that is over is never opened again", "[h3][connection]") {
  harness server = harness::server();
  server.feed(0, headers(get_lines), true);
  REQUIRE(server.core.request(0).send_headers(ok_lines, true));
  server.flush();
  CHECK(server.core.request_count() == 0);
  server.feed(0, headers(get_lines), true);
  CHECK(server.count("headers 0") == 1);
  CHECK(server.core.request_count() == 0);
}

TEST_CASE("message: opening a stream opens those below it", "[h3][connection]") {
  harness server = harness::server();
  server.feed(8, headers(get_lines), true);
  CHECK(server.core.request_count() == 3);
  server.feed(0, headers(get_lines), true);
  CHECK(server.events == "headers 8\nfinished 8\nheaders 0\nfinished 0\n");
}

TEST_CASE("message H26: interim responses, then the final one, in one piece",
          "[h3][connection][attack][H26]") {
  harness client = asked();
  client.feed(0,
              headers({{":status", "103"}, {"link", "a"}}) + headers({{":status", "100"}}) +
                  headers(ok_lines) + data_frame("x"),
              true);
  CHECK(client.events == "interim 0\ninterim 0\nheaders 0\nbody 0\nfinished 0\n");
  CHECK(client.streams[0].sections == ":status=103;link=a;\n:status=100;\n:status=200;\n");
}

TEST_CASE("message: 9 and 10 interim responses are taken, 11 are malformed", "[h3][connection]") {
  for (const unsigned count :
       {core::limits::max_interim_responses - 1, core::limits::max_interim_responses,
        core::limits::max_interim_responses + 1}) {
    harness client = asked();
    for (unsigned i = 0; i < count; ++i) client.feed(0, headers({{":status", "103"}}));
    client.feed(0, headers(ok_lines), true);
    CHECK(client.failed_with(0) ==
          (count <= core::limits::max_interim_responses ? "" : "H3_MESSAGE_ERROR"));
  }
}

//= RFC 9114 section 4.1.2
//# Clients MUST NOT accept a malformed response.
//= RFC 9114 section 4.1
//# On a given stream, receipt of multiple requests or receipt of an additional HTTP response
//# following a final HTTP response MUST be treated as malformed.
TEST_CASE("message H26: responses that are malformed fail their stream",
          "[h3][connection][attack][H26]") {
  const auto failed = [](const byte_vector& response) {
    harness client = asked();
    client.feed(0, response, true);
    CHECK(client.closed_with().empty());
    return client.failed_with(0);
  };
  CHECK(failed({}) == "H3_MESSAGE_ERROR");
  CHECK(failed(headers({{":status", "101"}})) == "H3_MESSAGE_ERROR");
  CHECK(failed(headers({{":status", "1xx"}})) == "H3_MESSAGE_ERROR");
  CHECK(failed(headers({{"server", "x"}, {":status", "200"}})) == "H3_MESSAGE_ERROR");
  CHECK(failed(headers({{":status", "103"}})) == "H3_MESSAGE_ERROR");  // no final response
  CHECK(failed(headers(ok_lines) + headers(ok_lines)) == "H3_MESSAGE_ERROR");
  CHECK(failed(headers(with(ok_lines, "content-length", "1"))) == "H3_MESSAGE_ERROR");
  CHECK(failed(headers(ok_lines)) == "");
}

TEST_CASE("message: content after an interim response is out of sequence", "[h3][connection]") {
  harness client = asked();
  client.feed(0, headers({{":status", "100"}}) + data_frame("x"));
  CHECK(client.closed_with() == "H3_FRAME_UNEXPECTED");
}

TEST_CASE("message: responses to HEAD, 204 and 304 have a content-length and no content",
          "[h3][connection]") {
  const auto run = [](const char* method, const char* status, std::string_view content) {
    field_list request = get_lines;
    request[0].value = method;
    harness client = asked(request);
    client.feed(0,
                headers({{":status", status}, {"content-length", "5"}}) +
                    (content.empty() ? byte_vector{} : data_frame(content)),
                true);
    return client.failed_with(0);
  };
  CHECK(run("HEAD", "200", "") == "");
  CHECK(run("GET", "304", "") == "");
  CHECK(run("GET", "204", "") == "");
  CHECK(run("HEAD", "200", "hello") == "H3_MESSAGE_ERROR");
  CHECK(run("GET", "304", "hello") == "H3_MESSAGE_ERROR");
  CHECK(run("GET", "200", "hello") == "");
  CHECK(run("GET", "200", "") == "H3_MESSAGE_ERROR");
}

//= RFC 9114 section 4.1
//# Clients MUST NOT discard complete responses as a result of having their request terminated
//# abruptly
TEST_CASE("message: an early response and STOP_SENDING(H3_NO_ERROR): the response is still read",
          "[h3][connection]") {
  harness client = harness::client();
  REQUIRE(client.core.open_request(0)->send_headers(post_lines, false));
  client.flush();
  client.core.stop_sending(client.now, 0, static_cast<std::uint64_t>(error_code::no_error));
  client.feed(0, headers({{":status", "413"}}) + data_frame("too big"), true);
  CHECK(client.events == "stopped 0\nheaders 0\nbody 0\nfinished 0\n");
  CHECK(client.streams[0].body == "too big");
  CHECK(client.core.request_count() == 0);
}

TEST_CASE("message: a response that is reset tells its code", "[h3][connection]") {
  harness client = asked();
  client.feed(0, headers(ok_lines) + data_frame("part"));
  client.core.stream_reset(client.now, 0, static_cast<std::uint64_t>(error_code::request_rejected));
  client.flush();
  CHECK(client.events.ends_with("reset 0\n"));
  CHECK(client.core.request_count() == 0);
}

//= RFC 9114 section 4.4
//= type=test
//# Once the CONNECT method has completed, only DATA frames are permitted to be sent
//# on the stream.
//= RFC 9114 section 4.4
//# Receipt of any other known frame type MUST be treated as a connection error of type
//# H3_FRAME_UNEXPECTED.
TEST_CASE("message: in a tunnel only DATA may come, at both ends", "[h3][connection]") {
  const field_list connect{{":method", "CONNECT"}, {":authority", "example.org:443"}};
  harness server = harness::server();
  server.feed(0, headers(connect) + data_frame("a") + frame(grease_id(0), {}) + data_frame("b"));
  CHECK(server.streams[0].body == "ab");
  server.feed(0, headers({{"x", "1"}}));
  CHECK(server.closed_with() == "H3_FRAME_UNEXPECTED");

  harness client = harness::client();
  REQUIRE(client.core.open_request(0)->send_headers(connect, false));
  client.feed(0, headers(with(ok_lines, "content-length", "1")) + data_frame("many bytes"));
  CHECK(client.streams[0].body == "many bytes");
  CHECK(client.failed_with(0).empty());
  CHECK(!client.core.request(0).send_trailers({}));
  client.feed(0, headers({{"x", "1"}}));
  CHECK(client.closed_with() == "H3_FRAME_UNEXPECTED");
}

TEST_CASE("message: a blocked section waits for its insertion, and what follows it stays in QUIC",
          "[h3][connection]") {
  harness server = harness::server();
  server.feed(0, blocked_headers() + data_frame("body"), true);
  CHECK(server.events.empty());
  CHECK(server.streams[0].unread == data_frame("body"));
  REQUIRE(server.core.next_timeout() == server.now + core::limits::blocked_stream_timeout);
  server.feed(2, insertion());
  CHECK(!server.core.next_timeout());
  CHECK(server.events == "headers 0\n");
  REQUIRE(server.take_section(0));
  server.pump(0);
  CHECK(server.streams[0].sections.ends_with("x=y;\n"));
  CHECK(server.streams[0].body == "body");
  CHECK(server.saw("finished 0"));
  CHECK(server.streams[server.decoder].written ==
        varint(3) + byte_vector{std::byte{0x80}});  // Section Acknowledgment
}

TEST_CASE("message: a blocked section in pieces of one byte", "[h3][connection]") {
  harness server = harness::server();
  for (const std::byte octet : blocked_headers()) server.feed(0, {octet});
  server.feed(0, {}, true);
  for (const std::byte octet : insertion()) server.feed(2, {octet});
  REQUIRE(server.take_section(0));
  server.pump(0);
  CHECK(server.events == "headers 0\nfinished 0\n");
}

TEST_CASE("message H05: a stream that dies blocked is cancelled and frees its place",
          "[h3][connection][attack][H05]") {
  harness server = harness::server();
  const std::uint64_t limit = core::limits::qpack_blocked_streams;
  for (std::uint64_t i = 0; i < limit; ++i) server.feed(4 * i, blocked_headers());
  CHECK(server.closed_with().empty());
  server.core.stream_reset(server.now, 4, 0);
  server.flush();
  CHECK(server.streams[server.decoder].written ==
        varint(3) + byte_vector{std::byte{0x44}});  // Stream Cancellation
  CHECK(server.commands == "reset 4 H3_REQUEST_CANCELLED\n");
  server.feed(4 * limit, blocked_headers());
  CHECK(server.closed_with().empty());
  server.feed(4 * limit + 4, blocked_headers());
  CHECK(server.closed_with() == "QPACK_DECOMPRESSION_FAILED");
}

TEST_CASE("message: a blocked section whose entry is inserted and evicted in one piece closes",
          "[h3][connection]") {
  harness server = harness::server();
  server.feed(0, blocked_headers());
  byte_vector many = insertion();
  many.insert(many.end(), 300, std::byte{0});  // duplicates: the entry itself is long gone
  server.feed(2, many);
  CHECK(server.closed_with() == "QPACK_DECOMPRESSION_FAILED");
}

TEST_CASE("message: a stream that stays blocked for ten seconds is given up", "[h3][connection]") {
  harness server = harness::server();
  server.feed(0, blocked_headers());
  server.now += std::chrono::seconds(4);
  server.feed(4, blocked_headers());
  server.core.handle_timeout(server.now + std::chrono::seconds(6) - std::chrono::nanoseconds(1));
  server.flush();
  CHECK(server.commands.empty());
  server.core.handle_timeout(server.now + std::chrono::seconds(6));
  server.flush();
  CHECK(server.commands == "reset 0 H3_EXCESSIVE_LOAD\nstop 0 H3_EXCESSIVE_LOAD\n");
  CHECK(server.core.next_timeout() == server.now + std::chrono::seconds(10));
}

TEST_CASE(
    "message H03 H04: headers, interim responses and trailers that decode too large fail their "
    "stream",
    "[h3][connection][attack][H03][H04]") {
  const auto many = [](field_list lines, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) lines.push_back({"accept", "*/*"});
    return lines;
  };
  const std::size_t limit = core::limits::max_field_count;
  for (const std::size_t over : {0u, 1u}) {
    harness request = harness::server();
    request.feed(0, headers(many(get_lines, limit - 4 + over)));
    CHECK(request.commands ==
          (over ? "reset 0 H3_EXCESSIVE_LOAD\nstop 0 H3_EXCESSIVE_LOAD\n" : ""));
    harness trailers = harness::server();
    trailers.feed(0, headers(get_lines) + headers(many({}, limit + over)));
    CHECK(trailers.failed_with(0) == (over ? "H3_EXCESSIVE_LOAD" : ""));
    harness interim = asked();
    interim.feed(0, headers(many({{":status", "103"}}, limit - 1 + over)));
    CHECK(interim.failed_with(0) == (over ? "H3_EXCESSIVE_LOAD" : ""));
  }
}

TEST_CASE("message: a section of 32767 and 32768 decoded bytes is taken, of 32769 refused",
          "[h3][connection]") {
  std::size_t base = 32 + 1;  // the line "x: vvv..."
  for (const field_line& line : get_lines) base += line.name.size() + line.value.size() + 32;
  const std::size_t limit = core::limits::max_field_section_size;
  for (const std::size_t size : {limit - 1, limit, limit + 1}) {
    harness server = harness::server();
    const std::string value(size - base, 'v');
    server.feed(0, headers(with(get_lines, "x", value)));
    CHECK(server.commands ==
          (size <= limit ? "" : "reset 0 H3_EXCESSIVE_LOAD\nstop 0 H3_EXCESSIVE_LOAD\n"));
    CHECK(server.closed_with().empty());
  }
}

TEST_CASE(
    "message H11: HEADERS of 32768 bytes may begin, of 32769 or 2^30 are refused at the header",
    "[h3][connection][attack][H11]") {
  const std::size_t limit = core::limits::max_field_section_size;
  for (const std::uint64_t length : {std::uint64_t{limit - 1}, std::uint64_t{limit},
                                     std::uint64_t{limit + 1}, std::uint64_t{1} << 30}) {
    harness server = harness::server();
    server.feed(0, varint(1) + varint(length));
    CHECK(server.commands ==
          (length <= limit ? "" : "reset 0 H3_EXCESSIVE_LOAD\nstop 0 H3_EXCESSIVE_LOAD\n"));
  }
}

TEST_CASE("message: incomplete sections of all streams together are limited", "[h3][connection]") {
  const std::size_t each = core::limits::max_field_section_size;
  const std::size_t streams = core::limits::max_parked_section_bytes / each;
  for (const std::size_t last : {each - 1, each, each + 1}) {
    harness server = harness::server();
    for (std::uint64_t i = 0; i + 1 < streams; ++i)
      server.feed(4 * i, varint(1) + varint(each) + byte_vector(each - 1));
    const std::size_t missing = streams - 1;
    server.feed(4 * streams, varint(1) + varint(each) + byte_vector(each - 1));
    CHECK(server.closed_with().empty());
    server.feed(4 * streams + 4, varint(1) + varint(each) + byte_vector(missing + 1 + last - each));
    CHECK(server.closed_with() == (last <= each ? "" : "H3_EXCESSIVE_LOAD"));
  }
}

TEST_CASE("message: sections that came in pieces and were decoded count no more",
          "[h3][connection]") {
  harness server = harness::server();
  const std::string value(8000, '\\');  // its Huffman code is longer: it stays plain
  const byte_vector request = headers(with(get_lines, "x", value));
  const auto half = static_cast<std::ptrdiff_t>(request.size() / 2);
  for (std::uint64_t id = 0; id < 4 * 2 * core::limits::max_parked_section_bytes / 8000; id += 4) {
    server.feed(id, byte_vector(request.begin(), request.begin() + half));
    server.feed(id, byte_vector(request.begin() + half, request.end()), true);
    REQUIRE(server.core.request(id).send_headers(ok_lines, true));
    server.flush();
    REQUIRE(server.closed_with().empty());
  }
  CHECK(server.core.request_count() == 0);
}
