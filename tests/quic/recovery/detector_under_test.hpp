// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "core/recovery/loss_detector.hpp"

namespace strata::quic::core::test {

using namespace std::chrono_literals;
using transport::duration;
using transport::time_point;

inline constexpr auto initial = packet_number_space::initial;
inline constexpr auto handshake = packet_number_space::handshake;
inline constexpr auto application = packet_number_space::application;

/// Some time that is not the beginning of the clock.
inline constexpr time_point start{1h};

inline sent_frame stream_frame(std::uint64_t offset) {
  return {.what = sent_frame::kind::stream, .length = 1000, .id = 4, .offset = offset};
}

/// A loss detector with the clock in the hand of the test; each packet carries one STREAM frame
/// whose offset is its number.
struct detector_under_test {
  explicit detector_under_test(role side = role::client,
                               congestion_algorithm algorithm = congestion_algorithm::new_reno)
      : loss({.side = side, .algorithm = algorithm}) {}

  /// A connection whose handshake is over, with one RTT sample of `rtt` from packet 0.
  static detector_under_test confirmed(duration rtt = 100ms, role side = role::client) {
    detector_under_test d(side);
    d.loss.on_handshake_confirmed(d.now);
    d.loss.discard_space(d.now, initial);
    d.loss.discard_space(d.now, handshake);
    d.send(application, 0);
    d.now += rtt;
    (void)d.acknowledge(application, {{0, 0}});
    return d;
  }

  void send(packet_number_space space, std::uint64_t number, std::uint32_t size = 1200) {
    const sent_frame frame = stream_frame(number);
    loss.on_packet_sent(
        now,
        {.space = space, .number = number, .size = size, .ack_eliciting = true, .in_flight = true},
        {&frame, 1});
  }
  void send_ack_only(packet_number_space space, std::uint64_t number, std::uint32_t size = 40) {
    const sent_frame frame{.what = sent_frame::kind::ack};
    loss.on_packet_sent(now, {.space = space, .number = number, .size = size}, {&frame, 1});
  }
  void send_padding_only(packet_number_space space, std::uint64_t number,
                         std::uint32_t size = 1200) {
    loss.on_packet_sent(now, {.space = space, .number = number, .size = size, .in_flight = true},
                        {});
  }
  std::expected<void, protocol_failure> acknowledge(packet_number_space space,
                                                    std::initializer_list<ack_range> ranges,
                                                    duration delay = {}) {
    return loss.on_ack_received(
        now, {.space = space, .ranges = {ranges.begin(), ranges.size()}, .ack_delay = delay});
  }
  /// Waits for the timer and lets it fire.
  probe_request fire() {
    now = std::max(now, loss.next_timeout().value());
    return loss.on_timeout(now);
  }
  std::vector<std::uint64_t> acked() const { return offsets(loss.acked_frames()); }
  std::vector<std::uint64_t> lost() const { return offsets(loss.lost_frames()); }
  static std::vector<std::uint64_t> offsets(std::span<const sent_frame> frames) {
    std::vector<std::uint64_t> result;
    for (const sent_frame& frame : frames) result.push_back(frame.offset);
    return result;
  }

  loss_detector loss;
  time_point now = start;
};

using numbers = std::vector<std::uint64_t>;

}  // namespace strata::quic::core::test
