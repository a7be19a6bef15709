// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/session_end.hpp"

// What a server says to a stream that a client opened, and what it does not say.

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;

namespace {

/// A client of version 2 with the streams 1 and 2, of which nothing was said yet.
session_end client_with_two(anytls_config config = {}) {
  session_end client = client_in_bulk(config);
  client.session.open().value();
  client.write(2, "address").value();
  client.frames();
  return client;
}

}  // namespace

TEST_CASE("synack: ok, for the first stream and for a later one", "[mux][anytls][synack]") {
  session_end client = client_with_stream();
  client.receive(frame(command::server_settings, 0, "v=2") + frame(command::synack, 1));
  CHECK(client.take(kind::acknowledged, 1) == 1);
  client.session.open().value();
  client.write(2, "address").value();
  client.frames();
  CHECK(client.take(kind::acknowledged, 2) == 0);
  client.receive(frame(command::synack, 2));
  CHECK(client.take(kind::acknowledged, 2) == 1);
  CHECK(client.take(kind::acknowledged, 1) == 0);
  client.pass(29s);
  CHECK(client.take(kind::failed, 1) + client.take(kind::failed, 2) == 0);
  CHECK(client.closed() == nullptr);
}

TEST_CASE("synack: an error ends its stream, with the server's words, and no other",
          "[mux][anytls][synack]") {
  for (const std::uint32_t id : {1u, 2u}) {
    session_end client = client_with_two();
    client.receive(frame(command::synack, id, "connection refused"));
    CHECK(client.take(kind::failed, id) == 1);
    CHECK(client.stream(id).failure() == mux::errc::stream_refused);
    CHECK(client.stream(id).failure() == strata::transport::condition::refused);
    CHECK(client.stream(id).refusal() == "connection refused");
    CHECK(client.read_error(id) == mux::errc::stream_refused);
    CHECK(client.write_error(id) == mux::errc::stream_refused);
    CHECK(client.frames() == std::vector<seen_frame>{{command::fin, id, ""}});
    CHECK(client.closed() == nullptr);
    CHECK_FALSE(client.stream(3 - id).failure());
    CHECK_FALSE(client.write_error(3 - id));
  }
}

TEST_CASE("synack: an error behind the server's end says nothing more", "[mux][anytls][synack]") {
  session_end client = client_with_two();
  client.receive(frame(command::fin, 2) + frame(command::synack, 2, "late"));
  CHECK(client.read_error(2) == failure::eof);
  CHECK_FALSE(client.stream(2).failure());
}

TEST_CASE("synack: a slow target fails its stream only, when the session was heard",
          "[mux][anytls][synack]") {
  session_end client = client_with_two();
  client.pass(5s - 4s);  // Asked for a sign of life by now, ...
  CHECK(take_frames(client.partial) == std::vector<seen_frame>{{command::heart_request, 0, ""}});
  client.receive(frame(command::heart_response, 0));  // ... and it gave one.
  client.pass(limit::synack_timeout - 1s - 1ms);
  CHECK(client.take(kind::failed, 2) == 0);
  client.pass(1ms);
  CHECK(client.take(kind::failed, 2) == 1);
  CHECK(client.stream(2).failure() == failure::timed_out);
  CHECK(take_frames(client.partial) == std::vector<seen_frame>{{command::fin, 2, ""}});
  CHECK(client.closed() == nullptr);
  CHECK_FALSE(client.write_error(1));
}

TEST_CASE("synack: bytes of a sibling are a sign of life", "[mux][anytls][synack]") {
  session_end client = client_with_two();
  client.pass(900ms);
  client.receive(frame(command::psh, 1, "x"));
  client.pass(limit::synack_timeout);
  CHECK(client.take(kind::failed, 2) == 1);
  CHECK(client.closed() == nullptr);
}

TEST_CASE("synack: a session that is silent since the stream was opened is dead",
          "[mux][anytls][synack]") {
  session_end client = client_with_two();
  client.pass(limit::liveness_timeout - 1ms);
  CHECK(client.closed() == nullptr);
  client.pass(1ms);
  CHECK(client.cause() == mux::errc::keep_alive_expired);
  CHECK(client.closed()->origin == close_reason::origin_kind::timed_out);
  CHECK(client.read_error(2) == mux::errc::keep_alive_expired);
  CHECK(client.take(kind::closed) == 1);
  CHECK(client.session.finished());
}

TEST_CASE("synack: without a liveness timeout the stream's own decides for the session too",
          "[mux][anytls][synack]") {
  session_end silent = client_with_two({.liveness_timeout = 0ms});
  silent.pass(limit::synack_timeout - 1ms);
  CHECK(silent.closed() == nullptr);
  silent.pass(1ms);
  CHECK(silent.cause() == mux::errc::keep_alive_expired);

  session_end heard = client_with_two({.liveness_timeout = 0ms});
  heard.pass(1s);
  heard.receive(frame(command::waste, 0, "x"));
  heard.pass(limit::synack_timeout);
  CHECK(heard.closed() == nullptr);
  CHECK(heard.stream(2).failure() == failure::timed_out);
}

TEST_CASE("synack: each stream has a time of its own", "[mux][anytls][synack]") {
  session_end client = client_with_two();
  client.pass(2s);
  client.receive(frame(command::heart_response, 0));
  client.session.open().value();
  client.write(3, "address").value();
  client.frames();
  client.pass(500ms);
  client.receive(frame(command::waste, 0, "x"));
  client.pass(limit::synack_timeout - 2500ms);
  CHECK(client.take(kind::failed, 2) == 1);
  CHECK(client.take(kind::failed, 3) == 0);
  client.pass(2s - 1ms);
  CHECK(client.take(kind::failed, 3) == 0);
  client.pass(1ms);
  CHECK(client.take(kind::failed, 3) == 1);
}

TEST_CASE("synack: late, after the stream has failed, it is nobody's fault",
          "[mux][anytls][synack]") {
  session_end client = client_with_two();
  client.pass(1s);
  client.receive(frame(command::heart_response, 0));
  client.pass(limit::synack_timeout);
  REQUIRE(client.stream(2).failure() == failure::timed_out);
  const auto before = client.statistics().glitches;
  client.receive(frame(command::synack, 2));
  CHECK(client.stream(2).failure() == failure::timed_out);
  CHECK(client.take(kind::acknowledged, 2) == 0);
  client.stream(2).forget();
  client.receive(frame(command::synack, 2) + frame(command::synack, 2, "error"));
  CHECK(client.statistics().glitches == before);
  CHECK(client.closed() == nullptr);
}

TEST_CASE("synack: never, from a server of version 1, and nobody waits", "[mux][anytls][synack]") {
  for (const bool speaks : {false, true}) {
    session_end client = client_with_stream();
    if (speaks) client.receive(frame(command::server_settings, 0, "v=1"));
    client.session.open().value();
    client.write(2, "address").value();
    client.frames();
    client.pass(1h);
    CHECK(client.closed() == nullptr);
    CHECK(client.take(kind::failed, 1) + client.take(kind::failed, 2) == 0);
    CHECK(client.partial.empty());
    client.receive(frame(command::psh, 1, "one") + frame(command::psh, 2, "two"));
    CHECK(client.read(1) == "one");
    CHECK(client.read(2) == "two");
  }
}

TEST_CASE("synack: the first stream is waited for once the server has said version 2",
          "[mux][anytls][synack]") {
  session_end client = client_with_stream();
  client.pass(20s);  // The server may be one of version 1.
  CHECK(client.closed() == nullptr);
  client.receive(frame(command::server_settings, 0, "v=2"));
  client.pass(limit::synack_timeout - 1ms);
  CHECK(client.take(kind::failed, 1) == 0);
  client.pass(1ms);
  CHECK(client.take(kind::failed, 1) == 1);
  CHECK(client.closed() == nullptr);
}

TEST_CASE("synack: the first bytes of a stream prove as much", "[mux][anytls][synack]") {
  session_end client = client_with_two();
  client.receive(frame(command::psh, 2, "x"));
  CHECK(client.take(kind::acknowledged, 2) == 1);
  client.pass(limit::synack_timeout + 1s);
  CHECK(client.take(kind::failed, 2) == 0);
  client.receive(frame(command::synack, 2));
  CHECK(client.take(kind::acknowledged, 2) == 0);
}

TEST_CASE("synack: the end of a stream leaves nothing to wait for", "[mux][anytls][synack]") {
  session_end ended = client_with_two();
  ended.receive(frame(command::fin, 2));
  ended.pass(25s);
  CHECK(ended.closed() == nullptr);
  CHECK(ended.take(kind::failed, 2) == 0);
  session_end given_up = client_with_two();
  given_up.stream(2).forget();
  given_up.pass(25s);
  CHECK(given_up.closed() == nullptr);
}

TEST_CASE("synack: while this side reads nothing, nobody is late", "[mux][anytls][synack]") {
  session_end client =
      client_with_two({.max_unread = 1000, .overflow = anytls_overflow::stop_reading});
  client.receive(frame(command::psh, 1, std::string(1001, 'x')));
  client.session.open().value();
  client.write(3, "address").value();
  client.frames();
  REQUIRE_FALSE(client.session.wants_input());
  client.pass(1h);
  CHECK(client.closed() == nullptr);
  CHECK(client.take(kind::failed, 3) == 0);
  client.read(1);
  REQUIRE(client.session.wants_input());
  client.pass(limit::synack_timeout - 1ms);
  CHECK(client.closed() == nullptr);
  CHECK(client.take(kind::failed, 3) == 0);
}

TEST_CASE("synack: a server says it when it is told, once", "[mux][anytls][synack]") {
  session_end server = server_with_stream();
  CHECK(server.frames().empty());
  server.stream(1).acknowledge();
  server.stream(1).acknowledge();
  server.write(1, "x").value();
  const auto frames = server.frames();
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].is(command::synack, 1));
  CHECK(frames[1].is(command::psh, 1, "x"));
}

TEST_CASE("synack: a server's first bytes come behind it", "[mux][anytls][synack]") {
  session_end server = server_with_stream();
  server.write(1, "x").value();
  auto frames = server.frames();
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].is(command::synack, 1));

  session_end ending = server_with_stream();
  ending.stream(1).finish(ending.now).value();
  frames = ending.frames();
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].is(command::synack, 1));
  CHECK(frames[1].is(command::fin, 1));
}

TEST_CASE("synack: a refusal is an answer and an end", "[mux][anytls][synack]") {
  session_end server = server_with_stream();
  server.stream(1).refuse("no route");
  const auto frames = server.frames();
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].is(command::synack, 1, "no route"));
  CHECK(frames[1].is(command::fin, 1));
  CHECK(server.write_error(1) == failure::closed);
  CHECK(server.statistics().streams_open == 0);
}

TEST_CASE("synack: a stream that is dropped unanswered is refused", "[mux][anytls][synack]") {
  // Clients of others end the session when they get no answer, the end of the stream or not.
  session_end server = server_with_stream();
  server.stream(1).forget();
  const auto frames = server.frames();
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].is(command::synack, 1, "closed"));
  CHECK(frames[1].is(command::fin, 1));
}

TEST_CASE("synack: a server that waits for a target says ok before clients lose patience",
          "[mux][anytls][synack]") {
  session_end server = server_with_stream();
  server.pass(limit::report_timeout - 1ms);
  CHECK(server.partial.empty());
  server.pass(1ms);
  CHECK(take_frames(server.partial) == std::vector<seen_frame>{{command::synack, 1, ""}});
  server.stream(1).refuse("too late for words");
  CHECK(server.frames() == std::vector<seen_frame>{{command::fin, 1, ""}});

  session_end never = server_with_stream({.report_timeout = 0ms});
  never.pass(20s);
  CHECK(never.partial.empty());
}

TEST_CASE("synack: an empty refusal is one all the same", "[mux][anytls][synack]") {
  session_end server = server_with_stream();
  server.stream(1).refuse("");
  CHECK_FALSE(server.frames().at(0).content.empty());
}
