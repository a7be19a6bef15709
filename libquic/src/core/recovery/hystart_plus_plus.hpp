// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "core/recovery/congestion_controller.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// HyStart++ (RFC 9406): leaves the first slow start when the round trip grows, before the queue
/// overflows, by way of a conservative slow start that takes the decision back when the growth was
/// only jitter.
class hystart_plus_plus {
 public:
  enum class phase : std::uint8_t { slow_start, conservative_slow_start, done };

  /// How many bytes the window grows by for this ACK. When phase is done afterwards, slow start is
  /// over: the threshold becomes the window.
  std::uint64_t on_acknowledged(const acknowledged_batch&, transport::duration latest_rtt) noexcept;
  /// Loss, a CE mark: only the first slow start is watched.
  void stop() noexcept { phase_ = phase::done; }
  phase current() const noexcept { return phase_; }

 private:
  void begin_round(std::uint64_t window_end) noexcept;
  void sample(transport::duration rtt) noexcept;

  phase phase_ = phase::slow_start;
  bool round_started_ = false;
  std::uint32_t samples_ = 0;
  std::uint32_t conservative_rounds_ = 0;
  std::uint32_t growth_remainder_ = 0;
  std::uint64_t window_end_ = 0;
  transport::duration last_round_minimum_ = transport::duration::max();
  transport::duration current_round_minimum_ = transport::duration::max();
  transport::duration baseline_minimum_ = transport::duration::max();
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
