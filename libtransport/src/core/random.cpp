// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/random.hpp"

#include <openssl/rand.h>

#include <array>
#include <cassert>
#include <cstdlib>
#include <cstring>

namespace strata::transport {
inline namespace v0 {

std::uint64_t random_source::below(std::uint64_t bound) {
  assert(bound != 0);
  // Rejecting the incomplete last interval keeps every value equally likely.
  const std::uint64_t limit = bound * (UINT64_MAX / bound);
  for (;;) {
    std::array<std::byte, 8> raw;
    fill(raw);
    std::uint64_t value;
    std::memcpy(&value, raw.data(), sizeof value);
    if (value < limit) return value % bound;
  }
}

void system_random::fill(mutable_bytes out) {
  // Going on with predictable keys would be worse than stopping: there is no answer to a machine
  // without entropy.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) != 1)
    std::abort();
}

}  // namespace v0
}  // namespace strata::transport
