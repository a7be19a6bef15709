// SPDX-License-Identifier: Apache-2.0
#include "tls/context_settings.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <atomic>

#include "strata/transport/core/error.hpp"
#include "tls/ech.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

using implementation = tls_context::implementation;

/// The suites that TLS 1.3 and QUIC share in this library. AES-128 first: with hardware for AES it
/// is the fastest. TLS_AES_128_CCM_8_SHA256 must not be there (RFC 9001 section 5.3).
constexpr std::string_view supported_suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                                 "TLS_CHACHA20_POLY1305_SHA256"};
/// Forward secrecy and an AEAD, which is all of TLS 1.2 that RFC 9325 section 4.2 recommends.
constexpr const char* default_tls12_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

void write_keylog(const SSL* session, const char* line) {
  try {
    implementation_of(session).keylog(line);
  } catch (...) {
    // A log that fails is no reason to fail the connection, and nothing may cross OpenSSL's frames.
  }
}

/// Of an SSL that has no protocol and goes on all the same.
int without_protocol_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

//= RFC 9001 section 8.1
//# When using ALPN, endpoints MUST immediately close a connection (see Section 10.2 of
//# [QUIC-TRANSPORT]) with a no_application_protocol TLS alert (QUIC error code 0x0178; see Section
//# 4.8) if an application protocol is not negotiated.
int select_protocol(SSL* session, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned offered_size, void* argument) {
  for (const std::string& protocol : static_cast<const implementation*>(argument)->alpn) {
    for (unsigned at = 0; at < offered_size; at += 1u + offered[at]) {
      const std::string_view candidate(reinterpret_cast<const char*>(offered + at + 1),
                                       offered[at]);
      if (candidate != protocol) continue;
      *out = offered + at + 1;
      *out_size = offered[at];
      return SSL_TLSEXT_ERR_OK;
    }
  }
  // Who offered ECH for a key that is gone has to get as far as the certificate, to be told of the
  // new key; what it shows outside need not be ours. The connection cannot be used
  // (tls_connection::shake_hands, QUIC's own check).
  if (ech_status_of(session) == ech_status::grease) {
    const bool noted = SSL_set_ex_data(session, without_protocol_index(), argument) == 1;
    return noted ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  //= RFC 9001 section 8.1
  //# The server MUST treat the inability to select a compatible application protocol as a
  //# connection error of type 0x0178 (no_application_protocol).
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// Shows the credential of the name that was asked for; without one or a match it stays with the
/// first.
int select_credential(SSL* session, void* argument) {
  const auto& credentials = static_cast<const implementation*>(argument)->credentials;
  const char* const name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return 1;
  const auto match =
      std::find_if(credentials.begin(), credentials.end(),
                   [&](const loaded_credential& each) { return each.matches(name); });
  if (match == credentials.end() || match == credentials.begin()) return 1;
  return match->use(session) ? 1 : 0;
}

tls_result<void> add_roots(context_settings& settings, std::span<const pem_source> roots,
                           std::string_view what) {
  X509_STORE* const store = SSL_CTX_get_cert_store(settings.native());
  for (const pem_source& source : roots) {
    const auto certificates = load_certificates(settings.made->library, source, what);
    if (!certificates) return std::unexpected(certificates.error());
    for (const auto& certificate : *certificates) {
      settings.identify(what, der_of(certificate.get()));
      if (X509_STORE_add_cert(store, certificate.get()) != 1) {
        return std::unexpected(openssl_failure("cannot use a root (" + std::string(what) + ")"));
      }
    }
  }
  return {};
}

/// False for those without encryption or without authentication, which OpenSSL has too.
bool protects(const SSL_CIPHER* cipher) {
  return SSL_CIPHER_get_cipher_nid(cipher) != NID_undef &&
         SSL_CIPHER_get_auth_nid(cipher) != NID_auth_null;
}

}  // namespace

bool lacks_protocol(const SSL* session) {
  return SSL_get_ex_data(session, without_protocol_index()) != nullptr;
}

std::string joined(std::span<const std::string> names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ":") + name;
  return out;
}

tls_error invalid_option(std::string text) {
  return {make_error_code(errc::invalid_argument), std::move(text)};
}

void context_settings::identify(std::string_view label, bytes value) {
  material.append(label).append(1, '=');
  material.append(std::to_string(value.size())).append(1, ':').append(as_text(value));
}

bool context_settings::finish() {
  const std::unique_ptr<EVP_MD, openssl_deleter<&EVP_MD_free>> sha256(
      EVP_MD_fetch(made->library, "SHA256", nullptr));
  unsigned size = 0;
  return sha256 && EVP_Digest(material.data(), material.size(), octets(made->configuration.data()),
                              &size, sha256.get(), nullptr) == 1;
}

tls_result<context_settings> start_context(void* native_library, bool server) {
  context_settings settings{.made = std::make_shared<implementation>(), .material = {}};
  implementation& made = *settings.made;
  made.server = server;
  made.library = static_cast<OSSL_LIB_CTX*>(native_library);
  ERR_clear_error();
  if (made.library == nullptr) {
    made.own_library.reset(OSSL_LIB_CTX_new());
    made.library = made.own_library.get();
    if (made.own_library) made.own_provider.reset(OSSL_PROVIDER_load(made.library, "default"));
    if (!made.own_provider) return std::unexpected(openssl_failure("cannot start the TLS library"));
  }
  made.context.reset(
      SSL_CTX_new_ex(made.library, nullptr, server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* const context = settings.native();
  if (!context || !remember_implementation(made)) {
    return std::unexpected(openssl_failure("cannot make a TLS context"));
  }
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION);
  // Without the second, roots to verify with would be sent along with a chain that leads to them.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_max_cert_list(context, static_cast<long>(limits::tls_certificate_bytes));
  settings.identify("role", server ? "server" : "client");
  return settings;
}

tls_result<void> set_versions(context_settings& settings, tls_version minimum,
                              tls_version maximum) {
  if (minimum > maximum)
    return std::unexpected(invalid_option("minimum_version is above maximum_version"));
  const auto number = [](tls_version version) {
    return version == tls_version::tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
  };
  settings.identify("versions", std::to_string(number(minimum)) + std::to_string(number(maximum)));
  if (SSL_CTX_set_min_proto_version(settings.native(), number(minimum)) == 1 &&
      SSL_CTX_set_max_proto_version(settings.native(), number(maximum)) == 1)
    return {};
  return std::unexpected(openssl_failure("this TLS library cannot do those versions of TLS"));
}

tls_result<void> set_suites(context_settings& settings, std::span<const std::string> suites) {
  for (const std::string& suite : suites) {
    if (std::find(std::begin(supported_suites), std::end(supported_suites), suite) !=
        std::end(supported_suites))
      continue;
    return std::unexpected(
        invalid_option("cipher suite \"" + suite +
                       "\" is not supported: use TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384 or "
                       "TLS_CHACHA20_POLY1305_SHA256"));
  }
  const std::string all =
      suites.empty() ? "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
                     : joined(suites);
  //= RFC 9001 section 5.3
  //# An endpoint MUST NOT reject a ClientHello that offers a cipher suite that it does not support
  if (SSL_CTX_set_ciphersuites(settings.native(), all.c_str()) == 1) return {};
  return std::unexpected(
      openssl_failure("this build of the TLS library has none of the cipher suites " + all));
}

tls_result<void> set_tls12_ciphers(context_settings& settings,
                                   std::span<const std::string> ciphers) {
  SSL_CTX* const context = settings.native();
  const std::string all = ciphers.empty() ? default_tls12_ciphers : joined(ciphers);
  if (SSL_CTX_set_cipher_list(context, all.c_str()) != 1)
    return std::unexpected(openssl_failure("none of the TLS 1.2 ciphers is known: " + all));
  // OpenSSL leaves out what it does not know.
  const STACK_OF(SSL_CIPHER)* const known = SSL_CTX_get_ciphers(context);
  for (const std::string& cipher : ciphers) {
    bool found = false;
    for (int i = 0; i < sk_SSL_CIPHER_num(known) && !found; ++i) {
      const SSL_CIPHER* const each = sk_SSL_CIPHER_value(known, i);
      found = cipher == SSL_CIPHER_get_name(each) && protects(each);
    }
    if (!found) {
      return std::unexpected(
          invalid_option("TLS 1.2 cipher \"" + cipher +
                         "\" is unknown or protects nothing: use OpenSSL's names, as "
                         "ECDHE-RSA-AES128-GCM-SHA256"));
    }
  }
  return {};
}

tls_result<void> set_protocols(context_settings& settings, std::span<const std::string> alpn) {
  implementation& made = *settings.made;
  std::vector<unsigned char> wire;
  for (const std::string& protocol : alpn) {
    if (protocol.empty() || protocol.size() > max_protocol_size) {
      return std::unexpected(
          invalid_option("the ALPN protocol \"" + protocol + "\" must have 1 to 255 bytes"));
    }
    wire.push_back(static_cast<unsigned char>(protocol.size()));
    wire.insert(wire.end(), protocol.begin(), protocol.end());
    settings.identify("alpn", protocol);
  }
  made.alpn.assign(alpn.begin(), alpn.end());
  if (wire.empty()) return {};
  if (made.server) {
    SSL_CTX_set_alpn_select_cb(settings.native(), select_protocol, &made);
  } else if (SSL_CTX_set_alpn_protos(settings.native(), wire.data(),
                                     static_cast<unsigned>(wire.size())) != 0) {
    return std::unexpected(openssl_failure("cannot set the ALPN protocols"));
  }
  return {};
}

tls_result<void> set_record_size(context_settings& settings, std::size_t size) {
  if (size < limits::tls_min_record_size || size > limits::tls_record_size) {
    return std::unexpected(invalid_option("record_size must be " +
                                          std::to_string(limits::tls_min_record_size) + " to " +
                                          std::to_string(limits::tls_record_size) + " bytes"));
  }
  settings.made->record_size = size;
  if (SSL_CTX_set_max_send_fragment(settings.native(), static_cast<long>(size)) == 1) return {};
  return std::unexpected(openssl_failure("cannot set the record_size"));
}

tls_result<void> set_client_trust(context_settings& settings, const tls_client_options& options) {
  implementation& made = *settings.made;
  made.verification.pinned = options.pinned_certificates;
  made.verification.skip = options.insecure_skip_verification;
  for (const certificate_hash& pin : options.pinned_certificates) settings.identify("pin", pin);
  settings.identify("trust", std::string(options.system_roots ? "system" : "") +
                                 (options.insecure_skip_verification ? "skip" : ""));
  //= RFC 9001 section 4.4
  //# A client MUST authenticate the identity of the server.
  SSL_CTX_set_verify(settings.native(), SSL_VERIFY_PEER, nullptr);
  if (auto done = add_roots(settings, options.roots, "roots"); !done) return done;
  const bool by_chain =
      options.pinned_certificates.empty() && !options.verify && !options.insecure_skip_verification;
  if (!by_chain) return {};
  if (options.system_roots)
    return add_system_roots(SSL_CTX_get_cert_store(settings.native()), made.library);
  if (options.roots.empty()) {
    return std::unexpected(invalid_option(
        "nobody is trusted: set system_roots, give roots, pin a certificate or set verify"));
  }
  return {};
}

tls_result<void> set_client_authentication(context_settings& settings,
                                           const tls_server_options& options) {
  settings.identify("clients", std::to_string(static_cast<unsigned>(options.client_certificate)));
  if (options.client_certificate == client_certificates::ignored) return {};
  if (options.client_roots.empty() && !options.verify) {
    return std::unexpected(invalid_option(
        "client certificates are asked for: give client_roots or verify to judge them by"));
  }
  if (auto done = add_roots(settings, options.client_roots, "client_roots"); !done) return done;
  const bool required = options.client_certificate == client_certificates::required;
  SSL_CTX_set_verify(settings.native(),
                     SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  return {};
}

tls_result<void> set_credentials(context_settings& settings, const tls_server_options& options) {
  implementation& made = *settings.made;
  if (options.credentials.empty()) {
    return std::unexpected(invalid_option(
        "a server needs a certificate and its key: give credentials, for a trial those of "
        "make_self_signed_certificate"));
  }
  for (const tls_credential& credential : options.credentials) {
    auto loaded = load_credential(made.library, credential);
    if (!loaded) return std::unexpected(loaded.error());
    made.credentials.push_back(std::move(*loaded));
  }
  if (!made.credentials.front().use(settings.native())) {
    return std::unexpected(openssl_failure("the TLS library refuses the first certificate"));
  }
  if (made.credentials.size() > 1) SSL_CTX_set_cert_cb(settings.native(), select_credential, &made);
  return {};
}

void set_verification(context_settings& settings, const certificate_verifier& verify,
                      const std::optional<std::chrono::system_clock::time_point>& time) {
  implementation& made = *settings.made;
  made.verification.verify = verify;
  if (verify) {
    // What a function decides cannot be compared: sessions stay with the context.
    static std::atomic<std::uint64_t> contexts = 0;
    settings.identify("verify", std::to_string(++contexts));
  }
  SSL_CTX_set_cert_verify_callback(settings.native(), certificate_verification::callback,
                                   &made.verification);
  if (!time) return;
  X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(settings.native()),
                             std::chrono::system_clock::to_time_t(*time));
}

void set_keylog(context_settings& settings, const keylog_sink& sink) {
  if (!sink) return;
  settings.made->keylog = sink;
  SSL_CTX_set_keylog_callback(settings.native(), write_keylog);
}

}  // namespace v0
}  // namespace strata::transport
