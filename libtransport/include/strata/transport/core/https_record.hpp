// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "strata/transport/core/address.hpp"
#include "strata/transport/core/dns_name.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// The keys of RFC 9460 section 14.3.2, and ech (RFC 9848).
enum class https_key : std::uint16_t {
  mandatory = 0,
  alpn = 1,
  no_default_alpn = 2,
  port = 3,
  ipv4hint = 4,
  ech = 5,
  ipv6hint = 6,
};

/// A parameter that this library does not take apart.
struct https_parameter {
  std::uint16_t key = 0;
  std::vector<std::byte> value;

  friend bool operator==(const https_parameter&, const https_parameter&) = default;
};

/// What an HTTPS or SVCB record says (RFC 9460): under which name, port and protocols a service is
/// reached, and with which keys its ClientHello is encrypted.
struct https_record {
  std::uint16_t priority = 0;  ///< Smaller is better; 0 is AliasMode: ask `target` instead.
  dns_name target;             ///< The root stands for the owner of the record.

  // The rest is of ServiceMode only.
  std::vector<std::uint16_t> mandatory;  ///< Keys without which the record must not be used.
  std::vector<std::string> alpn;         ///< Beside the scheme's default protocols.
  bool no_default_alpn = false;
  std::optional<std::uint16_t> port;
  std::vector<address> ipv4_hints;  ///< Without port.
  std::vector<address> ipv6_hints;
  std::vector<std::byte> ech;  ///< An ECHConfigList, not looked into.
  std::vector<https_parameter> others;

  bool is_alias() const noexcept { return priority == 0; }

  friend bool operator==(const https_record&, const https_record&) = default;
};

/// Whether a client of this library knows all that the record says is mandatory; else it must act
/// as if the record were not there (RFC 9460 section 8).
STRATA_TRANSPORT_API bool is_compatible(const https_record&) noexcept;

/// The presentation form: "1 . alpn=h2,h3 port=8443 ech=AEX+...". Only printable ASCII.
STRATA_TRANSPORT_API std::string describe(const https_record&);

}  // namespace v0
}  // namespace strata::transport
