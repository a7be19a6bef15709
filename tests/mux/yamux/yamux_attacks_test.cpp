// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/yamux/session_end.hpp"

// The attacks of tests/hostile/catalogue.md on yamux. What a peer may do with time is in
// session_timers_test.cpp, whole runs are in the simulation.

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;
using enum event_kind;

namespace {

byte_vector repeat(const byte_vector& one, std::size_t count) {
  byte_vector made;
  made.reserve(count * one.size());
  for (std::size_t i = 0; i < count; ++i) made.insert(made.end(), one.begin(), one.end());
  return made;
}

/// Feeds a flood as a driver would: a piece at a time, and nothing while input is not wanted or the
/// session is over. How many bytes were taken.
std::size_t feed(session_end& end, const byte_vector& flood, std::size_t piece = 4096) {
  std::size_t at = 0;
  while (at != flood.size() && end.session.wants_input()) {
    const std::size_t size = std::min(piece, flood.size() - at);
    end.session.receive(end.now, bytes(flood).subspan(at, size));
    end.session.release_input();
    at += size;
  }
  return at;
}

/// The session is over for `cause`, and says so with the code of a protocol error.
void check_violation(session_end& end, mux::errc cause) {
  CHECK(end.cause() == cause);
  CHECK(end.cause() == strata::transport::condition::protocol_error);
  REQUIRE(end.closed() != nullptr);
  CHECK(end.closed()->origin == close_reason::origin_kind::local_session);
  CHECK(end.take(closed) == 1);
  const auto sent = end.frames();
  REQUIRE_FALSE(sent.empty());
  CHECK(sent.back().is(frame_type::go_away, 0, 0, 1));
  CHECK(end.session.finished());
}

}  // namespace

TEST_CASE("yamux: the first frame of a stream is longer than its window", "[attack][Y01][mux]") {
  session_end server(role::server);
  const std::string text(limit::initial_window + 1, 'x');  // 262,145 bytes, as in CVE-2026-32314.
  server.receive(data_frame(1, flag::syn, text));
  CHECK(server.take(stream_opened) == 0);
  CHECK_FALSE(server.session.accept());
  CHECK(server.statistics().streams_open == 0);
  check_violation(server, mux::errc::window_exceeded);
}

TEST_CASE("yamux: window updates whose sum passes 32 bits", "[attack][Y02][mux]") {
  for (const std::uint16_t flags : {std::uint16_t{0}, flag::ack, flag::fin}) {
    session_end client = client_with_stream();
    client.receive(window_frame(1, flags, UINT32_MAX - limit::initial_window));
    CHECK(client.closed() == nullptr);  // The largest window there can be.
    client.receive(window_frame(1, flags, UINT32_MAX));
    check_violation(client, mux::errc::window_overflow);
  }
  session_end server(role::server);
  server.receive(window_frame(1, flag::syn, UINT32_MAX));
  check_violation(server, mux::errc::window_overflow);
  session_end late = client_with_stream();  // It counts for streams that write no more, too.
  REQUIRE(late.stream(1).finish());
  late.frames();
  late.receive(window_frame(1, 0, UINT32_MAX) + window_frame(1, 0, UINT32_MAX));
  check_violation(late, mux::errc::window_overflow);
}

TEST_CASE("yamux: a million pings while our output is stuck", "[attack][Y03][Y04][mux]") {
  session_end server = server_with_stream();
  const byte_vector flood = repeat(ping_frame(flag::syn, 7), 1'000'000);
  const std::size_t taken = feed(server, flood);
  CHECK(taken < 64 * 1024);  // Then the carrier is left alone ...
  CHECK(server.closed() == nullptr);
  CHECK(server.frames().size() == limit::max_pending_pongs);
  // ... and when everything is pressed upon us, the session ends.
  server.receive(byte_vector(flood.begin() + static_cast<std::ptrdiff_t>(taken), flood.end()));
  check_violation(server, mux::errc::flood);
}

TEST_CASE("yamux: a million streams opened and reset at once", "[attack][Y03][Y07][mux]") {
  session_end server(role::server);
  byte_vector flood;
  for (std::uint32_t i = 0; i < 100'000; ++i)
    flood =
        std::move(flood) + window_frame(2 * i + 1, flag::syn) + window_frame(2 * i + 1, flag::rst);
  feed(server, flood);
  CHECK(server.statistics().frames_received < 2000);
  CHECK(server.statistics().streams_open == 0);
  check_violation(server, mux::errc::flood);

  session_end in_one(role::server);
  byte_vector shorter;
  for (std::uint32_t i = 0; i < 10'000; ++i)
    shorter = std::move(shorter) + window_frame(2 * i + 1, flag::syn | flag::rst);
  feed(in_one, shorter);
  check_violation(in_one, mux::errc::flood);
}

TEST_CASE("yamux: streams opened without end", "[attack][Y05][mux]") {
  for (const bool accepts : {false, true}) {
    session_end server(role::server);
    for (std::uint32_t i = 0; i < 10'000 && server.closed() == nullptr; ++i) {
      server.receive(window_frame(2 * i + 1, flag::syn));
      if (accepts) server.session.accept();
      server.frames();
      REQUIRE(server.statistics().streams_open <= limit::max_streams);
    }
    CHECK(server.statistics().streams_refused >= 1000);
    CHECK(server.cause() == mux::errc::flood);
  }
}

TEST_CASE("yamux: bytes beyond the window", "[attack][Y06][mux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, std::string(limit::initial_window, 'x')));
  CHECK(server.closed() == nullptr);
  server.receive(data_frame(1, 0, "x"));
  check_violation(server, mux::errc::window_exceeded);
  // Reading does not give a byte of it back before the peer was told.
  session_end read = server_with_stream();
  read.receive(data_frame(1, 0, std::string(limit::initial_window, 'x')));
  read.read(1);
  read.receive(data_frame(1, 0, "x"));
  check_violation(read, mux::errc::window_exceeded);
}

TEST_CASE("yamux: a frame that declares 2^32 - 1 bytes", "[attack][Y06][mux]") {
  for (const std::uint32_t id : {1u, 3u}) {  // A stream that is there, one that never was.
    session_end server = server_with_stream();
    server.receive(frame({frame_type::data, 0, id, UINT32_MAX}));
    check_violation(server, mux::errc::window_exceeded);
  }
}

TEST_CASE("yamux: empty frames without end", "[attack][Y07][mux]") {
  const std::pair<const char*, byte_vector> floods[] = {
      {"empty data", data_frame(1, 0)},
      {"empty update", window_frame(1, 0)},
      {"end again, as data", data_frame(1, flag::fin)},
      {"end again, as update", window_frame(1, flag::fin)},
      {"reset again", window_frame(3, flag::rst)},
      {"bytes behind the end", data_frame(1, flag::fin, "x")},
      {"update of a past stream", window_frame(3, 0, 1)},
      {"frames of streams that never were", data_frame(2001, 0, "x")},
      {"frames of our own that never were", data_frame(2002, 0, "x")},
      {"an answer to no ping", ping_frame(flag::ack, 1)},
      {"Go Away again", go_away_frame(0)}};
  for (const auto& [what, one] : floods) {
    INFO(what);
    session_end server = server_with_stream();
    server.receive(window_frame(3, flag::syn) + window_frame(3, flag::rst));
    feed(server, repeat(one, 100'000));
    CHECK(server.statistics().frames_received < 1100);
    check_violation(server, mux::errc::flood);
  }
}

TEST_CASE("yamux: a peer that works may make noise in proportion", "[attack][Y07][mux]") {
  session_end server = server_with_stream();
  for (int i = 0; i < 20'000; ++i) {
    server.receive(data_frame(1, 0, "x") + window_frame(1, 0));
    if (i % 100 == 0) server.read(1), server.frames();
  }
  CHECK(server.closed() == nullptr);
  // And so may one that is slow.
  session_end slow = server_with_stream();
  for (int i = 0; i < 20'000; ++i) {
    slow.now += 10ms;
    slow.receive(window_frame(1, 0));
  }
  CHECK(slow.closed() == nullptr);
}

TEST_CASE("yamux: bytes under way to a stream that was reset are no noise", "[attack][Y07][mux]") {
  session_end server = server_with_stream();
  server.stream(1).forget();
  server.frames();
  server.receive(repeat(data_frame(1, 0, "x"), 10'000));
  CHECK(server.closed() == nullptr);
}

TEST_CASE("yamux: streams with wrong or used IDs", "[attack][Y08][mux]") {
  const std::pair<byte_vector, mux::errc> bad[] = {
      {window_frame(2, flag::syn), mux::errc::bad_stream_id},  // Both ends are servers.
      {data_frame(2, flag::syn, "x"), mux::errc::bad_stream_id},
      {frame({frame_type::data, 0, 0, 0}), mux::errc::bad_stream_id},
      {frame({frame_type::window_update, flag::syn, 0, 0}), mux::errc::bad_stream_id},
      {frame({frame_type::ping, flag::syn, 1, 0}), mux::errc::bad_stream_id},
      {frame({frame_type::go_away, 0, 1, 0}), mux::errc::bad_stream_id},
      {window_frame(1, flag::syn), mux::errc::stream_id_reused},  // It is open.
      {data_frame(1, flag::syn, "x"), mux::errc::stream_id_reused},
      {window_frame(3, flag::syn), mux::errc::stream_id_reused}};  // It was reset.
  for (const auto& [input, cause] : bad) {
    session_end server = server_with_stream();
    server.receive(window_frame(3, flag::syn) + window_frame(3, flag::rst));
    server.receive(input);
    check_violation(server, cause);
  }
  session_end client(role::client);  // Both ends are clients.
  client.receive(window_frame(1, flag::syn));
  check_violation(client, mux::errc::bad_stream_id);
}

TEST_CASE("yamux: frames of unknown types, flags and versions", "[attack][Y08][mux]") {
  const auto changed = [](std::size_t at, unsigned value) {
    byte_vector input = data_frame(1, 0, "x");
    input[at] = static_cast<std::byte>(value);
    return input;
  };
  const std::pair<byte_vector, mux::errc> bad[] = {
      {changed(0, 1), mux::errc::bad_version},
      {changed(1, 4), mux::errc::bad_frame_type},
      {changed(1, 255), mux::errc::bad_frame_type},
      {changed(2, 1), mux::errc::bad_flags},
      {changed(3, 16), mux::errc::bad_flags},
      {changed(3, 3), mux::errc::bad_flags},
      {frame({frame_type::ping, 0, 0, 0}), mux::errc::bad_flags},
      {frame({frame_type::go_away, flag::fin, 0, 0}), mux::errc::bad_flags}};
  for (const auto& [input, cause] : bad) {
    session_end server = server_with_stream();
    server.receive(input);
    check_violation(server, cause);
  }
}

TEST_CASE("yamux: a stream ID that comes out of order, or late, is no violation",
          "[attack][Y08][mux]") {
  session_end server(role::server);
  server.receive(window_frame(9, flag::syn) + window_frame(3, flag::syn) +
                 window_frame(7, flag::syn));
  CHECK(server.closed() == nullptr);
  for (std::uint32_t i = 0; i < 3000; ++i) {
    const std::uint32_t id = 11 + 2 * i;
    server.receive(data_frame(id, flag::syn | flag::fin, "x"));
    while (const auto accepted = server.session.accept()) server.stream(*accepted).forget();
    server.frames();
  }
  server.receive(data_frame(5, flag::syn, "opened long ago, used now"));  // As rust-yamux does.
  CHECK(server.session.accept() == 5);
  CHECK(server.closed() == nullptr);
}

TEST_CASE("yamux: a peer that never ends its half", "[attack][Y09][mux]") {
  session_end server(yamux_config{.role = role::server, .keep_alive_interval = 0ms});
  for (std::uint32_t i = 0; i < 200; ++i) {
    server.receive(data_frame(2 * i + 1, flag::syn, "x"));
    const std::uint32_t id = server.session.accept().value();
    REQUIRE(server.stream(id).finish());
    server.stream(id).forget();
  }
  server.frames();
  CHECK(server.statistics().streams_open == 200);
  server.now += limit::close_timeout;
  server.session.handle_timeout(server.now);
  const auto sent = server.frames();
  CHECK(sent.size() == 200);
  CHECK(sent.back().header.flags == flag::rst);
  CHECK(server.statistics().streams_open == 0);
}

TEST_CASE("yamux: closing at every moment, with output under way", "[attack][Y10][mux]") {
  // Closing waited for a write here, and that for the closing, in both Go implementations.
  for (std::size_t taken = 0; taken < 60; ++taken) {
    for (const bool by_timer : {false, true}) {
      session_end client = client_with_stream();
      REQUIRE(client.write(1, "some bytes that are on their way"));
      client.session.control().ping();
      std::vector<bytes> list(16);
      client.session.poll_output(client.now, list);  // Between this and sent().
      if (by_timer) {
        client.now += 30s;
        client.session.handle_timeout(client.now);
        client.now += 10s;
        client.session.handle_timeout(client.now);
      } else {
        client.session.control().close(client.now, go_away_code::normal);
      }
      client.session.sent(taken);
      CHECK(client.take(closed) == 1);
      client.write_all();
      CHECK(client.session.finished());
      client.stream(1).forget();
    }
  }
}

TEST_CASE("yamux: a carrier that is cut without a word", "[attack][Y11][mux]") {
  session_end client = client_with_stream();
  REQUIRE(client.lend(1, std::string_view("never delivered")));
  const time_point begin = client.now;
  while (client.closed() == nullptr) {
    const auto due = client.session.next_timeout();
    REQUIRE(due);
    client.now = *due;
    client.session.handle_timeout(client.now);  // The carrier takes nothing any more.
    REQUIRE(client.now - begin <= 40s);
  }
  CHECK(client.read_error(1) == strata::transport::condition::timed_out);
  CHECK(client.write_error(1) == strata::transport::condition::timed_out);
  CHECK(client.session.finished());
}

TEST_CASE("yamux: streams opened by either kind of frame, with a window of bytes before ACK",
          "[attack][Y12][mux]") {
  for (const bool by_data : {false, true}) {
    session_end server(role::server);
    const std::string text(limit::initial_window, 'x');
    server.receive(by_data ? data_frame(1, flag::syn, text)
                           : window_frame(1, flag::syn) + data_frame(1, 0, text));
    CHECK(server.closed() == nullptr);
    CHECK(server.frames().size() <= 1);  // No ACK: nobody has accepted it.
    REQUIRE(server.session.accept() == 1);
    CHECK(server.read(1) == text);
    bool acknowledged = false;
    for (const seen_frame& one : server.frames()) acknowledged |= one.header.flags == flag::ack;
    CHECK(acknowledged);
  }
}

TEST_CASE("yamux: windows made to grow on all streams at once", "[attack][Y13][mux]") {
  yamux_config config{.role = role::server};
  config.max_streams = config.max_incoming_streams = config.accept_backlog = 1000;
  session_end server(config);
  for (std::uint32_t i = 0; i < 1000; ++i) server.receive(data_frame(2 * i + 1, flag::syn, "x"));
  while (server.session.accept()) {}
  for (const seen_frame& one : server.frames()) {
    if (one.header.type != frame_type::ping) continue;
    server.now += 10s;  // Answered late, so that everything looks fast.
    server.receive(ping_frame(flag::ack, one.header.length));
  }
  REQUIRE(server.statistics().smoothed_rtt == 10s);
  std::vector<std::uint64_t> windows(1000, limit::initial_window - 1);
  for (int round = 0; round < 6; ++round) {
    for (std::uint32_t i = 0; i < 1000; ++i) {
      const std::string text(std::min<std::uint64_t>(windows[i], limit::initial_window) / 2, 'x');
      server.receive(data_frame(2 * i + 1, 0, text));
      windows[i] -= text.size();
      server.read(2 * i + 1);
    }
    for (const seen_frame& one : server.frames())
      if (one.header.type == frame_type::window_update)
        windows[one.header.stream_id / 2] += one.header.length;
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t window : windows) sum += window;
  CHECK(sum > 1000 * std::uint64_t{limit::initial_window});
  CHECK(sum <= 1000 * std::uint64_t{limit::initial_window} + limit::window_growth);
  CHECK(server.closed() == nullptr);
}

TEST_CASE("yamux: streams that fill their windows and are never read", "[attack][Y13][mux]") {
  session_end server(role::server);
  std::size_t taken = 0;
  for (std::uint32_t i = 0; i < limit::max_streams && server.session.wants_input(); ++i) {
    taken += limit::initial_window;
    server.receive(data_frame(2 * i + 1, flag::syn, std::string(limit::initial_window, 'x')));
    server.session.accept();
    server.frames();
  }
  CHECK_FALSE(server.session.wants_input());
  CHECK(taken == limit::max_buffered);
  CHECK(server.closed() == nullptr);
  server.read(1);  // The peer goes on as soon as anything is read.
  CHECK(server.session.wants_input());
}

TEST_CASE("yamux: a write never says more than it was offered", "[attack][Y14][mux]") {
  session_end client = client_with_stream();
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < 3000; ++i) {
    const std::string text(1 + i % 700, 'x');
    const auto size = client.write(1, text);
    REQUIRE(size);
    REQUIRE(*size <= text.size());
    accepted += *size;
    if (i % 7 == 0) client.write_once(i);
    if (i % 100 == 0) client.receive(window_frame(1, 0, 40'000));
  }
  client.receive(window_frame(1, 0, 1 << 24));
  client.write_all();
  CHECK(client.statistics().payload_sent == accepted);
}
