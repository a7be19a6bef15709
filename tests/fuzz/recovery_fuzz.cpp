// SPDX-License-Identifier: Apache-2.0
// Recovery driven by operations: each byte of the input chooses one, the bytes after it are its
// arguments.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "core/recovery/ack_tracker.hpp"
#include "core/recovery/ecn_validator.hpp"
#include "core/recovery/loss_detector.hpp"
#include "core/recovery/pacer.hpp"
#include "strata/quic/core/limits.hpp"

namespace {

using namespace strata::quic::core;
using strata::quic::packet_number_space;
using strata::quic::role;
using strata::transport::duration;
using strata::transport::time_point;

void require(bool condition) {
  if (!condition) std::abort();
}

class driver {
 public:
  explicit driver(std::span<const std::uint8_t> input)
      : input_(input),
        loss_({.side = (byte() & 1) != 0 ? role::server : role::client,
               .initial_rtt = duration(static_cast<std::int64_t>(number())),
               .max_datagram_size = number(),
               .algorithm = (byte() & 1) != 0 ? congestion_algorithm::cubic
                                              : congestion_algorithm::new_reno}) {}

  void run() {
    while (!input_.empty()) {
      step(byte());
      check();
    }
  }

 private:
  std::uint8_t byte() {
    if (input_.empty()) return 0;
    const std::uint8_t value = input_.front();
    input_ = input_.subspan(1);
    return value;
  }
  /// Small numbers mostly, any number sometimes: the first byte says how many follow.
  std::uint64_t number() {
    const std::uint8_t head = byte();
    if (head < 0xf0) return head;
    std::uint64_t value = 0;
    for (int i = 0; i != head % 9; ++i) value = value << 8 | byte();
    return value;
  }
  packet_number_space space() { return static_cast<packet_number_space>(byte() % 3); }
  duration span() { return duration(static_cast<std::int64_t>(number())); }

  void step(std::uint8_t operation) {
    switch (operation % 20) {
      case 0:
      case 1:
      case 2:
      case 3: return send(1 + byte() % 64);
      case 4:
      case 5:
      case 6: return acknowledge();
      case 7: return fire();
      case 8: return wait();
      case 9: now_ = time_point(span()); return;
      case 10: return discard();
      case 11: return loss_.on_handshake_confirmed(now_);
      case 12: return loss_.set_peer_max_ack_delay(span());
      case 13: return loss_.set_amplification_limited(now_, (byte() & 1) != 0);
      case 14: return loss_.set_application_limited((byte() & 1) != 0);
      case 15: return loss_.on_ecn_congestion(now_, time_point(span()));
      case 16: return path();
      case 17: return receive();
      case 18: return pace();
      default: return ecn();
    }
  }

  void wait() {
    const auto by = std::chrono::microseconds(number() % 100'000'000'000);
    if (now_ < time_point::max() - by) now_ += by;
  }

  void send(unsigned count) {
    const packet_number_space s = space();
    std::uint64_t& next = next_[static_cast<std::size_t>(s)];
    const std::uint8_t flags = byte();
    next += flags >> 6 == 3 ? 1 : 0;
    std::array<sent_frame, 3> frames{};
    for (unsigned i = 0; i != count; ++i) {
      const bool in_flight = (flags & 1) != 0;
      loss_.on_packet_sent(now_,
                           {.space = s,
                            .number = next++,
                            .size = 1u + flags * 8u,
                            .ack_eliciting = in_flight && (flags & 2) != 0,
                            .in_flight = in_flight,
                            .ecn_marked = (flags & 4) != 0,
                            .mtu_probe = (flags & 8) != 0},
                           std::span(frames).first((flags >> 4) & 3));
    }
  }

  void acknowledge() {
    ack_received ack{.space = space()};
    const std::uint64_t next = next_[static_cast<std::size_t>(ack.space)];
    ranges_.clear();
    std::uint64_t top = next - number();
    const unsigned count = 1 + byte() % 40;
    for (unsigned i = 0; i != count; ++i) {
      const std::uint64_t length = number();
      if (length > top) break;
      ranges_.push_back({top - length, top});
      const std::uint64_t gap = 2 + number();
      if (top - length < gap) break;
      top = top - length - gap;
    }
    ack.ranges = ranges_;
    ack.ack_delay = span();
    const bool sent = ranges_.empty() || ranges_.front().largest < next;
    const auto result = loss_.on_ack_received(now_, ack);
    // What was never sent is noticed, but for a space whose keys are gone.
    require(sent || !result || discarded_[static_cast<std::size_t>(ack.space)]);
  }

  void discard() {
    const auto s = static_cast<packet_number_space>(byte() % 2);
    loss_.discard_space(now_, s);
    discarded_[static_cast<std::size_t>(s)] = true;
  }

  void fire() {
    for (int i = 0; i != 16; ++i) {
      const auto next = loss_.next_timeout();
      if (!next || *next == time_point::max()) return;
      if (i == 0 && *next > now_) now_ = *next;
      if (*next > now_) return;
      (void)loss_.on_timeout(now_);
    }
    // Three loss timers, three probes: never more at one instant, unless it is the last one.
    require(now_ >= time_point::max() - std::chrono::hours(1) || now_ < time_point{});
  }

  void path() {
    switch (byte() % 6) {
      case 0:
        return loss_.on_path_changed(now_, {.initial_rtt = span(), .max_datagram_size = number()});
      case 1: return loss_.set_max_datagram_size(number());
      case 2: return loss_.release_memory();
      case 3: return loss_.on_retry(now_);
      case 4: return loss_.on_early_data_rejected(now_);
      default: return loss_.on_handshake_keys(now_);
    }
  }

  void receive() {
    const std::uint64_t packet = number();
    if (!acks_.is_duplicate(packet)) {
      acks_.on_packet_received(now_, packet, (byte() & 1) != 0,
                               static_cast<strata::transport::ecn>(byte() % 4));
      require(acks_.is_duplicate(packet));
    }
    if ((byte() & 3) == 0) acks_.on_ack_acknowledged(number());
    if (acks_.ack_due(now_)) acks_.on_ack_sent();
    require(acks_.ranges().size() <= limits::max_ack_ranges);
    require(acks_.ack_delay(now_) >= duration::zero());
    for (std::size_t i = 1; i < acks_.ranges().size(); ++i) {
      require(acks_.ranges()[i].largest + 1 < acks_.ranges()[i - 1].smallest);
    }
  }

  void pace() {
    const pacer::rate_source source{.window = number(),
                                    .smoothed_rtt = span(),
                                    .slow_start = (byte() & 1) != 0,
                                    .max_datagram_size = number()};
    if (pacer_.allowance(now_, source) == 0) {
      const time_point next = pacer_.next_send_time(now_, source);
      require(next > now_ || now_ == time_point::max());
    }
    pacer_.on_sent(now_, number());
  }

  void ecn() {
    for (unsigned i = byte() % 16; i != 0; --i) validator_.on_packet_sent(space());
    ecn_validator::feedback f{
        .space = space(), .acknowledged_marked = number(), .largest_increased = (byte() & 1) != 0};
    if ((byte() & 1) != 0) f.counts = ecn_counts{number() >> 2, number() >> 2, number() >> 2};
    (void)validator_.on_ack(f);
    validator_.on_packets_lost(number());
  }

  void check() {
    std::uint64_t sent = 0;
    for (const std::uint64_t next : next_) sent += next;
    require(loss_.bytes_in_flight() <= sent * (1u + 255u * 8u));
    require(loss_.available_window() <= loss_.congestion_window());
    require(loss_.rtt().smoothed() >= duration::zero() || loss_.rtt().has_sample() == false);
    (void)loss_.next_timeout();
  }

  std::span<const std::uint8_t> input_;
  loss_detector loss_;
  ack_tracker acks_{std::chrono::milliseconds(25)};
  pacer pacer_;
  ecn_validator validator_;
  std::array<std::uint64_t, 3> next_{};
  std::array<bool, 3> discarded_{};
  std::vector<ack_range> ranges_;
  time_point now_{std::chrono::hours(1)};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  driver(std::span(input, size)).run();
  return 0;
}
