// SPDX-License-Identifier: Apache-2.0
#include "driver/happy_eyeballs.hpp"

#include <catch2/catch_test_macros.hpp>

#include "strata/transport/core/error.hpp"

using namespace strata::transport;
using namespace std::chrono_literals;

namespace {

address v4(unsigned last) { return *address::parse("192.0.2." + std::to_string(last) + ":1"); }
address v6(unsigned last) { return *address::parse("[2001:db8::" + std::to_string(last) + "]:1"); }

constexpr time_point start{};

}  // namespace

TEST_CASE("happy_eyeballs: families take turns, beginning with the resolver's first",
          "[transport][happy_eyeballs]") {
  CHECK(interleave_families({v6(1), v6(2), v6(3), v4(1)}) ==
        std::vector{v6(1), v4(1), v6(2), v6(3)});
  CHECK(interleave_families({v4(1), v4(2), v6(1), v6(2)}) ==
        std::vector{v4(1), v6(1), v4(2), v6(2)});
  CHECK(interleave_families({v4(1), v4(1), v6(1), v6(1)}) == std::vector{v4(1), v6(1)});
  CHECK(interleave_families({}).empty());
}

TEST_CASE("happy_eyeballs: of many addresses the first sixteen are tried",
          "[transport][happy_eyeballs]") {
  for (const std::size_t count :
       {max_dial_addresses - 1, max_dial_addresses, max_dial_addresses + 1}) {
    std::vector<address> many;
    for (unsigned next = 0; next < count; ++next) many.push_back(v4(next + 1));
    CHECK(interleave_families(many).size() == std::min(count, max_dial_addresses));
  }
}

TEST_CASE("happy_eyeballs: a silent attempt gets company after the delay",
          "[transport][happy_eyeballs]") {
  happy_eyeballs race({v6(1), v4(1), v6(2)}, 250ms);

  CHECK(race.poll_attempt(start) == 0u);
  CHECK_FALSE(race.poll_attempt(start + 249ms));
  CHECK(race.next_timeout() == start + 250ms);
  CHECK(race.poll_attempt(start + 250ms) == 1u);
  CHECK_FALSE(race.poll_attempt(start + 499ms));
  CHECK(race.poll_attempt(start + 500ms) == 2u);
  CHECK_FALSE(race.next_timeout());
}

TEST_CASE("happy_eyeballs: after a failure the next attempt starts at once",
          "[transport][happy_eyeballs]") {
  happy_eyeballs race({v6(1), v4(1)}, 250ms);
  CHECK(race.poll_attempt(start) == 0u);

  race.attempt_failed(start + 10ms, errc::unreachable);

  CHECK_FALSE(race.is_exhausted());
  CHECK(race.poll_attempt(start + 10ms) == 1u);
  race.attempt_failed(start + 20ms, errc::refused);
  CHECK(race.is_exhausted());
}

TEST_CASE("happy_eyeballs: when all fail the most telling error remains",
          "[transport][happy_eyeballs]") {
  const auto after = [](std::initializer_list<errc> failures) {
    happy_eyeballs race(std::vector<address>(failures.size(), v4(1)), 250ms);
    for (const errc failure : failures) race.attempt_failed(start, failure);
    return race.error();
  };

  CHECK(after({errc::unreachable, errc::refused}) == errc::refused);
  CHECK(after({errc::refused, errc::timed_out, errc::unreachable}) == errc::refused);
  CHECK(after({errc::unreachable, errc::timed_out}) == errc::timed_out);
  CHECK(after({errc::unreachable, errc::unreachable}) == errc::unreachable);
}
