// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "strata/transport/core/connection_security.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// What a client that wants ECH accepts from a server that does not accept it.
enum class ech_policy : std::uint8_t {
  /// ECH or nothing. One retry with configurations that the server proved to be its own.
  strict,
  /// The RFC's "securely disabled" too: a server proven to speak for the public name, that offers
  /// nothing to retry with, is connected to again in plain, name and all (RFC 9849 section 6.1.6).
  secure_disable,
};

enum class ech_next_step : std::uint8_t {
  give_up,
  retry_with_configs,  ///< Those of the failure, on a new connection, and only there.
  retry_without_ech,
};

/// For people and programs: "accepted", "rejected with retry", "GREASE", "not tried", "rejected",
/// "failed".
STRATA_TRANSPORT_API std::string_view describe(ech_status) noexcept;

/// What may follow a connection that failed with `status`, after `retries` attempts of
/// retry_with_configs to the same server.
STRATA_TRANSPORT_API ech_next_step after_ech_failure(ech_policy, ech_status,
                                                     unsigned retries) noexcept;

}  // namespace v0
}  // namespace strata::transport
