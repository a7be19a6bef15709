// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/yamux/session_end.hpp"

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;
using enum event_kind;
using strata::transport::as_text;

TEST_CASE("reading: in pieces of any size, into several buffers", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "one ") + data_frame(1, 0, "two ") + data_frame(1, 0, "three"));
  std::array<std::byte, 3> first;
  std::array<std::byte, 20> second;
  const mutable_bytes pieces[] = {first, {}, second};
  CHECK(server.stream(1).read(pieces) == 13u);
  CHECK(as_text(first) == "one");
  CHECK(as_text(bytes(second).first(10)) == " two three");
  CHECK(server.stream(1).read(pieces).error() == failure::would_block);
}

TEST_CASE("reading: empty buffers take nothing", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "x"));
  CHECK(server.stream(1).read({}) == 0u);
  CHECK(server.read(1) == "x");
}

TEST_CASE("reading: before release_input() bytes are where the carrier put them", "[mux][yamux]") {
  session_end server = server_with_stream();
  const byte_vector input = data_frame(1, 0, "hello") + data_frame(1, 0, "again");
  server.session.receive(server.now, input);
  bool end = true;
  const auto piece = server.stream(1).peek(end);
  REQUIRE(piece);
  CHECK(piece->data() == input.data() + frame_header::encoded_size);
  CHECK(as_text(*piece) == "hello");
  CHECK_FALSE(end);
  server.stream(1).consume(2);
  server.session.release_input();
  CHECK(server.read(1) == "lloagain");
}

TEST_CASE("reading: peek() and consume() go through pages and input, up to the end",
          "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "page"));
  const byte_vector input = data_frame(1, flag::fin, "input");
  server.session.receive(server.now, input);
  std::string all;
  bool end = false;
  for (;;) {
    const auto piece = server.stream(1).peek(end);
    REQUIRE(piece);
    if (end) break;
    all += as_text(piece->first(1));
    server.stream(1).consume(1);
  }
  CHECK(all == "pageinput");
  CHECK(server.stream(1).peek(end)->empty());
  server.session.release_input();
}

TEST_CASE("reading: peek() shows all pieces at once, pages and input", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "page"));
  const byte_vector input = data_frame(1, 0, "one") + data_frame(1, flag::fin, "two");
  server.session.receive(server.now, input);
  std::array<bytes, 4> pieces;
  bool end = true;
  REQUIRE(server.stream(1).peek(pieces, end) == 3u);
  CHECK_FALSE(end);
  CHECK(as_text(pieces[0]) == "page");
  CHECK(pieces[1].data() == input.data() + frame_header::encoded_size);
  CHECK(as_text(pieces[2]) == "two");
  CHECK(server.stream(1).peek(std::span(pieces).first(2), end) == 2u);
  server.stream(1).consume(4 + 3 + 3);
  CHECK(server.stream(1).peek(pieces, end) == 0u);
  CHECK(end);
  server.session.release_input();
}

TEST_CASE("reading: consume() takes no more than there is, of no more than there are",
          "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "abc"));
  server.stream(1).consume(100);
  CHECK(server.statistics().unread == 0);
  CHECK(server.read_error(1) == failure::would_block);
  server.stream(9).consume(1);
}

TEST_CASE("reading: readable comes once, and again after a read would have blocked",
          "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "a"));
  CHECK(server.take(readable, 1) == 1);
  server.receive(data_frame(1, 0, "b"));
  CHECK(server.take(readable, 1) == 0);
  CHECK(server.read(1) == "ab");  // And then it would have blocked.
  server.receive(data_frame(1, 0, "c"));
  CHECK(server.take(readable, 1) == 1);
  server.stream(1).consume(1);
  server.receive(data_frame(1, 0, "d"));
  CHECK(server.take(readable, 1) == 0);  // Nobody has looked since.
  server.stream(1).consume(1);
  bool end = false;
  CHECK(server.stream(1).peek(end).error() == failure::would_block);
  server.receive(data_frame(1, flag::fin));
  CHECK(server.take(readable, 1) == 1);  // The end is to be read too.
}

TEST_CASE("reading: an event that is out of date does not come", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "a"));
  CHECK(server.read(1) == "a");  // Before the event was seen.
  CHECK(server.take(readable, 1) == 0);
  server.receive(data_frame(1, 0, "b"));
  CHECK(server.take(readable, 1) == 1);
}

TEST_CASE("reading: payload is readable before its frame is complete", "[mux][yamux]") {
  session_end server = server_with_stream();
  byte_vector input = data_frame(1, flag::fin, "complete");
  const byte_vector rest(input.end() - 3, input.end());
  input.resize(input.size() - 3);
  server.receive(input);
  CHECK(server.read(1) == "compl");
  CHECK(server.read_error(1) == failure::would_block);
  server.receive(rest);
  std::error_code end;
  CHECK(server.read(1, &end) == "ete");
  CHECK(end == failure::eof);
}

TEST_CASE("reading: frames that are cut anywhere are read all the same", "[mux][yamux]") {
  const byte_vector input = window_frame(1, flag::syn) + data_frame(1, 0, "hello") +
                            ping_frame(flag::syn, 5) + data_frame(1, flag::fin, " world");
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    session_end server(role::server);
    const auto place = input.begin() + static_cast<std::ptrdiff_t>(cut);
    server.receive(byte_vector(input.begin(), place));
    server.receive(byte_vector(place, input.end()));
    REQUIRE(server.session.accept() == 1);
    std::error_code end;
    REQUIRE(server.read(1, &end) == "hello world");
    REQUIRE(end == failure::eof);
  }
  session_end server(role::server);
  for (const std::byte one : input) server.receive({one});
  REQUIRE(server.session.accept() == 1);
  CHECK(server.read(1) == "hello world");
}

TEST_CASE("reading: the end stays the end, whatever comes later", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, flag::fin, "rest"));
  server.receive(window_frame(1, flag::rst, 9));  // After its end in order.
  CHECK(server.take(read_reset, 1) == 0);
  CHECK(server.take(write_stopped, 1) == 1);
  std::error_code end;
  CHECK(server.read(1, &end) == "rest");
  CHECK(end == failure::eof);
  CHECK(server.read_error(1) == failure::eof);
  CHECK(server.write_error(1) == failure::stream_reset);
}

TEST_CASE("reading: a reset drops what was not read, and gives its code", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "unread") + window_frame(1, flag::rst, 9));
  CHECK(server.value_of(read_reset, 1) == 9);
  CHECK(server.take(read_reset, 1) == 1);
  CHECK(server.read_error(1) == failure::stream_reset);
  CHECK(server.statistics().unread == 0);
  bool end = false;
  CHECK(server.stream(1).peek(end).error() == failure::stream_reset);
  CHECK_FALSE(end);
}

TEST_CASE("reading: the payload of a data frame with RST is nobody's", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, flag::rst, "garbage") + window_frame(3, flag::syn));
  CHECK(server.value_of(read_reset, 1) == 0);  // Its length is no code.
  CHECK(server.session.accept() == 3);
  CHECK(server.closed() == nullptr);
}

TEST_CASE("reading: stop() drops what waits and what comes, and the peer goes on", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "unread"));
  server.stream(1).stop();
  CHECK(server.read_error(1) == failure::closed);
  CHECK(server.statistics().unread == 0);
  const std::string half(limit::initial_window / 2, 'x');
  for (int i = 0; i < 10; ++i) {
    server.receive(data_frame(1, 0, half));  // It would be blocked for ever if nothing came back.
    REQUIRE(server.closed() == nullptr);
    server.frames();
  }
  CHECK(server.take(readable, 1) == 0);
  REQUIRE(server.write(1, "still here"));
  server.receive(data_frame(1, flag::fin));
  CHECK(server.take(readable, 1) == 0);
  CHECK(server.read_error(1) == failure::closed);
}

TEST_CASE("reading: stop() changes nothing once the peer's direction has ended", "[mux][yamux]") {
  session_end ended = server_with_stream();
  ended.receive(data_frame(1, flag::fin));
  ended.stream(1).stop();
  CHECK(ended.read_error(1) == failure::eof);
  session_end reset = server_with_stream();
  reset.receive(window_frame(1, flag::rst));
  reset.stream(1).stop();
  CHECK(reset.read_error(1) == failure::stream_reset);
}

TEST_CASE("reading: stop() in the middle of a frame drops its rest", "[mux][yamux]") {
  session_end server = server_with_stream();
  byte_vector input = data_frame(1, 0, "frame") + data_frame(1, 0, "next");
  server.receive(byte_vector(input.begin(), input.begin() + 14));
  server.stream(1).stop();
  server.receive(byte_vector(input.begin() + 14, input.end()));
  CHECK(server.closed() == nullptr);
  CHECK(server.statistics().unread == 0);
}

TEST_CASE("reading: reset() in the middle of a frame that comes in", "[mux][yamux]") {
  for (const bool forgets : {false, true}) {
    session_end server = server_with_stream();
    byte_vector input =
        data_frame(1, 0, "frame") + data_frame(1, 0, "next") + window_frame(3, flag::syn);
    server.receive(byte_vector(input.begin(), input.begin() + 14));
    server.stream(1).reset(1);
    if (forgets) server.stream(1).forget();
    server.frames();
    server.receive(byte_vector(input.begin() + 14, input.end()));
    CHECK(server.closed() == nullptr);
    CHECK(server.statistics().unread == 0);
    CHECK(server.session.accept() == 3);
  }
}

TEST_CASE("reading: lent input outlives neither release_input() nor its stream", "[mux][yamux]") {
  session_end server = server_with_stream();
  {
    const byte_vector input = data_frame(1, 0, "lent");
    server.session.receive(server.now, input);
    server.stream(1).forget();
    server.session.release_input();
  }
  CHECK(server.statistics().unread == 0);
}
