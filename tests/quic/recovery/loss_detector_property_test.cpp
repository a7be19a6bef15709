// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <set>

#include "quic/recovery/detector_under_test.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::quic::core;
using namespace strata::quic::core::test;
using strata::quic::packet_number_space;
using strata::quic::role;

namespace {

struct packet {
  std::uint32_t size = 0;
  std::size_t frames = 0;
  bool in_flight = false;
};

/// Sends, acknowledges, loses and waits at random next to a model that knows every packet by
/// number.
class random_run {
 public:
  explicit random_run(std::uint64_t seed)
      : random_(seed),
        detector_({.side = seed % 2 == 0 ? role::client : role::server,
                   .algorithm = seed % 3 == 0 ? congestion_algorithm::new_reno
                                              : congestion_algorithm::cubic}) {}

  void step() {
    const std::uint64_t dice = random_.next() % 100;
    if (dice < 55)
      send();
    else if (dice < 80)
      acknowledge();
    else if (dice < 90)
      now_ += duration(static_cast<std::int64_t>(random_.next() % 50'000'000));
    else if (dice < 97)
      let_timer_fire();
    else if (dice < 98)
      now_ -= duration(static_cast<std::int64_t>(random_.next() % 1'000'000'000));
    else
      change_facts();
    check();
  }

 private:
  struct space_model {
    std::map<std::uint64_t, packet> outstanding;
    std::set<std::uint64_t> skipped;
    std::uint64_t next = 0;
    bool discarded = false;
  };

  space_model& at(packet_number_space s) { return spaces_[static_cast<std::size_t>(s)]; }
  packet_number_space any_space() {
    return static_cast<packet_number_space>(std::min<std::uint64_t>(random_.next() % 6, 2));
  }

  void send() {
    const packet_number_space space = any_space();
    space_model& s = at(space);
    if (s.discarded) return;
    if (random_.happens(0.02)) s.skipped.insert(s.next++);
    packet p{.size = static_cast<std::uint32_t>(40 + random_.next() % 1160),
             .frames = 1 + random_.next() % 3,
             .in_flight = random_.happens(0.8)};
    const bool ack_eliciting = p.in_flight && random_.happens(0.9);
    std::vector<sent_frame> frames;
    for (std::size_t i = 0; i != p.frames; ++i) {
      frames.push_back({.what = sent_frame::kind::stream, .id = s.next, .offset = i});
    }
    detector_.on_packet_sent(now_,
                             {.space = space,
                              .number = s.next,
                              .size = p.size,
                              .ack_eliciting = ack_eliciting,
                              .in_flight = p.in_flight},
                             frames);
    s.outstanding.emplace(s.next++, p);
  }

  void acknowledge() {
    const packet_number_space space = any_space();
    space_model& s = at(space);
    if (s.next == 0) return;
    std::vector<ack_range> ranges;
    std::uint64_t top = s.next - 1 - std::min<std::uint64_t>(s.next - 1, random_.next() % 6);
    for (int i = 0; i != 6; ++i) {
      while (s.skipped.contains(top) && top != 0) --top;
      if (s.skipped.contains(top)) break;
      std::uint64_t bottom = top;
      const std::uint64_t length = random_.next() % 12;
      for (std::uint64_t k = 0; k != length && bottom != 0 && !s.skipped.contains(bottom - 1); ++k)
        --bottom;
      ranges.push_back({bottom, top});
      const std::uint64_t gap = 2 + random_.next() % 3;
      if (bottom < gap) break;
      top = bottom - gap;
    }
    if (ranges.empty()) return;
    const auto delay = duration(static_cast<std::int64_t>(random_.next() % 100'000'000));
    REQUIRE(
        detector_.on_ack_received(now_, {.space = space, .ranges = ranges, .ack_delay = delay}));
    settle(space, detector_.acked_frames());
    settle(space, detector_.lost_frames());
  }

  void let_timer_fire() {
    for (int spins = 0;; ++spins) {
      REQUIRE(spins <=
              6);  // Three spaces' loss timers, then three probes: never more at one instant.
      const auto next = detector_.next_timeout();
      if (!next) return;
      // Unanswered probes back off towards the end of time; nobody waits for that.
      if (spins == 0 && *next < now_ + 1h) now_ = std::max(now_, *next);
      if (*next > now_) return;
      (void)detector_.on_timeout(now_);
      settle(detector_.lost_space(), detector_.lost_frames());
    }
  }

  void change_facts() {
    switch (random_.next() % 12) {
      case 0: detector_.on_handshake_confirmed(now_); break;
      case 1: detector_.on_handshake_keys(now_); break;
      case 2: detector_.set_peer_max_ack_delay(25ms); break;
      case 3: detector_.set_amplification_limited(now_, random_.happens(0.2)); break;
      case 4: detector_.set_application_limited(random_.happens(0.5)); break;
      case 5: discard(packet_number_space::initial); break;
      case 6: discard(packet_number_space::handshake); break;
      case 7: detector_.on_ecn_congestion(now_, now_ - 5ms); break;
      case 8: detector_.set_max_datagram_size(1200 + random_.next() % 300); break;
      case 9: detector_.release_memory(); break;
      default: break;
    }
  }

  void discard(packet_number_space space) {
    if (!random_.happens(0.1)) return;
    detector_.discard_space(now_, space);
    at(space).discarded = true;
    at(space).outstanding.clear();
  }

  // Each frame is handed out once: its packet must still be outstanding, and all its frames come
  // together.
  void settle(packet_number_space space, std::span<const sent_frame> frames) {
    auto& outstanding = at(space).outstanding;
    for (std::size_t i = 0; i != frames.size();) {
      const auto found = outstanding.find(frames[i].id);
      REQUIRE(found != outstanding.end());
      for (std::size_t k = 0; k != found->second.frames; ++k, ++i) {
        REQUIRE(i < frames.size());
        REQUIRE(frames[i].id == found->first);
        REQUIRE(frames[i].offset == k);
      }
      outstanding.erase(found);
    }
  }

  std::uint64_t in_flight() const {
    std::uint64_t sum = 0;
    for (const space_model& s : spaces_) {
      for (const auto& [number, p] : s.outstanding) {
        if (p.in_flight) sum += p.size;
      }
    }
    return sum;
  }

  void check() {
    REQUIRE(detector_.bytes_in_flight() == in_flight());
    REQUIRE(detector_.congestion_window() >= 2 * detector_.max_datagram_size());
    REQUIRE(detector_.available_window() <= detector_.congestion_window());
    REQUIRE(detector_.rtt().smoothed() >= duration::zero());
    REQUIRE(detector_.rtt().variation() >= duration::zero());
  }

  strata::testkit::fake_random random_;
  loss_detector detector_;
  std::array<space_model, 3> spaces_;
  time_point now_ = start;
};

}  // namespace

TEST_CASE("loss_detector: every frame is settled once and the flight is the sum of what is out",
          "[quic][recovery][property]") {
  for (std::uint64_t seed = 1; seed != 301; ++seed) {
    CAPTURE(seed);
    random_run run(seed);
    for (int step = 0; step != 800; ++step) run.step();
  }
}
