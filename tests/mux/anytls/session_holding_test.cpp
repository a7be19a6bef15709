// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/session_end.hpp"

// The end of an opener, which would end both directions: it is held while the peer may still
// answer.

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
