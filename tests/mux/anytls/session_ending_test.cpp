// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/session_end.hpp"

// Ends of streams and of sessions: the row "anytls" of the contract of streams.

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;

namespace {

/// Questions and answers on one stream whose sizes and turns are drawn.
struct drawn_talk {
  strata::testkit::fake_random random;
  session_pair both{{.heartbeat_interval = 0ms}, {.idle_timeout = 0ms, .heartbeat_interval = 0ms}};
  std::uint32_t id = both.open_stream("address");
  std::string asked = "address", heard, answered, seen;

  explicit drawn_talk(std::uint64_t seed) : random(seed) {}

  void say(session_end& end, char letter, std::string& all) {
    const std::string text(1 + random.below(40'000), letter);
    CHECK(end.write(id, text).value() == text.size());
    all += text;
  }
  void answer() {
    say(both.server, 'a', answered);
    both.settle();
    seen += both.client.read(id);
  }
  void say_something() {
    say(both.client, 'q', asked);
    for (std::uint64_t turn = random.below(4); turn != 0; --turn) {
      if (random.below(2) == 0) both.settle();
      if (random.below(2) == 0) answer();
      if (random.below(2) == 0) say(both.client, 'q', asked);
      heard += both.server.read(id);
    }
  }
};

}  // namespace

TEST_CASE("ending: the opener holds its end until the peer has ended", "[mux][anytls][fin]") {
  session_end client = client_in_bulk();
  client.write(1, "last").value();
  client.stream(1).finish(client.now).value();
  CHECK(client.frames() == std::vector<seen_frame>{{command::psh, 1, "last"}});
  CHECK(client.write_error(1) == failure::write_finished);
  client.receive(frame(command::psh, 1, "answer"));
  CHECK(client.read(1) == "answer");
  client.receive(frame(command::fin, 1));
  CHECK(client.read_error(1) == failure::eof);
  CHECK(client.frames().empty());  // Nobody waits for it any more.
  CHECK(client.take(kind::write_stopped, 1) == 0);
  CHECK(client.write_error(1) == failure::write_finished);
  CHECK(client.statistics().streams_open == 0);
}

TEST_CASE("ending: the opener holds its end for thirty seconds without a byte",
          "[mux][anytls][fin]") {
  session_end client = client_in_bulk({.heartbeat_interval = 0ms});
  client.stream(1).finish(client.now).value();
  client.pass(limit::finish_hold - 1ms);
  CHECK(client.partial.empty());
  client.receive(frame(command::psh, 1, "still there"));
  client.pass(limit::finish_hold - 1ms);
  CHECK(client.partial.empty());
  client.pass(1ms);
  CHECK(take_frames(client.partial) == std::vector<seen_frame>{{command::fin, 1, ""}});
  // What had come can be read, and then that it was not all.
  std::error_code end;
  CHECK(client.read(1, &end) == "still there");
  CHECK(end == failure::timed_out);
}

TEST_CASE("ending: several openers hold, each for its own time", "[mux][anytls][fin]") {
  session_end client = client_in_bulk({.heartbeat_interval = 0ms, .synack_timeout = 0ms});
  client.session.open().value();
  client.write(2, "x").value();
  client.frames();
  client.receive(frame(command::synack, 2));
  client.stream(1).finish(client.now).value();
  client.pass(10s);
  client.stream(2).finish(client.now).value();
  client.pass(5s);
  client.receive(frame(command::psh, 1, "x"));
  client.pass(25s);
  CHECK(take_frames(client.partial) == std::vector<seen_frame>{{command::fin, 2, ""}});
  client.pass(5s);
  CHECK(take_frames(client.partial) == std::vector<seen_frame>{{command::fin, 1, ""}});
}

TEST_CASE("ending: an opener that was answered holds its end for a second without a byte",
          "[mux][anytls][fin]") {
  session_end client = client_in_bulk();
  client.receive(frame(command::psh, 1, "answer"));
  client.stream(1).finish(client.now).value();
  client.pass(limit::answered_hold - 1ms);
  CHECK(client.partial.empty());
  client.receive(frame(command::psh, 1, " and more"));
  client.pass(limit::answered_hold - 1ms);
  CHECK(client.partial.empty());
  client.pass(1ms);
  CHECK(take_frames(client.partial) == std::vector<seen_frame>{{command::fin, 1, ""}});
  std::error_code end;
  CHECK(client.read(1, &end) == "answer and more");
  CHECK(end == failure::timed_out);
}

TEST_CASE("ending: whoever wrote last may still be answered", "[mux][anytls][fin]") {
  const auto ends_within = [](auto&& before) {
    session_end client = client_in_bulk({.heartbeat_interval = 0ms});
    before(client);
    client.stream(1).finish(client.now).value();
    client.pass(limit::finish_hold - 1ms);
    const auto early = take_frames(client.partial);
    client.pass(1ms);
    CHECK(early.size() + take_frames(client.partial).size() >= 1);
    return !early.empty() && early.back().is(command::fin, 1);
  };
  CHECK_FALSE(ends_within([](session_end&) {}));
  CHECK(ends_within([](session_end& client) { client.receive(frame(command::psh, 1, "answer")); }));
  CHECK_FALSE(ends_within([](session_end& client) {
    client.receive(frame(command::psh, 1, "answer"));
    client.write(1, "and then?").value();
    client.write_all();
  }));
  // What came cannot be an answer to what has not left.
  CHECK_FALSE(ends_within([](session_end& client) {
    client.write(1, "and then?").value();
    client.receive(frame(command::psh, 1, "answer to the first"));
  }));
  // Writing nothing asks for nothing.
  CHECK(ends_within([](session_end& client) {
    client.receive(frame(command::psh, 1, "answer"));
    client.write(1, "").value();
  }));
}

TEST_CASE("ending: whoever finished before the answer waits for all of it", "[mux][anytls][fin]") {
  session_end client = client_in_bulk({.heartbeat_interval = 0ms});
  client.write(1, "question").value();
  client.frames();
  client.stream(1).finish(client.now).value();
  client.receive(frame(command::psh, 1, "the first half"));
  client.pass(limit::finish_hold - 1ms);
  CHECK(client.partial.empty());
  client.receive(frame(command::psh, 1, ", the second") + frame(command::fin, 1));
  std::error_code end;
  CHECK(client.read(1, &end) == "the first half, the second");
  CHECK(end == failure::eof);
}

TEST_CASE("ending: openers that were answered do not wait behind those that were not",
          "[mux][anytls][fin]") {
  session_end client = client_in_bulk({.heartbeat_interval = 0ms, .synack_timeout = 0ms});
  client.session.open().value();
  client.write(2, "x").value();
  client.frames();
  client.receive(frame(command::synack, 2) + frame(command::psh, 2, "answer"));
  client.stream(1).finish(client.now).value();
  client.pass(limit::finish_hold - 500ms);
  client.stream(2).finish(client.now).value();
  client.pass(500ms);
  CHECK(take_frames(client.partial) == std::vector<seen_frame>{{command::fin, 1, ""}});
  client.pass(500ms);
  CHECK(take_frames(client.partial) == std::vector<seen_frame>{{command::fin, 2, ""}});
  CHECK_FALSE(client.session.next_timeout());
}

TEST_CASE("ending: an application that leaves during the hold ends it", "[mux][anytls][fin]") {
  for (const bool answered : {false, true}) {
    session_end client = client_in_bulk({.heartbeat_interval = 0ms});
    if (answered) client.receive(frame(command::psh, 1, "answer"));
    client.stream(1).finish(client.now).value();
    client.stream(1).forget();
    CHECK(client.frames() == std::vector<seen_frame>{{command::fin, 1, ""}});
    CHECK_FALSE(client.session.next_timeout());
    CHECK(client.statistics().streams_open == 0);
  }
}

TEST_CASE("ending: a session that ends lets go of all that hold", "[mux][anytls][fin]") {
  session_end client = client_in_bulk({.synack_timeout = 0ms});
  client.session.open().value();
  client.write(2, "x").value();
  client.frames();
  client.receive(frame(command::psh, 1, "answer"));
  for (const std::uint32_t id : {1u, 2u}) client.stream(id).finish(client.now).value();
  client.session.control().close(client.now);
  client.pass(1h);
  CHECK(client.read(1) == "answer");
  CHECK(client.statistics().streams_open == 0);
}

TEST_CASE("ending: whatever comes in time arrives, for a thousand seeds", "[mux][anytls][fin]") {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    CAPTURE(seed);
    drawn_talk talk(seed);
    talk.say_something();
    talk.both.client.stream(talk.id).finish(talk.both.client.now).value();
    for (std::uint64_t more = talk.random.below(4); more != 0; --more) {
      talk.both.pass(std::chrono::milliseconds(talk.random.below(limit::answered_hold.count())));
      talk.answer();
    }
    talk.both.settle();
    const bool target_ends = talk.random.below(2) == 0;
    if (target_ends) talk.both.server.stream(talk.id).finish(talk.both.server.now).value();
    talk.both.settle();
    talk.both.pass(limit::finish_hold + 2s);
    std::error_code end;
    talk.seen += talk.both.client.read(talk.id, &end);
    CHECK(end == (target_ends ? failure::eof : failure::timed_out));
    CHECK((talk.seen == talk.answered));
    talk.heard += talk.both.server.read(talk.id, &end);
    CHECK(end == failure::eof);
    CHECK((talk.heard == talk.asked));
    CHECK(talk.both.client.statistics().streams_open == 0);
    CHECK(talk.both.server.statistics().streams_open == 0);
  }
}

TEST_CASE("ending: with a hold of zero the opener waits as long as it takes",
          "[mux][anytls][fin]") {
  session_end client = client_in_bulk({.heartbeat_interval = 0ms, .finish_hold = 0ms});
  client.stream(1).finish(client.now).value();
  client.pass(24h);
  CHECK(client.partial.empty());
  client.receive(frame(command::psh, 1, "x"));
  client.pass(24h);
  CHECK(client.partial.empty());
  session_end answered = client_in_bulk({.heartbeat_interval = 0ms, .answered_hold = 0ms});
  answered.receive(frame(command::psh, 1, "x"));
  answered.stream(1).finish(answered.now).value();
  answered.pass(24h);
  CHECK(answered.partial.empty());
}

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
