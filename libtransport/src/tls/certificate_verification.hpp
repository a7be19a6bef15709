// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "tls/openssl_handles.hpp"

namespace strata::transport {
inline namespace v0 {

/// How one context judges the certificates of peers.
struct certificate_verification {
  std::vector<certificate_hash> pinned;
  certificate_verifier verify;
  bool skip = false;

  /// For SSL_CTX_set_cert_verify_callback; the argument is the certificate_verification.
  static int callback(X509_STORE_CTX* store, void* verification);

 private:
  bool accepts(X509_STORE_CTX* store) const;
};

/// The name that a client's session verifies: a DNS name or an IP literal; empty on a server.
std::string expected_name(SSL* session);

std::vector<std::byte> der_of(X509* certificate);

/// Adds the roots that this system trusts. The TLS library's own folder is not asked: one that an
/// application brings along has none.
tls_result<void> add_system_roots(X509_STORE* store, OSSL_LIB_CTX* library);

}  // namespace v0
}  // namespace strata::transport
