// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

#include "strata/transport/core/clock.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

// The constants of RFC 9002 appendices A.2 and B.1 that are nobody's choice.
inline constexpr std::uint64_t packet_threshold = 3;
inline constexpr transport::duration granularity = std::chrono::milliseconds(1);
inline constexpr int persistent_congestion_threshold = 3;
inline constexpr std::uint64_t initial_window_datagrams = 10;
inline constexpr std::uint64_t minimum_window_datagrams = 2;
inline constexpr std::uint64_t initial_window_bytes = 14'720;  ///< RFC 9002 section 7.2.

/// Windows stop here, far above any path: sums and products of them stay within 64 bits and within
/// a double's 53.
inline constexpr std::uint64_t largest_window = std::uint64_t{1} << 40;

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
