// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/yamux/session_end.hpp"

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using enum event_kind;

namespace {

/// The updates of a stream's window among what a session sends now.
std::uint64_t announced(session_end& from, std::uint32_t id) {
  std::uint64_t sum = 0;
  for (const seen_frame& one : from.frames())
    if (one.header.type == frame_type::window_update && one.header.stream_id == id)
      sum += one.header.length;
  return sum;
}

/// A peer by hand that answers the ping of the session at once.
void answer_ping(session_end& end, strata::transport::duration rtt) {
  for (const seen_frame& one : end.frames()) {
    if (one.header.type != frame_type::ping || !one.header.has(flag::syn)) continue;
    end.now += rtt;
    end.receive(ping_frame(flag::ack, one.header.length));
  }
}

}  // namespace

TEST_CASE("windows: nothing is given back before it is read", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, std::string(limit::initial_window, 'x')));
  CHECK(announced(server, 1) == 0);
  server.stream(1).consume(limit::initial_window / 2 - 1);
  CHECK(announced(server, 1) == 0);
  server.stream(1).consume(1);
  CHECK(announced(server, 1) == limit::initial_window / 2);
  CHECK(announced(server, 1) == 0);
}

TEST_CASE("windows: several reads before an output are one update", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, std::string(limit::initial_window, 'x')));
  for (int i = 0; i < 4; ++i) server.stream(1).consume(limit::initial_window / 4);
  const auto sent = server.frames();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].header.type == frame_type::ping);
  CHECK(sent[1].is(frame_type::window_update, 0, 1, limit::initial_window));
}

TEST_CASE("windows: an update is announced once, however it is cut", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, std::string(limit::initial_window, 'x')));
  server.read(1);
  byte_vector sent;
  for (byte_vector one = server.write_once(1); !one.empty(); one = server.write_once(1))
    sent = sent + one;
  const auto frames = take_frames(sent);
  CHECK(frames.back().is(frame_type::window_update, 0, 1, limit::initial_window));
  CHECK(frames.size() == 2);
  server.receive(data_frame(1, 0, std::string(limit::initial_window, 'x')));
  CHECK(server.closed() == nullptr);
}

TEST_CASE("windows: after the peer's end nothing is given back", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, flag::fin, std::string(limit::initial_window, 'x')));
  server.read(1);
  CHECK(announced(server, 1) == 0);
  session_end due = server_with_stream();
  due.receive(data_frame(1, 0, std::string(limit::initial_window, 'x')));
  due.read(1);
  due.receive(data_frame(1, flag::fin));  // An update was due already.
  CHECK(announced(due, 1) == 0);
}

TEST_CASE("windows: a writer stops at the window and goes on with the next", "[mux][yamux]") {
  session_end client = client_with_stream();
  const std::string text(limit::initial_window + 100, 'x');
  REQUIRE(client.lend(1, text));
  client.write_all();
  CHECK(client.statistics().payload_sent == limit::initial_window);
  CHECK(client.take(written, 1) == 0);
  client.receive(window_frame(1, 0, 99));
  client.write_all();
  CHECK(client.statistics().payload_sent == limit::initial_window + 99);
  client.receive(window_frame(1, 0, 1));
  client.write_all();
  CHECK(client.take(written, 1) == 1);
}

TEST_CASE("windows: an update for a stream that writes no more is harmless", "[mux][yamux]") {
  session_end client = client_with_stream();
  REQUIRE(client.stream(1).finish());
  client.frames();
  client.receive(window_frame(1, 0, 1000));
  CHECK(client.frames().empty());
  CHECK(client.closed() == nullptr);
  CHECK(client.statistics().glitches == 0);
}

TEST_CASE("windows: a fast reader's window doubles, up to the cap of the stream", "[mux][yamux]") {
  yamux_config config;
  config.max_window = 4 * limit::initial_window;
  session_end server = server_with_stream(config);
  server.receive(data_frame(1, 0, "x"));
  answer_ping(server, 50ms);
  CHECK(server.statistics().smoothed_rtt == 50ms);
  std::uint64_t window_size = limit::initial_window;
  std::uint64_t credit = limit::initial_window - 1;
  server.read(1);
  for (int round = 0; round < 40; ++round) {
    const std::string half(std::min<std::uint64_t>(credit, 100'000), 'x');
    server.receive(data_frame(1, 0, half));
    REQUIRE(server.closed() == nullptr);
    credit -= half.size();
    server.read(1);
    credit += announced(server, 1);
    window_size = std::max(window_size, credit);
    server.now += 1ms;
  }
  // What was read is announced with up to half a window's delay.
  CHECK(window_size > 2 * limit::initial_window);
  CHECK(window_size <= 4 * limit::initial_window);
  CHECK(server.statistics().window_growth_left == limit::window_growth - 3 * limit::initial_window);
}

TEST_CASE("windows: a slow reader's window stays", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "x"));
  answer_ping(server, 50ms);
  for (int round = 0; round < 40; ++round) {
    server.receive(data_frame(1, 0, std::string(100'000, 'x')));
    server.read(1);
    server.frames();
    server.now += 50ms;  // Half a window takes longer than a round trip.
  }
  CHECK(server.statistics().window_growth_left == limit::window_growth);
}

TEST_CASE("windows: after the peer's end, or the stream's, nothing grows", "[mux][yamux]") {
  for (const bool stops : {false, true}) {
    session_end server = server_with_stream();
    server.receive(data_frame(1, 0, "x"));
    answer_ping(server, 50ms);
    server.read(1);
    server.receive(data_frame(1, 0, std::string(200'000, 'x')));
    server.read(1);  // The measurement has begun.
    server.frames();
    server.receive(data_frame(1, 0, std::string(200'000, 'x')));
    if (stops) {
      server.receive(window_frame(1, flag::rst));
    } else {
      server.receive(data_frame(1, flag::fin));
    }
    server.read(1);
    CHECK(server.statistics().window_growth_left == limit::window_growth);
  }
}

TEST_CASE("windows: nothing grows in the middle of a frame of a stream that was reset here",
          "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "x"));
  answer_ping(server, 50ms);
  server.read(1);
  server.receive(data_frame(1, 0, std::string(200'000, 'x')));
  server.read(1);
  server.frames();
  const byte_vector input = data_frame(1, 0, std::string(200'000, 'x'));
  server.receive(byte_vector(input.begin(), input.begin() + 1000));
  server.stream(1).reset(1);
  server.frames();
  CHECK(server.statistics().streams_open == 0);
  server.receive(byte_vector(input.begin() + 1000, input.end()));
  CHECK(server.statistics().window_growth_left == limit::window_growth);
}

TEST_CASE("windows: without a round trip nothing grows", "[mux][yamux]") {
  session_end server = server_with_stream();
  for (int round = 0; round < 40; ++round) {
    server.receive(data_frame(1, 0, std::string(100'000, 'x')));
    server.read(1);
    server.frames();  // Its ping is not answered.
  }
  CHECK(server.statistics().window_growth_left == limit::window_growth);
}

TEST_CASE("windows: growth comes back when the stream is over and read", "[mux][yamux]") {
  for (const bool by_reset : {false, true}) {
    session_end server = server_with_stream();
    server.receive(data_frame(1, 0, "x"));
    answer_ping(server, 50ms);
    for (int round = 0; round < 20; ++round) {
      server.receive(data_frame(1, 0, std::string(100'000, 'x')));
      server.read(1);
      server.frames();
    }
    REQUIRE(server.statistics().window_growth_left < limit::window_growth);
    if (by_reset) {
      server.receive(window_frame(1, flag::rst));
    } else {
      server.receive(data_frame(1, flag::fin, "rest"));
      REQUIRE(server.stream(1).finish());
      server.frames();
      CHECK(server.statistics().window_growth_left < limit::window_growth);
      CHECK(server.read(1) == "rest");
    }
    CHECK(server.statistics().window_growth_left == limit::window_growth);
  }
}

TEST_CASE("windows: two sessions reach eight megabytes for one stream over 60 ms", "[mux][yamux]") {
  session_pair pair;
  const std::uint32_t id = pair.client.session.open().value();
  const std::string text(16 * 1024 * 1024, 'x');
  REQUIRE(pair.client.lend(id, text) == text.size());
  std::uint64_t in_one_trip = 0;
  for (int trip = 0; trip < 40 && pair.client.take(written, id) == 0; ++trip) {
    const std::uint64_t before = pair.client.statistics().payload_sent;
    const byte_vector there = pair.client.write_all();
    in_one_trip = std::max(in_one_trip, pair.client.statistics().payload_sent - before);
    pair.advance(30ms);
    for (std::size_t at = 0; at < there.size(); at += 65'536) {
      const auto from = there.begin() + static_cast<std::ptrdiff_t>(at);
      const auto size = std::min<std::size_t>(65'536, there.size() - at);
      pair.server.receive(byte_vector(from, from + static_cast<std::ptrdiff_t>(size)));
      pair.server.session.accept();
      pair.server.read(id);
    }
    const byte_vector back = pair.server.write_all();
    pair.advance(30ms);
    pair.client.receive(back);
  }
  CHECK(in_one_trip >= 7'500'000);
}
