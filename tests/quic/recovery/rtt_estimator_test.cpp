// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/rtt_estimator.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace std::chrono_literals;
using namespace strata::quic::core;
using strata::transport::duration;

TEST_CASE("rtt_estimator: starts from the initial round trip", "[quic][recovery][rtt]") {
  const rtt_estimator rtt(333ms);
  CHECK_FALSE(rtt.has_sample());
  CHECK(rtt.smoothed() == 333ms);
  CHECK(rtt.variation() == 333ms / 2.0);
  // 999 ms: with it the handshake's first probe comes after about a second (RFC 9002
  // section 6.2.2).
  CHECK(rtt.probe_timeout_base() == 999ms);
}

TEST_CASE("rtt_estimator: the first sample replaces everything", "[quic][recovery][rtt]") {
  //= RFC 9002 section 5.2
  //# min_rtt MUST be set to the latest_rtt on the first RTT sample.
  rtt_estimator rtt(333ms);
  rtt.update(80ms, 30ms);
  CHECK(rtt.latest() == 80ms);
  CHECK(rtt.minimum() == 80ms);
  CHECK(rtt.smoothed() == 80ms);
  CHECK(rtt.variation() == 40ms);
}

TEST_CASE("rtt_estimator: later samples are weighed by 1/8 and 1/4", "[quic][recovery][rtt]") {
  rtt_estimator rtt(333ms);
  rtt.update(80ms, 0ms);
  rtt.update(160ms, 0ms);
  CHECK(rtt.minimum() == 80ms);
  CHECK(rtt.variation() == 50ms);  // 3/4 * 40 + 1/4 * |80 - 160|
  CHECK(rtt.smoothed() == 90ms);   // 7/8 * 80 + 1/8 * 160
}

TEST_CASE("rtt_estimator: the minimum falls but does not rise", "[quic][recovery][rtt]") {
  //= RFC 9002 section 5.2
  //# min_rtt MUST be set to the lesser of min_rtt and latest_rtt (Section 5.1) on all other
  //# samples.
  rtt_estimator rtt(333ms);
  rtt.update(80ms, 0ms);
  rtt.update(60ms, 50ms);
  CHECK(rtt.minimum() == 60ms);
  rtt.update(90ms, 0ms);
  CHECK(rtt.minimum() == 60ms);
  rtt.forget_minimum();
  rtt.update(90ms, 0ms);
  CHECK(rtt.minimum() == 90ms);
}

TEST_CASE("rtt_estimator: the delay is taken off unless the rest would be below the minimum",
          "[quic][recovery][rtt]") {
  //= RFC 9002 section 5.3
  //# MUST NOT subtract the acknowledgment delay from the RTT sample if the
  //# resulting value is smaller than the min_rtt.
  rtt_estimator rtt(333ms);
  rtt.update(80ms, 0ms);
  SECTION("just not below") {
    rtt.update(96ms, 16ms);
    CHECK(rtt.smoothed() == 80ms);
  }
  SECTION("below") {
    rtt.update(96ms, 16ms + 1ns);
    CHECK(rtt.smoothed() == 82ms);
  }
  SECTION("absurd") {
    rtt.update(96ms, duration::max());
    CHECK(rtt.smoothed() == 82ms);
  }
  SECTION("negative") {
    rtt.update(96ms, -1h);
    CHECK(rtt.smoothed() == 82ms);
  }
}

TEST_CASE("rtt_estimator: the probe timeout is at least the granularity above the mean",
          "[quic][recovery][rtt]") {
  //= RFC 9002 section 6.2.1
  //# The PTO period MUST be at least kGranularity to avoid the timer expiring
  //# immediately.
  rtt_estimator rtt(333ms);
  rtt.update(0ms, 0ms);
  CHECK(rtt.probe_timeout_base() == 1ms);
  rtt.update(-5s, 0ms);
  CHECK(rtt.latest() == 0ms);
}

TEST_CASE("rtt_estimator: the largest times saturate", "[quic][recovery][rtt][Q60][Q61][attack]") {
  rtt_estimator rtt(duration::max());
  CHECK(rtt.probe_timeout_base() == duration::max());
  for (int i = 0; i != 50; ++i)
    rtt.update(i % 2 == 0 ? duration::max() : duration::zero(), duration::max());
  CHECK(rtt.probe_timeout_base() > duration::zero());
  CHECK(rtt.smoothed() >= duration::zero());
}
