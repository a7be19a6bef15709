// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>

#include "core/recovery/congestion_controller.hpp"
#include "core/recovery/hystart_plus_plus.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// What Reno and CUBIC share (RFC 9002 section 7.3): slow start, recovery periods and persistent
/// congestion. What derives from it says how the window grows in congestion avoidance and how far
/// it falls.
class window_controller : public congestion_controller {
 public:
  window_controller(std::uint64_t max_datagram_size, bool hystart) noexcept;

  void on_sent(transport::time_point now, std::uint64_t bytes_in_flight) override;
  void on_acknowledged(transport::time_point now, const acknowledged_batch&,
                       const rtt_estimator&) override;
  void on_congestion(transport::time_point now, const congestion_event&) override;
  void on_datagram_size(std::uint64_t max_datagram_size) override;
  std::uint64_t window() const noexcept override { return window_; }
  std::uint64_t slow_start_threshold() const noexcept override { return threshold_; }
  transport::time_point recovery_start() const noexcept override { return recovery_start_; }

  static constexpr std::uint64_t no_threshold = std::numeric_limits<std::uint64_t>::max();

 protected:
  /// `bytes` were acknowledged in congestion avoidance: call grow().
  virtual void avoid_congestion(transport::time_point now, std::uint64_t bytes,
                                transport::duration smoothed_rtt) = 0;
  /// A recovery period begins: the slow start threshold, not yet limited to the minimum window.
  virtual std::uint64_t reduced_window() = 0;
  virtual void on_persistent_congestion() {}
  /// The window could not grow although time passed.
  virtual void on_not_growing(transport::time_point) {}

  void grow(std::uint64_t bytes) noexcept;
  std::uint64_t max_datagram_size() const noexcept { return max_datagram_size_; }

 private:
  std::uint64_t initial_window() const noexcept;
  std::uint64_t minimum_window() const noexcept;
  /// Answers the acknowledged bytes that are left for congestion avoidance.
  std::uint64_t slow_start(const acknowledged_batch&, const rtt_estimator&) noexcept;

  std::uint64_t max_datagram_size_;
  std::uint64_t window_;
  std::uint64_t threshold_ = no_threshold;
  transport::time_point recovery_start_ = transport::time_point::min();
  hystart_plus_plus hystart_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
