// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strata/transport/core/clock.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Round-trip time of one path (RFC 9002 section 5).
class rtt_estimator {
 public:
  explicit rtt_estimator(transport::duration initial) noexcept
      : smoothed_(initial), variation_(initial / 2) {}

  /// A sample from a newly acknowledged largest packet. `ack_delay` is the peer's, already limited
  /// by its max_ack_delay when the handshake is confirmed.
  void update(transport::duration latest, transport::duration ack_delay) noexcept;

  bool has_sample() const noexcept { return has_sample_; }
  transport::duration latest() const noexcept { return latest_; }
  transport::duration minimum() const noexcept { return minimum_; }
  transport::duration smoothed() const noexcept { return smoothed_; }
  transport::duration variation() const noexcept { return variation_; }
  /// smoothed + max(4 * variation, granularity), without max_ack_delay (RFC 9002 section 6.2.1).
  transport::duration probe_timeout_base() const noexcept;
  /// After persistent congestion the minimum starts anew (RFC 9002 section 5.2).
  void forget_minimum() noexcept { minimum_stale_ = true; }

 private:
  transport::duration latest_{};
  transport::duration minimum_{};
  transport::duration smoothed_;
  transport::duration variation_;
  bool has_sample_ = false;
  bool minimum_stale_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
