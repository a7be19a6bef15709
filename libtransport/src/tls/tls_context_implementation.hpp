// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "strata/transport/tls_session_store.hpp"
#include "tls/certificate_verification.hpp"
#include "tls/credential.hpp"
#include "tls/openssl_handles.hpp"

namespace strata::transport {
inline namespace v0 {

/// What a tls_context shares with its copies.
struct tls_context::implementation {
  library_handle own_library;
  provider_handle own_provider;
  OSSL_LIB_CTX* library = nullptr;
  // After the library that they and their sessions need, so that they go first.
  cipher_handle ticket_cipher;
  context_handle context;
  bool server = false;
  bool ech_grease = false;            ///< Of a client.
  std::size_t hello_record_size = 0;  ///< Of a client; 0: not split.
  std::size_t record_size = limits::tls_record_size;
  std::vector<std::string> alpn;
  std::vector<loaded_credential> credentials;  ///< Of a server.
  certificate_verification verification;
  keylog_sink keylog;

  /// SHA-256 over what decides whom this context trusts and what it agrees to: a session is resumed
  /// only where this is the same.
  certificate_hash configuration{};
  std::shared_ptr<tls_session_store> sessions;
  std::function<void(std::string_view, bytes)> session_received;
  std::function<std::vector<std::byte>(std::string_view)> session_to_resume;
  std::vector<tls_ticket_key> ticket_keys;

  ~implementation() { OPENSSL_cleanse(ticket_keys.data(), ticket_keys.size() * 80); }
};

/// That of the context an SSL was made of; valid as long as the SSL.
const tls_context::implementation& implementation_of(const SSL* session);
/// Keeps `made` where implementation_of() finds it.
bool remember_implementation(tls_context::implementation& made);

}  // namespace v0
}  // namespace strata::transport
