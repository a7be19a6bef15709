// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "h3_connection_operations.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  strata::h3::fuzz::player(strata::h3::role::server).play(std::as_bytes(std::span(input, size)));
  return 0;
}
