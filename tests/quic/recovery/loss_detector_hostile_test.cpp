// SPDX-License-Identifier: Apache-2.0
// What a peer or a clock can do to recovery; Qnn are the numbers of the attack catalogue.
#include <catch2/catch_test_macros.hpp>

#include "core/recovery/pacer.hpp"
#include "quic/recovery/detector_under_test.hpp"
#include "strata/quic/core/limits.hpp"

using namespace strata::quic::core;
using namespace strata::quic::core::test;
using strata::quic::role;
using strata::quic::transport_error;

namespace {

std::vector<ack_range> every_other(std::uint64_t newest, std::size_t count) {
  std::vector<ack_range> ranges;
  for (std::size_t i = 0; i != count; ++i) ranges.push_back({newest - 2 * i, newest - 2 * i});
  return ranges;
}

}  // namespace

TEST_CASE("loss_detector: an ACK of a packet that was not sent yet is a violation",
          "[quic][recovery][Q15][attack]") {
  //= RFC 9000 section 13.1
  //# An endpoint SHOULD treat receipt of an acknowledgment for a packet it did not
  //# send as a connection error of type PROTOCOL_VIOLATION, if it is able to detect
  //# the condition.
  detector_under_test d;
  CHECK_FALSE(d.acknowledge(initial, {{0, 0}}));
  for (std::uint64_t n = 0; n != 5; ++n) d.send(initial, n);
  CHECK(d.acknowledge(initial, {{4, 4}}));
  const auto result = d.acknowledge(initial, {{0, 5}});
  REQUIRE_FALSE(result);
  CHECK(result.error().code == transport_error::protocol_violation);
  CHECK(result.error().frame_type == 0x02);
  CHECK(d.acked().empty());
  CHECK_FALSE(d.acknowledge(handshake, {{0, 0}}));
  CHECK_FALSE(d.acknowledge(initial, {{~std::uint64_t{0}, ~std::uint64_t{0}}}));
}

TEST_CASE("loss_detector: an ACK of a number skipped on purpose is a violation",
          "[quic][recovery][Q15][attack]") {
  auto d = detector_under_test::confirmed();
  for (const std::uint64_t n : {1u, 2u, 4u, 5u, 6u}) d.send(application, n);
  SECTION("in the middle of a range") { CHECK_FALSE(d.acknowledge(application, {{1, 6}})); }
  SECTION("after everything before it was acknowledged") {
    CHECK(d.acknowledge(application, {{0, 2}}));
    CHECK_FALSE(d.acknowledge(application, {{0, 4}}));
  }
  SECTION("after everything after it was acknowledged") {
    CHECK(d.acknowledge(application, {{4, 6}, {0, 2}}));
    CHECK(d.acknowledge(application, {{4, 6}, {0, 2}}));
    CHECK_FALSE(d.acknowledge(application, {{0, 6}}));
  }
  SECTION("alone") { CHECK_FALSE(d.acknowledge(application, {{3, 3}})); }
  SECTION("an honest peer is not accused") {
    CHECK(d.acknowledge(application, {{4, 6}, {1, 2}}));
    CHECK(d.loss.bytes_in_flight() == 0);
  }
}

TEST_CASE("loss_detector: older skipped numbers are noticed while they are in the window",
          "[quic][recovery][Q15][attack]") {
  auto d = detector_under_test::confirmed();
  for (std::uint64_t n = 1; n != 200; ++n) {
    if (n % 10 != 5) d.send(application, n);
  }
  // Twenty numbers were skipped; more than are remembered beyond the window.
  CHECK_FALSE(d.acknowledge(application, {{0, 6}}));
}

TEST_CASE("loss_detector: a flood of ranges is looked at up to the limit",
          "[quic][recovery][Q16][limits][attack]") {
  constexpr std::size_t limit = limits::max_received_ack_ranges;
  for (const std::size_t count : {limit - 1, limit, limit + 1}) {
    CAPTURE(count);
    auto d = detector_under_test::confirmed();
    const std::uint64_t newest = 2 * (limit + 1);
    for (std::uint64_t n = 1; n <= newest; ++n) d.send(application, n);
    const auto ranges = every_other(newest, count);
    REQUIRE(d.loss.on_ack_received(d.now, {.space = application, .ranges = ranges}));
    CHECK(d.loss.settled().acknowledged == std::min(count, limit));
    CHECK(d.loss.settled().acknowledged + d.loss.settled().lost + 1 >= newest - 1);
  }
}

TEST_CASE("loss_detector: ranges that say nonsense do no harm", "[quic][recovery][Q16][attack]") {
  auto d = detector_under_test::confirmed();
  for (std::uint64_t n = 1; n <= 9; ++n) d.send(application, n);
  CHECK(d.acknowledge(application, {}));
  CHECK(d.acknowledge(application, {{5, 3}}));                  // Upside down.
  CHECK(d.acknowledge(application, {{9, 9}, {9, 9}, {2, 9}}));  // Overlapping.
  CHECK(d.loss.bytes_in_flight() == 0);
}

TEST_CASE("loss_detector: the same ACK over and over costs nothing and changes nothing",
          "[quic][recovery][Q19][attack]") {
  auto d = detector_under_test::confirmed();
  for (std::uint64_t n = 1; n <= 1'000; ++n) d.send(application, n);
  d.now += 100ms;
  const auto ranges = every_other(1'000, 400);
  REQUIRE(d.loss.on_ack_received(d.now, {.space = application, .ranges = ranges}));
  const auto window = d.loss.congestion_window();
  const auto in_flight = d.loss.bytes_in_flight();
  const auto timeout = d.loss.next_timeout();
  for (int i = 0; i != 400; ++i) {
    REQUIRE(d.loss.on_ack_received(d.now, {.space = application, .ranges = ranges}));
    REQUIRE(d.acked().empty());
    REQUIRE(d.lost().empty());
  }
  CHECK(d.loss.congestion_window() == window);
  CHECK(d.loss.bytes_in_flight() == in_flight);
  CHECK(d.loss.next_timeout() == timeout);
}

TEST_CASE("loss_detector: two idle ends fall silent after a burst",
          "[quic][recovery][Q18][attack]") {
  // One side sends a burst, the other acknowledges; then neither has anything to say.
  struct side {
    detector_under_test detector = detector_under_test::confirmed(20ms);
    ack_tracker acks{25ms};
    std::uint64_t next = 1;
  };
  side a;
  side b;
  time_point now = a.detector.now;
  std::uint64_t sent = 0;
  const auto deliver = [&](side& from, side& to, bool ack_eliciting) {
    from.detector.now = now;
    if (ack_eliciting)
      from.detector.send(application, from.next);
    else
      from.detector.send_ack_only(application, from.next);
    to.acks.on_packet_received(now, from.next++, ack_eliciting, strata::transport::ecn::not_ect);
    ++sent;
  };
  const auto answer = [&](side& from, side& to) {
    if (!from.acks.ack_due(now)) return;
    const std::vector<ack_range> ranges(from.acks.ranges().begin(), from.acks.ranges().end());
    deliver(from, to, false);
    from.acks.on_ack_sent();
    REQUIRE(to.detector.loss.on_ack_received(now, {.space = application, .ranges = ranges}));
  };
  for (int i = 0; i != 51; ++i) deliver(a, b, true);
  const std::uint64_t burst = sent;
  for (int step = 0; step != 1'000; ++step) {
    now += 1ms;
    answer(b, a);
    answer(a, b);
  }
  CHECK(sent == burst + 1);
  CHECK_FALSE(a.detector.loss.next_timeout());
  CHECK_FALSE(b.detector.loss.next_timeout());
  CHECK_FALSE(a.acks.next_timeout());
  CHECK_FALSE(b.acks.next_timeout());
}

TEST_CASE("loss_detector: ACK-only packets that nobody acknowledges are forgotten",
          "[quic][recovery][limits]") {
  const auto acknowledged_of = [](std::uint64_t count) {
    auto d = detector_under_test::confirmed();
    for (std::uint64_t n = 1; n <= count; ++n) d.send_ack_only(application, n);
    (void)d.acknowledge(application, {{0, count}});
    return d.loss.settled().acknowledged;
  };
  constexpr std::uint64_t limit = limits::max_tracked_ack_only;
  CHECK(acknowledged_of(limit - 1) == limit - 1);
  CHECK(acknowledged_of(limit) == limit);
  CHECK(acknowledged_of(limit + 1) == limit);
  CHECK(acknowledged_of(10 * limit) == limit);
}

TEST_CASE("loss_detector: a peer that acknowledges nothing cannot make it remember without end",
          "[quic][recovery][limits]") {
  constexpr std::uint64_t limit = limits::max_tracked_packets;
  for (const std::uint64_t count : {limit - 1, limit, limit + 1}) {
    CAPTURE(count);
    auto d = detector_under_test::confirmed();
    d.send(application, 1);
    for (std::uint64_t n = 2; n <= count; ++n) d.send_ack_only(application, n);
    CHECK(d.loss.on_timeout(d.now).packets == 0);
    CHECK(d.lost() == (count > limit ? numbers{1} : numbers{}));
    CHECK(d.loss.bytes_in_flight() == (count > limit ? 0u : 1200u));
    const auto next = d.loss.next_timeout();
    CHECK((!next || *next > d.now));
  }
}

TEST_CASE("loss_detector: a clock that is set back does no harm", "[quic][recovery][Q60][attack]") {
  auto d = detector_under_test::confirmed(100ms);
  d.send(application, 1);
  d.send(application, 2);
  d.now -= 10s;
  d.send(application, 3);
  REQUIRE(d.acknowledge(application, {{1, 1}}));
  CHECK(d.loss.rtt().latest() == 100ms);  // No sample of minus ten seconds.
  CHECK(d.lost().empty());
  // The timer goes by the newest packet, in the time that holds now.
  CHECK(d.loss.next_timeout() == d.now + 300ms);
  CHECK(d.fire().packets == 2);
  CHECK(d.loss.next_timeout() > d.now);
  d.now += 100ms;
  REQUIRE(d.acknowledge(application, {{1, 3}}));
  CHECK(d.loss.bytes_in_flight() == 0);
  CHECK_FALSE(d.loss.next_timeout());
}

TEST_CASE("loss_detector: an hour's sleep makes one probe and no storm",
          "[quic][recovery][Q60][attack]") {
  auto d = detector_under_test::confirmed(100ms);
  for (std::uint64_t n = 1; n != 6; ++n) d.send(application, n);
  d.now += 1h;
  CHECK(d.loss.on_timeout(d.now).packets == 2);
  CHECK(d.lost().empty());
  d.send(application, 6);
  d.send(application, 7);
  CHECK(d.loss.next_timeout() == d.now + 600ms);
  CHECK(d.loss.on_timeout(d.now).packets == 0);
  d.now += 100ms;
  REQUIRE(d.acknowledge(application, {{6, 7}}));
  CHECK(d.lost() == numbers{1, 2, 3, 4, 5});
  CHECK(d.loss.bytes_in_flight() == 0);
  // All five left at one instant: no persistent congestion.
  CHECK(d.loss.congestion_window() > 2400);
}

TEST_CASE("loss_detector: the ends of time do not overflow", "[quic][recovery][Q60][Q61][attack]") {
  for (const time_point edge : {time_point::min() + 1ns, time_point::max() - 1h, time_point{}}) {
    auto d = detector_under_test::confirmed(100ms);
    d.loss.set_peer_max_ack_delay(duration::max());
    d.send(application, 1);
    d.now = edge;
    (void)d.loss.on_timeout(d.now);
    for (std::uint64_t n = 2; n != 8; ++n) d.send(application, n);
    REQUIRE(d.acknowledge(application, {{7, 7}, {1, 2}}, duration::max()));
    for (int i = 0; i != 100; ++i) {
      const auto next = d.loss.next_timeout();
      if (!next) break;
      (void)d.loss.on_timeout(std::max(*next, d.now));
    }
    CHECK(d.loss.bytes_in_flight() <= 8 * 1200);
  }
}

TEST_CASE("loss_detector: the backoff saturates", "[quic][recovery][Q61][attack]") {
  detector_under_test d;
  d.send(initial, 0);
  for (std::uint64_t n = 1; n != 200; ++n) {
    const auto next = d.loss.next_timeout();
    REQUIRE(next);
    if (*next == time_point::max()) break;
    CHECK(d.fire().packets == 2);
    REQUIRE(d.loss.next_timeout() > d.now);
    if (n < 40 && d.now < time_point::max() - 24h) d.send(initial, n);
  }
  CHECK(d.loss.next_timeout() == time_point::max());
}

TEST_CASE("loss_detector: a round trip of zero works", "[quic][recovery][Q61][attack]") {
  auto d = detector_under_test::confirmed(0ms);
  pacer pace;
  std::uint64_t next = 1;
  for (int round = 0; round != 100; ++round) {
    const std::uint64_t first = next;
    for (int i = 0; i != 8; ++i) {
      CHECK(pace.allowance(d.now, {.window = d.loss.congestion_window(),
                                   .smoothed_rtt = d.loss.rtt().smoothed(),
                                   .slow_start = d.loss.in_slow_start()}) == pacer::unlimited);
      d.send(application, next++);
    }
    REQUIRE(d.acknowledge(application, {{first, next - 1}}));
  }
  CHECK(d.loss.bytes_in_flight() == 0);
  CHECK(d.loss.rtt().smoothed() == 0ms);
  CHECK(d.loss.probe_timeout(application) == 1ms);
}

TEST_CASE("loss_detector: a window lost entirely recovers by probes",
          "[quic][recovery][Q33][attack]") {
  auto d = detector_under_test::confirmed(100ms);
  std::uint64_t next = 1;
  while (d.loss.available_window() >= 1200) d.send(application, next++);
  const std::uint64_t lost_window = next - 1;
  const probe_request probe = d.fire();
  REQUIRE(probe.packets == 2);
  d.send(application, next++);
  d.send(application, next++);
  d.now += 100ms;
  REQUIRE(d.acknowledge(application, {{next - 2, next - 1}}));
  CHECK(d.loss.packets_lost_by_last_call() == lost_window);
  CHECK(d.loss.available_window() > 0);
  CHECK(d.loss.bytes_in_flight() == 0);
}
