// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace strata::transport {
inline namespace v0 {

/// Monotonic time, handed to cores as the first argument of everything that may depend on it; no
/// core reads a clock.
using time_point = std::chrono::steady_clock::time_point;
using duration = std::chrono::steady_clock::duration;

/// Calendar time, for what must hold across restarts and machines: certificates, tokens.
class wall_clock {
 public:
  virtual ~wall_clock() = default;
  virtual std::chrono::system_clock::time_point now() = 0;
};

/// The system's calendar time.
class system_wall_clock final : public wall_clock {
 public:
  std::chrono::system_clock::time_point now() override { return std::chrono::system_clock::now(); }
};

}  // namespace v0
}  // namespace strata::transport
