// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/rtt_estimator.hpp"

#include <algorithm>

#include "core/recovery/recovery_constants.hpp"
#include "core/recovery/saturating_time.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

void rtt_estimator::update(transport::duration latest, transport::duration ack_delay) noexcept {
  latest_ = std::max(latest, transport::duration::zero());
  if (!has_sample_) {
    //= RFC 9002 section 5.2
    //# min_rtt MUST be set to the latest_rtt on the first RTT sample.
    minimum_ = latest_;
    smoothed_ = latest_;
    variation_ = latest_ / 2;
    has_sample_ = true;
    minimum_stale_ = false;
    return;
  }
  //= RFC 9002 section 5.2
  //# min_rtt MUST be set to the lesser of min_rtt and latest_rtt (Section 5.1) on all other
  //# samples.
  minimum_ = minimum_stale_ ? latest_ : std::min(minimum_, latest_);
  minimum_stale_ = false;

  //= RFC 9002 section 5.3
  //# MUST NOT subtract the acknowledgment delay from the RTT sample if the
  //# resulting value is smaller than the min_rtt.
  transport::duration adjusted = latest_;
  if (ack_delay > transport::duration::zero() && ack_delay <= latest_ - minimum_) {
    adjusted -= ack_delay;
  }
  // The variation is taken against the old mean, as in appendix A.7. The differences of values that
  // are not negative cannot overflow, nor can sums of fractions of them.
  const transport::duration sample =
      adjusted > smoothed_ ? adjusted - smoothed_ : smoothed_ - adjusted;
  variation_ = variation_ - variation_ / 4 + sample / 4;
  smoothed_ = smoothed_ - smoothed_ / 8 + adjusted / 8;
}

transport::duration rtt_estimator::probe_timeout_base() const noexcept {
  //= RFC 9002 section 6.2.1
  //# The PTO period MUST be at least kGranularity to avoid the timer expiring
  //# immediately.
  return saturating_add(smoothed_, std::max(saturating_multiply(variation_, 4), granularity));
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
