// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/congestion_controller.hpp"

#include "core/recovery/cubic.hpp"
#include "core/recovery/new_reno.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

std::unique_ptr<congestion_controller> make_congestion_controller(congestion_algorithm algorithm,
                                                                  std::uint64_t max_datagram_size) {
  if (algorithm == congestion_algorithm::new_reno) {
    return std::make_unique<new_reno>(max_datagram_size, true);
  }
  //= RFC 9002 section 7
  //# the chosen controller MUST conform to the congestion control guidelines specified in Section
  //# 3.1 of [RFC8085]
  return std::make_unique<cubic>(max_datagram_size);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
