// SPDX-License-Identifier: Apache-2.0
// What a core masks of WebSocket's payload, in a buffer that stays in its cache.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/websocket/masking.hpp"

namespace {

using namespace strata::transport;

/// Best of several, in bytes per nanosecond: what disturbs only slows.
double gigabytes_per_second(std::size_t size, std::size_t total) {
  std::vector<std::byte> memory(size, std::byte{1});
  const std::size_t times = std::max<std::size_t>(total / size, 1);
  websocket::mask_key key = 0x12345678;
  double best = 0;
  for (int run = 0; run < 7; ++run) {
    const auto began = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < times; ++i)
      key = websocket::apply_mask(memory.data(), memory, key | 1);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
    best = std::max(best, static_cast<double>(size * times) / took.count());
  }
  return best + (memory[0] == memory[1] && key == 0 ? 1e-9 : 0);  // so that the work is used
}

}  // namespace

/// [MiB of each size]
int main(int count, char** words) {
  const std::size_t total = (count > 1 ? std::strtoull(words[1], nullptr, 10) : 256) << 20;
  std::printf("{\"b64\":%.2f,\"b1024\":%.2f,\"b16384\":%.2f}\n", gigabytes_per_second(64, total),
              gigabytes_per_second(1024, total), gigabytes_per_second(16384, total));
}
