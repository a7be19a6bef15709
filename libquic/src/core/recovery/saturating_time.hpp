// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "strata/transport/core/clock.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Arithmetic on times that stops at the ends of the range instead of overflowing: a peer's ACK
/// delay, a doubled backoff or a clock that jumped must never be undefined behaviour.
constexpr transport::time_point saturating_add(transport::time_point from,
                                               transport::duration by) noexcept {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(from.time_since_epoch().count(), by.count(), &sum)) {
    return by.count() < 0 ? transport::time_point::min() : transport::time_point::max();
  }
  return transport::time_point(transport::duration(sum));
}

constexpr transport::duration saturating_add(transport::duration a,
                                             transport::duration b) noexcept {
  return saturating_add(transport::time_point(a), b).time_since_epoch();
}

/// Of a duration that is not negative.
constexpr transport::duration saturating_multiply(transport::duration a,
                                                  std::int64_t factor) noexcept {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a.count(), factor, &product)) return transport::duration::max();
  return transport::duration(product);
}

/// From the earlier to the later; zero when time went backwards in between.
constexpr transport::duration elapsed(transport::time_point earlier,
                                      transport::time_point later) noexcept {
  if (later <= earlier) return transport::duration::zero();
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(later.time_since_epoch().count(), earlier.time_since_epoch().count(),
                             &difference)) {
    return transport::duration::max();
  }
  return transport::duration(difference);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
