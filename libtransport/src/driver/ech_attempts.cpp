// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/driver/ech_attempts.hpp"

#include <utility>

namespace strata::transport {
inline namespace v0 {

ech_attempts::ech_attempts(tls_context first, ech_policy policy) noexcept
    : context_(std::move(first)), policy_(policy) {}

bool ech_attempts::again(ech_status status, bytes retry_configs) {
  if (!context_.offers_ech()) return false;
  switch (after_ech_failure(policy_, status, retries_)) {
    case ech_next_step::give_up: return false;
    case ech_next_step::retry_with_configs: {
      auto next = context_.with_retry_configs(retry_configs);
      if (!next) return false;
      context_ = std::move(*next);
      ++retries_;
      return true;
    }
    case ech_next_step::retry_without_ech: context_ = context_.without_ech(); return true;
  }
  return false;
}

}  // namespace v0
}  // namespace strata::transport
