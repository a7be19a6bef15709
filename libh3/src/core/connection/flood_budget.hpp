// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "strata/h3/core/limits.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

/// How much useless work a peer may cause. QUIC's stream limit bounds how many requests are open,
/// not how many are opened and cancelled again ("rapid reset") or made to fail on purpose; and no
/// limit of QUIC sees frames that carry nothing.
class flood_budget {
 public:
  /// Something that cost us and served nobody. False: too much of it.
  bool charge(transport::time_point now) noexcept {
    refill(now);
    if (tokens_ > 0) --tokens_;
    return tokens_ > 0;
  }
  /// A request was served to its end: a peer that works may make noise in proportion.
  void pay_back() noexcept { tokens_ = std::min(tokens_ + 1, limits::glitch_burst); }

  void add_useful(std::uint64_t size) noexcept { useful_ += size; }
  /// Framing, padding and unknown frames. False: nearly all the peer sends is that.
  bool add_overhead(std::uint64_t size) noexcept {
    overhead_ += size;
    return overhead_ / limits::overhead_ratio <=
           useful_ + limits::overhead_allowance / limits::overhead_ratio;
  }

 private:
  void refill(transport::time_point now) noexcept {
    if (!started_) {
      started_ = true;
      refilled_ = now;
    }
    if (now <= refilled_) return;
    constexpr transport::duration per_token =
        transport::duration(std::chrono::seconds(1)) / limits::glitches_per_second;
    const auto earned = static_cast<std::uint64_t>((now - refilled_) / per_token);
    if (earned == 0) return;
    refilled_ += earned >= limits::glitch_burst
                     ? now - refilled_
                     : per_token * static_cast<transport::duration::rep>(earned);
    tokens_ =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(tokens_ + earned, limits::glitch_burst));
  }

  transport::time_point refilled_{};
  std::uint64_t useful_ = 0;
  std::uint64_t overhead_ = 0;
  std::uint32_t tokens_ = limits::glitch_burst;
  bool started_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
