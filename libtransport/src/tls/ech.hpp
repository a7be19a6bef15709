// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "strata/transport/core/connection_security.hpp"
#include "tls/context_settings.hpp"

namespace strata::transport {
inline namespace v0 {

/// A tls_ech_offer, read and checked.
struct tls_context::prepared_ech {
  std::vector<std::byte> config_list;     ///< The one configuration that is used.
  std::vector<unsigned char> outer_alpn;  ///< As in a ClientHello; empty: none.
};

// With OpenSSL 4; otherwise all of it says that it cannot be done.

/// Makes a client's SSL offer ECH. False when the TLS library refuses.
bool offer_ech(SSL* session, const tls_context::prepared_ech&);
bool imitate_ech(SSL* session);
tls_result<void> set_ech_keys(context_settings&, const tls_server_options&);

/// What has become of ECH on this connection so far. A rejection shows as failed here: see below.
ech_status ech_status_of(SSL* session);

struct ech_rejection {
  ech_status status = ech_status::failed;
  std::vector<std::byte> retry_configs;  ///< With rejected_with_retry.
};
/// Whether this error of OpenSSL says that ECH was asked for and not accepted.
bool is_ech_error(unsigned long code);
/// What a server proved by a handshake that ended in such an error, after `alert_sent`.
ech_rejection ech_rejection_of(SSL* session, std::optional<std::uint8_t> alert_sent);

// Of both.

/// errc::not_supported, and what would be needed.
tls_error ech_unavailable();

/// Picks the configuration and the outer protocols; `alpn` are the application's.
tls_result<tls_context::prepared_ech> prepare_ech(const tls_ech_offer&,
                                                  std::span<const std::string> alpn);
/// What retry_configs are worth: rejected, with retry when one of them can be used, and failed when
/// they break the format. No value: none came.
ech_status judge_retry_configs(const std::optional<std::vector<std::byte>>& configs);

}  // namespace v0
}  // namespace strata::transport
