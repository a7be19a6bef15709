// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/congestion_controller.hpp"

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "core/recovery/cubic.hpp"
#include "core/recovery/hystart_plus_plus.hpp"
#include "core/recovery/new_reno.hpp"

using namespace std::chrono_literals;
using namespace strata::quic::core;
using Catch::Approx;
using strata::transport::duration;
using strata::transport::time_point;

namespace {

constexpr time_point start{1h};
constexpr std::uint64_t datagram = 1200;

rtt_estimator round_trip(duration d) {
  rtt_estimator rtt(d);
  rtt.update(d, 0ms);
  return rtt;
}

acknowledged_batch acked(std::uint64_t bytes) {
  return {.bytes = bytes, .bytes_out_of_recovery = bytes, .newest_sent = start};
}

congestion_event loss_of(time_point sent) {
  return {.newest_lost_sent = sent, .lost_bytes = datagram};
}

template <class Controller>
Controller grown_to(std::uint64_t window, duration rtt = 100ms) {
  Controller controller(datagram, false);
  controller.on_acknowledged(start, acked(window - controller.window()), round_trip(rtt));
  return controller;
}

}  // namespace

TEST_CASE("congestion_controller: the initial window (RFC 9002 section 7.2)",
          "[quic][recovery][cc]") {
  for (const auto algorithm : {congestion_algorithm::new_reno, congestion_algorithm::cubic}) {
    CHECK(make_congestion_controller(algorithm, 1200)->window() == 12'000);
    CHECK(make_congestion_controller(algorithm, 1472)->window() == 14'720);
    CHECK(make_congestion_controller(algorithm, 1500)->window() == 14'720);
    CHECK(make_congestion_controller(algorithm, 16'384)->window() == 32'768);
    CHECK(make_congestion_controller(algorithm, 1200)->in_slow_start());
  }
  CHECK(make_congestion_controller(congestion_algorithm::new_reno, 1200)->name() == "new_reno");
  CHECK(make_congestion_controller(congestion_algorithm::cubic, 1200)->name() == "cubic");
}

TEST_CASE("congestion_controller: a new datagram size moves initial and minimum windows",
          "[quic][recovery][cc]") {
  new_reno fresh(datagram);
  fresh.on_datagram_size(1400);
  CHECK(fresh.window() == 14'000);
  fresh.on_datagram_size(1200);
  CHECK(fresh.window() == 12'000);

  auto reno = grown_to<new_reno>(24'000);
  reno.on_datagram_size(1400);
  CHECK(reno.window() == 24'000);
  reno.on_congestion(start, {.newest_lost_sent = start - 1ms, .persistent = true});
  CHECK(reno.window() == 2'800);
  reno.on_datagram_size(9'000);
  CHECK(reno.window() == 18'000);
}

TEST_CASE("new_reno: slow start adds what is acknowledged", "[quic][recovery][cc]") {
  new_reno reno(datagram, false);
  reno.on_acknowledged(start, acked(5'000), round_trip(50ms));
  CHECK(reno.window() == 17'000);
}

//= RFC 9002 section 7.3.2
//# The congestion window MUST be set to the reduced value of the slow start threshold before
//# exiting the recovery period.
TEST_CASE("new_reno: a loss halves, and only once per recovery period", "[quic][recovery][cc]") {
  //= RFC 9002 section 7.3.2
  //# On entering a recovery period, a sender MUST set the slow start threshold to
  //# half the value of the congestion window when loss is detected.
  //= RFC 9002 section 7.3.1
  //# The sender MUST exit slow start and enter a recovery period when a packet is
  //# lost or when the ECN-CE count reported by its peer increases.
  auto reno = grown_to<new_reno>(48'000);
  reno.on_congestion(start + 1s, loss_of(start + 900ms));
  CHECK(reno.window() == 24'000);
  CHECK(reno.slow_start_threshold() == 24'000);
  CHECK_FALSE(reno.in_slow_start());
  CHECK(reno.recovery_start() == start + 1s);
  reno.on_congestion(start + 1100ms, loss_of(start + 1s));
  CHECK(reno.window() == 24'000);
  reno.on_congestion(start + 1200ms, loss_of(start + 1s + 1ns));
  CHECK(reno.window() == 12'000);
}

TEST_CASE("new_reno: congestion avoidance adds one datagram per window", "[quic][recovery][cc]") {
  //= RFC 9002 section 7.3.3
  //# A sender in congestion avoidance uses an Additive Increase Multiplicative
  //# Decrease (AIMD) approach that MUST limit the increase to the congestion window
  //# to at most one maximum datagram size for each congestion window that is
  //# acknowledged.
  auto reno = grown_to<new_reno>(48'000);
  reno.on_congestion(start, loss_of(start - 1ms));
  for (int i = 0; i != 19; ++i) reno.on_acknowledged(start, acked(1'200), round_trip(50ms));
  CHECK(reno.window() == 24'000);
  reno.on_acknowledged(start, acked(1'200), round_trip(50ms));
  CHECK(reno.window() == 25'200);
  // However much one ACK covers.
  reno.on_acknowledged(start, acked(10'000'000), round_trip(50ms));
  CHECK(reno.window() == 26'400);
}

TEST_CASE("new_reno: after persistent congestion slow start ends at the threshold",
          "[quic][recovery][cc]") {
  auto reno = grown_to<new_reno>(48'000);
  reno.on_congestion(start, {.newest_lost_sent = start - 1ms, .persistent = true});
  CHECK(reno.window() == 2'400);
  CHECK(reno.slow_start_threshold() == 24'000);
  CHECK(reno.in_slow_start());
  CHECK(reno.recovery_start() == time_point::min());
  // One ACK over the threshold: the rest counts for congestion avoidance.
  reno.on_acknowledged(start, acked(21'600 + 24'000), round_trip(50ms));
  CHECK(reno.window() == 25'200);
}

TEST_CASE("congestion_controller: the window never falls below two datagrams",
          "[quic][recovery][cc]") {
  for (const auto algorithm : {congestion_algorithm::new_reno, congestion_algorithm::cubic}) {
    const auto controller = make_congestion_controller(algorithm, datagram);
    for (int i = 1; i != 30; ++i)
      controller->on_congestion(start + i * 1s, loss_of(start + i * 1s - 1ms));
    CHECK(controller->window() == 2 * datagram);
  }
}

TEST_CASE("congestion_controller: application-limited windows do not grow",
          "[quic][recovery][cc]") {
  for (const auto algorithm : {congestion_algorithm::new_reno, congestion_algorithm::cubic}) {
    const auto controller = make_congestion_controller(algorithm, datagram);
    auto batch = acked(12'000);
    batch.application_limited = true;
    controller->on_acknowledged(start, batch, round_trip(50ms));
    CHECK(controller->window() == 12'000);
    controller->on_congestion(start, loss_of(start - 1ms));
    const std::uint64_t window = controller->window();
    for (int i = 0; i != 100; ++i)
      controller->on_acknowledged(start + i * 1s, batch, round_trip(50ms));
    CHECK(controller->window() == window);
  }
}

TEST_CASE("congestion_controller: huge numbers saturate", "[quic][recovery][cc][Q61][attack]") {
  for (const auto algorithm : {congestion_algorithm::new_reno, congestion_algorithm::cubic}) {
    const auto controller = make_congestion_controller(algorithm, 65'527);
    const auto rtt = round_trip(0ns);
    const auto slow = round_trip(duration::max() / 4);
    for (int i = 0; i != 200; ++i) {
      controller->on_acknowledged(start + i * 1h, acked(~std::uint64_t{0}),
                                  i % 2 == 0 ? rtt : slow);
      if (i % 50 == 49) controller->on_congestion(start + i * 1h, loss_of(start + i * 1h - 1ns));
    }
    CHECK(controller->window() >= 2 * 65'527);
    CHECK(controller->window() <= std::uint64_t{1} << 40);
    controller->on_acknowledged(time_point::max(), acked(1), rtt);
    controller->on_acknowledged(time_point::min(), acked(1), rtt);
    controller->on_sent(time_point::min(), 1);
    CHECK(controller->window() <= std::uint64_t{1} << 40);
  }
}

TEST_CASE("cubic: a loss takes 0.7 of the window (RFC 9438 section 4.6)", "[quic][recovery][cc]") {
  auto controller = grown_to<cubic>(1'200'000);
  controller.on_congestion(start, loss_of(start - 1ms));
  CHECK(controller.window() == 840'000);
  CHECK(controller.slow_start_threshold() == 840'000);
}

TEST_CASE("cubic: follows its curve (RFC 9438 section 4.2)", "[quic][recovery][cc]") {
  // 1,000 datagrams before the loss, 700 after: K = cbrt(300 / 0.4) = 9.086 s. On a long fat path
  // the curve is far above Reno.
  const duration rtt = 200ms;
  auto controller = grown_to<cubic>(1'200'000, rtt);
  controller.on_congestion(start, loss_of(start - 1ms));
  const double k = std::cbrt(300 / 0.4);
  double previous = 700;
  for (int ms = 0; ms <= 15'000; ms += 20) {
    const time_point now = start + ms * 1ms;
    controller.on_acknowledged(now, acked(controller.window() / 10), round_trip(rtt));
    const double t = ms / 1000.0;
    const double window = static_cast<double>(controller.window()) / datagram;
    if (ms > 1'000) {
      // The window chases the point one round trip ahead and is somewhere between now and then.
      CHECK(window >= 0.4 * std::pow(t - 0.2 - k, 3) + 1'000 - 1);
      CHECK(window <= 0.4 * std::pow(t + 0.2 - k, 3) + 1'000 + 1);
    }
    CHECK(window >= previous);
    previous = window;
  }
  CHECK(previous > 1'050);
}

TEST_CASE("cubic: a window of ACKs reaches the curve one round trip ahead (RFC 9438 section 4.4)",
          "[quic][recovery][cc]") {
  auto controller = grown_to<cubic>(1'200'000, 200ms);
  controller.on_congestion(start, loss_of(start - 1ms));
  controller.on_acknowledged(start, acked(1), round_trip(200ms));
  controller.on_acknowledged(start + 1s, acked(controller.window()), round_trip(200ms));
  const double target = (0.4 * std::pow(1.2 - std::cbrt(300 / 0.4), 3) + 1'000) * datagram;
  CHECK(static_cast<double>(controller.window()) == Approx(target).margin(2));
}

TEST_CASE("cubic: grows at most by half per round trip", "[quic][recovery][cc]") {
  auto controller = grown_to<cubic>(120'000);
  controller.on_congestion(start, loss_of(start - 1ms));
  controller.on_acknowledged(start, acked(1'200), round_trip(50ms));
  const std::uint64_t window = controller.window();
  controller.on_acknowledged(start + 1h, acked(window), round_trip(50ms));
  CHECK(controller.window() <= window + window / 2);
}

TEST_CASE("cubic: on short paths it is as fast as Reno (RFC 9438 section 4.3)",
          "[quic][recovery][cc]") {
  auto controller = grown_to<cubic>(24'000, 5ms);
  controller.on_congestion(start, loss_of(start - 1ms));
  REQUIRE(controller.window() == 16'800);
  // alpha = 3 * 0.3 / 1.7 = 0.529 datagrams per window until the old window, then one.
  double reno = 16'800;
  for (int round = 0; round != 40; ++round) {
    const double alpha = reno >= 24'000 ? 1.0 : 9.0 / 17.0;
    const std::uint64_t window = controller.window();
    controller.on_acknowledged(start + round * 5ms, acked(window), round_trip(5ms));
    reno += alpha * datagram;
    CHECK(static_cast<double>(controller.window()) == Approx(reno).epsilon(0.005));
  }
  CHECK(reno > 36'000);
}

TEST_CASE("cubic: fast convergence lowers the plateau (RFC 9438 section 4.7)",
          "[quic][recovery][cc]") {
  // Two losses in a row: the second finds the window below the first plateau, so it aims at 0.85 of
  // its own window.
  auto controller = grown_to<cubic>(1'200'000, 200ms);
  controller.on_congestion(start, loss_of(start - 1ms));
  controller.on_congestion(start + 1s, loss_of(start + 500ms));
  CHECK(controller.window() == 588'000);
  const double plateau = 840'000 * 0.85;
  const double k = std::cbrt((plateau - 588'000) / datagram / 0.4);
  const time_point epoch = start + 1200ms;
  for (int ms = 0; ms <= static_cast<int>(k * 1000); ms += 20) {
    controller.on_acknowledged(epoch + ms * 1ms, acked(controller.window() / 10),
                               round_trip(200ms));
  }
  CHECK(static_cast<double>(controller.window()) == Approx(plateau).epsilon(0.01));
}

TEST_CASE("cubic: idle and application-limited time does not count (RFC 9438 section 4.2)",
          "[quic][recovery][cc]") {
  const auto window_after = [](bool idle) {
    auto controller = grown_to<cubic>(1'200'000, 200ms);
    controller.on_congestion(start, loss_of(start - 1ms));
    time_point now = start;
    for (int i = 0; i != 100; ++i) {
      now += 20ms;
      controller.on_acknowledged(now, acked(controller.window() / 10), round_trip(200ms));
      if (i == 50 && idle) {
        now += 30s;
        controller.on_sent(now, datagram);
        auto limited = acked(1'200);
        limited.application_limited = true;
        now += 30s;
        controller.on_acknowledged(now, limited, round_trip(200ms));
      }
    }
    return controller.window();
  };
  CHECK(static_cast<double>(window_after(true)) ==
        Approx(static_cast<double>(window_after(false))).epsilon(0.001));
}

TEST_CASE("cubic: single small ACKs in a large window add up",
          "[quic][recovery][cc][Q61][attack]") {
  // Each adds a fraction of a byte; rounding would keep the window where it is.
  auto controller = grown_to<cubic>(100'000'000, 200ms);
  controller.on_congestion(start, loss_of(start - 1ms));
  const std::uint64_t window = controller.window();
  for (int i = 0; i != 20'000; ++i) {
    controller.on_acknowledged(start + i * 10us, acked(60), round_trip(200ms));
  }
  CHECK(controller.window() > window);
}

// --- HyStart++ (RFC 9406) ---

namespace {

/// Rounds of ACKs: each round covers the packets sent in the one before.
struct rounds {
  hystart_plus_plus hystart;
  std::uint64_t number = 0;
  std::uint64_t next = 10;

  std::uint64_t ack(duration rtt) {
    acknowledged_batch batch = acked(1'200);
    batch.largest_packet_number = number++;
    batch.next_packet_number = next;
    next += 2;
    batch.rtt_sampled = true;
    return hystart.on_acknowledged(batch, rtt);
  }
  std::uint64_t round(duration rtt) {
    std::uint64_t growth = 0;
    const std::uint64_t end = next;
    while (number < end) growth += ack(rtt);
    return growth;
  }
};

using phase = hystart_plus_plus::phase;

}  // namespace

TEST_CASE("hystart: stays in slow start while the round trip does", "[quic][recovery][hystart]") {
  rounds r;
  for (int i = 0; i != 6; ++i) {
    r.round(50ms);
    CHECK(r.hystart.current() == phase::slow_start);
  }
}

TEST_CASE(
    "hystart: the threshold is an eighth of the round trip, 4 to 16 ms (RFC 9406 section 4.2)",
    "[quic][recovery][hystart]") {
  const auto phase_after = [](duration before, duration after) {
    rounds r;
    r.round(before);
    r.round(before);
    r.round(after);
    r.round(after);
    return r.hystart.current();
  };
  CHECK(phase_after(10ms, 14ms - 1ns) == phase::slow_start);
  CHECK(phase_after(10ms, 14ms) == phase::conservative_slow_start);
  CHECK(phase_after(80ms, 90ms - 1ns) == phase::slow_start);
  CHECK(phase_after(80ms, 90ms) == phase::conservative_slow_start);
  CHECK(phase_after(400ms, 416ms - 1ns) == phase::slow_start);
  CHECK(phase_after(400ms, 416ms) == phase::conservative_slow_start);
}

TEST_CASE("hystart: eight samples are needed", "[quic][recovery][hystart]") {
  rounds r;
  r.round(50ms);
  r.round(50ms);
  for (int i = 0; i != 7; ++i) r.ack(100ms);
  CHECK(r.hystart.current() == phase::slow_start);
  r.ack(100ms);
  CHECK(r.hystart.current() == phase::conservative_slow_start);
}

TEST_CASE("hystart: one low sample in a round speaks against it", "[quic][recovery][hystart]") {
  rounds r;
  r.round(50ms);
  r.round(50ms);
  r.ack(50ms);
  for (int i = 0; i != 20; ++i) r.ack(100ms);
  CHECK(r.hystart.current() == phase::slow_start);
}

TEST_CASE("hystart: conservative slow start grows by a quarter and ends after five rounds",
          "[quic][recovery][hystart]") {
  rounds r;
  r.round(50ms);
  r.round(50ms);
  for (int i = 0; i != 8; ++i) r.ack(100ms);
  REQUIRE(r.hystart.current() == phase::conservative_slow_start);
  CHECK(r.ack(100ms) == 300);
  // The round in which it began counts.
  int more = 0;
  while (r.hystart.current() == phase::conservative_slow_start) {
    r.round(100ms);
    REQUIRE(++more <= 7);
  }
  CHECK(r.hystart.current() == phase::done);
  CHECK(more >= 5);
  CHECK(more <= 6);
}

TEST_CASE("hystart: jitter is forgiven", "[quic][recovery][hystart]") {
  rounds r;
  r.round(50ms);
  r.round(50ms);
  r.round(100ms);
  REQUIRE(r.hystart.current() == phase::conservative_slow_start);
  r.round(99ms);
  r.round(99ms);
  CHECK(r.hystart.current() == phase::slow_start);
}

TEST_CASE("hystart: a fraction of a quarter is not lost", "[quic][recovery][hystart]") {
  rounds r;
  r.round(50ms);
  r.round(50ms);
  for (int i = 0; i != 8; ++i) r.ack(100ms);
  acknowledged_batch batch = acked(1);
  batch.largest_packet_number = r.number;
  batch.next_packet_number = r.next;
  std::uint64_t growth = 0;
  for (int i = 0; i != 400; ++i) growth += r.hystart.on_acknowledged(batch, 100ms);
  CHECK(growth == 100);
}

TEST_CASE("congestion_controller: the end of HyStart++ sets the threshold, loss ends HyStart++",
          "[quic][recovery][hystart]") {
  for (const auto algorithm : {congestion_algorithm::new_reno, congestion_algorithm::cubic}) {
    const auto controller = make_congestion_controller(algorithm, datagram);
    std::uint64_t number = 0;
    std::uint64_t next = 10;
    for (int i = 0; i != 3'000 && controller->in_slow_start(); ++i) {
      auto batch = acked(1'200);
      batch.largest_packet_number = number++;
      batch.next_packet_number = next;
      if (i < 1'000) next += 2;
      batch.rtt_sampled = true;
      controller->on_acknowledged(start, batch, round_trip(i < 100 ? 50ms : 100ms));
      if (number >= next) next = number + 20;
    }
    CHECK_FALSE(controller->in_slow_start());
    CHECK(controller->slow_start_threshold() == controller->window());
  }
}
