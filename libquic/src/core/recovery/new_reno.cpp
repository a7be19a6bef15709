// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/new_reno.hpp"

#include <algorithm>

namespace strata::quic {
inline namespace v0 {
namespace core {

void new_reno::avoid_congestion(transport::time_point, std::uint64_t bytes, transport::duration) {
  //= RFC 9002 section 7.3.3
  //# A sender in congestion avoidance uses an Additive Increase Multiplicative
  //# Decrease (AIMD) approach that MUST limit the increase to the congestion window
  //# to at most one maximum datagram size for each congestion window that is
  //# acknowledged.
  // Counting bytes instead of dividing per packet loses nothing to rounding (RFC 3465 section 2.1).
  acknowledged_ += std::min(bytes, window());
  if (acknowledged_ < window()) return;
  acknowledged_ -= window();
  grow(max_datagram_size());
}

std::uint64_t new_reno::reduced_window() {
  //= RFC 9002 section 7.3.2
  //# On entering a recovery period, a sender MUST set the slow start threshold to
  //# half the value of the congestion window when loss is detected.
  acknowledged_ = 0;
  return window() / 2;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
