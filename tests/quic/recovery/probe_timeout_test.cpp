// SPDX-License-Identifier: Apache-2.0
// The probe timeout of RFC 9002 section 6.2.
#include <catch2/catch_test_macros.hpp>

#include "quic/recovery/detector_under_test.hpp"

using namespace strata::quic::core;
using namespace strata::quic::core::test;
using strata::quic::role;

//= RFC 9002 section 6.2.4
//# When a PTO timer expires, a sender MUST send at least one ack-eliciting packet in the packet
//# number space as a probe.
TEST_CASE("probe_timeout: first after 999 ms, then doubled each time", "[quic][recovery][pto]") {
  //= RFC 9002 section 6.2.1
  //# When a PTO timer expires, the PTO backoff MUST be increased, resulting in the
  //# PTO period being set to twice its current value.
  detector_under_test d;
  d.send(initial, 0);
  auto expected = 999ms;
  for (unsigned count = 1; count <= 5; ++count) {
    REQUIRE(d.loss.next_timeout() == d.now + expected);
    const probe_request probe = d.fire();
    CHECK(probe.space == initial);
    CHECK(probe.packets == 2);
    CHECK(d.loss.probe_timeout_count() == count);
    d.send(initial, count);
    expected *= 2;
  }
}

TEST_CASE("probe_timeout: firing does not mark packets as lost", "[quic][recovery][pto]") {
  //= RFC 9002 section 6.2
  //# A PTO timer expiration event does not indicate packet loss and MUST NOT cause
  //# prior unacknowledged packets to be marked as lost.
  detector_under_test d;
  d.send(initial, 0);
  const std::uint64_t window = d.loss.congestion_window();
  (void)d.fire();
  CHECK(d.lost().empty());
  CHECK(d.loss.packets_lost() == 0);
  CHECK(d.loss.bytes_in_flight() == 1200);
  CHECK(d.loss.congestion_window() == window);
}

TEST_CASE("probe_timeout: probes are asked for when the window is full",
          "[quic][recovery][pto][Q33][attack]") {
  //= RFC 9002 section 7.5
  //# Probe packets MUST NOT be blocked by the congestion controller.
  auto d = detector_under_test::confirmed();
  std::uint64_t n = 1;
  while (d.loss.available_window() >= 1200) d.send(application, n++);
  REQUIRE(d.loss.available_window() < 1200);
  const probe_request probe = d.fire();
  CHECK(probe.space == application);
  CHECK(probe.packets == 2);
  //= RFC 9002 section 7.5
  //# A sender MUST
  //# however count these packets as being additionally in flight, since these packets
  //# add network load without establishing packet loss.
  const std::uint64_t before = d.loss.bytes_in_flight();
  d.send(application, n);
  d.send(application, n + 1);
  CHECK(d.loss.bytes_in_flight() == before + 2400);
  CHECK(d.loss.available_window() == 0);
  // The whole window was lost; the probes' ACK frees it.
  d.now += 100ms;
  REQUIRE(d.acknowledge(application, {{n, n + 1}}));
  CHECK(d.loss.bytes_in_flight() <= 2 * 1200);
  CHECK(d.loss.available_window() >= 1200);
}

TEST_CASE("probe_timeout: the application space waits max_ack_delay longer",
          "[quic][recovery][pto]") {
  auto d = detector_under_test::confirmed(100ms);
  d.loss.set_peer_max_ack_delay(25ms);
  d.send(application, 1);
  CHECK(d.loss.probe_timeout(application) == 325ms);  // 100 + 4 * 50 + 25
  CHECK(d.loss.probe_timeout(handshake) == 300ms);
  CHECK(d.loss.next_timeout() == d.now + 325ms);
  (void)d.fire();
  d.send(application, 2);
  CHECK(d.loss.next_timeout() == d.now + 650ms);
}

TEST_CASE("probe_timeout: no timer for the application space before confirmation",
          "[quic][recovery][pto]") {
  //= RFC 9002 section 6.2.1
  //# An endpoint MUST NOT set its PTO timer for the Application Data packet number
  //# space until the handshake is confirmed.
  detector_under_test d(role::server);
  d.send(application, 0);
  CHECK_FALSE(d.loss.next_timeout());
  d.loss.on_handshake_confirmed(d.now);
  CHECK(d.loss.next_timeout() == start + 999ms);
}

TEST_CASE("probe_timeout: the earlier of the Initial and Handshake spaces counts",
          "[quic][recovery][pto]") {
  //= RFC 9002 section 6.2.1
  //# When ack-eliciting packets in multiple packet number spaces are in flight, the
  //# timer MUST be set to the earlier value of the Initial and Handshake packet
  //# number spaces.
  detector_under_test d(role::server);
  d.send(handshake, 0);
  d.now += 5ms;
  d.send(initial, 0);
  CHECK(d.loss.next_timeout() == start + 999ms);
  CHECK(d.fire().space == handshake);
}

TEST_CASE("probe_timeout: backoff holds for all spaces", "[quic][recovery][pto]") {
  detector_under_test d(role::server);
  d.send(initial, 0);
  (void)d.fire();
  d.send(initial, 1);
  d.send(handshake, 0);
  CHECK(d.loss.next_timeout() == d.now + 2 * 999ms);
}

TEST_CASE("probe_timeout: is restarted by every ack-eliciting packet", "[quic][recovery][pto]") {
  auto d = detector_under_test::confirmed(100ms);
  d.send(application, 1);
  d.now += 50ms;
  d.send(application, 2);
  CHECK(d.loss.next_timeout() == d.now + 300ms);
  d.now += 50ms;
  d.send_ack_only(application, 3);
  d.send_padding_only(application, 4);
  CHECK(d.loss.next_timeout() == d.now + 250ms);
}

TEST_CASE("probe_timeout: an ACK resets the backoff", "[quic][recovery][pto]") {
  auto d = detector_under_test::confirmed(100ms);
  d.send(application, 1);
  (void)d.fire();
  d.send(application, 2);
  CHECK(d.loss.probe_timeout_count() == 1);
  REQUIRE(d.acknowledge(application, {{0, 0}}));  // Nothing new.
  CHECK(d.loss.probe_timeout_count() == 1);
  REQUIRE(d.acknowledge(application, {{1, 1}}));
  CHECK(d.loss.probe_timeout_count() == 0);
}

TEST_CASE("probe_timeout: a client keeps its backoff over Initial ACKs", "[quic][recovery][pto]") {
  //= RFC 9002 section 6.2.1
  //# That is, a client does not reset the PTO backoff factor on
  //# receiving acknowledgments in Initial packets.
  detector_under_test d;
  d.send(initial, 0);
  (void)d.fire();
  d.send(initial, 1);
  REQUIRE(d.acknowledge(initial, {{0, 1}}));
  CHECK(d.loss.probe_timeout_count() == 1);
  d.send(handshake, 0);
  REQUIRE(d.acknowledge(handshake, {{0, 0}}));
  CHECK(d.loss.probe_timeout_count() == 0);
  CHECK_FALSE(d.loss.next_timeout());

  detector_under_test server(role::server);
  server.send(initial, 0);
  (void)server.fire();
  REQUIRE(server.acknowledge(initial, {{0, 0}}));
  CHECK(server.loss.probe_timeout_count() == 0);
}

TEST_CASE(
    "probe_timeout: a client with nothing in flight probes against the amplification deadlock",
    "[quic][recovery][pto]") {
  //= RFC 9002 section 6.2.2.1
  //# That is, the client MUST set the PTO timer if the client has not received an acknowledgment
  //# for any of its Handshake packets and the handshake is not confirmed (see Section 4.1.2 of
  //# [QUIC-TLS]), even if there are no packets in flight.
  detector_under_test d;
  d.send(initial, 0);
  d.now += 100ms;
  REQUIRE(d.acknowledge(initial, {{0, 0}}));
  CHECK(d.loss.bytes_in_flight() == 0);
  REQUIRE(d.loss.next_timeout() == d.now + 300ms);
  SECTION("an Initial packet as long as there are no Handshake keys") {
    const probe_request probe = d.fire();
    CHECK(probe.space == initial);
    CHECK(probe.packets == 1);
    CHECK(d.loss.next_timeout() == d.now + 600ms);
  }
  SECTION("a Handshake packet afterwards") {
    d.loss.on_handshake_keys(d.now);
    d.loss.discard_space(d.now, initial);
    const probe_request probe = d.fire();
    CHECK(probe.space == handshake);
    CHECK(probe.packets == 1);
  }
  SECTION("also with only 0-RTT packets in flight") {
    d.send(application, 0);
    REQUIRE(d.loss.next_timeout() == d.now + 300ms);
    CHECK(d.fire().space == initial);
  }
  SECTION("not when the server is known to have validated the address") {
    d.loss.on_peer_completed_address_validation(d.now);
    CHECK_FALSE(d.loss.next_timeout());
  }
  SECTION("not when the handshake is confirmed") {
    d.loss.on_handshake_confirmed(d.now);
    CHECK_FALSE(d.loss.next_timeout());
  }
}

TEST_CASE("probe_timeout: a server at the amplification limit has none", "[quic][recovery][pto]") {
  //= RFC 9002 section 6.2.2.1
  //# If no additional data can be
  //# sent, the server's PTO timer MUST NOT be armed until datagrams have been
  //# received from the client because packets sent on PTO count against the
  //# anti-amplification limit.
  detector_under_test d(role::server);
  d.send(initial, 0);
  d.loss.set_amplification_limited(d.now, true);
  CHECK_FALSE(d.loss.next_timeout());
  CHECK(d.loss.on_timeout(d.now + 1h).packets == 0);
  // A datagram arrives after it would have fired: it fires at once (RFC 9002 appendix A.6).
  d.now += 10s;
  d.loss.set_amplification_limited(d.now, false);
  REQUIRE(d.loss.next_timeout() == start + 999ms);
  CHECK(d.loss.on_timeout(d.now).packets == 2);
  CHECK(d.loss.next_timeout() > d.now);

  detector_under_test client;
  client.send(initial, 0);
  client.loss.set_amplification_limited(client.now, true);
  CHECK(client.loss.next_timeout());
}

TEST_CASE("probe_timeout: yields to the time threshold", "[quic][recovery][pto]") {
  //= RFC 9002 section 6.2.1
  //# The PTO timer MUST NOT be set if a timer is set for time threshold loss detection; see Section
  //# 6.1.2.
  auto d = detector_under_test::confirmed(100ms);
  d.send(application, 1);
  const time_point sent = d.now;
  d.send(application, 2);
  d.now += 100ms;
  d.send(application, 3);
  REQUIRE(d.acknowledge(application, {{2, 2}}));
  CHECK(d.loss.next_timeout() == sent + 112500us);
  CHECK(d.fire().packets == 0);
  CHECK(d.lost() == numbers{1});
  CHECK(d.loss.probe_timeout_count() == 0);
  CHECK(d.loss.next_timeout() > d.now);
}

TEST_CASE("probe_timeout: what cannot be sent does not make the timer spin",
          "[quic][recovery][pto][Q60][attack]") {
  detector_under_test d(role::server);
  d.send(initial, 0);
  d.send(handshake, 0);
  d.now += 1h;
  // Nothing is sent in answer; each space may fire once, a millisecond apart, and then the backoff
  // holds.
  int fired = 0;
  const time_point late = d.now;
  while (d.loss.next_timeout().value() < late + 500ms) {
    REQUIRE(d.fire().packets == 2);
    REQUIRE(d.loss.next_timeout() > d.now);
    REQUIRE(++fired <= 2);
  }
}
