// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// Where a core takes unpredictable bytes from. Tests hand in a seeded one, and the run replays.
class STRATA_TRANSPORT_API random_source {
 public:
  virtual ~random_source() = default;
  virtual void fill(mutable_bytes out) = 0;
  /// Uniform in [0, bound); `bound` >= 1.
  std::uint64_t below(std::uint64_t bound);
};

/// The cryptographic generator of the TLS library, seeded by the system.
class STRATA_TRANSPORT_API system_random final : public random_source {
 public:
  void fill(mutable_bytes out) override;
};

}  // namespace v0
}  // namespace strata::transport
