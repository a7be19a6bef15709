// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "strata/mux/core/anytls_pool.hpp"

using namespace strata::mux::core;
using namespace std::chrono_literals;
namespace limit = limits::anytls;
using choice_kind = anytls_pool::choice::kind_type;

namespace {

/// A pool at a time that the test sets.
struct pool_at {
  anytls_pool pool;
  time_point now{1000s};

  explicit pool_at(const anytls_pool_config& config = {}) : pool(config) {}

  anytls_pool::number dial() {
    const auto chosen = pool.acquire_new(now);
    REQUIRE(chosen.kind == choice_kind::dial);
    pool.came_alive(chosen.session);
    return chosen.session;
  }
  /// So many sessions that are idle, the last of them the newest.
  void make_idle(int count) {
    std::vector<anytls_pool::number> made;
    for (int i = 0; i < count; ++i) made.push_back(dial());
    for (const auto one : made) pool.release(now, one);
  }
  /// What the pool wants closed when the time it named has come, as often as it names one.
  std::vector<anytls_pool::number> pass(strata::transport::duration by) {
    const time_point end = now + by;
    std::vector<anytls_pool::number> closing;
    for (auto next = pool.next_timeout(); next && *next <= end; next = pool.next_timeout()) {
      REQUIRE(*next >= now);
      now = *next;
      pool.handle_timeout(now);
      while (const auto one = pool.poll_closing()) closing.push_back(*one);
    }
    now = end;
    return closing;
  }
};

using numbers = std::vector<anytls_pool::number>;

}  // namespace

TEST_CASE("pool: numbers grow with every session that is dialled", "[mux][anytls][pool]") {
  pool_at at;
  for (anytls_pool::number expected = 1; expected <= 5; ++expected) {
    const auto chosen = at.pool.acquire(at.now);
    CHECK(chosen.kind == choice_kind::dial);
    CHECK(chosen.session == expected);
    at.pool.lost(at.now, chosen.session);
    at.now += 1min;
  }
}

TEST_CASE("pool: the newest idle session is used first", "[mux][anytls][pool]") {
  pool_at at;
  at.make_idle(3);
  for (const anytls_pool::number expected : {3u, 2u, 1u}) {
    const auto chosen = at.pool.acquire(at.now);
    CHECK(chosen.kind == choice_kind::reuse);
    CHECK(chosen.session == expected);
  }
  CHECK(at.pool.acquire(at.now).kind == choice_kind::dial);
  // By number, not by the time of its return.
  at.pool.release(at.now, 3);
  at.now += 1s;
  at.pool.release(at.now, 1);
  CHECK(at.pool.acquire(at.now).session == 3);
}

TEST_CASE("pool: one stream at a time is in a session", "[mux][anytls][pool]") {
  pool_at at;
  at.make_idle(1);
  CHECK(at.pool.acquire(at.now).session == 1);
  CHECK(at.pool.idle() == 0);
  CHECK(at.pool.busy() == 1);
  CHECK(at.pool.acquire(at.now).session == 2);
  at.pool.release(at.now, 1);
  at.pool.release(at.now, 1);  // Again means nothing.
  CHECK(at.pool.idle() == 1);
  CHECK(at.pool.acquire(at.now).session == 1);
}

TEST_CASE("pool: idle sessions are closed when a look finds them too old, the oldest first",
          "[mux][anytls][pool]") {
  pool_at at({.check_interval = 30s, .idle_timeout = 60s});
  at.make_idle(3);  // At the time of the first dial, where looks begin: 30 s, 60 s, 90 s.
  CHECK(at.pass(89s).empty());
  CHECK(at.pass(1s) == numbers{1, 2, 3});
  CHECK(at.pool.idle() == 0);
  CHECK_FALSE(at.pool.next_timeout());
  CHECK(at.pool.acquire(at.now).session == 4);
}

TEST_CASE("pool: exactly the timeout is not too old", "[mux][anytls][pool]") {
  pool_at at({.check_interval = 30s, .idle_timeout = 60s});
  at.make_idle(1);
  CHECK(at.pass(60s).empty());
  CHECK(at.pass(30s) == numbers{1});
}

TEST_CASE("pool: a session that was used meanwhile is young again", "[mux][anytls][pool]") {
  pool_at at({.check_interval = 30s, .idle_timeout = 60s});
  at.make_idle(2);
  at.pass(50s);
  CHECK(at.pool.acquire(at.now).session == 2);
  at.pool.release(at.now, 2);
  CHECK(at.pass(40s) == numbers{1});
  CHECK(at.pass(29s).empty());
  CHECK(at.pass(1s) == numbers{2});
}

TEST_CASE("pool: the newest so many stay, whatever their age", "[mux][anytls][pool]") {
  pool_at at({.check_interval = 30s, .idle_timeout = 60s, .min_idle = 2});
  at.make_idle(4);
  CHECK(at.pass(90s) == numbers{1, 2});
  CHECK(at.pass(1h).empty());
  CHECK(at.pool.idle() == 2);
  CHECK(at.pool.acquire(at.now).session == 4);
}

TEST_CASE("pool: young sessions count among those that stay", "[mux][anytls][pool]") {
  pool_at at({.check_interval = 30s, .idle_timeout = 60s, .min_idle = 1});
  at.make_idle(2);
  at.pass(80s);
  CHECK(at.pool.acquire(at.now).session == 2);
  at.pool.release(at.now, 2);
  CHECK(at.pass(10s) == numbers{1});
}

TEST_CASE("pool: intervals and timeouts up to five seconds mean thirty", "[mux][anytls][pool]") {
  for (const auto given : {limit::min_pool_time - 1ms, limit::min_pool_time, 0ms}) {
    pool_at at({.check_interval = given, .idle_timeout = given});
    at.make_idle(1);
    CHECK(at.pool.next_timeout() == at.now + 30s);
    CHECK(at.pass(30s).empty());
    CHECK(at.pass(30s) == numbers{1});
  }
  pool_at at({.check_interval = limit::min_pool_time + 1ms, .idle_timeout = 5001ms});
  at.make_idle(1);
  CHECK(at.pool.next_timeout() == at.now + 5001ms);
  CHECK(at.pass(10002ms) == numbers{1});
}

TEST_CASE("pool: a program that slept looks once, not once for every interval",
          "[mux][anytls][pool]") {
  pool_at at({.check_interval = 30s, .idle_timeout = 60s, .min_idle = 1});
  at.make_idle(1);
  at.now += 24h + 1s;
  at.pool.handle_timeout(at.now);
  CHECK(at.pool.next_timeout().value() > at.now);
  CHECK(at.pool.next_timeout().value() <= at.now + 30s);
}

TEST_CASE("pool: without reuse a session is closed after its stream", "[mux][anytls][pool]") {
  pool_at at({.reuse = false});
  at.make_idle(2);
  CHECK(at.pool.idle() == 0);
  CHECK(at.pool.poll_closing() == 1);
  CHECK(at.pool.poll_closing() == 2);
  CHECK_FALSE(at.pool.poll_closing());
  CHECK(at.pool.acquire(at.now).kind == choice_kind::dial);
}

TEST_CASE("pool: a session that died is not given out, idle or not", "[mux][anytls][pool]") {
  pool_at at;
  at.make_idle(2);
  at.pool.lost(at.now, 2);
  CHECK(at.pool.acquire(at.now).session == 1);
  at.pool.lost(at.now, 1);
  at.pool.release(at.now, 1);  // The stream's end comes after the session's.
  CHECK(at.pool.idle() == 0);
  CHECK(at.pool.busy() == 0);
  CHECK(at.pool.dead_on_arrival() == 0);
}

TEST_CASE("pool: sessions that die before they come to life delay dialling, twice as long each",
          "[mux][anytls][pool]") {
  pool_at at;
  const auto die = [&] {
    const auto chosen = at.pool.acquire(at.now);
    REQUIRE(chosen.kind == choice_kind::dial);
    at.pool.lost(at.now, chosen.session);
    return at.pool.acquire(at.now);
  };
  const auto first = die();
  REQUIRE(first.kind == choice_kind::dial);  // Once may be chance.
  at.pool.lost(at.now, first.session);
  auto wait = limit::first_backoff;
  for (unsigned deaths = 2; deaths < 20; ++deaths) {
    CHECK(at.pool.dead_on_arrival() == deaths);
    const auto chosen = at.pool.acquire(at.now);
    REQUIRE(chosen.kind == choice_kind::wait);
    CHECK(chosen.until == at.now + wait);
    CHECK(at.pool.busy() == 0);
    at.now = chosen.until - 1ns;
    CHECK(at.pool.acquire_new(at.now).kind == choice_kind::wait);
    at.now = chosen.until;
    die();
    wait = std::min(wait * 2, limit::max_backoff);
  }
  at.now += limit::max_backoff;
  at.dial();
  CHECK(at.pool.dead_on_arrival() == 0);
}

TEST_CASE("pool: sessions that came to life do not count when they die", "[mux][anytls][pool]") {
  pool_at at;
  for (int i = 0; i < 10; ++i) at.pool.lost(at.now, at.dial());
  CHECK(at.pool.dead_on_arrival() == 0);
  CHECK(at.pool.acquire(at.now).kind == choice_kind::dial);
}

TEST_CASE("pool: while it waits to dial, idle sessions are still used", "[mux][anytls][pool]") {
  pool_at at;
  at.make_idle(1);
  for (int i = 0; i < 3; ++i) {
    const auto chosen = at.pool.acquire_new(at.now);
    if (chosen.kind == choice_kind::dial) at.pool.lost(at.now, chosen.session);
  }
  CHECK(at.pool.acquire_new(at.now).kind == choice_kind::wait);
  CHECK(at.pool.acquire(at.now).kind == choice_kind::reuse);
}

TEST_CASE("pool: a pushed scheme is for the sessions to come", "[mux][anytls][pool]") {
  pool_at at;
  CHECK(at.pool.padding() == anytls_padding_scheme::standard());
  const auto pushed =
      anytls_padding_scheme::parse(strata::transport::as_bytes("stop=2\n1=5-5")).value();
  at.pool.update_padding(pushed);
  CHECK(at.pool.padding() == pushed);
}
