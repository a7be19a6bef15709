// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include "strata/transport/core/address.hpp"
#include "strata/transport/core/https_record.hpp"

namespace strata::transport {
inline namespace v0 {

/// One way to reach a service (RFC 9460 section 3).
struct resolved_service {
  /// Its target is the name to connect to, never the root; certificates are verified for the name
  /// that was resolved all the same.
  https_record record;
  /// Of the target: what its A and AAAA records say, else the record's hints. Without port.
  std::vector<address> addresses;

  friend bool operator==(const resolved_service&, const resolved_service&) = default;
};

/// What name servers know about a host.
struct resolution {
  std::vector<address> addresses;  ///< Of the host itself, IPv6 first, without port.
  /// From its HTTPS records, the best first, those of one priority by chance; without those that
  /// this library cannot use. When an AliasMode record was followed, the last is the alias itself,
  /// with no parameters.
  std::vector<resolved_service> services;
  /// Why `services` may lack what the host published: timed_out, name_server_failed, malformed (one
  /// record is broken, so none may be used), limit_exceeded (aliases). Who needs Encrypted Client
  /// Hello must not go on without it then.
  std::error_code services_error;
  std::chrono::seconds ttl{0};  ///< How long all this may be used.

  friend bool operator==(const resolution&, const resolution&) = default;
};

/// What to ask about a host.
struct resolve_options {
  bool ipv4 = true;
  bool ipv6 = true;
  bool https = true;
  /// Of the service: HTTPS records of others than 443 and 80 have a name of their own (RFC 9460
  /// section 9.1).
  std::uint16_t port = 443;
  /// Once there are addresses of one family, how long the other may take.
  std::chrono::milliseconds family_patience{300};
  /// Once there are addresses, how long HTTPS records may take.
  std::chrono::milliseconds https_patience{2000};
};

}  // namespace v0
}  // namespace strata::transport
