// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "strata/mux/core/limits.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// How many frames a peer may send that serve nobody: empty ones, streams opened and reset at once,
/// pings on top of pings. No window bounds those.
class glitch_budget {
 public:
  /// False: too many.
  bool charge(transport::time_point now, std::uint32_t count) noexcept {
    refill(now);
    if (left_ < count) return false;
    left_ -= count;
    return true;
  }
  /// A frame carried bytes: who works may make noise in proportion.
  void pay_back() noexcept { left_ = std::min(left_ + 1, limits::yamux::glitch_burst); }

 private:
  void refill(transport::time_point now) noexcept {
    constexpr transport::duration per_glitch =
        transport::duration(std::chrono::seconds(1)) / limits::yamux::glitches_per_second;
    if (left_ == limits::yamux::glitch_burst) refilled_ = now;
    if (now <= refilled_) return;
    const auto earned = (now - refilled_) / per_glitch;
    const std::uint32_t missing = limits::yamux::glitch_burst - left_;
    refilled_ += per_glitch * earned;
    left_ += earned >= missing ? missing : static_cast<std::uint32_t>(earned);
  }

  transport::time_point refilled_{};
  std::uint32_t left_ = limits::yamux::glitch_burst;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
