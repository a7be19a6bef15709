// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strata/transport/core/connection_security.hpp"
#include "tls/openssl_handles.hpp"

namespace strata::transport {
inline namespace v0 {

/// What has become of ECH on this connection so far.
ech_status ech_status_of(SSL* session);

}  // namespace v0
}  // namespace strata::transport
