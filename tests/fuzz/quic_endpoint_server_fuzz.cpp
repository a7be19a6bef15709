// SPDX-License-Identifier: Apache-2.0
// Input: operations of kind (1), size (1) and bytes; see quic_endpoint_operations.hpp.
#include "quic_endpoint_operations.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  strata::quic::fuzz::endpoint_player player(true);
  player.play({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
