// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "strata/transport/core/ech_config.hpp"
#include "strata/transport/core/ech_retry.hpp"
#include "strata/transport/core/tls_error.hpp"
#include "strata/transport/export.hpp"
#include "strata/transport/pem_source.hpp"

namespace strata::transport {
inline namespace v0 {

/// Whether the TLS library can do Encrypted Client Hello (OpenSSL 4). Where it cannot, asking for
/// it is errc::not_supported.
STRATA_TRANSPORT_API bool ech_available() noexcept;

/// A client's ECH towards one server. It is strict: a connection that offers it succeeds with it or
/// not at all; what may follow is after_ech_failure()'s to say.
struct tls_ech_offer {
  /// The ECHConfigList, as bytes or as base64. The first configuration that can be used is.
  std::vector<std::byte> config_list;
  /// What the path sees instead of the application's protocols; a server that rejects ECH agrees on
  /// one of these. Empty: "h3" where that is among the application's, else "h2" and "http/1.1".
  std::vector<std::string> outer_alpn;
};

/// What has become of ECH on one connection.
struct tls_ech_outcome {
  ech_status status = ech_status::not_tried;
  bool retried = false;  ///< Its configurations were named by the server at an earlier attempt.
  /// With rejected_with_retry: for one new connection (after_ech_failure).
  std::vector<std::byte> retry_configs;

  friend bool operator==(const tls_ech_outcome&, const tls_ech_outcome&) = default;
};

/// A key of a server with its configurations, as one PEM file (RFC 9934): PRIVATE KEY, then
/// ECHCONFIG.
struct tls_ech_key {
  pem_source pem;
  /// Whether clients that used another key are told of this one. False for old keys, which are to
  /// be kept as long as DNS may have them.
  bool offered = true;
};

struct ech_key_pair {
  std::string pem;                     ///< For tls_ech_key; whoever has it can see the names.
  std::vector<std::byte> config_list;  ///< For DNS.
};

/// A key of X25519, HKDF-SHA256 and AES-128-GCM under a random ID. `maximum_name_length` is the
/// longest name behind it, to which names are padded; 0 when not known.
STRATA_TRANSPORT_API tls_result<ech_key_pair> make_ech_key(std::string_view public_name,
                                                           std::uint8_t maximum_name_length = 0);

}  // namespace v0
}  // namespace strata::transport
