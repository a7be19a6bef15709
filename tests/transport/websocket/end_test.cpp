// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "subject.hpp"

using namespace strata::transport;
using namespace strata::transport::tests;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

void pass(subject& it, duration time) {
  it.now += time;
  const auto due = it.core.next_timeout();
  if (due && *due <= it.now) it.core.handle_timeout(it.now);
}

std::error_code write_error(subject& it) {
  const auto size = it.write("x");
  return size ? std::error_code() : size.error();
}

}  // namespace

TEST_CASE("websocket: the peer closes first", "[transport][websocket]") {
  const bool server = GENERATE(true, false);
  subject it(server ? server_stream() : client_stream());
  CHECK(it.write("mine"));
  it.feed(binary, "rest");
  it.feed(closing, close_payload(1000, "bye"));
  CHECK(it.events() == "rc");
  CHECK_FALSE(it.core.finished());
  CHECK(it.shown() == "2mine 81000 ");
  CHECK(it.read() == "rest"s);
  CHECK(it.read_error() == errc::eof);
  CHECK(it.read_error() == errc::eof);
  CHECK(write_error(it) == errc::write_stopped);
  CHECK(it.core.ping({}).error() == errc::write_stopped);
  CHECK(it.core.finish(it.now));
  REQUIRE(it.core.closed() != nullptr);
  CHECK(it.core.closed()->by_peer);
  CHECK(it.core.closed()->code == 1000);
  CHECK(it.core.closed()->reason == "bye");
  CHECK(it.core.closed()->cause == errc::eof);
  // A server ends the carrier, a client waits for that.
  CHECK(it.core.finished() == server);
  it.core.receive_end(it.now);
  CHECK(it.core.finished());
  CHECK(it.events().empty());
  CHECK(it.read_error() == errc::eof);
}

TEST_CASE("websocket: a server that has finished says so at once", "[transport][websocket]") {
  subject it(server_stream());
  CHECK(it.write("last"));
  CHECK(it.core.finish(it.now));
  CHECK(it.core.finish(it.now));
  CHECK(write_error(it) == errc::write_finished);
  CHECK(it.shown() == "2last 81000 ");
  it.feed(binary, "still");
  it.feed(ping, "there?");
  CHECK(it.shown() == "athere? ");
  CHECK(it.read() == "still"s);
  CHECK(it.core.closed() == nullptr);
  it.feed(closing, close_payload(1000));
  CHECK(it.shown().empty());
  CHECK(it.read_error() == errc::eof);
  CHECK(write_error(it) == errc::write_finished);
  CHECK_FALSE(it.core.closed()->by_peer);
  CHECK(it.core.finished());
}

TEST_CASE("websocket: a client that has finished holds its Close until the peer ends",
          "[transport][websocket]") {
  subject it(client_stream());
  CHECK(it.write("last"));
  CHECK(it.core.finish(it.now));
  CHECK(write_error(it) == errc::write_finished);
  CHECK(it.shown() == "2last ");
  pass(it, 20s);
  it.feed(binary, "answer");
  it.feed(closing, close_payload(1000));
  CHECK(it.shown() == "81000 ");
  CHECK(it.read() == "answer"s);
  CHECK(it.read_error() == errc::eof);
  CHECK_FALSE(it.core.finished());
  it.core.receive_end(it.now);
  CHECK(it.core.finished());
}

TEST_CASE("websocket: a client holds its Close no longer than agreed",
          "[transport][websocket][limits]") {
  subject it(client_stream());
  CHECK(it.core.finish(it.now));
  CHECK(it.core.next_timeout() == it.now + limits::websocket_finish_hold);
  pass(it, limits::websocket_finish_hold - 1ms);
  CHECK(it.shown().empty());
  pass(it, 1ms);
  CHECK(it.shown() == "81000 ");
  it.feed(binary, "late");
  CHECK(it.read() == "late"s);
  pass(it, limits::websocket_close_timeout - 1ms);
  CHECK_FALSE(it.core.finished());
  pass(it, 1ms);
  CHECK(it.core.finished());
  CHECK(it.read_error() == errc::timed_out);
  CHECK(write_error(it) == errc::write_finished);
  CHECK(it.core.closed()->code == 1006);
}

TEST_CASE("websocket: a Close that is never answered ends all the same",
          "[transport][websocket][limits]") {
  subject it(server_stream());
  CHECK(it.core.finish(it.now));
  CHECK(it.shown() == "81000 ");
  it.feed(binary, "unread");
  pass(it, limits::websocket_close_timeout - 1ms);
  CHECK_FALSE(it.core.finished());
  CHECK(it.core.closed() == nullptr);
  pass(it, 1ms);
  CHECK(it.core.finished());
  CHECK(it.events() == "rc");
  CHECK(it.read() == "unread"s);
  CHECK(it.read_error() == errc::timed_out);
}

TEST_CASE("websocket: a client lets the server end the carrier, but not for ever",
          "[transport][websocket][limits]") {
  const bool we_first = GENERATE(true, false);
  subject it(client_stream());
  if (we_first) {
    CHECK(it.core.close(it.now, 1000));
    CHECK(it.shown() == "81000 ");
  }
  it.feed(closing, close_payload(1000));
  CHECK(it.shown() == (we_first ? "" : "81000 "));
  CHECK(it.core.wants_input());
  pass(it, limits::websocket_linger - 1ms);
  CHECK_FALSE(it.core.finished());
  pass(it, 1ms);
  CHECK(it.core.finished());
  CHECK(it.read_error() == errc::eof);
  CHECK(it.core.closed()->code == 1000);
  CHECK_FALSE(it.core.next_timeout().has_value());
}

TEST_CASE("websocket: an end that was not in order is no eof", "[transport][websocket]") {
  const auto read_end = [](auto act) {
    subject it(server_stream());
    act(it);
    it.frames();
    const std::error_code seen = it.read_error();
    CHECK(it.core.closed() != nullptr);
    CHECK(it.core.closed()->cause == seen);
    return seen;
  };
  CHECK(read_end([](subject& it) { it.feed(closing, ""); }) == errc::eof);
  CHECK(read_end([](subject& it) { it.feed(closing, close_payload(1001)); }) ==
        errc::closed_by_peer);
  CHECK(read_end([](subject& it) { it.feed(closing, close_payload(1011)); }) ==
        errc::closed_by_peer);
  CHECK(read_end([](subject& it) { it.feed(closing, close_payload(4000)); }) ==
        errc::closed_by_peer);
  CHECK(read_end([](subject& it) { it.core.receive_end(it.now); }) == errc::truncated);
  CHECK(read_end([](subject& it) { it.core.carrier_lost(errc::timed_out); }) == errc::timed_out);
  CHECK(read_end([](subject& it) { it.core.reset(); }) == errc::closed);
  // A message that was cut off.
  CHECK(read_end([](subject& it) {
          it.feed(binary, "", false);
          it.feed(closing, close_payload(1000));
        }) == errc::truncated);
  // This side's own code, echoed.
  CHECK(read_end([](subject& it) {
          CHECK(it.core.close(it.now, 1001));
          it.feed(closing, close_payload(1001));
        }) == errc::eof);
  CHECK(read_end([](subject& it) {
          CHECK(it.core.close(it.now, 1001));
          it.feed(closing, close_payload(1002));
        }) == errc::closed_by_peer);
}

TEST_CASE("websocket: what had come is read before the end that cut it off",
          "[transport][websocket]") {
  subject it(server_stream());
  it.feed(binary, "part", false);
  it.core.receive_end(it.now);
  CHECK(it.events() == "rc");
  CHECK(it.read() == "part"s);
  CHECK(it.read_error() == errc::truncated);
  CHECK(write_error(it) == errc::truncated);
  CHECK(it.core.finish(it.now).error() == errc::truncated);
  CHECK(it.core.finished());
  CHECK_FALSE(it.core.wants_input());
  CHECK(it.core.closed()->code == 1006);
}

TEST_CASE("websocket: close says its code and reason", "[transport][websocket]") {
  subject it(client_messages());
  CHECK(it.send(websocket_kind::text, "bye", false) == 3u);
  CHECK(it.core.close(it.now, 3001, "enough"));
  CHECK(it.core.close(it.now, 1000));
  const auto frames = it.frames();
  REQUIRE(frames.size() == 2);
  CHECK(frames[1].payload == close_payload(3001, "enough"));
  CHECK(it.send(websocket_kind::text, "x").error() == errc::write_finished);
  it.feed(text, "more");
  CHECK(it.message() == "t:more"s);
  it.feed(closing, close_payload(3001));
  CHECK(it.message().error() == errc::eof);
  CHECK(it.core.closed()->code == 3001);
  CHECK(it.core.closed()->reason == "enough");
  subject empty(server_stream());
  CHECK(empty.core.close(empty.now, websocket_code::no_status));
  CHECK(empty.flush() == "\x88\x00"s);
}

TEST_CASE("websocket: codes and reasons that cannot be sent", "[transport][websocket]") {
  subject it(client_stream());
  const auto refused = [&](unsigned code, std::string_view reason = "") {
    const auto done = it.core.close(it.now, static_cast<std::uint16_t>(code), reason);
    return !done && done.error() == errc::invalid_argument;
  };
  for (const unsigned code : {0u, 999u, 1004u, 1006u, 1015u, 1016u, 2999u, 5000u})
    CHECK(refused(code));
  CHECK(refused(1005, "reason"));
  CHECK(refused(1000, std::string(124, 'x')));
  CHECK(refused(1000, "\xff"));
  CHECK(refused(1000, "cut\xc3"));
  CHECK(it.flush().empty());
  CHECK(it.core.close(it.now, 1000, std::string(123, 'x')));
}

TEST_CASE("websocket: a close cuts the hold of a finish short", "[transport][websocket]") {
  subject it(client_stream());
  CHECK(it.core.finish(it.now));
  CHECK(it.core.close(it.now, 1001, "now"));
  CHECK(it.shown() == "81001 ");
  pass(it, limits::websocket_close_timeout - 1ms);
  CHECK_FALSE(it.core.finished());
  pass(it, 1ms);
  CHECK(it.core.finished());
}

TEST_CASE("websocket: an error drops what waits but never cuts a frame", "[transport][websocket]") {
  const bool close_waits = GENERATE(true, false);
  subject it(server_stream());
  CHECK(it.write("first"));
  CHECK(it.write("second"));
  if (close_waits) CHECK(it.core.finish(it.now));
  CHECK(it.flush(4) ==
        "\x82\x05"
        "fi");
  it.feed(3u, "");
  CHECK(it.flush() == "rst" + encode({.opcode = closing, .payload = close_payload(1002)}));
  CHECK(it.core.finished());
  CHECK(it.core.closed()->code == (close_waits ? 1000 : 1002));
}

TEST_CASE("websocket: no second Close after an error", "[transport][websocket]") {
  for (std::size_t out = 0; out <= 4; ++out) {
    subject it(server_stream());
    CHECK(it.core.finish(it.now));
    std::string stream = it.flush(out);
    it.feed(3u, "");
    stream += it.flush();
    CHECK(stream == encode({.opcode = closing, .payload = close_payload(out == 0 ? 1002 : 1000)}));
    CHECK(it.core.finished());
    CHECK(it.read_error() == errc::protocol_error);
  }
}

TEST_CASE("websocket: an error whose Close nobody takes ends all the same",
          "[transport][websocket]") {
  subject it(server_stream());
  it.feed(3u, "");
  CHECK_FALSE(it.core.finished());
  pass(it, limits::websocket_close_timeout);
  CHECK(it.core.finished());
  CHECK(it.flush().empty());
  CHECK(it.read_error() == errc::protocol_error);
}

TEST_CASE("websocket: a carrier that ends after the peer's Close takes nothing away",
          "[transport][websocket]") {
  subject it(server_stream());
  CHECK(it.write("mine"));
  it.feed(closing, close_payload(1000));
  it.core.receive_end(it.now);
  CHECK_FALSE(it.core.finished());
  CHECK_FALSE(it.core.wants_input());
  CHECK(it.shown() == "2mine 81000 ");
  CHECK(it.core.finished());
  CHECK(it.read_error() == errc::eof);
  it.core.carrier_lost(errc::unreachable);
  CHECK(it.read_error() == errc::eof);
  CHECK(it.core.closed()->code == 1000);
}

TEST_CASE("websocket: a reset forgets what was not read and sends nothing",
          "[transport][websocket]") {
  subject it(client_stream());
  CHECK(it.write("mine"));
  it.feed(binary, "yours");
  it.core.reset();
  it.core.reset();
  CHECK(it.flush().empty());
  CHECK(it.core.finished());
  CHECK(it.read_error() == errc::closed);
  CHECK(write_error(it) == errc::closed);
  CHECK(it.core.finish(it.now).error() == errc::closed);
  subject ended(client_stream());
  ended.feed(binary, "yours");
  ended.feed(closing, close_payload(1000));
  ended.core.reset();
  CHECK(ended.read() == "yours"s);
  CHECK(ended.read_error() == errc::eof);
}

TEST_CASE("websocket: nothing is due after the end, and a connection may move",
          "[transport][websocket]") {
  subject it(client_stream());
  it.feed(binary, "yours");
  CHECK(it.core.finish(it.now));
  websocket_connection moved = std::move(it.core);
  moved.carrier_lost(errc::unreachable);
  CHECK_FALSE(moved.next_timeout().has_value());
  CHECK(moved.finished());
  it.core = std::move(moved);
  CHECK(it.read() == "yours"s);
  CHECK(it.read_error() == errc::unreachable);
}

TEST_CASE("websocket: a writer that waits learns of the end", "[transport][websocket]") {
  websocket_config config = server_stream();
  config.watermark = 4;
  subject it(config);
  CHECK(it.write("123456") == 4u);
  it.core.carrier_lost(errc::unreachable);
  CHECK(it.events() == "rwc");
  CHECK(write_error(it) == errc::unreachable);
}

TEST_CASE("websocket: a silent peer is asked, then given up", "[transport][websocket][limits]") {
  websocket_config config = client_stream();
  config.keepalive = 10s;
  subject it(config);
  CHECK_FALSE(it.core.next_timeout().has_value());
  it.feed(binary, "x");
  CHECK(it.read());
  it.now += 9s;
  it.feed(ping, "");
  it.frames();
  pass(it, 9999ms);
  CHECK(it.shown().empty());
  pass(it, 1ms);
  CHECK(it.shown() == "9 ");
  pass(it, limits::websocket_keepalive_timeout - 1ms);
  CHECK(it.read_error() == errc::would_block);
  CHECK_FALSE(it.core.finished());
  it.feed("\x82");  // any byte is life
  pass(it, 9999ms);
  CHECK(it.shown().empty());
  pass(it, 1ms);
  CHECK(it.shown() == "9 ");
  pass(it, limits::websocket_keepalive_timeout - 1ms);
  CHECK_FALSE(it.core.finished());
  pass(it, 1ms);
  CHECK(it.core.finished());
  CHECK(it.read_error() == errc::timed_out);
}

TEST_CASE("websocket: a peer that has never spoken is silent, too", "[transport][websocket]") {
  websocket_config config = client_stream();
  config.keepalive = 10s;
  subject it(config);
  CHECK(it.write("hello?"));
  CHECK(it.shown() == "2hello? ");
  pass(it, 9999ms);
  CHECK(it.shown().empty());
  pass(it, 1ms);
  CHECK(it.shown() == "9 ");
}

TEST_CASE("websocket: who is held back is not silent", "[transport][websocket]") {
  const unsigned way = GENERATE(0u, 1u, 2u);
  websocket_config config = way == 2 ? server_messages() : server_stream();
  config.keepalive = 10s;
  config.max_unread = 4;
  subject it(config);
  it.feed(binary, "abc", way != 2);
  pass(it, 10s);
  CHECK(it.shown() == "9 ");
  it.feed(way == 2 ? continuation : binary, "d", way != 2);
  CHECK_FALSE(it.core.wants_input());
  pass(it, 1h);
  CHECK_FALSE(it.core.finished());
  if (way == 0) CHECK(it.read(1) == "a"s);
  if (way == 1) CHECK(it.core.peek());
  if (way == 1) it.core.consume(1);
  if (way == 2) CHECK(it.message(1) == "b:a+"s);
  CHECK(it.core.wants_input());
  pass(it, 1ms);
  CHECK_FALSE(it.core.finished());
  CHECK(it.shown() == "9 ");
}

TEST_CASE("websocket: a ping of one's own is not forgotten for one that keeps alive",
          "[transport][websocket]") {
  websocket_config config = client_stream();
  config.keepalive = 10s;
  subject it(config);
  it.feed(pong, "");
  CHECK(it.core.ping(as_bytes("mine")));
  CHECK(it.shown() == "9mine ");
  pass(it, 10s);
  CHECK(it.shown() == "9mine ");
  it.feed(pong, "mine");
  CHECK(it.events() == "p");
}

TEST_CASE("websocket: spare memory is given back when nothing moves", "[transport][websocket]") {
  subject it(server_stream());
  CHECK_FALSE(it.core.next_timeout().has_value());
  it.feed(binary, std::string(50'000, 'x'));
  CHECK(it.write(std::string(50'000, 'y')));
  CHECK(it.read());
  it.flush();
  CHECK(it.core.next_timeout() == it.now + limits::websocket_spare_memory_kept);
  pass(it, limits::websocket_spare_memory_kept);
  CHECK_FALSE(it.core.next_timeout().has_value());
}
