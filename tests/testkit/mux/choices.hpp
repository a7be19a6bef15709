// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "strata/transport/core/bytes.hpp"
#include "testkit/fake_random.hpp"

namespace strata::testkit {

/// What a run that could go many ways does next: drawn from a seed, or spelled by a fuzzer.
class choices {
 public:
  virtual ~choices() = default;
  /// In [0, bound); `bound` >= 1.
  virtual std::uint64_t below(std::uint64_t bound) = 0;
  /// About one time in `times`.
  bool one_in(std::uint64_t times) { return below(times) == 0; }
};

class seeded_choices final : public choices {
 public:
  explicit seeded_choices(std::uint64_t seed) : random_(seed) {}
  std::uint64_t below(std::uint64_t bound) override { return random_.below(bound); }

 private:
  fake_random random_;
};

/// Two bytes of the input each; behind its end the run goes on as a fixed seed says.
class spelled_choices final : public choices {
 public:
  explicit spelled_choices(transport::bytes input) : input_(input) {}
  std::uint64_t below(std::uint64_t bound) override {
    if (input_.size() < 2) return random_.below(bound);
    const auto high = std::to_integer<std::uint64_t>(input_[0]);
    const auto low = std::to_integer<std::uint64_t>(input_[1]);
    input_ = input_.subspan(2);
    return (high << 8 | low) % bound;
  }
  bool ended() const { return input_.size() < 2; }

 private:
  fake_random random_{1};
  transport::bytes input_;
};

}  // namespace strata::testkit
