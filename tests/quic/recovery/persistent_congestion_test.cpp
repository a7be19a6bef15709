// SPDX-License-Identifier: Apache-2.0
// RFC 9002 section 7.6.
#include <catch2/catch_test_macros.hpp>

#include "quic/recovery/detector_under_test.hpp"

using namespace strata::quic::core;
using namespace strata::quic::core::test;
using strata::quic::role;

namespace {

// One sample of 500 ms: smoothed + 4 * variation = 1.5 s; with 500 ms of max_ack_delay 2 s, as in
// the RFC's example.
detector_under_test example() {
  auto d = detector_under_test::confirmed(500ms);
  d.loss.set_peer_max_ack_delay(500ms);
  d.now = start + 10s;
  return d;
}

/// A loss leaves slow start; only persistent congestion goes back to it, at the minimum window.
bool collapsed(const detector_under_test& d) { return d.loss.in_slow_start(); }

void send_at(detector_under_test& d, duration when, std::uint64_t number) {
  d.now = start + 10s + when;
  d.send(application, number);
}

}  // namespace

TEST_CASE("persistent_congestion: the example of RFC 9002 section 7.6.3",
          "[quic][recovery][persistent]") {
  //= RFC 9002 section 7.6.2
  //# When persistent congestion is declared, the sender's congestion window MUST be reduced to the
  //# minimum congestion window (kMinimumWindow), similar to a TCP sender's response on an RTO
  //# [RFC5681].
  auto d = example();
  for (std::uint64_t n = 1; n <= 7; ++n) send_at(d, std::chrono::seconds(n - 1), n);
  send_at(d, 8s, 8);
  send_at(d, 12s, 9);
  d.now = start + 10s + 12200ms;
  REQUIRE(d.acknowledge(application, {{9, 9}, {1, 1}}));
  CHECK(d.lost() == numbers{2, 3, 4, 5, 6, 7, 8});
  // Two datagrams, and slow start begins with the two packets that this ACK acknowledged (appendix
  // B.5 after B.8).
  CHECK(d.loss.congestion_window() == 2400 + 2400);
  CHECK(collapsed(d));
  // The minimum of the round trip begins anew with the next sample.
  send_at(d, 13s, 10);
  d.now += 900ms;
  REQUIRE(d.acknowledge(application, {{9, 10}}));
  CHECK(d.loss.rtt().minimum() == 900ms);
}

TEST_CASE("persistent_congestion: ends the recovery period", "[quic][recovery][persistent]") {
  auto d = example();
  for (std::uint64_t n = 1; n <= 20; ++n) d.send(application, n);
  d.now += 500ms;
  REQUIRE(d.acknowledge(application, {{0, 20}}));
  send_at(d, 1s, 21);
  d.now += 100ms;
  d.loss.on_ecn_congestion(d.now, d.now - 50ms);
  send_at(d, 2s, 22);
  send_at(d, 10s, 23);
  send_at(d, 13s, 24);
  d.now += 500ms;
  REQUIRE(d.acknowledge(application, {{24, 24}, {21, 21}}));
  CHECK(d.lost() == numbers{22, 23});
  CHECK(d.loss.slow_start_threshold() == 37'200 / 4);
  // Packet 21 was sent before the period that is over now.
  CHECK(d.loss.congestion_window() == 2400 + 2400);
}

TEST_CASE("persistent_congestion: the duration must be exceeded", "[quic][recovery][persistent]") {
  // The ACK's own sample of 500 ms leaves smoothed at 500 ms and makes the variation 187.5 ms: (0.5
  // + 0.75 + 0.5) * 3.
  constexpr duration limit = 5250ms;
  for (const duration span : {limit - 1ns, limit, limit + 1ns}) {
    auto d = example();
    send_at(d, 0s, 1);
    send_at(d, span, 2);
    send_at(d, span + 2s, 3);
    send_at(d, span + 2s, 4);
    send_at(d, span + 2s, 5);
    d.now += 500ms;
    REQUIRE(d.acknowledge(application, {{3, 5}}));
    CHECK(d.lost() == numbers{1, 2});
    CHECK(collapsed(d) == (span > limit));
  }
}

TEST_CASE("persistent_congestion: not across an acknowledged packet",
          "[quic][recovery][persistent]") {
  auto d = example();
  for (std::uint64_t n = 1; n <= 9; ++n) send_at(d, std::chrono::seconds(n), n);
  SECTION("acknowledged by the same ACK") {
    send_at(d, 12s, 10);
    d.now += 100ms;
    REQUIRE(d.acknowledge(application, {{10, 10}, {5, 5}}));
    CHECK(d.lost() == numbers{1, 2, 3, 4, 6, 7, 8, 9});
  }
  SECTION("acknowledged before") {
    d.now += 100ms;
    REQUIRE(d.acknowledge(application, {{5, 5}}));
    send_at(d, 12s, 10);
    d.now += 100ms;
    REQUIRE(d.acknowledge(application, {{10, 10}}));
  }
  CHECK_FALSE(collapsed(d));
}

TEST_CASE("persistent_congestion: is established by losses that several calls find",
          "[quic][recovery][persistent]") {
  auto d = example();
  for (std::uint64_t n = 1; n <= 7; ++n) send_at(d, std::chrono::milliseconds(n * 800), n);
  send_at(d, 7900ms, 8);
  send_at(d, 8s, 9);
  d.now += 200ms;
  REQUIRE(d.acknowledge(application, {{9, 9}}));
  CHECK(d.lost() == numbers{1, 2, 3, 4, 5, 6, 7});  // 4.8 s.
  CHECK_FALSE(collapsed(d));
  (void)d.fire();
  CHECK(d.lost() == numbers{8});  // 7.1 s.
  CHECK(collapsed(d));
}

TEST_CASE("persistent_congestion: needs ack-eliciting packets at both ends",
          "[quic][recovery][persistent]") {
  //= RFC 9002 section 7.6.2
  //# These two packets MUST be ack-eliciting, since a receiver is required to
  //# acknowledge only ack-eliciting packets within its maximum acknowledgment delay;
  auto d = example();
  d.now = start + 10s;
  d.send_padding_only(application, 1);
  send_at(d, 8s, 2);
  d.now = start + 20s;
  d.send_padding_only(application, 3);
  send_at(d, 12s, 4);
  send_at(d, 12s, 5);
  send_at(d, 12s, 6);
  d.now += 100ms;
  REQUIRE(d.acknowledge(application, {{4, 6}}));
  CHECK(d.loss.packets_lost_by_last_call() == 3);
  CHECK_FALSE(collapsed(d));
}

TEST_CASE("persistent_congestion: not for packets sent before the first RTT sample",
          "[quic][recovery][persistent]") {
  detector_under_test d;
  d.loss.on_handshake_confirmed(d.now);
  for (std::uint64_t n = 0; n != 10; ++n) {
    d.send(application, n);
    d.now += 10s;
  }
  d.send(application, 10);
  d.now += 10ms;
  REQUIRE(d.acknowledge(application, {{10, 10}}));
  CHECK(d.loss.packets_lost_by_last_call() == 10);
  CHECK_FALSE(collapsed(d));
}

TEST_CASE("persistent_congestion: an ACK in another space in between ends the stretch",
          "[quic][recovery][persistent]") {
  const auto collapsed_after = [](bool acknowledged_between) {
    detector_under_test d(role::server);
    d.send(initial, 0);
    d.now += 100ms;
    (void)d.acknowledge(initial, {{0, 0}});
    d.now += 1s;
    d.send(application, 0);
    d.now += 5s;
    d.send(handshake, 0);
    if (acknowledged_between) {
      d.now += 100ms;
      (void)d.acknowledge(handshake, {{0, 0}});
    }
    d.now += 5s;
    d.send(application, 1);
    d.now += 5s;
    d.send(application, 2);
    d.now += 100ms;
    (void)d.acknowledge(application, {{2, 2}});
    CHECK(d.loss.packets_lost_by_last_call() == 2);
    return collapsed(d);
  };
  CHECK(collapsed_after(false));
  CHECK_FALSE(collapsed_after(true));
}

TEST_CASE("persistent_congestion: losses of two spaces make one stretch",
          "[quic][recovery][persistent]") {
  detector_under_test d(role::server);
  d.send(initial, 0);
  d.now += 100ms;
  REQUIRE(d.acknowledge(initial, {{0, 0}}));
  d.now += 1s;
  d.send(handshake, 0);
  d.now += 5s;
  d.send(application, 0);
  d.now += 1s;
  d.send(handshake, 1);
  d.send(application, 1);
  d.now += 100ms;
  REQUIRE(d.acknowledge(handshake, {{1, 1}}));
  CHECK(d.lost() == numbers{0});
  CHECK_FALSE(collapsed(d));
  REQUIRE(d.acknowledge(application, {{1, 1}}));
  CHECK(d.lost() == numbers{0});
  CHECK(collapsed(d));
}
