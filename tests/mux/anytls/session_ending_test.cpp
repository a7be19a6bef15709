// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/session_end.hpp"

// Ends of streams and of sessions: the row "anytls" of the contract of streams.

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;

TEST_CASE("ending: the acceptor sends its end at once, behind what was written",
          "[mux][anytls][fin]") {
  session_end server = server_with_stream({.report_timeout = 0ms});
  server.receive(frame(command::psh, 1, "unread"));
  server.write(1, "last").value();
  server.stream(1).finish(server.now).value();
  server.stream(1).finish(server.now).value();
  const auto frames = server.frames();
  REQUIRE(frames.size() == 3);
  CHECK(frames[1].is(command::psh, 1, "last"));
  CHECK(frames[2].is(command::fin, 1));
  std::error_code end;
  CHECK(server.read(1, &end) == "unread");
  CHECK(end == failure::eof);  // Its own end was the end of both directions.
  CHECK(server.write_error(1) == failure::write_finished);
  server.receive(frame(command::psh, 1, "too late"));
  CHECK(server.read(1).empty());
  CHECK(server.statistics().glitches == 0);
}

TEST_CASE("ending: the peer's end ends writing, and what was not sent is gone",
          "[mux][anytls][fin]") {
  session_end client = client_in_bulk();
  client.write(1, "unsent").value();
  client.receive(frame(command::psh, 1, "answer") + frame(command::fin, 1));
  CHECK(client.take(kind::write_stopped, 1) == 1);
  CHECK(client.write_error(1) == failure::write_stopped);
  CHECK(client.stream(1).finish(client.now).error() == failure::write_stopped);
  CHECK(client.frames().empty());
  CHECK(client.statistics().streams_open == 1);  // Something is unread.
  std::error_code end;
  CHECK(client.read(1, &end) == "answer");
  CHECK(end == failure::eof);
  CHECK(client.statistics().streams_open == 0);
}

TEST_CASE("ending: a reset is an end at once", "[mux][anytls][fin]") {
  session_end client = client_in_bulk();
  client.receive(frame(command::psh, 1, "unread"));
  client.write(1, "unsent").value();
  client.stream(1).reset();
  client.stream(1).reset();
  CHECK(client.frames() == std::vector<seen_frame>{{command::fin, 1, ""}});
  CHECK(client.read_error(1) == failure::closed);
  CHECK(client.write_error(1) == failure::closed);
  CHECK(client.statistics().unread == 0);
  CHECK(client.statistics().streams_open == 0);
}

TEST_CASE("ending: a reset after the peer's end leaves what came", "[mux][anytls][fin]") {
  session_end client = client_in_bulk();
  client.receive(frame(command::psh, 1, "the rest") + frame(command::fin, 1));
  client.stream(1).reset();
  std::error_code end;
  CHECK(client.read(1, &end) == "the rest");
  CHECK(end == failure::eof);
  CHECK(client.frames().empty());
}

TEST_CASE("ending: after finish() neither a reset nor letting go loses what was written",
          "[mux][anytls][fin]") {
  for (const bool forgets : {false, true}) {
    session_end client = client_in_bulk();
    client.write(1, "written").value();
    client.stream(1).finish(client.now).value();
    forgets ? client.stream(1).forget() : client.stream(1).reset();
    const auto frames = client.frames();
    REQUIRE(frames.size() == 2);
    CHECK(frames[0].is(command::psh, 1, "written"));
    CHECK(frames[1].is(command::fin, 1));  // There is nobody to wait for.
    CHECK(client.read_error(1) == failure::closed);
    CHECK(client.statistics().streams_open == 0);
  }
}

TEST_CASE("ending: letting go of an open stream is a reset, without a trace", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.receive(frame(command::psh, 1, "unread"));
  client.stream(1).forget();
  CHECK(client.has_no_events());
  CHECK(client.frames() == std::vector<seen_frame>{{command::fin, 1, ""}});
  client.receive(frame(command::psh, 1, "more") + frame(command::fin, 1));
  CHECK(client.has_no_events());
  CHECK(client.statistics().glitches == 0);
}

TEST_CASE("ending: what still comes for a stream that was let go is dropped", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.write(1, std::string(100'000, 'x')).value();
  client.stream(1).finish(client.now).value();
  client.stream(1).forget();
  client.receive(frame(command::psh, 1, std::string(60'000, 'y')));
  CHECK(client.statistics().unread == 0);
  std::size_t sent = 0;
  for (const seen_frame& one : client.frames()) sent += one.content.size();
  CHECK(sent == 100'000);
}

TEST_CASE("ending: closing a session says nothing and ends every stream", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.receive(frame(command::psh, 1, "unread"));
  client.write(1, "unsent").value();
  client.session.control().close(client.now);
  CHECK(client.session.finished());
  CHECK(client.frames().empty());
  CHECK(client.take(kind::closed) == 1);
  CHECK(client.cause() == failure::closed);
  CHECK(client.closed()->origin == close_reason::origin_kind::local_application);
  std::error_code end;
  CHECK(client.read(1, &end) == "unread");
  CHECK(end == failure::closed);
  CHECK(client.write_error(1) == failure::closed);
  CHECK(client.session.open().error() == failure::closed);
  CHECK_FALSE(client.session.wants_input());
  CHECK_FALSE(client.session.next_timeout());
}

TEST_CASE("ending: draining waits for the streams, and opens no others", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.session.control().drain();
  CHECK(client.session.open().error() == failure::refused);
  CHECK(client.closed() == nullptr);
  client.receive(frame(command::psh, 1, "x") + frame(command::fin, 1));
  CHECK(client.closed() == nullptr);
  CHECK(client.read(1) == "x");
  CHECK(client.cause() == failure::closed);
  CHECK(client.session.finished());

  session_end idle = new_client();
  idle.session.control().drain();
  CHECK(idle.session.finished());
}

TEST_CASE("ending: a server that drains refuses what was not accepted, and what comes",
          "[mux][anytls]") {
  session_end server = server_with_stream();
  server.receive(frame(command::syn, 2));
  server.session.control().drain();
  CHECK_FALSE(server.session.accept());
  server.receive(frame(command::syn, 3));
  std::vector<std::uint32_t> ended;
  for (const seen_frame& one : server.frames())
    if (one.command == command::fin) ended.push_back(one.id);
  CHECK(ended == std::vector<std::uint32_t>{2, 3});
  CHECK(server.closed() == nullptr);
  server.stream(1).forget();
  CHECK(server.closed() == nullptr);
  const auto last = server.frames();
  REQUIRE_FALSE(last.empty());
  CHECK(last.back().is(command::fin, 1));
  CHECK(server.closed() != nullptr);
}

TEST_CASE("ending: a client that drains sends all records of the last packet", "[mux][anytls]") {
  session_end client = new_client();
  const std::uint32_t id = client.session.open().value();
  client.write(id, "address").value();
  client.write(id, std::string(3000, 'x')).value();
  client.stream(id).finish(client.now);
  client.session.control().drain();
  client.stream(id).forget();
  std::vector<seen_frame> all;
  std::string payload;
  for (const seen_frame& one : client.frames()) {
    if (one.command == command::psh) payload += one.content;
    all.push_back(one);
  }
  CHECK(payload == "address" + std::string(3000, 'x'));
  REQUIRE_FALSE(all.empty());
  CHECK(all.back().is(command::fin, id));
  CHECK(client.sizes.size() > 3);
  CHECK(client.session.finished());
}

TEST_CASE("ending: a server rejects a client in words, and closes", "[mux][anytls]") {
  session_end server = server_with_stream();
  server.write(1, "unsent").value();
  server.session.control().reject(server.now, "too old");
  CHECK_FALSE(server.session.finished());
  const auto frames = server.frames();
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].is(command::synack, 1));
  CHECK(frames[1].is(command::alert, 0, "too old"));
  CHECK(server.session.finished());
  CHECK(server.take(kind::closed) == 1);
}

TEST_CASE("ending: an alert that cannot leave is given up", "[mux][anytls]") {
  session_end server = new_server();
  server.session.control().reject(server.now, "too old");
  CHECK(server.session.next_timeout() == server.now + limit::flush_timeout);
  server.now += limit::flush_timeout - 1ms;
  server.session.handle_timeout(server.now);
  CHECK_FALSE(server.session.finished());
  server.now += 1ms;
  server.session.handle_timeout(server.now);
  CHECK(server.session.finished());
  CHECK(server.write_once().empty());
}

TEST_CASE("ending: an alert ends a client's session, and is kept in words", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.receive(frame(command::alert, 0, "bad\nclient\x1b"));
  CHECK(client.cause() == mux::errc::peer_alert);
  CHECK(client.closed()->origin == close_reason::origin_kind::peer);
  CHECK(client.session.control().alert() == "bad?client?");
  CHECK(client.session.finished());
  session_end wordless = client_in_bulk();
  wordless.receive(frame(command::alert, 0));
  CHECK(wordless.cause() == mux::errc::peer_alert);
}

TEST_CASE("ending: the end of the carrier, in order and within a frame", "[mux][anytls]") {
  session_end orderly = client_in_bulk();
  orderly.session.receive_end(orderly.now);
  CHECK(orderly.cause() == failure::closed_by_peer);
  CHECK(orderly.read_error(1) == failure::closed_by_peer);  // Never eof: its end did not come.
  CHECK(orderly.take(kind::closed) == 1);

  for (const byte_vector& part :
       {frame(command::psh, 1), frame(command::psh, 1, "xy"), frame(command::waste, 0, "x")}) {
    session_end cut = client_in_bulk();
    cut.receive(byte_vector(part.begin(), part.end() - 1));
    cut.session.receive_end(cut.now);
    CHECK(cut.cause() == failure::truncated);
  }
  session_end lost = client_in_bulk();
  lost.session.carrier_lost(make_error_code(failure::unreachable));
  CHECK(lost.cause() == failure::unreachable);
  CHECK(lost.write_error(1) == failure::unreachable);
}

TEST_CASE("ending: an end that came before the carrier's is one", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.receive(frame(command::psh, 1, "x") + frame(command::fin, 1));
  client.session.receive_end(client.now);
  std::error_code end;
  CHECK(client.read(1, &end) == "x");
  CHECK(end == failure::eof);
}

TEST_CASE("ending: nothing is heard or said after the end", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.session.control().close(client.now);
  client.forget_events();
  client.receive(frame(command::psh, 1, "x") + frame(command::alert, 0, "x"));
  client.session.receive_end(client.now);
  client.session.carrier_lost(make_error_code(failure::unreachable));
  client.session.control().close(client.now);
  client.session.control().drain();
  client.stream(1).finish(client.now);
  client.stream(1).reset();
  client.stream(1).forget();
  CHECK(client.has_no_events());
  CHECK(client.cause() == failure::closed);
  CHECK(client.write_once().empty());
}

TEST_CASE("ending: a session is done for the pool when its stream is over and read",
          "[mux][anytls]") {
  session_end client = client_in_bulk();
  CHECK(client.statistics().streams_open == 1);
  client.receive(frame(command::psh, 1, "half"));
  client.receive(frame(command::fin, 1));
  CHECK(client.statistics().streams_open == 1);
  client.stream(1).forget();
  CHECK(client.statistics().streams_open == 0);
}
