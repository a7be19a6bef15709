// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/loss_detector.hpp"

#include <catch2/catch_test_macros.hpp>

#include "quic/recovery/detector_under_test.hpp"

using namespace strata::quic::core;
using namespace strata::quic::core::test;
using strata::quic::packet_number_space;
using strata::quic::role;

TEST_CASE("loss_detector: a fresh one has nothing in flight and no timer", "[quic][recovery]") {
  for (const role side : {role::client, role::server}) {
    const detector_under_test d(side);
    CHECK(d.loss.bytes_in_flight() == 0);
    CHECK_FALSE(d.loss.next_timeout());
    CHECK(d.loss.congestion_window() == 12'000);
    CHECK(d.loss.available_window() == 12'000);
    CHECK(d.loss.in_slow_start());
    CHECK_FALSE(d.loss.largest_acknowledged(application));
  }
}

TEST_CASE("loss_detector: packets in flight count, ACK-only ones do not (RFC 9002 section 2)",
          "[quic][recovery]") {
  detector_under_test d;
  d.send(initial, 0);
  d.send_ack_only(initial, 1);
  d.send_padding_only(initial, 2, 700);
  CHECK(d.loss.bytes_in_flight() == 1'900);
  CHECK(d.loss.available_window() == 12'000 - 1'900);
  REQUIRE(d.acknowledge(initial, {{0, 2}}));
  CHECK(d.loss.bytes_in_flight() == 0);
  CHECK(d.acked() == numbers{0, 0});
}

TEST_CASE("loss_detector: acknowledged frames come in the order they were sent in",
          "[quic][recovery]") {
  auto d = detector_under_test::confirmed();
  for (std::uint64_t n = 1; n <= 9; ++n) d.send(application, n);
  REQUIRE(d.acknowledge(application, {{7, 9}, {4, 5}, {1, 2}}));
  CHECK(d.acked() == numbers{1, 2, 4, 5, 7, 8, 9});
  CHECK(d.lost() == numbers{3, 6});
  REQUIRE(d.acknowledge(application, {{1, 9}}));
  CHECK(d.acked().empty());
  CHECK(d.lost().empty());
}

TEST_CASE("loss_detector: every frame of a packet is handed out", "[quic][recovery]") {
  detector_under_test d;
  const sent_frame frames[] = {stream_frame(1), stream_frame(2), stream_frame(3)};
  d.loss.on_packet_sent(
      d.now, {.number = 0, .size = 1200, .ack_eliciting = true, .in_flight = true}, frames);
  d.send(initial, 1);
  REQUIRE(d.acknowledge(initial, {{0, 1}}));
  CHECK(d.acked() == numbers{1, 2, 3, 1});
}

TEST_CASE("loss_detector: three packets later means lost (RFC 9002 section 6.1.1)",
          "[quic][recovery]") {
  auto d = detector_under_test::confirmed();
  for (std::uint64_t n = 1; n <= 4; ++n) d.send(application, n);
  REQUIRE(d.acknowledge(application, {{3, 3}}));
  CHECK(d.lost().empty());
  REQUIRE(d.acknowledge(application, {{3, 4}}));
  CHECK(d.lost() == numbers{1});
  CHECK(d.loss.lost_space() == application);
  CHECK(d.loss.packets_lost_by_last_call() == 1);
  CHECK(d.loss.packets_lost() == 1);
  CHECK(d.loss.bytes_in_flight() == 1200);  // 2 is still out.
}

TEST_CASE("loss_detector: 9/8 of a round trip later means lost (RFC 9002 section 6.1.2)",
          "[quic][recovery]") {
  auto d = detector_under_test::confirmed(80ms);
  d.send(application, 1);
  const time_point sent = d.now;
  d.now += 1ms;
  d.send(application, 2);
  d.now += 80ms;
  REQUIRE(d.acknowledge(application, {{2, 2}}));
  CHECK(d.lost().empty());
  REQUIRE(d.loss.next_timeout() == sent + 90ms);
  CHECK(d.loss.on_timeout(sent + 90ms - 1ns).packets == 0);
  CHECK(d.lost().empty());
  CHECK(d.loss.on_timeout(sent + 90ms).packets == 0);
  CHECK(d.lost() == numbers{1});
  CHECK(d.loss.bytes_in_flight() == 0);
  CHECK_FALSE(d.loss.next_timeout());
}

TEST_CASE("loss_detector: the time threshold takes the larger of smoothed and latest",
          "[quic][recovery]") {
  auto d = detector_under_test::confirmed(80ms);
  d.send(application, 1);
  d.send(application, 2);
  const time_point sent = d.now;
  d.now += 160ms;  // Sent together, so 1 is lost only when 9/8 * 160 ms have passed.
  REQUIRE(d.acknowledge(application, {{2, 2}}));
  CHECK(d.loss.next_timeout() == sent + 180ms);
}

TEST_CASE("loss_detector: the time threshold is at least the granularity", "[quic][recovery]") {
  //= RFC 9002 section 6.1.2
  //# To avoid declaring packets as lost too early, this
  //# time threshold MUST be set to at least the local timer granularity, as
  //# indicated by the kGranularity constant.
  auto d = detector_under_test::confirmed(10us);
  d.send(application, 1);
  d.send(application, 2);
  const time_point sent = d.now;
  d.now += 10us;
  REQUIRE(d.acknowledge(application, {{2, 2}}));
  CHECK(d.lost().empty());
  CHECK(d.loss.next_timeout() == sent + 1ms);
}

TEST_CASE("loss_detector: no RTT sample without a newly acknowledged largest", "[quic][recovery]") {
  auto d = detector_under_test::confirmed(100ms);
  d.send(application, 1);
  d.send(application, 2);
  d.now += 50ms;
  REQUIRE(d.acknowledge(application, {{2, 2}}));
  CHECK(d.loss.rtt().latest() == 50ms);
  d.now += 20ms;
  REQUIRE(d.acknowledge(application, {{1, 2}}));
  CHECK(d.acked() == numbers{1});
  CHECK(d.loss.rtt().latest() == 50ms);
}

TEST_CASE("loss_detector: no RTT sample from packets that elicit no ACK", "[quic][recovery]") {
  //= RFC 9002 section 5.1
  //# An RTT sample MUST NOT be generated on receiving an ACK frame that does not
  //# newly acknowledge at least one ack-eliciting packet.
  auto d = detector_under_test::confirmed(100ms);
  d.send_ack_only(application, 1);
  d.now += 5s;
  REQUIRE(d.acknowledge(application, {{0, 1}}));
  CHECK(d.loss.rtt().latest() == 100ms);
  CHECK(d.loss.settled().acknowledged == 1);
  // With an ack-eliciting one next to it the largest counts, whatever it is.
  d.send(application, 2);
  d.send_ack_only(application, 3);
  d.now += 60ms;
  REQUIRE(d.acknowledge(application, {{2, 3}}));
  CHECK(d.loss.rtt().latest() == 60ms);
}

TEST_CASE("loss_detector: the ACK delay is limited after confirmation only", "[quic][recovery]") {
  //= RFC 9002 section 5.3
  //# MUST use the lesser of the acknowledgment delay and the peer's max_ack_delay
  //# after the handshake is confirmed; and
  const auto smoothed_after = [](bool confirmed, packet_number_space space) {
    detector_under_test d;
    d.loss.set_peer_max_ack_delay(25ms);
    if (confirmed) d.loss.on_handshake_confirmed(d.now);
    d.send(space, 0);
    d.now += 100ms;
    (void)d.acknowledge(space, {{0, 0}});
    d.send(space, 1);
    d.now += 180ms;
    (void)d.acknowledge(space, {{0, 1}}, 80ms);
    return d.loss.rtt().smoothed();
  };
  CHECK(smoothed_after(false, application) == 100ms);
  CHECK(smoothed_after(true, application) == 87500us + 19375us);  // 7/8 * 100 + 1/8 * (180 - 25)
  CHECK(smoothed_after(false, handshake) == 100ms);
  CHECK(smoothed_after(false, initial) == 110ms);  // Not delayed by the peer: the claim is ignored.
}

//= RFC 9000 section 13.3
//# Upon detecting losses, a sender MUST take appropriate congestion control action.
//= RFC 9002 section 7.4
//# Endpoints MUST NOT ignore the loss of packets that were sent after the earliest acknowledged
//# packet in a given packet number space.
TEST_CASE("loss_detector: a loss halves the window once per round trip", "[quic][recovery]") {
  auto d = detector_under_test::confirmed();
  const std::uint64_t before = d.loss.congestion_window();
  for (std::uint64_t n = 1; n <= 9; ++n) d.send(application, n);
  d.now += 100ms;
  REQUIRE(d.acknowledge(application, {{4, 4}}));
  CHECK(d.lost() == numbers{1});
  CHECK(d.loss.congestion_window() == before / 2);
  // 2 and 3 were sent before the recovery period began; so were those acknowledged.
  REQUIRE(d.acknowledge(application, {{4, 9}}));
  CHECK(d.lost() == numbers{2, 3});
  CHECK(d.loss.congestion_window() == before / 2);
  CHECK_FALSE(d.loss.in_slow_start());
}

TEST_CASE("loss_detector: packets of the recovery period and before do not open the window",
          "[quic][recovery]") {
  auto d = detector_under_test::confirmed();
  for (std::uint64_t n = 1; n <= 20; ++n) d.send(application, n);
  d.now += 100ms;
  const std::uint64_t before = d.loss.congestion_window();
  // Sixteen packets are far more than the halved window, but the same ACK establishes loss.
  REQUIRE(d.acknowledge(application, {{5, 20}}));
  CHECK(d.loss.congestion_window() == before / 2);
  // Sent at the very instant the period began: still part of it (RFC 9002 appendix B.5).
  for (std::uint64_t n = 21; n <= 26; ++n) d.send(application, n);
  const time_point began = d.now;
  d.now += 100ms;
  for (std::uint64_t n = 27; n <= 32; ++n) d.send(application, n);
  REQUIRE(d.acknowledge(application, {{5, 26}}));
  CHECK(d.loss.congestion_window() == before / 2);
  d.now = began + 200ms;
  REQUIRE(d.acknowledge(application, {{5, 32}}));
  CHECK(d.loss.congestion_window() == before / 2 + 1200);
}

TEST_CASE("loss_detector: an ACK over the edge of the recovery period counts in part",
          "[quic][recovery]") {
  auto d = detector_under_test::confirmed();
  for (std::uint64_t n = 1; n <= 20; ++n) d.send(application, n);
  d.now += 100ms;
  REQUIRE(d.acknowledge(application, {{5, 14}}));
  const std::uint64_t window = d.loss.congestion_window();
  // Six fill the halved window, but left at the instant the period began; only the last is past it.
  for (std::uint64_t n = 21; n <= 26; ++n) d.send(application, n);
  d.now += 1ms;
  d.send(application, 27);
  d.now += 99ms;
  REQUIRE(d.acknowledge(application, {{5, 27}}));
  CHECK(d.loss.congestion_window() == window);
}

TEST_CASE("loss_detector: the window grows by what is acknowledged, unless the application is slow",
          "[quic][recovery]") {
  //= RFC 9002 section 7.8
  //# When this occurs,
  //# the congestion window SHOULD NOT be increased in either slow start or
  //# congestion avoidance.
  detector_under_test d;
  for (std::uint64_t n = 0; n != 10; ++n) d.send(initial, n);
  d.now += 10ms;
  d.loss.set_application_limited(true);
  SECTION("the window was full all the same") {
    REQUIRE(d.acknowledge(initial, {{0, 4}}));
    CHECK(d.loss.congestion_window() == 12'000 + 5 * 1200);
    SECTION("but no longer") {
      REQUIRE(d.acknowledge(initial, {{0, 9}}));
      CHECK(d.loss.congestion_window() == 12'000 + 5 * 1200);
    }
  }
  SECTION("not limited") {
    d.loss.set_application_limited(false);
    REQUIRE(d.acknowledge(initial, {{0, 4}}));
    REQUIRE(d.acknowledge(initial, {{0, 9}}));
    CHECK(d.loss.congestion_window() == 24'000);
  }
}

TEST_CASE("loss_detector: a CE mark is answered like a loss (RFC 9002 section 7.1)",
          "[quic][recovery]") {
  auto d = detector_under_test::confirmed();
  d.send(application, 1);
  d.send(application, 2);
  d.now += 100ms;
  REQUIRE(d.acknowledge(application, {{1, 1}}));
  const std::uint64_t before = d.loss.congestion_window();
  d.loss.on_ecn_congestion(d.now, d.loss.settled().newest_acknowledged_sent);
  CHECK(d.loss.congestion_window() == before / 2);
  REQUIRE(d.acknowledge(application, {{1, 2}}));
  d.loss.on_ecn_congestion(d.now, d.loss.settled().newest_acknowledged_sent);
  CHECK(d.loss.congestion_window() == before / 2);
}

TEST_CASE("loss_detector: a discarded space leaves no trace in flight or in the timer",
          "[quic][recovery]") {
  //= RFC 9002 section 6.4
  //# The sender MUST discard all recovery state associated with those packets
  //# and MUST remove them from the count of bytes in flight.
  //= RFC 9002 section 6.2.2
  //# When Initial or Handshake keys are discarded, the PTO and loss
  //# detection timers MUST be reset, because discarding keys indicates
  //# forward progress and the loss detection timer might have been set for
  //# a now-discarded packet number space.
  detector_under_test d(role::server);
  for (std::uint64_t n = 0; n != 3; ++n) d.send(initial, n);
  d.send(handshake, 0, 500);
  (void)d.fire();
  CHECK(d.loss.probe_timeout_count() == 1);
  d.now += 100ms;
  REQUIRE(d.acknowledge(initial, {{2, 2}}));
  d.loss.discard_space(d.now, initial);
  CHECK(d.loss.bytes_in_flight() == 500);
  CHECK_FALSE(d.loss.ack_eliciting_in_flight(initial));
  CHECK(d.loss.probe_timeout_count() == 0);
  CHECK(d.lost().empty());
  // Late ACKs and packets of that space do nothing.
  REQUIRE(d.acknowledge(initial, {{0, 1'000}}));
  d.send(initial, 3);
  CHECK(d.loss.bytes_in_flight() == 500);
  d.loss.discard_space(d.now, initial);
  CHECK(d.loss.bytes_in_flight() == 500);
}

TEST_CASE("loss_detector: a Retry makes packets void without a sign of congestion",
          "[quic][recovery]") {
  detector_under_test d;
  d.send(initial, 0);
  d.send(application, 0);
  (void)d.fire();
  d.send(initial, 1);
  d.loss.on_retry(d.now);
  CHECK(d.lost() == numbers{0, 1});
  CHECK(d.loss.lost_space() == initial);
  CHECK(d.loss.bytes_in_flight() == 1200);
  CHECK(d.loss.probe_timeout_count() == 0);
  d.loss.on_retry(d.now, application);
  CHECK(d.lost() == numbers{0});
  CHECK(d.loss.bytes_in_flight() == 0);
  CHECK(d.loss.congestion_window() == 12'000);
  CHECK(d.loss.packets_lost() == 0);
  // Packet numbers go on.
  d.send(initial, 2);
  d.now += 50ms;
  REQUIRE(d.acknowledge(initial, {{2, 2}}));
  CHECK(d.acked() == numbers{2});
  CHECK(d.loss.rtt().latest() == 50ms);
}

TEST_CASE("loss_detector: rejected 0-RTT packets are void too", "[quic][recovery]") {
  detector_under_test d;
  d.send(application, 0);
  d.send(application, 1);
  d.loss.on_early_data_rejected(d.now);
  CHECK(d.lost() == numbers{0, 1});
  CHECK(d.loss.bytes_in_flight() == 0);
  CHECK(d.loss.congestion_window() == 12'000);
}

TEST_CASE("loss_detector: the loss of an MTU probe is no congestion (RFC 9000 section 14.4)",
          "[quic][recovery]") {
  auto d = detector_under_test::confirmed();
  const std::uint64_t window = d.loss.congestion_window();
  d.loss.on_packet_sent(d.now,
                        {.space = application,
                         .number = 1,
                         .size = 1500,
                         .ack_eliciting = true,
                         .in_flight = true,
                         .mtu_probe = true},
                        {});
  for (std::uint64_t n = 2; n <= 4; ++n) d.send(application, n);
  REQUIRE(d.acknowledge(application, {{2, 4}}));
  CHECK(d.loss.packets_lost_by_last_call() == 1);
  CHECK(d.loss.bytes_in_flight() == 0);
  CHECK(d.loss.congestion_window() >= window);
}

//= RFC 9000 section 9.4
//# an endpoint MUST immediately reset the congestion controller and round-trip time estimator for
//# the new path to initial values
TEST_CASE("loss_detector: a new path starts anew and old packets do not touch it",
          "[quic][recovery]") {
  //= RFC 9000 section 9.4
  //# Packets sent on the old path MUST NOT contribute to
  //# congestion control or RTT estimation for the new path.
  auto d = detector_under_test::confirmed(100ms);
  for (std::uint64_t n = 1; n <= 8; ++n) d.send(application, n);
  d.loss.on_path_changed(d.now, {.initial_rtt = 50ms, .max_datagram_size = 1300});
  CHECK(d.loss.bytes_in_flight() == 0);
  CHECK(d.loss.congestion_window() == 13'000);
  CHECK(d.loss.max_datagram_size() == 1300);
  d.send(application, 9, 1300);
  d.now += 500ms;
  REQUIRE(d.acknowledge(application, {{6, 8}}));
  CHECK(d.acked() == numbers{6, 7, 8});
  CHECK(d.lost() == numbers{1, 2, 3, 4, 5});
  CHECK_FALSE(d.loss.rtt().has_sample());
  CHECK(d.loss.congestion_window() == 13'000);
  CHECK(d.loss.bytes_in_flight() == 1300);
  REQUIRE(d.acknowledge(application, {{6, 9}}));
  CHECK(d.loss.rtt().latest() == 500ms);
  CHECK(d.loss.bytes_in_flight() == 0);
}

TEST_CASE("loss_detector: a late ACK of a lost packet is counted and changes nothing else",
          "[quic][recovery]") {
  auto d = detector_under_test::confirmed();
  for (std::uint64_t n = 1; n <= 5; ++n) d.send(application, n);
  REQUIRE(d.acknowledge(application, {{5, 5}}));
  CHECK(d.lost() == numbers{1, 2});
  const std::uint64_t window = d.loss.congestion_window();
  REQUIRE(d.acknowledge(application, {{5, 5}, {1, 2}}));
  CHECK(d.acked().empty());
  CHECK(d.lost().empty());
  CHECK(d.loss.packets_spuriously_lost() == 2);
  CHECK(d.loss.congestion_window() == window);
}

TEST_CASE("loss_detector: settled() tells of ECN marks and of progress", "[quic][recovery]") {
  auto d = detector_under_test::confirmed();
  for (std::uint64_t n = 1; n <= 6; ++n) {
    d.loss.on_packet_sent(d.now,
                          {.space = application,
                           .number = n,
                           .size = 100,
                           .ack_eliciting = true,
                           .in_flight = true,
                           .ecn_marked = n % 2 == 0},
                          {});
  }
  REQUIRE(d.acknowledge(application, {{5, 6}}));
  CHECK(d.loss.settled().acknowledged == 2);
  CHECK(d.loss.settled().acknowledged_ecn_marked == 1);
  CHECK(d.loss.settled().lost == 3);
  CHECK(d.loss.settled().lost_ecn_marked == 1);
  CHECK(d.loss.settled().largest_increased);
  REQUIRE(d.acknowledge(application, {{4, 4}}));
  CHECK_FALSE(d.loss.settled().largest_increased);
  CHECK(d.loss.largest_acknowledged(application) == 6);
}

TEST_CASE("loss_detector: the datagram size moves the window", "[quic][recovery]") {
  detector_under_test d;
  d.loss.set_max_datagram_size(1400);
  CHECK(d.loss.max_datagram_size() == 1400);
  CHECK(d.loss.congestion_window() == 14'000);
}
