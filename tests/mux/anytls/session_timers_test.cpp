// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/session_end.hpp"

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;

TEST_CASE("timers: a silent peer is asked every thirty seconds, and answers", "[mux][anytls]") {
  session_pair both({}, {.idle_timeout = 0ms, .heartbeat_interval = 0ms});
  both.open_stream();
  both.pass(10min);
  CHECK(both.client.closed() == nullptr);
  CHECK(both.client.statistics().heartbeats_sent == both.server.statistics().heartbeats_answered);
  CHECK(both.client.statistics().heartbeats_sent >= 19);
  CHECK(both.client.statistics().heartbeats_sent <= 20);
  CHECK(both.client.statistics().glitches + both.server.statistics().glitches == 0);
}

TEST_CASE("timers: a peer that misses an answer is dead", "[mux][anytls]") {
  for (const bool is_client : {false, true}) {
    session_end end = is_client ? client_in_bulk() : server_with_stream({.report_timeout = 0ms});
    end.frames();
    end.pass(limit::heartbeat_interval);
    CHECK(take_frames(end.partial) == std::vector<seen_frame>{{command::heart_request, 0, ""}});
    end.pass(limit::heartbeat_timeout - 1ms);
    CHECK(end.closed() == nullptr);
    end.pass(1ms);
    CHECK(end.cause() == mux::errc::keep_alive_expired);
    CHECK(end.closed()->origin == close_reason::origin_kind::timed_out);
    CHECK(end.session.finished());
  }
}

TEST_CASE("timers: any byte is a sign of life, half a header too", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.pass(limit::heartbeat_interval + 9s);
  client.receive(byte_vector(3));
  client.pass(limit::heartbeat_interval - 1ms);
  CHECK(client.closed() == nullptr);
}

TEST_CASE("timers: a heartbeat repeats the number it came with, and one answers many",
          "[mux][anytls]") {
  session_end server = new_server();
  server.receive(frame(command::heart_request, 7));
  CHECK(server.frames() == std::vector<seen_frame>{{command::heart_response, 7, ""}});
  server.receive(frame(command::heart_request, 1) + frame(command::heart_request, 2) +
                 frame(command::heart_request, 3));
  CHECK(server.frames() == std::vector<seen_frame>{{command::heart_response, 3, ""}});
  CHECK(server.statistics().heartbeats_answered == 2);
}

TEST_CASE("timers: a client answers heartbeats too", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.receive(frame(command::heart_request, 0));
  CHECK(client.frames() == std::vector<seen_frame>{{command::heart_response, 0, ""}});
}

TEST_CASE("timers: an answer that nobody asked for serves nobody", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.receive(frame(command::heart_response, 0));
  CHECK(client.statistics().glitches == 1);
  client.pass(limit::heartbeat_interval);
  client.receive(frame(command::heart_response, 0));
  CHECK(client.statistics().glitches == 1);
}

TEST_CASE("timers: a peer held up by a stream is not dead", "[mux][anytls]") {
  session_end client = client_in_bulk();
  for (int i = 0; i < 2; ++i) client.write(1, std::string(60'000, 'x')).value();
  client.write_all();
  client.pass(limit::heartbeat_interval + limit::heartbeat_timeout + 60s);
  CHECK(client.closed() == nullptr);
  client.pass(60s);
  CHECK(client.cause() == mux::errc::keep_alive_expired);
}

TEST_CASE("timers: who does not listen accuses nobody of silence", "[mux][anytls]") {
  session_end client = client_in_bulk({.max_unread = 10});
  client.receive(frame(command::psh, 1, std::string(11, 'x')));
  REQUIRE_FALSE(client.session.wants_input());
  client.pass(1h);
  CHECK(client.closed() == nullptr);
  client.read(1);
  client.pass(limit::heartbeat_interval - 1ms);
  CHECK(client.statistics().heartbeats_sent == 0);
  CHECK(client.closed() == nullptr);
}

TEST_CASE("timers: the time for authentication, to the millisecond", "[mux][anytls]") {
  for (const std::size_t held : {0uz, 1uz, 33uz, 34uz, 63uz}) {
    session_end server(server_config());
    const byte_vector whole = authentication_of(password, 30);
    server.receive(byte_vector(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(held)));
    server.write_once();
    server.pass(limit::authentication_timeout - 1ms);
    CHECK(server.closed() == nullptr);
    server.pass(1ms);
    CHECK(server.cause() == mux::errc::authentication_failed);
    CHECK(server.session.finished());
    CHECK(server.partial.empty());
  }
  session_end in_time(server_config());
  in_time.write_once();
  in_time.pass(limit::authentication_timeout - 1ms);
  in_time.receive(authentication_of(password) + settings_of("2"));
  in_time.pass(20s);
  CHECK(in_time.closed() == nullptr);
  session_end patient(server_config({.authentication_timeout = 0ms}));
  patient.pass(1h);
  CHECK(patient.closed() == nullptr);
}

TEST_CASE("timers: a server ends a session without streams after ten minutes", "[mux][anytls]") {
  session_end server = new_server({.heartbeat_interval = 0ms});
  server.pass(limit::idle_timeout - 1ms);
  CHECK(server.closed() == nullptr);
  server.receive(frame(command::syn, 1));
  server.session.accept().value();
  server.pass(1h);
  CHECK(server.closed() == nullptr);
  server.stream(1).forget();
  server.pass(limit::idle_timeout - 1ms);
  CHECK(server.closed() == nullptr);
  server.pass(1ms);
  CHECK(server.cause() == failure::timed_out);
  CHECK(server.session.finished());
}

TEST_CASE("timers: a timer that fires early does nothing, and never is one in the past",
          "[mux][anytls]") {
  session_end client = client_in_bulk();
  for (int i = 0; i < 100; ++i) {
    client.session.handle_timeout(client.now);
    client.now += 1ms;
  }
  CHECK(client.has_no_events());
  CHECK(client.write_all().empty());
  const auto next = client.session.next_timeout();
  REQUIRE(next);
  CHECK(*next > client.now);
}

TEST_CASE("timers: nothing falls due while nothing is open", "[mux][anytls]") {
  session_end client = new_client();
  CHECK_FALSE(client.session.next_timeout());
  session_end silent = client_in_bulk({.heartbeat_interval = 0ms});
  silent.stream(1).forget();
  silent.write_all();
  CHECK_FALSE(silent.session.next_timeout());
}
