// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/ech_retry.hpp"

namespace strata::transport {
inline namespace v0 {

std::string_view describe(ech_status status) noexcept {
  switch (status) {
    case ech_status::not_tried: return "not tried";
    case ech_status::grease: return "GREASE";
    case ech_status::accepted: return "accepted";
    case ech_status::rejected: return "rejected";
    case ech_status::rejected_with_retry: return "rejected with retry";
    case ech_status::failed: break;
  }
  return "failed";
}

ech_next_step after_ech_failure(ech_policy policy, ech_status status, unsigned retries) noexcept {
  switch (status) {
    case ech_status::rejected_with_retry:
      // A second time it is a server at odds with itself, or somebody who wants us to go on.
      return retries == 0 ? ech_next_step::retry_with_configs : ech_next_step::give_up;
    case ech_status::rejected:
      return policy == ech_policy::secure_disable ? ech_next_step::retry_without_ech
                                                  : ech_next_step::give_up;
    case ech_status::not_tried:
    case ech_status::grease:
    case ech_status::accepted:
    case ech_status::failed: break;
  }
  // Nobody has proven anything, or ECH was not the reason.
  return ech_next_step::give_up;
}

}  // namespace v0
}  // namespace strata::transport
