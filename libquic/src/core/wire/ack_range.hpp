// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Packets marked ECT(0), ECT(1) and CE that the peer has received in the packet number space.
struct ecn_counts {
  std::uint64_t ect0 = 0;
  std::uint64_t ect1 = 0;
  std::uint64_t ecn_ce = 0;

  friend bool operator==(const ecn_counts&, const ecn_counts&) = default;
};

/// Packet numbers `smallest` to `largest`, both included.
struct ack_range {
  std::uint64_t smallest = 0;
  std::uint64_t largest = 0;

  friend bool operator==(const ack_range&, const ack_range&) = default;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
