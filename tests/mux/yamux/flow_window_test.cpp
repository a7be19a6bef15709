// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <chrono>

#include "core/yamux/flow_window.hpp"

using namespace strata::mux::core;
using namespace std::chrono_literals;
namespace limit = limits::yamux;
using strata::transport::time_point;

TEST_CASE("send_window: grows to 2^32 - 1 and not beyond", "[mux][yamux]") {
  send_window window;
  CHECK(window.credit() == limit::initial_window);
  CHECK_FALSE(window.add(UINT32_MAX));
  CHECK_FALSE(window.add(UINT32_MAX - limit::initial_window + 1));
  CHECK(window.credit() == limit::initial_window);
  CHECK(window.add(UINT32_MAX - limit::initial_window - 1));
  CHECK(window.add(1));
  CHECK(window.credit() == UINT32_MAX);
  CHECK_FALSE(window.add(1));
  CHECK(window.add(0));
  window.take(UINT32_MAX);
  CHECK(window.credit() == 0);
}

TEST_CASE("receive_window: takes what it has and not a byte more", "[mux][yamux]") {
  receive_window window;
  CHECK_FALSE(window.receive(limit::initial_window + 1));
  CHECK(window.receive(limit::initial_window - 1));
  CHECK(window.receive(1));
  CHECK_FALSE(window.receive(1));
  CHECK(window.receive(0));
}

TEST_CASE("receive_window: an update is due at half the window, and then gives all",
          "[mux][yamux]") {
  receive_window window;
  REQUIRE(window.receive(limit::initial_window));
  window.consumed(limit::initial_window / 2 - 1);
  CHECK_FALSE(window.update_due());
  window.consumed(1);
  CHECK(window.update_due());
  window.announced(limit::initial_window / 2);
  CHECK_FALSE(window.update_due());
  CHECK(window.credit() == limit::initial_window / 2);
}

TEST_CASE("receive_window: a large one is given back in steps", "[mux][yamux]") {
  receive_window window;
  window.grow(limit::max_window - limit::initial_window);
  window.announced(window.unannounced());
  REQUIRE(window.receive(limit::max_window));
  window.consumed(limit::window_step - 1);
  CHECK_FALSE(window.update_due());
  window.consumed(1);
  CHECK(window.update_due());
}

TEST_CASE("receive_window: doubles when half of it is read in less than a round trip",
          "[mux][yamux]") {
  receive_window window;
  window_growth growth(limit::window_growth);
  const time_point start{1000s};
  const auto read_half = [&](time_point now, strata::transport::duration rtt) {
    const std::uint32_t half = window.size() / 2;
    REQUIRE(window.receive(half));
    window.consumed(half);
    window.tune(now, rtt, limit::max_window, growth);
    window.announced(window.unannounced());
  };
  read_half(start, 60ms);  // The first half only begins the measurement.
  CHECK(window.size() == limit::initial_window);
  read_half(start + 60ms, 60ms);  // Not faster than a round trip.
  CHECK(window.size() == limit::initial_window);
  read_half(start + 119ms, 60ms);
  CHECK(window.size() == 2 * limit::initial_window);
  CHECK(window.credit() == 2 * limit::initial_window);
  CHECK(window.grown() == limit::initial_window);
  CHECK(growth.left() == limit::window_growth - limit::initial_window);
  read_half(start + 120ms, 0ms);  // Without a round trip nothing is known.
  CHECK(window.size() == 2 * limit::initial_window);
}

TEST_CASE("receive_window: grows to its own cap, also when that is no power of two",
          "[mux][yamux]") {
  receive_window window;
  window_growth growth(limit::window_growth);
  constexpr std::uint32_t most = 3 * limit::initial_window + 1;
  for (int i = 0; i < 10; ++i) {
    window.consumed(window.size());
    window.tune(time_point{1000s}, 1s, most, growth);
  }
  CHECK(window.size() == most);
}

TEST_CASE("window_growth: at most half of what is left is given at a time", "[mux][yamux]") {
  window_growth growth(100);
  CHECK_FALSE(growth.reserve(51));
  CHECK(growth.reserve(50));
  CHECK_FALSE(growth.reserve(26));
  CHECK(growth.reserve(25));
  CHECK(growth.left() == 25);
  growth.release(50);
  CHECK(growth.left() == 75);
  window_growth none(0);
  CHECK_FALSE(none.reserve(1));
}

TEST_CASE("window_growth: what is less than asked for is given, down to the least that is of use",
          "[mux][yamux]") {
  window_growth growth(100);
  CHECK(growth.reserve_some(60, 51) == 0);
  CHECK(growth.left() == 100);
  CHECK(growth.reserve_some(60, 50) == 50);
  CHECK(growth.reserve_some(10, 10) == 10);
  CHECK(growth.left() == 40);
}

TEST_CASE("receive_window: grows by half where the session has no room to double it",
          "[mux][yamux]") {
  for (const std::uint32_t missing : {0u, 2u}) {
    receive_window window;
    window_growth growth(limit::initial_window - missing);
    for (int i = 0; i < 5; ++i) {
      window.consumed(window.size());
      window.tune(time_point{1000s}, 1s, limit::max_window, growth);
    }
    CHECK(window.grown() == (missing == 0 ? limit::initial_window / 2 : 0));
  }
}

TEST_CASE("window_growth: the default lets one stream have a gigabit a second at 60 ms",
          "[mux][yamux]") {
  receive_window window;
  window_growth growth(limit::window_growth);
  for (int i = 0; i < 20; ++i) {
    window.consumed(window.size());
    window.tune(time_point{1000s}, 1s, limit::max_window, growth);
  }
  CHECK(window.size() >= 12 * 1024 * 1024);  // 1.6 Gbit/s: a start from 256 KiB costs a part.
  CHECK(growth.left() >= limit::window_growth / 4);  // For the others.
}
