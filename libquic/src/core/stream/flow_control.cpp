// SPDX-License-Identifier: Apache-2.0
#include "core/stream/flow_control.hpp"

#include <algorithm>

#include "strata/transport/core/varint.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

using transport::varint_max;

receive_window::receive_window(std::uint64_t window, std::uint64_t maximum) noexcept
    : limit_(std::min(window, varint_max)),
      window_(limit_),
      maximum_(std::min(std::max(window, maximum), varint_max)) {}

bool receive_window::consume(transport::time_point now, transport::duration smoothed_rtt,
                             std::uint64_t bytes) noexcept {
  consumed_ += bytes;
  //= RFC 9000 section 4.2
  //# a receiver MUST NOT wait for a STREAM_DATA_BLOCKED or DATA_BLOCKED frame before sending a
  //# MAX_STREAM_DATA or MAX_DATA frame
  if (due_ || limit_ == varint_max || limit_ - consumed_ > window_ / 2) return false;
  due_ = true;
  const std::uint64_t before = window_;
  if (epoch_ != not_started && now - epoch_ < 2 * smoothed_rtt)
    grow_to(window_ > maximum_ / 2 ? maximum_ : 2 * window_);
  epoch_ = now;
  return window_ != before;
}

void receive_window::grow_to(std::uint64_t window) noexcept {
  window_ = std::clamp(window, window_, maximum_);
}

std::uint64_t receive_window::next_limit() const noexcept {
  return std::max(limit_, window_ > varint_max - consumed_ ? varint_max : consumed_ + window_);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
