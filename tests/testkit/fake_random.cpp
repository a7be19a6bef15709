// SPDX-License-Identifier: Apache-2.0
#include "testkit/fake_random.hpp"

#include <algorithm>
#include <cstring>

namespace strata::testkit {

std::uint64_t fake_random::next() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

void fake_random::fill(transport::mutable_bytes out) {
  while (!out.empty()) {
    const std::uint64_t value = next();
    const std::size_t size = std::min(out.size(), sizeof value);
    std::memcpy(out.data(), &value, size);
    out = out.subspan(size);
  }
}

bool fake_random::happens(double chance) {
  return static_cast<double>(next() >> 11) * 0x1.0p-53 < chance;
}

}  // namespace strata::testkit
