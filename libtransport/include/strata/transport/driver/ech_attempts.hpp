// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strata/transport/core/ech_retry.hpp"
#include "strata/transport/export.hpp"
#include "strata/transport/tls.hpp"

namespace strata::transport {
inline namespace v0 {

/// The attempts that one dial of a client may make: which TLS each of them takes, and whether
/// another may follow one that failed. Without ECH there is one.
class STRATA_TRANSPORT_API ech_attempts {
 public:
  ech_attempts(tls_context first, ech_policy policy) noexcept;

  /// For the attempt that is to be made now.
  const tls_context& context() const noexcept { return context_; }
  /// With what has become of ECH in an attempt that failed (tls_failure): whether another may be
  /// made, on a new connection, which context() is then for.
  bool again(ech_status status, bytes retry_configs);

 private:
  tls_context context_;
  ech_policy policy_;
  unsigned retries_ = 0;
};

}  // namespace v0
}  // namespace strata::transport
