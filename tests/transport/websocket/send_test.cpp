// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <set>

#include "subject.hpp"

using namespace strata::transport;
using namespace strata::transport::tests;
using namespace std::string_literals;

TEST_CASE("websocket: a server's frames are bare", "[transport][websocket]") {
  subject it(server_stream());
  CHECK(it.write("Hello") == 5u);
  CHECK(it.flush() == "\x82\x05Hello");
  CHECK(it.write(std::string(126, 'x')) == 126u);
  CHECK(it.flush() == "\x82\x7e\x00\x7e"s + std::string(126, 'x'));
}

TEST_CASE("websocket: a client's frames are masked, each with a key of its own",
          "[transport][websocket]") {
  subject it(client_stream());
  std::set<std::array<unsigned char, 4>> keys;
  for (int i = 0; i < 200; ++i) CHECK(it.write("Hello") == 5u);
  it.feed(ping, "p");
  for (const raw_frame& frame : it.frames()) {
    CHECK(frame.masked);
    CHECK(frame.payload == (frame.opcode == pong ? "p" : "Hello"));
    keys.insert(frame.key);
  }
  CHECK(keys.size() == 201);
}

TEST_CASE("websocket: a write is one message or more, none too large", "[transport][websocket]") {
  const bool server = GENERATE(true, false);
  subject it(server ? server_stream() : client_stream());
  const std::string large(100'000, 'z');
  const std::array<bytes, 4> pieces{as_bytes("a"), bytes(), as_bytes(large), as_bytes("b")};
  CHECK(it.core.write(pieces) == 100'002u);
  std::string seen;
  for (const raw_frame& frame : it.frames()) {
    CHECK(frame.opcode == binary);
    CHECK(frame.fin);
    CHECK(frame.payload.size() <= limits::max_websocket_frame_sent);
    seen += frame.payload;
  }
  CHECK(seen == "a" + large + "b");
  CHECK(it.write("") == 0u);
  CHECK(it.core.write({}) == 0u);
  CHECK(it.flush().empty());
}

TEST_CASE("websocket: writing stops at the watermark, and goes on below it",
          "[transport][websocket][limits]") {
  websocket_config config = server_stream();
  config.watermark = 1000;
  const auto accepted = [&](std::size_t size) {
    subject it(config);
    const std::size_t taken = it.write(std::string(size, 'x')).value();
    it.flush();
    return std::pair(taken, it.events());
  };
  CHECK(accepted(999) == std::pair(std::size_t{999}, ""s));
  CHECK(accepted(1000) == std::pair(std::size_t{1000}, ""s));
  CHECK(accepted(1001) == std::pair(std::size_t{1000}, "w"s));

  subject it(config);
  CHECK(it.write(std::string(1000, 'x')) == 1000u);
  CHECK(it.write("y").error() == errc::would_block);
  CHECK(it.events().empty());
  it.flush(400);
  CHECK(it.events().empty());
  CHECK(it.write(std::string(1000, 'y')) == 396u);
  it.flush(600);
  CHECK(it.events() == "w");
  it.flush();
  CHECK(it.events().empty());
  CHECK(subject(server_stream()).write(std::string(limits::websocket_watermark + 1, 'x')) ==
        limits::websocket_watermark);
}

TEST_CASE("websocket: messages in one part and in several", "[transport][websocket]") {
  subject it(server_messages());
  CHECK(it.send(websocket_kind::text, "whole") == 5u);
  CHECK(it.send(websocket_kind::binary, "") == 0u);
  CHECK(it.send(websocket_kind::text, "", false) == 0u);
  CHECK(it.send(websocket_kind::text, "fir", false) == 3u);
  CHECK(it.send(websocket_kind::binary, "x").error() == errc::invalid_argument);
  CHECK(it.send(websocket_kind::text, "st", false) == 2u);
  CHECK(it.core.finish(it.now).error() == errc::invalid_argument);
  CHECK(it.send(websocket_kind::text, "") == 0u);
  CHECK(it.send(websocket_kind::binary, "\xff") == 1u);
  CHECK(it.shown() == "1whole 2 1-fir 0-st 0 2\xff ");
}

TEST_CASE("websocket: a large message is sent in fragments", "[transport][websocket]") {
  subject it(server_messages());
  const std::string large = std::string(65'535, 'a') + std::string(10'000, 'b');
  CHECK(it.send(websocket_kind::text, large) == large.size());
  const auto frames = it.frames();
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].opcode == text);
  CHECK_FALSE(frames[0].fin);
  CHECK(frames[0].payload.size() == limits::max_websocket_frame_sent);
  CHECK(frames[1].opcode == continuation);
  CHECK(frames[1].fin);
}

TEST_CASE("websocket: a message that does not fit ends with its last part",
          "[transport][websocket]") {
  websocket_config config = server_messages();
  config.watermark = 10;
  subject it(config);
  CHECK(it.send(websocket_kind::text, "0123456789abc") == 10u);
  CHECK(it.send(websocket_kind::text, "abc").error() == errc::would_block);
  CHECK(it.send(websocket_kind::text, "").error() == errc::would_block);
  CHECK(it.shown() == "1-0123456789 ");
  CHECK(it.events() == "w");
  CHECK(it.send(websocket_kind::text, "abc") == 3u);
  CHECK(it.shown() == "0abc ");
}

TEST_CASE("websocket: text that is not UTF-8 is not sent", "[transport][websocket]") {
  subject it(server_messages());
  CHECK(it.send(websocket_kind::text, "\xff").error() == errc::invalid_argument);
  CHECK(it.send(websocket_kind::text, "cut\xc3").error() == errc::invalid_argument);
  CHECK(it.send(websocket_kind::text, "cut\xc3", false) == 4u);
  CHECK(it.send(websocket_kind::text, "x").error() == errc::invalid_argument);
  CHECK(it.send(websocket_kind::text, "\xa4") == 1u);
  CHECK(it.send(websocket_kind::text, "\xa4").error() == errc::invalid_argument);
  CHECK(it.shown() == "1-cut\xc3 0\xa4 ");
  // Cut by the watermark within a character.
  websocket_config config = server_messages();
  config.watermark = 1;
  subject narrow(config);
  CHECK(narrow.send(websocket_kind::text, "\xc3\xa4") == 1u);
  narrow.flush();
  CHECK(narrow.send(websocket_kind::text, "\xa4") == 1u);
}

TEST_CASE("websocket: control frames go between two frames, as early as they can",
          "[transport][websocket]") {
  subject it(server_stream());
  CHECK(it.write("first"));
  CHECK(it.write("second"));
  CHECK(it.flush(3) ==
        "\x82\x05"
        "f");
  it.feed(ping, "one");
  it.feed(ping, "two");
  CHECK(it.core.ping(as_bytes("mine")));
  CHECK(it.flush() == "irst\x8a\x03two\x89\x04mine\x82\x06second");
  CHECK(it.write("third"));
  it.feed(ping, "p");
  CHECK(it.flush() == "\x8a\x01p\x82\x05third");
}

TEST_CASE("websocket: a frame that was shown to the carrier stays as it was",
          "[transport][websocket]") {
  subject it(server_stream());
  CHECK(it.write("first"));
  it.feed(ping, "one");
  std::array<bytes, 8> pieces;
  REQUIRE(it.core.poll_output(it.now, pieces) == 2);
  const std::array<std::string, 2> before{std::string(as_text(pieces[0])),
                                          std::string(as_text(pieces[1]))};
  CHECK(before[0] == "\x8a\x03one");
  CHECK(it.write(std::string(60'000, 'x')) == 60'000u);
  it.feed(ping, "two");
  it.feed(3u, "");  // fails the connection
  CHECK(as_text(pieces[0]) == before[0]);
  CHECK(as_text(pieces[1]) == before[1]);
  it.core.sent(before[0].size() + 3);
  // The rest of the frame that has begun, then the Close; what waited is dropped.
  CHECK(it.flush() == "irst" + encode({.opcode = closing, .payload = close_payload(1002)}));
  CHECK(it.core.finished());
}

TEST_CASE("websocket: the carrier may take any number of bytes at a time",
          "[transport][websocket]") {
  const bool server = GENERATE(true, false);
  const std::size_t step = GENERATE(1u, 2u, 3u, 5u, 11u, 4000u);
  subject it(server ? server_stream() : client_stream());
  std::string stream;
  std::string expected;
  for (int i = 0; i < 60; ++i) {
    const std::string payload(static_cast<std::size_t>(i * i), static_cast<char>('a' + i % 26));
    CHECK(it.write(payload) == payload.size());
    expected += payload;
    if (i % 7 == 0) it.feed(ping, std::to_string(i));
    stream += it.flush(step);
  }
  while (true) {
    const std::string more = it.flush(step);
    if (more.empty()) break;
    stream += more;
  }
  std::string_view rest = stream;
  std::string seen;
  unsigned pongs = 0;
  while (const auto frame = decode(rest)) {
    CHECK((frame->opcode == binary || frame->opcode == pong));
    if (frame->opcode == binary) seen += frame->payload;
    if (frame->opcode == pong) ++pongs;
  }
  CHECK(rest.empty());
  CHECK(seen == expected);
  CHECK(pongs >= 1);
}

TEST_CASE("websocket: a gather list of any length will do", "[transport][websocket]") {
  subject it(server_stream());
  CHECK(it.write(std::string(100'000, 'x')));
  it.feed(ping, "p");
  std::string seen;
  std::array<bytes, 1> one;
  CHECK(it.core.poll_output(it.now, {}) == 0);
  while (it.core.poll_output(it.now, one) == 1) {
    seen += as_text(one[0]);
    it.core.sent(one[0].size());
  }
  std::string_view rest = seen;
  while (decode(rest)) {}
  CHECK(rest.empty());
  CHECK(seen.size() == 100'000 + 3 + 4 + 4);
}

TEST_CASE("websocket: an answer to a ping is told when it is the one", "[transport][websocket]") {
  subject it(client_stream());
  CHECK(it.core.ping(as_bytes("1")));
  CHECK(it.core.ping(as_bytes("2")));
  CHECK(it.shown() == "92 ");
  it.feed(pong, "1");
  it.feed(pong, "");
  CHECK(it.events().empty());
  it.feed(pong, "2");
  it.feed(pong, "2");
  CHECK(it.events() == "p");
  CHECK(it.core.ping(as_bytes(std::string(125, 'x'))));
  CHECK(it.core.ping(as_bytes(std::string(126, 'x'))).error() == errc::invalid_argument);
}
