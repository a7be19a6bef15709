// SPDX-License-Identifier: Apache-2.0
#include "core/stream/interval_set.hpp"

#include <bitset>
#include <catch2/catch_test_macros.hpp>

#include "testkit/fake_random.hpp"

using namespace strata::quic::core;

TEST_CASE("interval_set: neighbours that touch are joined", "[quic][stream]") {
  interval_set set;
  set.insert(10, 20);
  set.insert(30, 40);
  set.insert(20, 30);
  REQUIRE(set.size() == 1);
  CHECK(set.front() == interval{10, 40});
  set.insert(5, 5);
  CHECK(set.size() == 1);
}

TEST_CASE("interval_set: erasing from the middle leaves two intervals", "[quic][stream]") {
  interval_set set;
  set.insert(0, 100);
  set.erase(40, 60);
  REQUIRE(set.size() == 2);
  CHECK(set.front() == interval{0, 40});
  CHECK(set.back() == interval{60, 100});
  CHECK(set.contains(0, 40));
  CHECK_FALSE(set.contains(39, 41));
  CHECK(set.first_missing(0, 100) == interval{40, 60});
  CHECK(set.first_missing(10, 40).empty());
}

TEST_CASE("interval_set: agrees with a set of bits for any operations",
          "[quic][stream][property]") {
  constexpr std::size_t universe = 200;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    strata::testkit::fake_random random(seed);
    interval_set set;
    std::bitset<universe> model;
    for (int step = 0; step < 120; ++step) {
      const std::uint64_t begin = random.below(universe);
      const std::uint64_t end =
          begin + random.below(std::min<std::uint64_t>(universe - begin, 30) + 1);
      const bool adding = random.happens(0.6);
      adding ? set.insert(begin, end) : set.erase(begin, end);
      for (std::uint64_t i = begin; i < end; ++i) model[i] = adding;

      std::bitset<universe> seen;
      std::uint64_t previous_end = 0;
      bool first = true;
      for (const interval& one : set.intervals()) {
        REQUIRE(one.begin < one.end);
        REQUIRE((first || one.begin > previous_end));
        first = false;
        previous_end = one.end;
        for (std::uint64_t i = one.begin; i < one.end; ++i) seen[i] = true;
      }
      REQUIRE(seen == model);
      const std::uint64_t from = random.below(universe);
      const interval missing = set.first_missing(from, universe);
      std::uint64_t expected = from;
      while (expected < universe && model[expected]) ++expected;
      REQUIRE(missing.begin == expected);
      std::uint64_t stop = expected;
      while (stop < universe && !model[stop]) ++stop;
      REQUIRE(missing.end == stop);
      REQUIRE(set.contains(from, universe) == (expected == universe));
    }
  }
}
