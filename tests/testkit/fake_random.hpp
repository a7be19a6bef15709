// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/random.hpp"

namespace strata::testkit {

/// Bytes that look random and follow from the seed alone (SplitMix64), so that a run replays.
class fake_random final : public transport::random_source {
 public:
  explicit fake_random(std::uint64_t seed) : state_(seed) {}
  void fill(transport::mutable_bytes out) override;
  std::uint64_t next();
  /// True with probability `chance` in [0, 1].
  bool happens(double chance);

 private:
  std::uint64_t state_;
};

/// Calendar time that stands still until it is set.
class fake_wall_clock final : public transport::wall_clock {
 public:
  std::chrono::system_clock::time_point now() override { return value; }
  std::chrono::system_clock::time_point value{std::chrono::seconds(1'800'000'000)};
};

}  // namespace strata::testkit
