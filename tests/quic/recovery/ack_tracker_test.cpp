// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/ack_tracker.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>

#include "testkit/fake_random.hpp"

using namespace std::chrono_literals;
using namespace strata::quic::core;
using strata::transport::duration;
using strata::transport::ecn;
using strata::transport::time_point;

namespace {

constexpr time_point start{1h};

struct tracker_under_test {
  explicit tracker_under_test(duration delay = 25ms) : acks(delay) {}
  void receive(std::uint64_t number, bool ack_eliciting = true, ecn mark = ecn::not_ect) {
    acks.on_packet_received(now, number, ack_eliciting, mark);
  }
  std::vector<ack_range> ranges() const { return {acks.ranges().begin(), acks.ranges().end()}; }
  ack_tracker acks;
  time_point now = start;
};

using ranges = std::vector<ack_range>;

}  // namespace

TEST_CASE("ack_tracker: nothing received means nothing to say", "[quic][recovery][ack]") {
  const tracker_under_test t;
  CHECK_FALSE(t.acks.largest());
  CHECK_FALSE(t.acks.ack_due(start));
  CHECK_FALSE(t.acks.ack_pending());
  CHECK_FALSE(t.acks.next_timeout());
  CHECK(t.acks.ranges().empty());
  CHECK(t.acks.ack_delay(start) == duration::zero());
  CHECK_FALSE(t.acks.is_duplicate(0));
}

TEST_CASE("ack_tracker: ranges join, split and come newest first", "[quic][recovery][ack]") {
  tracker_under_test t;
  for (const std::uint64_t n : {0u, 1u, 2u}) t.receive(n);
  CHECK(t.ranges() == ranges{{0, 2}});
  t.receive(5);
  t.receive(9);
  CHECK(t.ranges() == ranges{{9, 9}, {5, 5}, {0, 2}});
  t.receive(4);
  CHECK(t.ranges() == ranges{{9, 9}, {4, 5}, {0, 2}});
  t.receive(6);
  CHECK(t.ranges() == ranges{{9, 9}, {4, 6}, {0, 2}});
  t.receive(3);
  CHECK(t.ranges() == ranges{{9, 9}, {0, 6}});
  t.receive(8);
  t.receive(7);
  CHECK(t.ranges() == ranges{{0, 9}});
  CHECK(t.acks.largest() == 9);
}

TEST_CASE("ack_tracker: a duplicate is recognised and changes nothing", "[quic][recovery][ack]") {
  tracker_under_test t;
  for (const std::uint64_t n : {3u, 4u, 8u}) t.receive(n, true, ecn::ect0);
  for (const std::uint64_t n : {3u, 4u, 8u}) CHECK(t.acks.is_duplicate(n));
  for (const std::uint64_t n : {0u, 2u, 5u, 7u, 9u}) CHECK_FALSE(t.acks.is_duplicate(n));
  t.acks.on_ack_sent();
  // Duplicates do not count (RFC 9000 section 13.4.1), nor do they call for an ACK.
  t.receive(8, true, ecn::ce);
  CHECK_FALSE(t.acks.ack_pending());
  CHECK(t.acks.counts().ecn_ce == 0);
  CHECK(t.acks.counts().ect0 == 3);
}

TEST_CASE("ack_tracker: one ack-eliciting packet waits for max_ack_delay",
          "[quic][recovery][ack]") {
  //= RFC 9000 section 13.2.1
  //# Every packet SHOULD be acknowledged at least once, and ack-eliciting packets MUST be
  //# acknowledged at least once within the maximum delay an endpoint communicated using the
  //# max_ack_delay transport parameter; see Section 18.2.
  tracker_under_test t;
  t.receive(0);
  CHECK(t.acks.ack_pending());
  CHECK_FALSE(t.acks.ack_due(start));
  CHECK(t.acks.next_timeout() == start + 25ms);
  CHECK_FALSE(t.acks.ack_due(start + 25ms - 1ns));
  CHECK(t.acks.ack_due(start + 25ms));
  t.acks.on_ack_sent();
  CHECK_FALSE(t.acks.ack_due(start + 1h));
  CHECK_FALSE(t.acks.next_timeout());
}

TEST_CASE("ack_tracker: the second ack-eliciting packet is acknowledged at once",
          "[quic][recovery][ack]") {
  //= RFC 9000 section 13.2.2
  //# A receiver SHOULD send an ACK frame after receiving at least two ack-eliciting
  //# packets.
  tracker_under_test t;
  t.receive(0);
  t.receive(1, false);
  CHECK_FALSE(t.acks.ack_due(start));
  t.receive(2);
  CHECK(t.acks.ack_due(start));
  CHECK_FALSE(t.acks.next_timeout());
  t.acks.on_ack_sent();
  t.receive(3);
  CHECK_FALSE(t.acks.ack_due(start));
}

TEST_CASE("ack_tracker: the delay counts from the oldest packet that waits",
          "[quic][recovery][ack]") {
  tracker_under_test t;
  t.receive(0);
  t.now += 10ms;
  t.receive(1, false);
  CHECK(t.acks.next_timeout() == start + 25ms);
}

TEST_CASE("ack_tracker: Initial and Handshake packets are acknowledged at once",
          "[quic][recovery][ack]") {
  //= RFC 9000 section 13.2.1
  //# An endpoint MUST acknowledge all ack-eliciting Initial and Handshake packets
  //# immediately and all ack-eliciting 0-RTT and 1-RTT packets within its advertised
  //# max_ack_delay, with the following exception.
  tracker_under_test t(0ms);
  t.receive(0);
  CHECK(t.acks.ack_due(start));
}

TEST_CASE("ack_tracker: packets that elicit nothing are never answered",
          "[quic][recovery][ack][Q18][attack]") {
  //= RFC 9000 section 13.2.1
  //# An endpoint MUST NOT send a non-ack-eliciting packet in response to a
  //# non-ack-eliciting packet, even if there are packet gaps that precede the
  //# received packet.
  for (const duration delay : {duration(0ms), duration(25ms)}) {
    tracker_under_test t(delay);
    t.receive(0);
    t.acks.on_ack_sent();
    for (std::uint64_t n = 2; n < 100; n += 2) t.receive(n, false, ecn::ce);
    CHECK_FALSE(t.acks.ack_due(start + 1h));
    CHECK_FALSE(t.acks.ack_pending());
    CHECK_FALSE(t.acks.next_timeout());
  }
}

TEST_CASE("ack_tracker: an ack-eliciting packet out of order is acknowledged at once",
          "[quic][recovery][ack]") {
  tracker_under_test t;
  t.receive(0);
  t.receive(1);
  t.acks.on_ack_sent();
  SECTION("a gap before it") { t.receive(3); }
  SECTION("older than another") {
    t.receive(4);
    t.acks.on_ack_sent();
    t.receive(2);
  }
  CHECK(t.acks.ack_due(start));
}

TEST_CASE("ack_tracker: non-eliciting packets in between are no gap", "[quic][recovery][ack]") {
  tracker_under_test t;
  t.receive(0);
  t.acks.on_ack_sent();
  t.receive(1, false);
  t.receive(2, false);
  t.receive(3);
  CHECK_FALSE(t.acks.ack_due(start));
}

TEST_CASE("ack_tracker: what was acknowledged and forgotten is no gap", "[quic][recovery][ack]") {
  tracker_under_test t;
  t.receive(0);
  for (std::uint64_t n = 1; n <= 9; ++n) t.receive(n, false);
  t.acks.on_ack_sent();
  t.acks.on_ack_acknowledged(9);
  t.receive(10);
  CHECK_FALSE(t.acks.ack_due(start));
  t.receive(12);
  CHECK(t.acks.ack_due(start));
}

TEST_CASE("ack_tracker: a CE mark is reported at once", "[quic][recovery][ack]") {
  tracker_under_test t;
  t.receive(0, true, ecn::ect0);
  CHECK_FALSE(t.acks.ack_due(start));
  t.acks.on_ack_sent();
  t.receive(1, true, ecn::ce);
  CHECK(t.acks.ack_due(start));
  t.receive(2, false, ecn::ect1);
  CHECK(t.acks.counts() == ecn_counts{1, 1, 1});
}

//= RFC 9000 section 13.2.5
//# An endpoint MUST NOT include delays that it does not control when populating the ACK Delay
//# field in an ACK frame.
TEST_CASE("ack_tracker: ack_delay is the time since the largest arrived", "[quic][recovery][ack]") {
  tracker_under_test t;
  t.receive(5);
  t.now += 3ms;
  t.receive(4);
  CHECK(t.acks.ack_delay(start + 7ms) == 7ms);
  // A clock that was set back.
  CHECK(t.acks.ack_delay(start - 10s) == duration::zero());
}

TEST_CASE("ack_tracker: ranges that the peer knows of are dropped, the largest number stays",
          "[quic][recovery][ack]") {
  //= RFC 9000 section 13.2.3
  //# Receivers can discard all ACK Ranges, but they MUST retain the largest packet number that has
  //# been successfully processed, as that is used to recover packet numbers from subsequent
  //# packets; see Section 17.1.
  tracker_under_test t;
  for (const std::uint64_t n : {0u, 1u, 4u, 5u, 6u, 9u}) t.receive(n);
  t.acks.on_ack_acknowledged(5);
  CHECK(t.ranges() == ranges{{9, 9}, {6, 6}});
  // What is not known any more must not be accepted again.
  for (std::uint64_t n = 0; n <= 6; ++n) CHECK(t.acks.is_duplicate(n));
  CHECK_FALSE(t.acks.is_duplicate(7));
  t.acks.on_ack_acknowledged(9);
  CHECK(t.ranges() == ranges{{9, 9}});
  t.acks.on_ack_acknowledged(1'000);
  CHECK(t.ranges() == ranges{{9, 9}});
  CHECK(t.acks.largest() == 9);
  t.receive(10);
  CHECK(t.ranges() == ranges{{9, 10}});
}

TEST_CASE("ack_tracker: packet 0 acknowledged is kept", "[quic][recovery][ack]") {
  tracker_under_test t;
  t.acks.on_ack_acknowledged(0);
  t.receive(0);
  t.acks.on_ack_acknowledged(0);
  CHECK(t.ranges() == ranges{{0, 0}});
}

TEST_CASE("ack_tracker: at the limit of ranges the oldest goes and stays a duplicate",
          "[quic][recovery][ack][limits]") {
  //= RFC 9000 section 13.2.3
  //# A receiver MUST retain an ACK Range unless it can ensure that it will not
  //# subsequently accept packets with numbers in that range.
  tracker_under_test t;
  const auto receive_ranges = [&](std::size_t count) {
    for (std::uint64_t n = 0; n != count; ++n) t.receive(10 + 2 * n);
  };
  SECTION("one below") {
    receive_ranges(limits::max_ack_ranges - 1);
    CHECK(t.acks.ranges().size() == limits::max_ack_ranges - 1);
    CHECK_FALSE(t.acks.is_duplicate(9));
  }
  SECTION("at the limit") {
    receive_ranges(limits::max_ack_ranges);
    CHECK(t.acks.ranges().size() == limits::max_ack_ranges);
    CHECK(t.acks.ranges().back() == ack_range{10, 10});
    CHECK_FALSE(t.acks.is_duplicate(9));
  }
  SECTION("one above") {
    receive_ranges(limits::max_ack_ranges + 1);
    CHECK(t.acks.ranges().size() == limits::max_ack_ranges);
    CHECK(t.acks.ranges().back() == ack_range{12, 12});
    for (const std::uint64_t n : {0u, 9u, 10u}) CHECK(t.acks.is_duplicate(n));
    CHECK_FALSE(t.acks.is_duplicate(11));
  }
  SECTION("older than all while full") {
    receive_ranges(limits::max_ack_ranges);
    t.acks.on_ack_sent();
    t.receive(5);
    CHECK(t.acks.ranges().back() == ack_range{10, 10});
    CHECK(t.acks.is_duplicate(5));
    CHECK_FALSE(t.acks.is_duplicate(6));
  }
}

TEST_CASE("ack_tracker: agrees with a set of numbers", "[quic][recovery][ack][property]") {
  for (std::uint64_t seed = 0; seed != 200; ++seed) {
    CAPTURE(seed);
    strata::testkit::fake_random random(seed);
    tracker_under_test t;
    std::set<std::uint64_t> model;
    std::uint64_t floor = 0;
    std::uint64_t next = 0;
    for (int step = 0; step != 300; ++step) {
      const std::uint64_t number = random.happens(0.7) ? next : random.next() % (next + 8);
      next = std::max(next, number + 1);
      if (random.happens(0.03) && t.acks.largest()) {
        const std::uint64_t upto = random.next() % (*t.acks.largest() + 1);
        t.acks.on_ack_acknowledged(upto);
        floor = std::max(floor, std::min(upto + 1, *t.acks.largest()));
      }
      const bool duplicate = t.acks.is_duplicate(number);
      if (model.contains(number) || number < floor) REQUIRE(duplicate);
      if (duplicate) continue;
      t.receive(number, random.happens(0.8));
      model.insert(number);
    }
    REQUIRE(t.acks.largest() == *model.rbegin());
    std::uint64_t above = ~std::uint64_t{0};
    for (const ack_range& range : t.acks.ranges()) {
      REQUIRE(range.smallest <= range.largest);
      REQUIRE(range.largest + 1 < above);
      above = range.smallest;
      for (std::uint64_t n = range.smallest; n <= range.largest; ++n) REQUIRE(model.contains(n));
    }
    for (const std::uint64_t n : model) REQUIRE(t.acks.is_duplicate(n));
  }
}
