// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "strata/transport/core/clock.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Spreads a congestion window over the round trip (RFC 9002 section 7.7) in whole batches: a
/// credit that fills at 1.25 * window / smoothed rtt (2 * in slow start) and never holds more than
/// one burst. Sends that may go within 250 us go at once, so that a batch near 64 KiB leaves in one
/// system call. Packets with only ACK frames are not paced: do not ask.
class pacer {
 public:
  struct rate_source {
    std::uint64_t window = 0;
    transport::duration smoothed_rtt{};
    bool slow_start = false;
    std::uint64_t max_datagram_size = 1200;
  };

  /// Without a limit: the rate is so high that waiting would cost more than it gives.
  static constexpr std::uint64_t unlimited = ~std::uint64_t{0};

  /// Bytes that may leave now; zero means wait until next_send_time().
  std::uint64_t allowance(transport::time_point now, const rate_source&) noexcept;
  /// Also of what left without asking, such as probes: it is taken from what follows.
  void on_sent(transport::time_point now, std::uint64_t bytes) noexcept;
  /// When allowance() will again hold a burst worth waking up for; `now` if it does already.
  transport::time_point next_send_time(transport::time_point now,
                                       const rate_source&) const noexcept;

 private:
  transport::time_point filled_at_{};
  std::int64_t credit_ = 0;  // Negative after sends on credit.
  bool started_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
