// SPDX-License-Identifier: Apache-2.0
// A bottleneck of one rate, one queue and one delay in virtual time, shared by senders that always
// have data.
#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <memory>

#include "core/recovery/pacer.hpp"
#include "quic/recovery/detector_under_test.hpp"

using namespace strata::quic::core;
using namespace strata::quic::core::test;

namespace {

constexpr std::uint32_t packet_size = 1200;

struct path_options {
  double bits_per_second = 10e6;
  duration round_trip = 30ms;
  double queue_in_bdp = 1;
};

struct sender {
  explicit sender(congestion_algorithm algorithm) : loss({.algorithm = algorithm}) {
    loss.on_handshake_confirmed(start);
    loss.set_peer_max_ack_delay(25ms);
  }
  loss_detector loss;
  ack_tracker acks{25ms};
  pacer pace;
  std::uint64_t next = 0;
  std::uint64_t delivered = 0;
};

class bottleneck {
 public:
  bottleneck(const path_options& options, std::vector<congestion_algorithm> algorithms)
      : options_(options),
        serialisation_(
            duration(static_cast<std::int64_t>(packet_size * 8e9 / options.bits_per_second))),
        queue_limit_(static_cast<std::size_t>(
            options.queue_in_bdp * options.bits_per_second *
            std::chrono::duration<double>(options.round_trip).count() / 8 / packet_size)) {
    for (const auto algorithm : algorithms) senders_.push_back(std::make_unique<sender>(algorithm));
  }

  void run(duration length) {
    const time_point end = now_ + length;
    for (; now_ < end; now_ += 100us) {
      deliver();
      for (std::size_t i = 0; i != senders_.size(); ++i) turn(i);
    }
  }
  sender& at(std::size_t i) { return *senders_[i]; }
  std::uint64_t drops() const { return drops_; }

 private:
  struct in_transit {
    std::size_t sender;
    std::uint64_t number;
    time_point leaves_queue;
    time_point arrives;
  };
  struct acknowledgement {
    std::size_t sender;
    time_point arrives;
    std::vector<ack_range> ranges;
    duration delay;
  };

  void send(std::size_t i) {
    sender& s = *senders_[i];
    const sent_frame frame = stream_frame(s.next);
    s.loss.on_packet_sent(now_,
                          {.space = application,
                           .number = s.next,
                           .size = packet_size,
                           .ack_eliciting = true,
                           .in_flight = true},
                          {&frame, 1});
    s.pace.on_sent(now_, packet_size);
    const std::uint64_t number = s.next++;
    while (!queue_.empty() && queue_.front() <= now_) queue_.pop_front();
    if (queue_.size() > queue_limit_) {
      ++drops_;
      return;
    }
    free_at_ = std::max(free_at_, now_) + serialisation_;
    queue_.push_back(free_at_);
    packets_.push_back({i, number, free_at_, free_at_ + options_.round_trip / 2});
  }

  void turn(std::size_t i) {
    sender& s = *senders_[i];
    unsigned probes = 0;
    if (const auto timeout = s.loss.next_timeout(); timeout && *timeout <= now_) {
      probes = s.loss.on_timeout(now_).packets;
    }
    for (; probes != 0; --probes) send(i);
    std::uint64_t allowed = s.pace.allowance(now_, {.window = s.loss.congestion_window(),
                                                    .smoothed_rtt = s.loss.rtt().smoothed(),
                                                    .slow_start = s.loss.in_slow_start()});
    for (; s.loss.available_window() >= packet_size && allowed >= packet_size;
         allowed -= packet_size)
      send(i);
  }

  void deliver() {
    for (; !packets_.empty() && packets_.front().arrives <= now_; packets_.pop_front()) {
      sender& s = *senders_[packets_.front().sender];
      s.acks.on_packet_received(now_, packets_.front().number, true,
                                strata::transport::ecn::not_ect);
      s.delivered += packet_size;
    }
    for (std::size_t i = 0; i != senders_.size(); ++i) {
      ack_tracker& acks = senders_[i]->acks;
      if (!acks.ack_due(now_)) continue;
      acks_.push_back({i,
                       now_ + options_.round_trip / 2,
                       {acks.ranges().begin(), acks.ranges().end()},
                       acks.ack_delay(now_)});
      acks.on_ack_sent();
    }
    for (; !acks_.empty() && acks_.front().arrives <= now_; acks_.pop_front()) {
      const acknowledgement& ack = acks_.front();
      REQUIRE(senders_[ack.sender]->loss.on_ack_received(
          now_, {.space = application, .ranges = ack.ranges, .ack_delay = ack.delay}));
    }
  }

  path_options options_;
  duration serialisation_;
  std::size_t queue_limit_;
  time_point now_ = start;
  time_point free_at_ = start;
  std::vector<std::unique_ptr<sender>> senders_;
  std::deque<time_point> queue_;
  std::deque<in_transit> packets_;
  std::deque<acknowledgement> acks_;
  std::uint64_t drops_ = 0;
};

double utilisation(const path_options& options, congestion_algorithm algorithm, duration warm,
                   duration length) {
  bottleneck path(options, {algorithm});
  path.run(warm);
  const std::uint64_t before = path.at(0).delivered;
  path.run(length);
  const double seconds = std::chrono::duration<double>(length).count();
  return static_cast<double>(path.at(0).delivered - before) * 8 / seconds / options.bits_per_second;
}

}  // namespace

TEST_CASE("recovery: each controller fills 10 Mbit/s at 30 ms with a queue of one BDP",
          "[quic][recovery][bottleneck]") {
  for (const auto algorithm : {congestion_algorithm::new_reno, congestion_algorithm::cubic}) {
    CAPTURE(static_cast<int>(algorithm));
    CHECK(utilisation({}, algorithm, 0s, 5s) >= 0.90);
    CHECK(utilisation({}, algorithm, 5s, 20s) >= 0.95);
  }
}

TEST_CASE("recovery: a faster and longer path is filled too", "[quic][recovery][bottleneck]") {
  const path_options options{.bits_per_second = 100e6, .round_trip = 60ms};
  CHECK(utilisation(options, congestion_algorithm::cubic, 5s, 10s) >= 0.90);
}

TEST_CASE("recovery: a short queue still lets most of the rate through",
          "[quic][recovery][bottleneck]") {
  const path_options options{.queue_in_bdp = 0.25};
  for (const auto algorithm : {congestion_algorithm::new_reno, congestion_algorithm::cubic}) {
    CHECK(utilisation(options, algorithm, 5s, 20s) >= 0.75);
  }
}

TEST_CASE("recovery: losses stay rare, and what was lost is known to be lost",
          "[quic][recovery][bottleneck]") {
  for (const auto algorithm : {congestion_algorithm::new_reno, congestion_algorithm::cubic}) {
    bottleneck path({}, {algorithm});
    path.run(20s);
    const auto& loss = path.at(0).loss;
    CHECK(path.drops() < path.at(0).next / 50);
    CHECK(loss.packets_lost() <= path.drops());
    CHECK(loss.packets_lost() + 60 >= path.drops());
    CHECK(loss.packets_spuriously_lost() == 0);
  }
}

//= RFC 9002 section 7
//# the chosen controller MUST conform to the congestion control guidelines specified in Section
//# 3.1 of [RFC8085]
TEST_CASE("recovery: two flows share a bottleneck", "[quic][recovery][bottleneck]") {
  using enum congestion_algorithm;
  for (const auto& pair : {std::pair{new_reno, new_reno}, {cubic, cubic}, {new_reno, cubic}}) {
    CAPTURE(static_cast<int>(pair.first), static_cast<int>(pair.second));
    bottleneck path({}, {pair.first, pair.second});
    path.run(10s);
    const std::uint64_t first_before = path.at(0).delivered;
    const std::uint64_t second_before = path.at(1).delivered;
    path.run(60s);
    const double first = static_cast<double>(path.at(0).delivered - first_before);
    const double second = static_cast<double>(path.at(1).delivered - second_before);
    CHECK(first + second >= 0.95 * 60 * 10e6 / 8);
    CHECK(std::min(first, second) >= 0.25 * (first + second));
  }
}
