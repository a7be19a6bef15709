// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "core/wire/packet_header.hpp"
#include "strata/transport/core/varint.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::quic::core;

namespace {

constexpr std::uint64_t mask(std::size_t size) { return (std::uint64_t{1} << (8 * size)) - 1; }

}  // namespace

TEST_CASE("packet_number: the examples of RFC 9000 appendix A.2 and A.3",
          "[quic][wire][packet_number]") {
  CHECK(packet_number_size(0xac5c02, 0xabe8b3) == 2);
  CHECK(packet_number_size(0xace8fe, 0xabe8b3) == 3);
  CHECK(decode_packet_number(0xa82f30ea, 0x9b32, 16) == 0xa82f9b32);
}

TEST_CASE("packet_number_size: covers more than twice the numbers in flight",
          "[quic][wire][packet_number]") {
  //= RFC 9000 section 17.1
  //= type=test
  //# After an acknowledgment is received for a packet number space, the sender MUST
  //# use a packet number size able to represent more than twice as large a range as
  //# the difference between the largest acknowledged packet number and the packet
  //# number being sent.
  for (const std::uint64_t acked :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0xffffff}, std::uint64_t{1} << 61}) {
    CHECK(packet_number_size(acked + 1, acked) == 1);
    CHECK(packet_number_size(acked + 127, acked) == 1);
    CHECK(packet_number_size(acked + 128, acked) == 2);
    CHECK(packet_number_size(acked + (1 << 15) - 1, acked) == 2);
    CHECK(packet_number_size(acked + (1 << 15), acked) == 3);
    CHECK(packet_number_size(acked + (1 << 23) - 1, acked) == 3);
    CHECK(packet_number_size(acked + (1 << 23), acked) == 4);
    CHECK(packet_number_size(acked + (std::uint64_t{1} << 31), acked) == 4);
  }
}

//= RFC 9000 section 17.1
//# Prior to receiving an acknowledgment for a packet number space, the full packet number MUST be
//# included
TEST_CASE("packet_number_size: before an acknowledgment the whole number is sent",
          "[quic][wire][packet_number]") {
  CHECK(packet_number_size(0, std::nullopt) == 1);
  CHECK(packet_number_size(126, std::nullopt) == 1);
  CHECK(packet_number_size(127, std::nullopt) == 2);
  for (std::uint64_t full = 0; full < 70000; ++full) {
    const std::size_t size = packet_number_size(full, std::nullopt);
    if (full > mask(size)) FAIL(full << " in " << size);
  }
}

TEST_CASE("decode_packet_number: edges of the number space", "[quic][wire][packet_number]") {
  CHECK(decode_packet_number(std::nullopt, 0, 8) == 0);
  CHECK(decode_packet_number(std::nullopt, 200, 8) == 200);  // Nothing lies below zero.
  CHECK(decode_packet_number(0, 0, 8) == 0);
  CHECK(decode_packet_number(255, 0, 8) == 256);
  CHECK(decode_packet_number(0xff, 0xfe, 8) == 0xfe);
  // Half a window ahead is the future, one further is the past.
  CHECK(decode_packet_number(255, 0x80, 8) == 0x180);
  CHECK(decode_packet_number(255, 0x81, 8) == 0x81);
  CHECK(decode_packet_number(0x1fe, 0x7f, 8) == 0x27f);
  CHECK(decode_packet_number(0x1fe, 0x80, 8) == 0x180);
  // Never beyond 2^62-1.
  CHECK(decode_packet_number(transport::varint_max - 1, 0xff, 8) == transport::varint_max);
  CHECK(decode_packet_number(transport::varint_max, 0x00, 8) == transport::varint_max - 0xff);
  CHECK(decode_packet_number(transport::varint_max, 0x00, 32) ==
        transport::varint_max - 0xffffffff);
}

TEST_CASE("packet_number: what is sent is decoded, whatever was lost or reordered",
          "[quic][wire][packet_number]") {
  testkit::fake_random random(3);
  for (int repeat = 0; repeat < 20000; ++repeat) {
    const std::uint64_t acked = random.next() >> (2 + random.next() % 62);
    const std::uint64_t in_flight = 1 + (random.next() >> (33 + random.next() % 31));
    const std::uint64_t full = acked + in_flight;
    if (full > transport::varint_max) continue;
    const std::size_t size = packet_number_size(full, acked);
    // The receiver has at least the acknowledged one, at most the one before this; or later ones,
    // as far again.
    const std::uint64_t received = acked + random.next() % (2 * in_flight);
    const std::uint64_t again =
        decode_packet_number(received, full & mask(size), static_cast<unsigned>(8 * size));
    if (again != full)
      FAIL("sent " << full << " acked " << acked << " received " << received << " decoded "
                   << again);
  }
}
