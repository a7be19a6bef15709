// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "strata/transport/core/clock.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// How many frames a peer may send that serve nobody: empty ones, streams opened and reset at once,
/// pings on top of pings. No window bounds those.
class glitch_budget {
 public:
  glitch_budget(std::uint32_t burst, std::uint32_t per_second) noexcept
      : per_glitch_(transport::duration(std::chrono::seconds(1)) / per_second),
        burst_(burst),
        left_(burst) {}

  /// False: too many.
  bool charge(transport::time_point now, std::uint32_t count) noexcept {
    refill(now);
    if (left_ < count) return false;
    left_ -= count;
    return true;
  }
  /// A frame carried bytes: who works may make noise in proportion.
  void pay_back() noexcept { left_ = std::min(left_ + 1, burst_); }

 private:
  void refill(transport::time_point now) noexcept {
    if (left_ == burst_) refilled_ = now;
    if (now <= refilled_) return;
    const auto earned = (now - refilled_) / per_glitch_;
    const std::uint32_t missing = burst_ - left_;
    refilled_ += per_glitch_ * earned;
    left_ += earned >= missing ? missing : static_cast<std::uint32_t>(earned);
  }

  transport::duration per_glitch_;
  transport::time_point refilled_{};
  std::uint32_t burst_;
  std::uint32_t left_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
