// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/ecn_validator.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace strata::quic::core;
using strata::quic::packet_number_space;
using strata::transport::ecn;
using state = ecn_validator::state;

namespace {

constexpr auto application = packet_number_space::application;

ecn_validator sent(std::uint64_t packets) {
  ecn_validator v;
  for (std::uint64_t i = 0; i != packets; ++i) v.on_packet_sent(application);
  return v;
}

ecn_validator::feedback reported(std::uint64_t marked, std::optional<ecn_counts> counts) {
  return {.space = application,
          .acknowledged_marked = marked,
          .largest_increased = true,
          .counts = counts};
}

}  // namespace

TEST_CASE("ecn_validator: ten packets are marked on suspicion", "[quic][recovery][ecn]") {
  CHECK(sent(0).mark() == ecn::ect0);
  CHECK(sent(9).mark() == ecn::ect0);
  CHECK(sent(10).mark() == ecn::not_ect);
  CHECK(sent(10).current() == state::unknown);
}

TEST_CASE("ecn_validator: right counts make the path capable", "[quic][recovery][ecn]") {
  auto v = sent(10);
  CHECK_FALSE(v.on_ack(reported(10, ecn_counts{10, 0, 0})));
  CHECK(v.current() == state::capable);
  CHECK(v.mark() == ecn::ect0);
}

TEST_CASE("ecn_validator: more CE is congestion, once", "[quic][recovery][ecn]") {
  auto v = sent(10);
  CHECK(v.on_ack(reported(5, ecn_counts{4, 0, 1})));
  CHECK_FALSE(v.on_ack(reported(5, ecn_counts{9, 0, 1})));
  CHECK(v.current() == state::capable);
}

//= RFC 9000 section 13.4.2.2
//# an endpoint MUST disable ECN if validation later fails
TEST_CASE("ecn_validator: wrong counts lose the marks, not the connection",
          "[quic][recovery][ecn][Q17][attack]") {
  //= RFC 9000 section 13.4.2.2
  //# If validation fails, then the endpoint MUST disable ECN.
  auto v = sent(10);
  SECTION("none at all") { v.on_ack(reported(1, std::nullopt)); }
  SECTION("too few") { v.on_ack(reported(3, ecn_counts{2, 0, 0})); }
  SECTION("decreasing") {
    v.on_ack(reported(5, ecn_counts{5, 0, 0}));
    CHECK(v.current() == state::capable);
    v.on_ack(reported(0, ecn_counts{4, 0, 0}));
  }
  SECTION("a mark that was never sent") { v.on_ack(reported(5, ecn_counts{5, 1, 0})); }
  SECTION("more than were sent") { v.on_ack(reported(5, ecn_counts{11, 0, 0})); }
  SECTION("all marked packets lost") { v.on_packets_lost(10); }
  CHECK(v.current() == state::failed);
  CHECK(v.mark() == ecn::not_ect);
  CHECK_FALSE(v.on_ack(reported(5, ecn_counts{5, 0, 5})));
}

TEST_CASE("ecn_validator: an older ACK frame is not held against the path",
          "[quic][recovery][ecn]") {
  //= RFC 9000 section 13.4.2.1
  //# An
  //# endpoint MUST NOT fail ECN validation as a result of processing an ACK frame
  //# that does not increase the largest acknowledged packet number.
  auto v = sent(10);
  v.on_ack(reported(5, ecn_counts{5, 0, 0}));
  auto old = reported(1, ecn_counts{1, 0, 0});
  old.largest_increased = false;
  CHECK_FALSE(v.on_ack(old));
  CHECK(v.current() == state::capable);
}

TEST_CASE("ecn_validator: some losses prove nothing, and unmarked packets need no counts",
          "[quic][recovery][ecn]") {
  auto v = sent(10);
  v.on_packets_lost(9);
  CHECK(v.current() == state::unknown);
  CHECK_FALSE(v.on_ack(reported(0, std::nullopt)));
  CHECK(v.current() == state::unknown);
}

TEST_CASE("ecn_validator: spaces are counted apart", "[quic][recovery][ecn]") {
  ecn_validator v;
  v.on_packet_sent(packet_number_space::initial);
  v.on_packet_sent(application);
  auto f = reported(1, ecn_counts{1, 0, 0});
  f.space = packet_number_space::initial;
  v.on_ack(f);
  v.on_ack(reported(1, ecn_counts{1, 0, 0}));
  CHECK(v.current() == state::capable);
}
