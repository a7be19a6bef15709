// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "strata/transport/core/connection_security.hpp"

namespace strata::transport {
inline namespace v0 {

/// Why a TLS connection ended otherwise than in order.
struct tls_failure {
  std::error_code code;
  std::optional<std::uint8_t> alert_sent;      ///< RFC 8446 section 6.
  std::optional<std::uint8_t> alert_received;  ///< Of the peer, who therefore refused us.
  std::string text;                            ///< For people.
  ech_status ech = ech_status::not_tried;
  /// With ech_status::rejected_with_retry: for one new connection (after_ech_failure).
  std::vector<std::byte> retry_configs;
};

}  // namespace v0
}  // namespace strata::transport
