// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/recovery/saturating_time.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// The longest stretch of sending time, over all packet number spaces, out of which ack-eliciting
/// packets were lost and none was acknowledged (RFC 9002 section 7.6.2). It is known by three times
/// only: the first loss, the last, and the earliest acknowledged packet after the last; a loss
/// later than that one begins a new stretch.
class persistent_congestion {
 public:
  /// An acknowledged packet, when it is acknowledged and again when losses around it are looked
  /// for.
  void on_acknowledged(transport::time_point sent_time) noexcept {
    if (!active_ || sent_time <= first_) return;
    if (sent_time < last_) {
      // Only the two ends are known, so what remains after the packet cannot be told: begin anew.
      active_ = false;
    } else if (sent_time < barrier_) {
      barrier_ = sent_time;
    }
  }

  /// An ack-eliciting packet, sent after the first RTT sample, was declared lost.
  /// `acknowledged_elsewhere` is the newest acknowledged packet of the other spaces, which may lie
  /// after it.
  void on_lost(transport::time_point sent_time,
               transport::time_point acknowledged_elsewhere) noexcept {
    if (active_ && sent_time < first_) return;
    if (active_ && sent_time <= barrier_) {
      if (sent_time > last_) last_ = sent_time;
      return;
    }
    active_ = true;
    first_ = last_ = sent_time;
    barrier_ =
        acknowledged_elsewhere >= sent_time ? acknowledged_elsewhere : transport::time_point::max();
  }

  /// Zero when there is none.
  transport::duration length() const noexcept {
    return active_ ? elapsed(first_, last_) : transport::duration::zero();
  }

  void reset() noexcept { active_ = false; }

 private:
  transport::time_point first_{};
  transport::time_point last_{};
  transport::time_point barrier_{};
  bool active_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
