// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <set>

#include "core/yamux/recent_ids.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::mux::core;
constexpr std::uint32_t remembered = limits::yamux::remembered_ids;

TEST_CASE("recent_ids: an ID passes once, in any order", "[mux][yamux]") {
  for (const std::uint32_t parity : {1u, 2u}) {
    recent_ids ids;
    for (const std::uint32_t number : {5u, 0u, 1u, 9u, 2u}) {
      CHECK(ids.use(2 * number + parity));
      CHECK_FALSE(ids.use(2 * number + parity));
    }
  }
}

TEST_CASE("recent_ids: remembers as many as it says", "[mux][yamux]") {
  recent_ids ids;
  REQUIRE(ids.use(1));
  CHECK(ids.is_beyond(3));
  CHECK_FALSE(ids.is_beyond(1));
  REQUIRE(ids.use(1 + 2 * (remembered - 1)));
  CHECK_FALSE(ids.use(1));  // The oldest that is remembered.
  REQUIRE(ids.use(1 + 2 * remembered));
  CHECK(ids.use(1));  // Too long ago: passes, and again.
  CHECK(ids.use(1));
}

TEST_CASE("recent_ids: nothing is beyond the highest ID", "[mux][yamux]") {
  recent_ids ids;
  CHECK(ids.is_beyond(1));
  REQUIRE(ids.use(UINT32_MAX));
  CHECK_FALSE(ids.is_beyond(UINT32_MAX));
  CHECK_FALSE(ids.use(UINT32_MAX));
  CHECK(ids.use(UINT32_MAX - 2));
  CHECK_FALSE(ids.use(UINT32_MAX - 2));
}

TEST_CASE("recent_ids: agrees with a set, wherever it jumps", "[mux][yamux]") {
  strata::testkit::fake_random random(5);
  recent_ids ids;
  std::set<std::uint32_t> used;
  std::uint32_t newest = 0;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint32_t jump = random.happens(0.02) ? 3 * remembered : 40;
    const std::uint32_t low = newest > remembered - 1 ? newest - (remembered - 1) : 0;
    const auto number =
        static_cast<std::uint32_t>(low + random.below(newest - low + 1 + random.below(jump)));
    REQUIRE(ids.use(2 * number + 1) == used.insert(number).second);
    newest = std::max(newest, number);
  }
}
