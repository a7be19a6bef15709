// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <chrono>

#include "core/memory/glitch_budget.hpp"
#include "strata/mux/core/limits.hpp"

using namespace strata::mux::core;
using namespace std::chrono_literals;
namespace limit = limits::yamux;

TEST_CASE("glitch_budget: a burst, and then no more", "[mux][memory]") {
  glitch_budget budget{limit::glitch_burst, limit::glitches_per_second};
  const strata::transport::time_point now{1000s};
  for (std::uint32_t i = 0; i < limit::glitch_burst; ++i) REQUIRE(budget.charge(now, 1));
  CHECK_FALSE(budget.charge(now, 1));
  budget.pay_back();
  CHECK(budget.charge(now, 1));
  CHECK_FALSE(budget.charge(now, 1));
}

TEST_CASE("glitch_budget: refills with time, up to the burst", "[mux][memory]") {
  glitch_budget budget{limit::glitch_burst, limit::glitches_per_second};
  strata::transport::time_point now{1000s};
  REQUIRE(budget.charge(now, limit::glitch_burst));
  now += 1s;
  CHECK_FALSE(budget.charge(now, limit::glitches_per_second + 1));
  CHECK(budget.charge(now, limit::glitches_per_second));
  now += strata::transport::duration(1s) / limit::glitches_per_second / 2;
  CHECK_FALSE(budget.charge(now, 1));
  now += strata::transport::duration(1s) / limit::glitches_per_second /
         2;  // Halves of a refill add up.
  CHECK(budget.charge(now, 1));
  now += 24h;
  CHECK_FALSE(budget.charge(now, limit::glitch_burst + 1));
  CHECK(budget.charge(now, limit::glitch_burst));
}

TEST_CASE("glitch_budget: paying back ends at the burst", "[mux][memory]") {
  glitch_budget budget{limit::glitch_burst, limit::glitches_per_second};
  const strata::transport::time_point now{1000s};
  for (int i = 0; i < 10; ++i) budget.pay_back();
  CHECK(budget.charge(now, limit::glitch_burst));
  CHECK_FALSE(budget.charge(now, 1));
}
