// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/window_controller.hpp"

#include <algorithm>

#include "core/recovery/recovery_constants.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

window_controller::window_controller(std::uint64_t max_datagram_size, bool hystart) noexcept
    : max_datagram_size_(std::clamp<std::uint64_t>(max_datagram_size, 1, 65'535)),
      window_(initial_window()) {
  if (!hystart) hystart_.stop();
}

std::uint64_t window_controller::initial_window() const noexcept {
  //= RFC 9002 section 7.2
  //# Endpoints SHOULD use an initial congestion window of ten times
  //# the maximum datagram size (max_datagram_size), while limiting the window to the
  //# larger of 14,720 bytes or twice the maximum datagram size.
  return std::min(initial_window_datagrams * max_datagram_size_,
                  std::max(initial_window_bytes, 2 * max_datagram_size_));
}

std::uint64_t window_controller::minimum_window() const noexcept {
  return minimum_window_datagrams * max_datagram_size_;
}

void window_controller::grow(std::uint64_t bytes) noexcept {
  window_ += std::min(bytes, largest_window - std::min(window_, largest_window));
}

void window_controller::on_sent(transport::time_point now, std::uint64_t) { on_not_growing(now); }

std::uint64_t window_controller::slow_start(const acknowledged_batch& batch,
                                            const rtt_estimator& rtt) noexcept {
  if (hystart_.current() != hystart_plus_plus::phase::done) {
    const std::uint64_t growth = hystart_.on_acknowledged(batch, rtt.latest());
    if (!batch.application_limited) grow(growth);
    if (hystart_.current() == hystart_plus_plus::phase::done) threshold_ = window_;
    return 0;
  }
  if (batch.application_limited) return 0;
  // One ACK may cover more than is missing to the threshold.
  const std::uint64_t bytes = std::min(batch.bytes_out_of_recovery, threshold_ - window_);
  grow(bytes);
  return batch.bytes_out_of_recovery - bytes;
}

void window_controller::on_acknowledged(transport::time_point now, const acknowledged_batch& batch,
                                        const rtt_estimator& rtt) {
  std::uint64_t bytes = batch.bytes_out_of_recovery;
  if (window_ < threshold_) bytes = slow_start(batch, rtt);
  //= RFC 9002 section 7.8
  //# When this occurs,
  //# the congestion window SHOULD NOT be increased in either slow start or
  //# congestion avoidance.
  if (batch.application_limited) {
    on_not_growing(now);
    return;
  }
  if (bytes != 0 && window_ >= threshold_) avoid_congestion(now, bytes, rtt.smoothed());
}

void window_controller::on_congestion(transport::time_point now, const congestion_event& event) {
  if (event.newest_lost_sent > recovery_start_) {
    //= RFC 9002 section 7.3.1
    //# The sender MUST exit slow start and enter a recovery period when a packet is
    //# lost or when the ECN-CE count reported by its peer increases.
    hystart_.stop();
    recovery_start_ = now;
    threshold_ = std::max(reduced_window(), minimum_window());
    //= RFC 9002 section 7.3.2
    //# The congestion
    //# window MUST be set to the reduced value of the slow start threshold before
    //# exiting the recovery period.
    window_ = threshold_;
  }
  if (event.persistent) {
    //= RFC 9002 section 7.6.2
    //# When persistent congestion is declared, the sender's congestion window MUST be reduced to
    //# the minimum congestion window (kMinimumWindow), similar to a TCP sender's response on an RTO
    //# [RFC5681].
    window_ = minimum_window();
    recovery_start_ = transport::time_point::min();
    on_persistent_congestion();
  }
}

void window_controller::on_datagram_size(std::uint64_t max_datagram_size) {
  const std::uint64_t initial_before = initial_window();
  max_datagram_size_ = std::clamp<std::uint64_t>(max_datagram_size, 1, 65'535);
  //= RFC 9002 section 7.2
  //# If the maximum datagram size changes during the connection, the initial
  //# congestion window SHOULD be recalculated with the new size.
  if (window_ == initial_before && threshold_ == no_threshold) window_ = initial_window();
  window_ = std::max(window_, minimum_window());
  if (threshold_ != no_threshold) threshold_ = std::max(threshold_, minimum_window());
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
