// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "strata/mux/export.hpp"
#include "strata/transport/core/result.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// `anytls://password@host:port/?sni=name&insecure=1#label`: what it takes to reach a server.
struct STRATA_MUX_API anytls_uri {
  static constexpr std::uint16_t default_port = 443;

  std::string password;
  std::string host;  ///< A name or an IP literal, without brackets.
  std::uint16_t port = default_port;
  std::string sni;        ///< Empty: `host`.
  bool insecure = false;  ///< Accept any certificate.
  std::string label;      ///< For people; not part of the format, but many add one.

  /// Percent-encoded octets are decoded in all but host and port; keys that are unknown are passed
  /// over. errc::malformed, or limit_exceeded beyond limits::anytls::max_uri.
  static transport::result<anytls_uri> parse(std::string_view text);
  std::string string() const;

  /// What TLS is to ask for: `sni`, else `host`; nothing when that is an IP address.
  std::string_view server_name() const noexcept;

  friend bool operator==(const anytls_uri&, const anytls_uri&) = default;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
