// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "strata/transport/core/address.hpp"
#include "strata/transport/core/result.hpp"

namespace strata::transport {
inline namespace v0 {

/// Whom to dial or send to: a host, as a name or an IP literal without brackets, and a port. Only TCP and UDP resolve names;
/// everything above passes them on.
struct target {
  std::string host;
  std::uint16_t port = 0;

  static target of(const address& from) { return {from.ip_string(), from.port()}; }
  /// The address, if the host is an IP literal; errc::invalid_argument if it is a name.
  result<address> literal() const { return address::parse_ip(host, port); }

  friend bool operator==(const target&, const target&) = default;
};

}  // namespace v0
}  // namespace strata::transport
