// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "tls/openssl_handles.hpp"

namespace strata::transport {
inline namespace v0 {

/// A tls_credential, read and checked.
struct loaded_credential {
  std::vector<certificate_handle> chain;  ///< The leaf first; never empty.
  key_handle key;

  /// Whether the leaf is for `name`, a DNS name.
  bool matches(std::string_view name) const;
  /// Makes it the one that `session` shows.
  bool use(SSL* session) const;
  bool use(SSL_CTX* context) const;
};

/// The text of `source`; `what` names it in errors.
tls_result<std::string> read_pem(const pem_source& source, std::string_view what);
/// "in memory" or "in PATH".
std::string place_of(const pem_source& source);

/// Every certificate in `source`, at least one. `what` names the option in errors.
tls_result<std::vector<certificate_handle>> load_certificates(OSSL_LIB_CTX*, const pem_source&,
                                                              std::string_view what);
tls_result<loaded_credential> load_credential(OSSL_LIB_CTX*, const tls_credential&);

}  // namespace v0
}  // namespace strata::transport
