// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "strata/quic/core/tls_backend.hpp"
#include "strata/quic/export.hpp"
#include "strata/transport/tls.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// TLS by OpenSSL, for production. An endpoint may have either role or both: without a context for
/// a role, connect() or accept() fails with errc::not_supported; with one that names no ALPN
/// protocol, with errc::invalid_argument (RFC 9001 section 8.1 requires one).
class openssl_tls : public tls_backend {
 public:
  /// For the sessions that are accepted from now on: other certificates, other ECH keys.
  virtual void use(transport::tls_context server) = 0;
};

STRATA_QUIC_API std::unique_ptr<openssl_tls> make_openssl_tls(
    std::optional<transport::tls_context> client, std::optional<transport::tls_context> server);

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
