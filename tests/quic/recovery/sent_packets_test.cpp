// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/sent_packets.hpp"

#include <catch2/catch_test_macros.hpp>
#include <deque>

#include "testkit/fake_random.hpp"

using namespace strata::quic::core;
using state = sent_packets::state;

namespace {

sent_frame frame(std::uint64_t offset) {
  return {.what = sent_frame::kind::stream, .offset = offset};
}

void push(sent_packets& packets, std::uint64_t number, std::size_t frames = 1) {
  std::vector<sent_frame> content;
  for (std::size_t i = 0; i != frames; ++i) content.push_back(frame(number * 100 + i));
  packets.push(number, {.size = 1200, .in_flight = true}, content);
}

std::vector<std::uint64_t> offsets(const sent_packets& packets, std::uint64_t number) {
  std::vector<sent_frame> frames;
  packets.append_frames(packets.at(number), frames);
  std::vector<std::uint64_t> result;
  for (const sent_frame& f : frames) result.push_back(f.offset);
  return result;
}

}  // namespace

TEST_CASE("sent_packets: the front goes with what is settled there", "[quic][recovery]") {
  sent_packets packets;
  for (std::uint64_t n = 0; n != 5; ++n) push(packets, n);
  packets.at(1).is = state::acknowledged;
  packets.trim();
  CHECK(packets.first() == 0);
  packets.at(0).is = state::lost;
  packets.trim();
  CHECK(packets.first() == 2);
  CHECK(packets.size() == 3);
  CHECK(offsets(packets, 2) == std::vector<std::uint64_t>{200});
}

TEST_CASE("sent_packets: numbers left out are never sent", "[quic][recovery][Q15][attack]") {
  sent_packets packets;
  push(packets, 0);
  push(packets, 2);
  CHECK(packets.at(1).is == state::never_sent);
  const ack_range all[] = {{0, 2}};
  const ack_range honest[] = {{2, 2}, {0, 0}};
  CHECK(packets.never_sent_in(all));
  CHECK_FALSE(packets.never_sent_in(honest));
  // Also when the window has moved on.
  packets.at(0).is = packets.at(2).is = state::acknowledged;
  packets.trim();
  CHECK(packets.empty());
  CHECK(packets.never_sent_in(all));
}

TEST_CASE("sent_packets: the first packet of a space may have any number", "[quic][recovery]") {
  sent_packets packets;
  push(packets, 7);
  CHECK(packets.first() == 7);
  CHECK(packets.next() == 8);
  CHECK(offsets(packets, 7) == std::vector<std::uint64_t>{700});
}

TEST_CASE("sent_packets: rings keep everything through growth and wrapping",
          "[quic][recovery][property]") {
  for (std::uint64_t seed = 0; seed != 50; ++seed) {
    CAPTURE(seed);
    strata::testkit::fake_random random(seed);
    sent_packets packets;
    std::deque<std::pair<std::uint64_t, std::size_t>> model;
    std::uint64_t next = 0;
    for (int step = 0; step != 2000; ++step) {
      if (random.happens(0.55)) {
        if (random.happens(0.05)) ++next;
        const std::size_t frames = random.next() % 5;
        push(packets, next, frames);
        model.emplace_back(next++, frames);
      } else if (!model.empty()) {
        packets.at(model.front().first).is = state::acknowledged;
        model.pop_front();
        packets.trim();
      }
      REQUIRE(packets.empty() == model.empty());
      if (!model.empty()) REQUIRE(packets.first() == model.front().first);
    }
    for (const auto& [number, frames] : model) {
      const auto found = offsets(packets, number);
      REQUIRE(found.size() == frames);
      for (std::size_t i = 0; i != frames; ++i) REQUIRE(found[i] == number * 100 + i);
    }
  }
}

TEST_CASE("sent_packets: memory goes back when nothing is outstanding", "[quic][recovery]") {
  sent_packets packets;
  for (std::uint64_t n = 0; n != 100; ++n) push(packets, n);
  packets.release_memory();
  CHECK(offsets(packets, 99) == std::vector<std::uint64_t>{9900});
  packets.clear();
  CHECK(packets.empty());
  CHECK(packets.next() == 100);
  push(packets, 100);
  CHECK(offsets(packets, 100) == std::vector<std::uint64_t>{10000});
}

TEST_CASE("sent_packets: late acknowledgements of lost packets are counted once",
          "[quic][recovery]") {
  sent_packets packets;
  for (std::uint64_t n = 0; n != 40; ++n) packets.remember_lost(n);
  const ack_range some[] = {{38, 39}, {0, 30}};
  // Only the last sixteen are remembered: 24..30, 38 and 39.
  CHECK(packets.take_spuriously_lost(some) == 9);
  CHECK(packets.take_spuriously_lost(some) == 0);
}
