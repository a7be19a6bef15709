// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/pacer.hpp"

#include <algorithm>
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include "testkit/fake_random.hpp"

using namespace std::chrono_literals;
using namespace strata::quic::core;
using strata::transport::duration;
using strata::transport::time_point;

namespace {

constexpr time_point start{1h};

/// Sends all that may go for `length`, waking up only when told to; answers the bytes and the
/// largest burst.
struct outcome {
  std::uint64_t bytes = 0;
  std::uint64_t largest = 0;
  std::uint64_t wakeups = 0;
};

outcome send_for(duration length, const pacer::rate_source& source) {
  pacer pace;
  outcome result;
  time_point now = start;
  const time_point end = start + length;
  while (now < end) {
    ++result.wakeups;
    if (const std::uint64_t allowed = pace.allowance(now, source); allowed != 0) {
      const std::uint64_t bytes = allowed / source.max_datagram_size * source.max_datagram_size;
      pace.on_sent(now, bytes);
      result.bytes += bytes;
      result.largest = std::max(result.largest, bytes);
    }
    const time_point next = pace.next_send_time(now, source);
    REQUIRE((next > now || pace.allowance(now, source) >= 2 * source.max_datagram_size));
    now = next;
  }
  return result;
}

}  // namespace

TEST_CASE("pacer: ten datagrams leave at once at the start", "[quic][recovery][pacer]") {
  pacer pace;
  const pacer::rate_source source{.window = 12'000, .smoothed_rtt = 100ms, .slow_start = true};
  CHECK(pace.next_send_time(start, source) == start);
  CHECK(pace.allowance(start, source) == 12'000);
  pace.on_sent(start, 12'000);
  CHECK(pace.allowance(start, source) == 0);
  CHECK(pace.next_send_time(start, source) > start);
}

//= RFC 9002 section 7.7
//# Senders MUST either use pacing or limit such bursts.
TEST_CASE("pacer: the rate is 1.25 windows per round trip, 2 in slow start",
          "[quic][recovery][pacer]") {
  for (const std::uint64_t window : {12'000u, 120'000u, 1'200'000u, 10'000'000u}) {
    for (const bool slow_start : {false, true}) {
      CAPTURE(window, slow_start);
      const auto sent =
          send_for(10s, {.window = window, .smoothed_rtt = 100ms, .slow_start = slow_start});
      const double expected = static_cast<double>(window) * 100 * (slow_start ? 2.0 : 1.25);
      CHECK(static_cast<double>(sent.bytes) ==
            Catch::Approx(expected).epsilon(0.02).margin(15'000));
    }
  }
}

TEST_CASE("pacer: batches grow with the rate", "[quic][recovery][pacer]") {
  // 1 Mbit/s: pairs. 100 Mbit/s: what a millisecond holds. 1 Gbit/s: whole batches.
  const auto slow = send_for(1s, {.window = 10'000, .smoothed_rtt = 100ms});
  CHECK(slow.largest == 12'000);
  CHECK(slow.bytes / slow.wakeups <= 3'000);
  const auto middle = send_for(1s, {.window = 1'000'000, .smoothed_rtt = 100ms});
  CHECK(middle.bytes / middle.wakeups >= 9'600);
  const auto fast = send_for(1s, {.window = 10'000'000, .smoothed_rtt = 100ms});
  CHECK(fast.bytes / fast.wakeups >= 60'000);
  CHECK(fast.largest <= 65'507);
}

TEST_CASE("pacer: at the round trips of a loopback nothing is held back",
          "[quic][recovery][pacer]") {
  pacer pace;
  const pacer::rate_source loopback{.window = 1'000'000, .smoothed_rtt = 50us};
  for (int i = 0; i != 100; ++i) {
    CHECK(pace.allowance(start, loopback) == pacer::unlimited);
    pace.on_sent(start, 65'507);
    CHECK(pace.next_send_time(start, loopback) == start);
  }
  // 10 Gbit/s is the edge: 1.25 bytes per ns at 1.25 windows per round trip.
  CHECK(pace.allowance(start, {.window = 100'000, .smoothed_rtt = 100us}) == pacer::unlimited);
  CHECK(pacer{}.allowance(start, {.window = 99'000, .smoothed_rtt = 100us}) < pacer::unlimited);
  CHECK(pace.allowance(start, {.window = 2'400, .smoothed_rtt = 0ns}) == pacer::unlimited);
}

TEST_CASE("pacer: what may go within 250 us goes now", "[quic][recovery][pacer]") {
  pacer pace;
  const pacer::rate_source source{.window = 1'000'000,
                                  .smoothed_rtt = 100ms};  // 12.5 bytes per us.
  REQUIRE(pace.allowance(start, source) == 25'000);
  pace.on_sent(start, 25'000);
  const time_point next = pace.next_send_time(start, source);
  CHECK(next == start + 750us);  // A millisecond's worth, less the slack.
  CHECK(pace.allowance(next - 1us, source) == 0);
  CHECK(pace.allowance(next, source) >= 12'500);
}

TEST_CASE("pacer: idle time saves up one burst, not more", "[quic][recovery][pacer]") {
  pacer pace;
  const pacer::rate_source source{.window = 100'000, .smoothed_rtt = 100ms};
  (void)pace.allowance(start, source);
  pace.on_sent(start, 12'000);
  CHECK(pace.allowance(start + 1h, source) == 12'000);
}

TEST_CASE("pacer: asking often loses nothing to rounding", "[quic][recovery][pacer]") {
  pacer pace;
  const pacer::rate_source slow{.window = 2'400, .smoothed_rtt = 10s};  // 300 bytes per second.
  (void)pace.allowance(start, slow);
  pace.on_sent(start, 12'000);
  time_point now = start;
  while (pace.allowance(now, slow) == 0) {
    now += 10us;
    REQUIRE(now < start + 9s);
  }
  CHECK(now > start + 7900ms);
}

TEST_CASE("pacer: probes that left without asking are paid for, up to a batch",
          "[quic][recovery][pacer]") {
  pacer pace;
  const pacer::rate_source source{.window = 1'000'000, .smoothed_rtt = 100ms};
  (void)pace.allowance(start, source);
  pace.on_sent(start, ~std::uint64_t{0});
  const time_point next = pace.next_send_time(start, source);
  CHECK(next > start + 5ms);
  CHECK(next < start + 7ms);
}

TEST_CASE("pacer: a clock that is set back does not silence the sender",
          "[quic][recovery][pacer][Q60][attack]") {
  pacer pace;
  const pacer::rate_source source{.window = 100'000, .smoothed_rtt = 100ms};
  (void)pace.allowance(start, source);
  pace.on_sent(start, 12'000);
  CHECK(pace.next_send_time(start - 10s, source) < start - 9900ms);
  (void)pace.allowance(start - 10s, source);
  CHECK(pace.allowance(start - 9900ms, source) > 0);
}

TEST_CASE("pacer: any rate works, and at the time it names something may leave",
          "[quic][recovery][pacer][property][Q61][attack]") {
  for (std::uint64_t seed = 0; seed != 500; ++seed) {
    CAPTURE(seed);
    strata::testkit::fake_random random(seed);
    pacer pace;
    time_point now = start;
    for (int i = 0; i != 100; ++i) {
      const pacer::rate_source source{
          .window = random.next() >> (random.next() % 64),
          .smoothed_rtt =
              duration(static_cast<std::int64_t>(random.next() >> (1 + random.next() % 62))),
          .slow_start = random.happens(0.5),
          .max_datagram_size = 1 + (random.next() >> (48 + random.next() % 16))};
      const std::uint64_t allowed = pace.allowance(now, source);
      if (allowed == 0) {
        const time_point next = pace.next_send_time(now, source);
        REQUIRE(next > now);
        if (next < now + std::chrono::hours(24 * 365)) {
          pacer copy = pace;
          REQUIRE(copy.allowance(next, source) > 0);
        }
      } else {
        pace.on_sent(now, std::min<std::uint64_t>(allowed, random.next() % 100'000));
      }
      now += duration(static_cast<std::int64_t>(random.next() % 1'000'000));
    }
  }
}
