// SPDX-License-Identifier: Apache-2.0
// Input: frame headers. What is taken is written back as it was.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/yamux/frame.hpp"

using namespace strata::mux::core;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  constexpr std::size_t whole = frame_header::encoded_size;
  for (std::size_t at = 0; at + whole <= size; at += whole) {
    std::array<std::byte, whole> encoded;
    std::memcpy(encoded.data(), input + at, whole);
    const auto header = decode(encoded);
    if (!header) continue;
    std::array<std::byte, whole> again;
    encode(*header, again.data());
    if (again != encoded) std::abort();
  }
  return 0;
}
