// SPDX-License-Identifier: Apache-2.0
#include "core/stream/flow_control.hpp"

#include <catch2/catch_test_macros.hpp>

#include "strata/transport/core/varint.hpp"

using namespace strata::quic::core;
using namespace std::chrono_literals;
using strata::transport::time_point;
using strata::transport::varint_max;

namespace {
const time_point start{1s};
}

//= RFC 9000 section 13.3
//# A receiver MUST accept packets containing an outdated frame, such as a MAX_DATA frame carrying
//# a smaller maximum data value than one found in an older packet.
TEST_CASE("send_limit: only a larger limit counts", "[quic][stream]") {
  //= RFC 9000 section 4.1
  //= type=test
  //# A sender MUST ignore any MAX_STREAM_DATA or MAX_DATA frames that do not increase
  //# flow control limits.
  send_limit limit(100);
  CHECK_FALSE(limit.raise(99));
  CHECK_FALSE(limit.raise(100));
  CHECK(limit.limit() == 100);
  CHECK(limit.raise(101));
  CHECK(limit.available() == 101);
}

TEST_CASE("send_limit: being blocked is told once per limit, and again when the frame is lost",
          "[quic][stream]") {
  send_limit limit(10);
  CHECK_FALSE(limit.blocked_due());
  limit.use(10);
  CHECK(limit.blocked_due());
  limit.blocked_sent();
  CHECK_FALSE(limit.blocked_due());
  limit.blocked_lost(9);
  CHECK_FALSE(limit.blocked_due());
  limit.blocked_lost(10);
  CHECK(limit.blocked_due());
  limit.blocked_sent();
  limit.raise(20);
  limit.use(10);
  CHECK(limit.blocked_due());
}

//= RFC 9000 section 4.2
//# a receiver MUST NOT wait for a STREAM_DATA_BLOCKED or DATA_BLOCKED frame before sending a
//# MAX_STREAM_DATA or MAX_DATA frame
TEST_CASE("receive_window: an update is due when half of the window is consumed",
          "[quic][stream]") {
  receive_window window(1000, 1000);
  window.start(start);
  window.consume(start, 0ms, 499);
  CHECK_FALSE(window.update_due());
  window.consume(start, 0ms, 1);
  CHECK(window.update_due());
  CHECK(window.next_limit() == 1500);
  window.consume(start, 0ms, 100);
  CHECK(window.next_limit() == 1600);
  window.announced();
  CHECK(window.limit() == 1600);
  CHECK_FALSE(window.update_due());
}

TEST_CASE(
    "receive_window: it doubles when half of it went in less than two round trips, up to its "
    "maximum",
    "[quic][stream]") {
  receive_window window(1000, 3000);
  window.start(start);
  SECTION("at the limit: exactly two round trips leave it alone") {
    CHECK_FALSE(window.consume(start + 20ms, 10ms, 500));
    CHECK(window.window() == 1000);
  }
  SECTION("just below: it doubles, and stops at the maximum") {
    CHECK(window.consume(start + 19ms, 10ms, 500));
    CHECK(window.window() == 2000);
    window.announced();
    CHECK(window.consume(start + 20ms, 10ms, 1000));
    CHECK(window.window() == 3000);
    window.announced();
    CHECK_FALSE(window.consume(start + 21ms, 10ms, 1500));
    CHECK(window.window() == 3000);
  }
}

TEST_CASE("receive_window: only the loss of the newest announcement makes another one due",
          "[quic][stream]") {
  receive_window window(1000, 1000);
  window.consume(start, 0ms, 600);
  window.announced();
  window.consume(start, 0ms, 600);
  window.announced();
  window.announcement_lost(1600);
  CHECK_FALSE(window.update_due());
  window.announcement_lost(2200);
  CHECK(window.update_due());
  CHECK(window.next_limit() == 2200);
}

TEST_CASE("Q64_huge_windows: sums with windows of 2^31, 2^32-1 and 2^62-1 neither wrap nor stall",
          "[quic][stream][attack][Q64]") {
  for (const std::uint64_t size :
       {std::uint64_t{1} << 31, (std::uint64_t{1} << 32) - 1, varint_max - 1, varint_max}) {
    CAPTURE(size);
    receive_window window(size, size);
    window.start(start);
    std::uint64_t announced = window.limit();
    for (int round = 0; round < 8; ++round) {
      const std::uint64_t left = window.limit() - window.consumed();
      window.consume(start + round * 1ms, 1s, std::min(left, size / 2 + 1));
      if (!window.update_due()) continue;
      REQUIRE(window.next_limit() >= announced);
      REQUIRE(window.next_limit() <= varint_max);
      window.announced();
      announced = window.limit();
    }
    CHECK(announced <= varint_max);
    if (size < (std::uint64_t{1} << 33)) CHECK(announced > 4 * size);
  }
  receive_window beyond(UINT64_MAX, UINT64_MAX);
  CHECK(beyond.limit() == varint_max);
}
