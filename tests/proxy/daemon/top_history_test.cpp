// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cmath>
#include <utility>

#include "proxy/daemon/sample_history.hpp"

using namespace top;
using namespace top::testing;
using namespace std::chrono_literals;

namespace {

snapshot counted(std::uint64_t uptime, std::uint64_t requests, std::uint64_t sent) {
  snapshot made;
  made.uptime = uptime;
  made.ways[{"default", "direct"}] = {.requests = requests, .sent = sent};
  return made;
}

snapshot with_session(std::uint64_t sent, std::uint64_t milliseconds) {
  snapshot made;
  session one;
  one.client = "192.0.2.1:5";
  one.sent = sent;
  one.milliseconds = milliseconds;
  made.sessions.push_back(one);
  return made;
}

constexpr history::time_point begin{};

}  // namespace

TEST_CASE("top: rates are differences over the time between") {
  history all;
  all.add(begin, counted(10, 100, 5000));
  CHECK(all.current().now.requests == 0);
  CHECK(all.current().sent.empty());
  all.add(begin + 2s, counted(12, 110, 6000));
  CHECK(all.current().now.requests == 5);
  CHECK(all.current().now.sent == 500);
  REQUIRE(all.current().ways.size() == 1);
  CHECK(all.current().ways[0].now.sent == 500);
  REQUIRE(all.current().sent.size() == 1);
  CHECK(all.current().sent[0] == 500);
}

TEST_CASE("top: counters that began anew count from zero") {
  history restarted;
  restarted.add(begin, counted(1000, 10, 100));
  // More than before, in less time than it had: another process.
  restarted.add(begin + 1s, counted(3, 30, 300));
  CHECK(restarted.current().now.requests == 30);
  CHECK(restarted.current().now.sent == 300);
  history smaller;
  smaller.add(begin, counted(5, 100, 1000));
  smaller.add(begin + 1s, counted(6, 7, 70));
  CHECK(smaller.current().now.requests == 7);
  CHECK(smaller.current().now.sent == 70);
}

TEST_CASE("top: a way that was not there before counts from zero") {
  history all;
  all.add(begin, counted(5, 100, 1000));
  snapshot now = counted(6, 100, 1000);
  now.ways[{"new", "direct"}] = {.requests = 3};
  all.add(begin + 1s, std::move(now));
  CHECK(all.current().now.requests == 3);
}

TEST_CASE("top: another request on the same connection is another session") {
  history all;
  all.add(begin, with_session(1000, 5000));
  all.add(begin + 1s, with_session(1400, 6000));
  CHECK(all.current().sessions[0].sent == 400);
  all.add(begin + 2s, with_session(2000, 100));
  CHECK(all.current().sessions[0].sent == 2000);
}

TEST_CASE("top: times of connecting are those of the last interval") {
  history all;
  snapshot first, second;
  first.connecting = {{0.001, 1000}, {0.01, 1000}, {HUGE_VAL, 1000}};
  second.connecting = {{0.001, 1000}, {0.01, 1100}, {HUGE_VAL, 1100}};
  all.add(begin, first);
  CHECK_FALSE(all.current().median);
  all.add(begin + 1s, second);
  REQUIRE(all.current().median);
  CHECK(std::abs(*all.current().median - 0.0055) < 1e-9);
  CHECK(std::abs(*all.current().tail - 0.00955) < 1e-9);
  all.add(begin + 2s, second);
  CHECK_FALSE(all.current().median);
  REQUIRE(all.current().connecting.size() == 2);
  CHECK_FALSE(all.current().connecting[1]);
}

TEST_CASE("top: quantiles of a histogram") {
  CHECK_FALSE(quantile({}, 0.5));
  CHECK_FALSE(quantile({{1, 0}, {HUGE_VAL, 0}}, 0.5));
  CHECK(quantile({{1, 10}, {2, 20}, {HUGE_VAL, 20}}, 0.5) == 1);
  CHECK(quantile({{1, 10}, {2, 20}, {HUGE_VAL, 20}}, 0.75) == 1.5);
  // Beyond the last bound nothing is known but that.
  CHECK(quantile({{1, 1}, {2, 1}, {HUGE_VAL, 10}}, 0.5) == 2);
}

TEST_CASE("top: while nothing is known no rate is shown, and the figures come back") {
  history all;
  all.add(begin, counted(10, 100, 5000));
  all.add(begin + 1s, counted(11, 110, 6000));
  all.lose("lost: refused");
  CHECK(all.current().lost == "lost: refused");
  CHECK(all.current().now.sent == 0);
  CHECK(all.current().ways[0].now.sent == 0);
  CHECK(all.current().ways[0].totals.sent == 6000);
  CHECK_FALSE(all.current().sent.back());
  all.add(begin + 3s, counted(13, 120, 7000));
  CHECK(all.current().lost.empty());
  CHECK(all.current().now.sent == 500);
}

TEST_CASE("top: what is remembered has an end") {
  history all = sample_history(0);
  for (std::uint64_t second = 1; second < 2 * history::kept; ++second)
    all.add(begin + std::chrono::seconds(second), counted(second, second, second));
  CHECK(all.current().sent.size() == history::kept);
}
