// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/yamux/session_end.hpp"

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;
using enum event_kind;

namespace {

void pass(session_end& end, strata::transport::duration time) {
  end.now += time;
  end.session.handle_timeout(end.now);
}

yamux_config quiet() {
  yamux_config config;
  config.keep_alive_interval = 0ms;
  return config;
}

}  // namespace

TEST_CASE("timers: before the first call nothing is due", "[mux][yamux]") {
  session_end client(role::client);
  CHECK_FALSE(client.session.next_timeout());
  client.frames();
  CHECK(client.session.next_timeout() == client.now + limit::keep_alive_interval);
}

TEST_CASE("timers: what is set before the time is known counts from when it is", "[mux][yamux]") {
  session_end leaving(role::client);
  leaving.session.control().go_away();
  CHECK_FALSE(leaving.session.next_timeout());
  leaving.session.handle_timeout(leaving.now);
  CHECK_FALSE(leaving.session.finished());
  CHECK(leaving.session.next_timeout() == leaving.now + limit::flush_timeout);

  session_end client(quiet());
  for (const std::uint32_t id : {1u, 3u}) {
    client.session.open().value();
    REQUIRE(client.stream(id).finish());
    client.stream(id).forget();
  }
  client.session.handle_timeout(client.now);
  CHECK(client.session.next_timeout() == client.now + limit::close_timeout);
  CHECK(client.frames().size() == 4);
  CHECK(client.statistics().streams_open == 2);
}

TEST_CASE("timers: a silent peer is asked, and then given up", "[mux][yamux]") {
  session_end client = client_with_stream();
  client.frames();
  pass(client, 30s - 1ns);
  CHECK(client.frames().empty());
  pass(client, 1ns);
  const auto sent = client.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].header.type == frame_type::ping);
  CHECK(sent[0].header.flags == flag::syn);
  CHECK(client.session.next_timeout() == client.now + 10s);
  pass(client, 10s - 1ns);
  CHECK(client.closed() == nullptr);
  pass(client, 1ns);
  CHECK(client.cause() == mux::errc::keep_alive_expired);
  CHECK(client.cause() == strata::transport::condition::timed_out);
  CHECK(client.closed()->origin == close_reason::origin_kind::timed_out);
  CHECK(client.session.finished());
  CHECK(client.read_error(1) == mux::errc::keep_alive_expired);
}

TEST_CASE("timers: the answer, or any other byte, keeps the session", "[mux][yamux]") {
  for (const bool by_answer : {true, false}) {
    session_end client = client_with_stream();
    for (int round = 0; round < 5; ++round) {
      client.frames();
      pass(client, 30s);
      const auto sent = client.frames();
      REQUIRE(sent.size() == (by_answer || round == 0 ? 1u : sent.size()));
      client.now += 9s;
      client.receive(by_answer ? ping_frame(flag::ack, sent[0].header.length)
                               : byte_vector{std::byte{0}});
      pass(client, 10s);
      REQUIRE(client.closed() == nullptr);
      if (!by_answer) break;  // Only the first byte of a header came.
    }
  }
}

TEST_CASE("timers: a session that does not listen accuses nobody of silence", "[mux][yamux]") {
  yamux_config config;
  config.max_buffered = limit::initial_window;
  session_end server = server_with_stream(config);
  server.frames();
  server.receive(data_frame(1, 0, std::string(limit::initial_window, 'x')));
  CHECK_FALSE(server.session.wants_input());
  CHECK_FALSE(server.session.next_timeout());
  pass(server, 1h);
  CHECK(server.closed() == nullptr);
  server.read(1);
  CHECK(server.session.wants_input());
  pass(server, 0s);
  CHECK(server.session.next_timeout() == server.now + 30s);
  pass(server, 30s);
  pass(server, 10s);
  CHECK(server.cause() == mux::errc::keep_alive_expired);
}

TEST_CASE("timers: a ping on demand tells the round trip", "[mux][yamux]") {
  session_end client = client_with_stream();
  client.session.control().ping();
  client.session.control().ping();
  const auto sent = client.frames();
  REQUIRE(sent.size() == 1);
  client.now += 25ms;
  client.receive(ping_frame(flag::ack, sent[0].header.length));
  CHECK(client.value_of(pong) == 25'000'000);
  CHECK(client.take(pong) == 1);
  CHECK(client.statistics().smoothed_rtt == 25ms);
  CHECK(client.frames().empty());
}

TEST_CASE("timers: pings that nobody asked for are no events", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "x"));
  const auto sent = server.frames();
  REQUIRE(sent.size() == 1);
  server.receive(ping_frame(flag::ack, sent[0].header.length));
  CHECK(server.take(pong) == 0);
  CHECK(server.statistics().smoothed_rtt.count() > 0);
}

TEST_CASE("timers: every ping is answered once, with its value, before everything else",
          "[mux][yamux]") {
  session_end server = server_with_stream();
  REQUIRE(server.write(1, std::string(100'000, 'x')));
  server.receive(ping_frame(flag::syn, 7) + ping_frame(flag::syn, UINT32_MAX));
  const auto sent = server.frames();
  REQUIRE(sent.size() > 2);
  CHECK(sent[0].is(frame_type::ping, flag::ack, 0, 7));
  CHECK(sent[1].is(frame_type::ping, flag::ack, 0, UINT32_MAX));
  CHECK(sent[2].header.type == frame_type::data);
}

TEST_CASE("timers: a stream that is not acknowledged in time fails alone", "[mux][yamux]") {
  yamux_config config = quiet();
  session_end client = client_with_stream(config);
  client.session.open().value();
  client.now += 10s;  // The time runs from when SYN went out.
  client.frames();
  CHECK(client.session.next_timeout() == client.now + limit::open_timeout);
  pass(client, limit::open_timeout - 1ns);
  CHECK(client.take(read_reset, 3) == 0);
  pass(client, 1ns);
  CHECK(client.take(read_reset, 3) == 1);
  CHECK(client.take(write_stopped, 3) == 1);
  CHECK(client.read_error(3) == failure::timed_out);
  CHECK(client.write_error(3) == failure::timed_out);
  const auto sent = client.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].is(frame_type::window_update, flag::rst, 3, 0));
  CHECK(client.closed() == nullptr);
  CHECK(client.statistics().streams_open == 1);
  CHECK_FALSE(client.session.next_timeout());
}

TEST_CASE("timers: an acknowledged stream has no deadline, nor has one without timeout",
          "[mux][yamux]") {
  yamux_config config = quiet();
  session_end client = client_with_stream(config);
  CHECK_FALSE(client.session.next_timeout());
  config.open_timeout = 0ms;
  session_end patient(config);
  patient.session.open().value();
  patient.frames();
  CHECK_FALSE(patient.session.next_timeout());
}

TEST_CASE("timers: a forgotten stream that the peer does not end is reset in time",
          "[mux][yamux]") {
  session_end server = server_with_stream(quiet());
  REQUIRE(server.stream(1).finish());
  server.stream(1).forget();
  server.frames();
  CHECK(server.session.next_timeout() == server.now + limit::close_timeout);
  pass(server, limit::close_timeout - 1ns);
  CHECK(server.statistics().streams_open == 1);
  pass(server, 1ns);
  const auto sent = server.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].is(frame_type::window_update, flag::rst, 1, 0));
  CHECK(server.statistics().streams_open == 0);
  CHECK_FALSE(server.session.next_timeout());
}

TEST_CASE("timers: a forgotten stream that ends in time is not reset", "[mux][yamux]") {
  session_end server = server_with_stream(quiet());
  REQUIRE(server.stream(1).finish());
  server.stream(1).forget();
  server.frames();
  server.receive(data_frame(1, flag::fin));
  CHECK(server.statistics().streams_open == 0);
  CHECK_FALSE(server.session.next_timeout());
  // Nor has one a deadline that was over before, or that RST will end.
  session_end over = server_with_stream(quiet());
  REQUIRE(over.stream(1).finish());
  over.receive(data_frame(1, flag::fin));
  over.frames();
  over.stream(1).forget();
  CHECK_FALSE(over.session.next_timeout());
  session_end reset = server_with_stream(quiet());
  reset.stream(1).forget();
  CHECK_FALSE(reset.session.next_timeout());
}

TEST_CASE("timers: bytes that the peer's window never takes are dropped in time", "[mux][yamux]") {
  session_end client = client_with_stream(quiet());
  const std::string text(limit::initial_window + 1, 'x');
  for (std::size_t at = 0; at < text.size();) {
    const auto taken = client.write(1, std::string_view(text).substr(at));
    REQUIRE(taken);
    at += *taken;
    client.frames();
  }
  REQUIRE(client.stream(1).finish());
  client.receive(data_frame(1, flag::fin));
  client.stream(1).forget();
  pass(client, limit::close_timeout);
  client.frames();
  CHECK(client.statistics().streams_open == 0);
}

TEST_CASE("timers: a stream that the application holds may stay half closed", "[mux][yamux]") {
  session_end server = server_with_stream(quiet());
  REQUIRE(server.stream(1).finish());
  server.frames();
  CHECK_FALSE(server.session.next_timeout());
  pass(server, 24h);
  server.receive(data_frame(1, 0, "late"));
  CHECK(server.read(1) == "late");
}

TEST_CASE("timers: a clock that goes back is taken as standing still", "[mux][yamux]") {
  session_end client = client_with_stream();
  client.frames();
  const auto due = client.session.next_timeout();
  client.now -= 1h;
  client.session.handle_timeout(client.now);
  client.receive(ping_frame(flag::syn, 1));
  CHECK(client.session.next_timeout() == due);
}
