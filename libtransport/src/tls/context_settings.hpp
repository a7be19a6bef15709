// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tls/tls_context_implementation.hpp"

namespace strata::transport {
inline namespace v0 {

/// A context in the making. `material` gathers what its configuration is the hash of.
struct context_settings {
  std::shared_ptr<tls_context::implementation> made;
  std::string material;

  SSL_CTX* native() const { return made->context.get(); }
  /// Adds one value; `label` keeps values of different options apart.
  void identify(std::string_view label, bytes value);
  void identify(std::string_view label, std::string_view value) {
    identify(label, as_bytes(value));
  }
  /// Turns the material into the configuration's hash.
  bool finish();
};

constexpr std::size_t max_protocol_size = 255;  // RFC 7301 section 3.1.

tls_error invalid_option(std::string text);
/// As OpenSSL takes lists.
std::string joined(std::span<const std::string> names);

/// An SSL_CTX with nothing but the promises that hold for every one.
tls_result<context_settings> start_context(void* native_library, bool server);

tls_result<void> set_versions(context_settings&, tls_version minimum, tls_version maximum);
tls_result<void> set_suites(context_settings&, std::span<const std::string> suites);
tls_result<void> set_tls12_ciphers(context_settings&, std::span<const std::string> ciphers);
/// `key_shares` are those that a client sends keys for; empty: the library's choice.
tls_result<void> set_groups(context_settings&, std::span<const std::string> groups,
                            std::span<const std::string> key_shares);
tls_result<void> set_protocols(context_settings&, std::span<const std::string> alpn);
tls_result<void> set_record_size(context_settings&, std::size_t size);
tls_result<void> set_hello(context_settings&, const client_hello_profile&);
tls_result<void> set_client_trust(context_settings&, const tls_client_options&);
tls_result<void> set_client_authentication(context_settings&, const tls_server_options&);
tls_result<void> set_credentials(context_settings&, const tls_server_options&);
void set_verification(context_settings&, const certificate_verifier&,
                      const std::optional<std::chrono::system_clock::time_point>& time);
void set_keylog(context_settings&, const keylog_sink&);

/// Whether a client offered protocols, none of them this server's, and the handshake went on all
/// the same because it offered ECH too.
bool lacks_protocol(const SSL* session);

}  // namespace v0
}  // namespace strata::transport
