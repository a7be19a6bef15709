// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/limits.hpp"

namespace strata::transport {
inline namespace v0 {
namespace websocket {

/// How many frames that carry nothing a peer may send: a burst, and a rate that fills it up again.
class flood_budget {
 public:
  /// False: too many of them.
  bool charge(time_point now) noexcept {
    refill(now);
    if (tokens_ == 0) return false;
    --tokens_;
    return true;
  }

 private:
  void refill(time_point now) noexcept {
    constexpr duration per_token =
        duration(std::chrono::seconds(1)) / limits::websocket_glitches_per_second;
    if (tokens_ == limits::websocket_glitch_burst) refilled_ = now;
    if (now <= refilled_) return;
    const auto earned = (now - refilled_) / per_token;
    refilled_ += per_token * earned;
    tokens_ = static_cast<std::uint32_t>(
        std::min<duration::rep>(tokens_ + earned, limits::websocket_glitch_burst));
  }

  time_point refilled_{};
  std::uint32_t tokens_ = limits::websocket_glitch_burst;
};

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
