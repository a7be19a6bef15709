// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <chrono>

#include "core/yamux/keep_alive.hpp"
#include "strata/mux/core/limits.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::mux::core;
using namespace std::chrono_literals;
using strata::transport::time_point;

namespace {

struct world {
  strata::testkit::fake_random random{1};
  keep_alive tried{30s, 10s, random};
  time_point now{1000s};
};

}  // namespace

TEST_CASE("keep_alive: asks after the interval, and gives up after the timeout", "[mux][yamux]") {
  world w;
  CHECK_FALSE(w.tried.next_timeout());
  w.tried.start(w.now);
  CHECK(w.tried.next_timeout() == w.now + 30s);
  CHECK(w.tried.handle_timeout(w.now + 30s - 1ns));
  CHECK_FALSE(w.tried.waiting());
  CHECK(w.tried.handle_timeout(w.now + 30s));
  CHECK(w.tried.waiting());
  CHECK(w.tried.is_probing());
  w.tried.on_sent(w.now + 30s);
  CHECK_FALSE(w.tried.waiting());
  CHECK(w.tried.next_timeout() == w.now + 40s);
  CHECK(w.tried.handle_timeout(w.now + 40s - 1ns));
  CHECK_FALSE(w.tried.handle_timeout(w.now + 40s));
}

TEST_CASE("keep_alive: any byte is a sign of life", "[mux][yamux]") {
  world w;
  w.tried.start(w.now);
  REQUIRE(w.tried.handle_timeout(w.now + 30s));
  w.tried.on_input(w.now + 39s);
  CHECK_FALSE(w.tried.is_probing());
  CHECK(w.tried.handle_timeout(w.now + 40s));
  CHECK(w.tried.next_timeout() == w.now + 69s);
}

TEST_CASE("keep_alive: an interval of zero never asks", "[mux][yamux]") {
  strata::testkit::fake_random random{1};
  keep_alive tried{0s, 10s, random};
  tried.start(time_point{1000s});
  CHECK_FALSE(tried.next_timeout());
  CHECK(tried.handle_timeout(time_point{9000s}));
  CHECK_FALSE(tried.waiting());
}

TEST_CASE("keep_alive: measures the round trip of its own pings only", "[mux][yamux]") {
  world w;
  w.tried.start(w.now);
  CHECK_FALSE(w.tried.on_pong(w.now, 0));
  w.tried.request();
  const std::uint32_t value = w.tried.waiting().value();
  w.tried.request();
  CHECK(w.tried.waiting() == value);           // One at a time.
  CHECK_FALSE(w.tried.on_pong(w.now, value));  // Before it was sent.
  w.tried.on_sent(w.now);
  CHECK_FALSE(w.tried.on_pong(w.now, value + 1));
  CHECK(w.tried.on_pong(w.now + 80ms, value) == 80ms);
  CHECK(w.tried.smoothed_rtt() == 80ms);
  CHECK_FALSE(w.tried.on_pong(w.now + 81ms, value));  // A second answer to one ping.
  w.tried.request();
  CHECK(w.tried.waiting() != value);
  w.tried.on_sent(w.now + 1s);
  CHECK(w.tried.on_pong(w.now + 1s, w.tried.waiting().value_or(0)) == std::nullopt);
}

TEST_CASE("keep_alive: later round trips are smoothed in by an eighth, none is zero",
          "[mux][yamux]") {
  world w;
  w.tried.start(w.now);
  const auto measure = [&w](strata::transport::duration rtt) {
    w.tried.request();
    const std::uint32_t value = w.tried.waiting().value();
    w.tried.on_sent(w.now);
    w.tried.on_pong(w.now + rtt, value);
    return w.tried.smoothed_rtt();
  };
  CHECK(measure(80ms) == 80ms);
  CHECK(measure(160ms) == 90ms);
  world zero;
  zero.tried.start(zero.now);
  zero.tried.request();
  const std::uint32_t value = zero.tried.waiting().value();
  zero.tried.on_sent(zero.now);
  CHECK(zero.tried.on_pong(zero.now, value) == 1ns);
}

TEST_CASE("keep_alive: payload asks for a round trip when none is known, or none of late",
          "[mux][yamux]") {
  world w;
  w.tried.start(w.now);
  w.tried.on_payload(w.now);
  const std::uint32_t value = w.tried.waiting().value();
  w.tried.on_sent(w.now);
  w.tried.on_payload(w.now + 1s);
  CHECK_FALSE(w.tried.waiting());
  REQUIRE(w.tried.on_pong(w.now + 1s, value));
  w.tried.on_payload(w.now + 1s + limits::yamux::rtt_interval - 1ns);
  CHECK_FALSE(w.tried.waiting());
  w.tried.on_payload(w.now + 1s + limits::yamux::rtt_interval);
  CHECK(w.tried.waiting());
}

TEST_CASE("keep_alive: a ping whose answer was lost does not stop the next", "[mux][yamux]") {
  world w;
  w.tried.start(w.now);
  w.tried.on_payload(w.now);
  const std::uint32_t lost = w.tried.waiting().value();
  w.tried.on_sent(w.now);
  w.tried.on_input(w.now + 1s);
  w.tried.on_payload(w.now + limits::yamux::rtt_interval);
  CHECK(w.tried.waiting().value_or(lost) != lost);

  world probing;
  probing.tried.start(probing.now);
  probing.tried.request();
  probing.tried.on_sent(probing.now);
  REQUIRE(probing.tried.handle_timeout(probing.now + 30s));
  CHECK(probing.tried.waiting());
}
