// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/yamux/session_end.hpp"

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;
using enum event_kind;
using origin = close_reason::origin_kind;

TEST_CASE("ending: a stream that both ends finished leaves nothing behind", "[mux][yamux]") {
  session_pair pair;
  const std::uint32_t id = pair.client.session.open().value();
  REQUIRE(pair.client.write(id, "question"));
  REQUIRE(pair.client.stream(id).finish());
  pair.settle();
  REQUIRE(pair.server.session.accept() == id);
  CHECK(pair.server.read(id) == "question");
  REQUIRE(pair.server.write(id, "answer"));
  REQUIRE(pair.server.stream(id).finish());
  pair.settle();
  CHECK(pair.server.statistics().streams_open == 0);
  CHECK(pair.client.statistics().streams_open == 1);  // The answer is not read yet.
  CHECK(pair.client.read(id) == "answer");
  CHECK(pair.client.statistics().streams_open == 0);
  CHECK(pair.client.read_error(id) == failure::eof);  // Until it is forgotten.
  pair.client.stream(id).forget();
  CHECK(pair.client.read_error(id) == failure::closed);
  CHECK(pair.client.statistics().glitches == 0);
  CHECK(pair.server.statistics().glitches == 0);
}

TEST_CASE("ending: a forgotten stream is reset, and later frames for it are ignored",
          "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "unread"));
  server.stream(1).forget();
  CHECK(server.statistics().unread == 0);
  const auto sent = server.frames();
  REQUIRE(sent.size() == 2);
  CHECK(sent[1].is(frame_type::window_update, flag::rst, 1, 0));
  CHECK(server.statistics().streams_open == 0);
  server.receive(data_frame(1, 0, "under way") + window_frame(1, 0, 100) +
                 data_frame(1, flag::fin));
  CHECK(server.closed() == nullptr);
  CHECK(server.frames().empty());  // No RST in answer, see rust-yamux issue 110.
  server.poll();
  CHECK(server.events.empty());
}

TEST_CASE("ending: the events of a forgotten stream are forgotten with it", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "x"));
  server.stream(1).forget();
  server.poll();
  CHECK(server.events.empty());
}

TEST_CASE("ending: a stream that is forgotten while it lends is reset, and its memory is free",
          "[mux][yamux]") {
  session_end client = client_with_stream();
  std::string lent(50'000, 'x');
  REQUIRE(client.lend(1, lent));
  byte_vector sent = client.write_once(1000);
  client.stream(1).forget();
  lent.assign(lent.size(), '?');
  sent = sent + client.write_all();
  const auto frames = take_frames(sent);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].payload == std::string(limit::frame_payload, 'x'));
  CHECK(frames[1].is(frame_type::window_update, flag::rst, 1, 0));
}

TEST_CASE("ending: what was written before finish() and forget() still arrives", "[mux][yamux]") {
  session_pair pair;
  const std::uint32_t id = pair.client.session.open().value();
  const std::string text(100'000, 'x');
  REQUIRE(pair.client.write(id, text));
  REQUIRE(pair.client.stream(id).finish());
  pair.client.stream(id).forget();
  pair.settle();
  REQUIRE(pair.server.session.accept() == id);
  std::error_code end;
  CHECK(pair.server.read(id, &end) == text);
  CHECK(end == failure::eof);
  // And what the server writes is dropped, without blocking it.
  const std::string answer(limit::initial_window, 'y');
  for (int i = 0; i < 4; ++i) {
    REQUIRE(pair.server.write(id, answer) == answer.size());
    pair.settle();
  }
  CHECK(pair.server.statistics().payload_sent == 4 * answer.size());
  REQUIRE(pair.server.stream(id).finish());
  pair.server.stream(id).forget();
  pair.settle();
  CHECK(pair.client.statistics().streams_open == 0);
  CHECK(pair.server.statistics().streams_open == 0);
}

TEST_CASE("ending: reset() after finish() stops reading only", "[mux][yamux]") {
  session_end client = client_with_stream();
  REQUIRE(client.write(1, "last words"));
  REQUIRE(client.stream(1).finish());
  client.stream(1).reset(5);
  CHECK(client.read_error(1) == failure::closed);
  const auto sent = client.frames();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].payload == "last words");
  CHECK(sent[1].is(frame_type::data, flag::fin, 1, 0));
}

TEST_CASE("ending: reset() after the peer's end leaves what can be read", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, flag::fin, "rest"));
  server.stream(1).reset(5);
  std::error_code end;
  CHECK(server.read(1, &end) == "rest");
  CHECK(end == failure::eof);
  CHECK(server.write_error(1) == failure::closed);
  const auto sent = server.frames();
  CHECK(sent.back().is(frame_type::window_update, flag::rst, 1, 5));
}

TEST_CASE("ending: reset() after the peer's is nothing, and a second neither", "[mux][yamux]") {
  session_end client = client_with_stream();
  client.receive(window_frame(1, flag::rst));
  client.stream(1).reset(5);
  CHECK(client.read_error(1) == failure::stream_reset);
  CHECK(client.frames().empty());
  session_end twice = client_with_stream();
  twice.stream(1).reset(5);
  twice.stream(1).reset(6);
  const auto sent = twice.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].is(frame_type::window_update, flag::rst, 1, 5));
}

TEST_CASE("ending: resets that cross each other end the stream on both sides", "[mux][yamux]") {
  session_pair pair;
  const std::uint32_t id = pair.client.session.open().value();
  pair.settle();
  REQUIRE(pair.server.session.accept() == id);
  pair.settle();
  pair.client.stream(id).reset(1);
  pair.server.stream(id).reset(2);
  const byte_vector from_client = pair.client.write_all();
  const byte_vector from_server = pair.server.write_all();
  pair.client.receive(from_server);
  pair.server.receive(from_client);
  CHECK(pair.client.read_error(id) == failure::closed);
  CHECK(pair.server.read_error(id) == failure::closed);
  CHECK(pair.client.statistics().streams_open == 0);
  CHECK(pair.server.statistics().streams_open == 0);
}

TEST_CASE("ending: close() drops what was not sent, says Go Away and is finished", "[mux][yamux]") {
  session_end client = client_with_stream();
  REQUIRE(client.write(1, std::string(100'000, 'x')));
  byte_vector sent = client.write_once(5000);
  client.session.control().close(client.now, go_away_code::internal_error);
  CHECK_FALSE(client.session.finished());
  CHECK_FALSE(client.session.wants_input());
  CHECK(client.cause() == failure::closed);
  CHECK(client.closed()->origin == origin::local_application);
  CHECK(client.closed()->code == 2);
  CHECK(client.take(closed) == 1);
  CHECK(client.write_error(1) == failure::closed);
  CHECK(client.read_error(1) == failure::closed);
  sent = sent + client.write_all();
  const auto frames = take_frames(sent);
  REQUIRE(frames.size() == 2);  // The frame that had begun is whole.
  CHECK(frames[0].header.length == 16'384);
  CHECK(frames[1].is(frame_type::go_away, 0, 0, 2));
  CHECK(sent.empty());
  CHECK(client.session.finished());
  CHECK_FALSE(client.session.next_timeout());
  client.session.control().close(client.now, go_away_code::normal);
  CHECK(client.closed()->code == 2);
  CHECK(client.take(closed) == 0);
}

TEST_CASE("ending: Go Away that nobody takes is given up in time", "[mux][yamux]") {
  session_end client = client_with_stream();
  client.session.control().close(client.now, go_away_code::normal);
  CHECK(client.session.next_timeout() == client.now + limit::flush_timeout);
  client.now += limit::flush_timeout - 1ns;
  client.session.handle_timeout(client.now);
  CHECK_FALSE(client.session.finished());
  client.now += 1ns;
  client.session.handle_timeout(client.now);
  CHECK(client.session.finished());
  CHECK(client.write_all().empty());
  CHECK(client.cause() == failure::closed);
}

TEST_CASE("ending: bytes that had come can be read after the session", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "rest") + data_frame(3, flag::syn | flag::fin, "whole"));
  REQUIRE(server.session.accept() == 3);
  server.session.receive_end(server.now);
  CHECK(server.cause() == failure::closed_by_peer);
  CHECK(server.closed()->origin == origin::carrier);
  std::error_code end;
  CHECK(server.read(1, &end) == "rest");
  CHECK(end == failure::closed_by_peer);  // Never eof: the end had not come.
  CHECK(server.read(3, &end) == "whole");
  CHECK(end == failure::eof);
  CHECK(server.write_error(1) == failure::closed_by_peer);
  CHECK(server.stream(1).finish().error() == failure::closed_by_peer);
  CHECK(server.session.finished());
  server.stream(1).reset(7);  // It is over already.
  CHECK(server.read_error(1) == failure::closed_by_peer);
  CHECK(server.write_error(1) == failure::closed_by_peer);
  server.stream(1).forget();
  server.stream(3).forget();
  CHECK(server.statistics().streams_open == 0);
}

TEST_CASE("ending: streams that came before the peer's end can be accepted behind it",
          "[mux][yamux]") {
  for (const bool by_peer : {true, false}) {
    session_end server = server_with_stream();
    server.receive(data_frame(3, flag::syn | flag::fin, "whole") + window_frame(5, flag::syn));
    if (by_peer) {
      server.session.receive_end(server.now);
      CHECK(server.session.accept() == 3);
      CHECK(server.read(3) == "whole");
      CHECK(server.session.accept() == 5);
      CHECK(server.read_error(5) == failure::closed_by_peer);
      server.stream(1).forget();
      server.stream(3).forget();
      server.stream(5).forget();
    } else {  // Who closes here wants nothing more.
      server.session.control().close(server.now, go_away_code::normal);
      server.stream(1).forget();
    }
    CHECK_FALSE(server.session.accept());
    CHECK(server.statistics().streams_open == 0);
  }
}

TEST_CASE("ending: lent input that was not released is still there after the session",
          "[mux][yamux]") {
  session_end server = server_with_stream();
  const byte_vector input = data_frame(1, 0, "lent");
  server.session.receive(server.now, input);
  byte_vector bad = data_frame(1, 0, "x");
  bad[0] = std::byte{9};
  server.session.receive(server.now, bad);
  CHECK(server.cause() == mux::errc::bad_version);
  server.session.release_input();
  CHECK(server.read(1) == "lent");
}

TEST_CASE("ending: a carrier that ends within a frame is truncated", "[mux][yamux]") {
  const byte_vector whole = data_frame(1, 0, "payload");
  for (std::size_t size = 1; size < whole.size(); ++size) {
    session_end server = server_with_stream();
    server.receive(byte_vector(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    server.session.receive_end(server.now);
    CHECK(server.cause() == failure::truncated);
  }
}

TEST_CASE("ending: whatever the carrier is lost for is what operations fail with", "[mux][yamux]") {
  session_end client = client_with_stream();
  REQUIRE(client.write(1, std::string(100'000, 'x')));
  client.write_once(5000);
  client.session.carrier_lost(make_error_code(failure::unreachable));
  CHECK(client.cause() == failure::unreachable);
  CHECK(client.take(closed) == 1);
  CHECK(client.session.finished());
  CHECK(client.write_all().empty());
  CHECK(client.write_error(1) == failure::unreachable);
  client.session.carrier_lost(make_error_code(failure::timed_out));
  client.session.receive_end(client.now);
  CHECK(client.cause() == failure::unreachable);
  CHECK(client.take(closed) == 0);
}

TEST_CASE("ending: a carrier that is lost while we say Go Away ends that", "[mux][yamux]") {
  session_end client = client_with_stream();
  client.session.control().close(client.now, go_away_code::normal);
  client.session.carrier_lost(make_error_code(failure::unreachable));
  CHECK(client.session.finished());
  CHECK(client.cause() == failure::closed);
}

TEST_CASE("ending: nothing happens to a session that is over", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.session.receive_end(server.now);
  CHECK_FALSE(server.session.accept());
  server.poll();
  server.events.clear();
  server.receive(data_frame(1, 0, "late") + window_frame(5, flag::syn) + go_away_frame(1));
  server.session.handle_timeout(server.now + 1h);
  server.session.control().go_away();
  server.session.control().ping();
  server.stream(1).reset(1);
  server.stream(1).stop();
  CHECK(server.write_all().empty());
  server.poll();
  CHECK(server.events.empty());
  CHECK(server.cause() == failure::closed_by_peer);
}

TEST_CASE("ending: `closed` is the last event", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, 0, "x") + window_frame(3, flag::syn) + go_away_frame(1));
  server.poll();
  REQUIRE(server.events.size() >= 2);
  CHECK(server.events.back().kind == closed);
  CHECK(server.take(readable, 1) == 1);
}

TEST_CASE("ending: Go Away with zero lets streams go on", "[mux][yamux]") {
  // hashicorp/yamux means it so; the others end the carrier behind it.
  session_end client = client_with_stream();
  client.receive(go_away_frame(0));
  CHECK(client.take(event_kind::go_away) == 1);
  CHECK(client.closed() == nullptr);
  client.receive(data_frame(1, 0, "more"));
  CHECK(client.read(1) == "more");
  REQUIRE(client.write(1, "too"));
  CHECK(client.frames().size() >= 1);
  client.receive(go_away_frame(0));
  CHECK(client.take(event_kind::go_away) == 0);
  client.session.receive_end(client.now);
  CHECK(client.cause() == failure::closed_by_peer);
}

TEST_CASE("ending: Go Away with a code is the end", "[mux][yamux]") {
  const std::pair<std::uint32_t, std::error_code> codes[] = {{1, mux::errc::peer_saw_violation},
                                                             {2, mux::errc::peer_failed},
                                                             {3, failure::closed_by_peer},
                                                             {UINT32_MAX, failure::closed_by_peer}};
  for (const auto& [code, cause] : codes) {
    session_end client = client_with_stream();
    client.receive(data_frame(1, 0, "rest") + go_away_frame(code) + data_frame(1, 0, "late"));
    CHECK(client.cause() == cause);
    CHECK(client.closed()->origin == origin::peer);
    CHECK(client.closed()->code == code);
    CHECK(client.read(1) == "rest");
    CHECK(client.session.finished());
    CHECK(client.frames().empty());
  }
}

TEST_CASE("ending: our own go_away() waits for the last stream before it says a word",
          "[mux][yamux]") {
  session_end server = server_with_stream();
  server.session.open().value();
  server.frames();
  server.receive(window_frame(3, flag::syn));  // Not accepted yet: refused.
  server.session.control().go_away();
  CHECK_FALSE(server.session.accept());
  server.receive(data_frame(5, flag::syn, "late"));
  const auto refusals = server.frames();
  REQUIRE(refusals.size() == 2);
  CHECK(refusals[0].is(frame_type::window_update, flag::rst, 5, 0));
  CHECK(refusals[1].is(frame_type::window_update, flag::rst, 3, 0));
  CHECK(server.closed() == nullptr);
  REQUIRE(server.write(1, "answer"));
  REQUIRE(server.stream(1).finish());
  server.receive(data_frame(1, flag::fin));
  server.frames();
  CHECK(server.closed() == nullptr);
  server.receive(window_frame(2, flag::rst));
  CHECK(server.cause() == failure::closed);
  const auto sent = server.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].is(frame_type::go_away, 0, 0, 0));
  CHECK(server.session.finished());
}

TEST_CASE("ending: go_away() waits for what was received to be read", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, flag::fin, "unread"));
  REQUIRE(server.stream(1).finish());
  server.session.control().go_away();
  server.frames();
  CHECK(server.closed() == nullptr);
  CHECK(server.read(1) == "unread");
  CHECK(server.cause() == failure::closed);
}

TEST_CASE("ending: go_away() without streams is the end at once", "[mux][yamux]") {
  session_end server(role::server);
  server.session.control().go_away();
  CHECK(server.cause() == failure::closed);
  const auto sent = server.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].is(frame_type::go_away, 0, 0, 0));
}

TEST_CASE("ending: the two sessions of a pair end in order", "[mux][yamux]") {
  session_pair pair;
  const std::uint32_t id = pair.client.session.open().value();
  REQUIRE(pair.client.write(id, "x"));
  pair.settle();
  pair.client.session.control().close(pair.client.now, go_away_code::normal);
  pair.settle();
  CHECK(pair.client.session.finished());
  CHECK(pair.server.closed() == nullptr);
  CHECK(pair.server.take(event_kind::go_away) == 1);
  pair.server.session.receive_end(pair.server.now);
  CHECK(pair.server.cause() == failure::closed_by_peer);
}
