// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strata/transport/core/connection_security.hpp"
#include "tls/tls_connection.hpp"

namespace strata::transport {
inline namespace v0 {

/// What a finished handshake agreed on; of ECH the context knows more.
connection_security security_of(SSL* session);

/// What OpenSSL's error queue says, in our words; empties the queue. `alert_sent` is what this side
/// told the peer.
tls_failure failure_of(SSL* session, bool after_handshake, std::optional<std::uint8_t> alert_sent);

}  // namespace v0
}  // namespace strata::transport
