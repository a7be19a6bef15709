// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>

#include <algorithm>

#include "strata/transport/core/address.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/tls.hpp"
#include "tls/certificate_verification.hpp"
#include "tls/credential.hpp"
#include "tls/openssl_handles.hpp"

namespace strata::transport {
inline namespace v0 {

struct tls_context::implementation {
  library_handle own_library;
  provider_handle own_provider;
  OSSL_LIB_CTX* library = nullptr;
  // After the library that it and its sessions need, so that it goes first.
  context_handle context;
  bool server = false;
  std::vector<std::string> alpn;
  std::vector<loaded_credential> credentials;  ///< Of a server.
  certificate_verification verification;
  keylog_sink keylog;
  std::function<void(std::string_view, bytes)> session_received;
  std::function<std::vector<std::byte>(std::string_view)> session_to_resume;
};

namespace {

using implementation = tls_context::implementation;

/// The suites that TLS 1.3 and QUIC share in this library. AES-128 first: with hardware for AES it
/// is the fastest. TLS_AES_128_CCM_8_SHA256 must not be there (RFC 9001 section 5.3).
constexpr std::string_view supported_suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                                 "TLS_CHACHA20_POLY1305_SHA256"};
constexpr std::size_t max_protocol_size = 255;  // RFC 7301 section 3.1.

tls_error invalid(std::string text) {
  return {make_error_code(errc::invalid_argument), std::move(text)};
}

/// Where a context keeps its implementation. An index of our own, because asio::ssl deletes what it
/// finds in app_data.
int implementation_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

const implementation* implementation_of(const SSL* session) {
  return static_cast<const implementation*>(
      SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), implementation_index()));
}

std::string joined(std::span<const std::string> names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ":") + name;
  return out;
}

void write_keylog(const SSL* session, const char* line) {
  try {
    implementation_of(session)->keylog(line);
  } catch (...) {
    // A log that fails is no reason to fail the connection, and nothing may cross OpenSSL's frames.
  }
}

/// Returning zero says that no reference to the session was kept.
int receive_session(SSL* ssl, SSL_SESSION* session) {
  const int size = i2d_SSL_SESSION(session, nullptr);
  if (size <= 0) return 0;
  try {
    std::vector<std::byte> out(static_cast<std::size_t>(size));
    unsigned char* cursor = octets(out.data());
    i2d_SSL_SESSION(session, &cursor);
    //= RFC 9001 section 9.2
    //# clients MUST treat them as opaque values
    implementation_of(ssl)->session_received(expected_name(ssl), out);
    OPENSSL_cleanse(out.data(), out.size());
  } catch (...) {
    // The application did not want it; the connection goes on.
  }
  return 0;
}

//= RFC 9001 section 8.1
//# When using ALPN, endpoints MUST immediately close a connection (see Section 10.2 of
//# [QUIC-TRANSPORT]) with a no_application_protocol TLS alert (QUIC error code 0x0178; see Section
//# 4.8) if an application protocol is not negotiated.
int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
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
  //= RFC 9001 section 8.1
  //# The server MUST treat the inability to select a compatible application protocol as a
  //# connection error of type 0x0178 (no_application_protocol).
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// Chooses by name here, in one context: switching contexts in the name callback would lose QUIC's
/// callbacks in 3.5.0.
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

tls_result<std::shared_ptr<implementation>> start(void* native_library, bool server) {
  auto made = std::make_shared<implementation>();
  made->server = server;
  made->library = static_cast<OSSL_LIB_CTX*>(native_library);
  ERR_clear_error();
  if (made->library == nullptr) {
    made->own_library.reset(OSSL_LIB_CTX_new());
    made->library = made->own_library.get();
    if (made->own_library) made->own_provider.reset(OSSL_PROVIDER_load(made->library, "default"));
    if (!made->own_provider)
      return std::unexpected(openssl_failure("cannot start the TLS library"));
  }
  made->context.reset(
      SSL_CTX_new_ex(made->library, nullptr, server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* const context = made->context.get();
  if (!context || implementation_index() < 0 ||
      SSL_CTX_set_ex_data(context, implementation_index(), made.get()) != 1) {
    return std::unexpected(openssl_failure("cannot make a TLS context"));
  }
  //= RFC 9001 section 4.2
  //# Clients MUST NOT offer TLS versions older than 1.3.
  //= RFC 9001 section 4.2
  //# An endpoint MUST terminate the connection if a version of TLS older than 1.3 is negotiated.
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION);
  // Without the second, roots to verify with would be sent along with a chain that leads to them.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  return made;
}

tls_result<void> set_suites(SSL_CTX* context, std::span<const std::string> suites) {
  for (const std::string& suite : suites) {
    if (std::find(std::begin(supported_suites), std::end(supported_suites), suite) !=
        std::end(supported_suites))
      continue;
    return std::unexpected(
        invalid("cipher suite \"" + suite +
                "\" is not supported: use TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384 or "
                "TLS_CHACHA20_POLY1305_SHA256"));
  }
  const std::string all =
      suites.empty() ? "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
                     : joined(suites);
  //= RFC 9001 section 5.3
  //# An endpoint MUST NOT reject a ClientHello that offers a cipher suite that it does not support
  if (SSL_CTX_set_ciphersuites(context, all.c_str()) == 1) return {};
  return std::unexpected(
      openssl_failure("this build of the TLS library has none of the cipher suites " + all));
}

tls_result<void> set_groups(SSL_CTX* context, std::span<const std::string> groups) {
  if (groups.empty() || SSL_CTX_set1_groups_list(context, joined(groups).c_str()) == 1) return {};
  return std::unexpected(openssl_failure("unknown key exchange group in \"" + joined(groups) +
                                         "\": use names like X25519MLKEM768, X25519, P-256"));
}

tls_result<void> set_protocols(implementation& made, std::span<const std::string> alpn) {
  std::vector<unsigned char> wire;
  for (const std::string& protocol : alpn) {
    if (protocol.empty() || protocol.size() > max_protocol_size) {
      return std::unexpected(
          invalid("the ALPN protocol \"" + protocol + "\" must have 1 to 255 bytes"));
    }
    wire.push_back(static_cast<unsigned char>(protocol.size()));
    wire.insert(wire.end(), protocol.begin(), protocol.end());
  }
  made.alpn.assign(alpn.begin(), alpn.end());
  if (wire.empty()) return {};
  if (made.server) {
    SSL_CTX_set_alpn_select_cb(made.context.get(), select_protocol, &made);
  } else if (SSL_CTX_set_alpn_protos(made.context.get(), wire.data(),
                                     static_cast<unsigned>(wire.size())) != 0) {
    return std::unexpected(openssl_failure("cannot set the ALPN protocols"));
  }
  return {};
}

tls_result<void> add_roots(const implementation& made, std::span<const pem_source> roots,
                           std::string_view what) {
  X509_STORE* const store = SSL_CTX_get_cert_store(made.context.get());
  for (const pem_source& source : roots) {
    const auto certificates = load_certificates(made.library, source, what);
    if (!certificates) return std::unexpected(certificates.error());
    for (const auto& certificate : *certificates) {
      if (X509_STORE_add_cert(store, certificate.get()) != 1) {
        return std::unexpected(openssl_failure("cannot use a root (" + std::string(what) + ")"));
      }
    }
  }
  return {};
}

void set_verification_time(SSL_CTX* context,
                           const std::optional<std::chrono::system_clock::time_point>& time) {
  if (!time) return;
  X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(context),
                             std::chrono::system_clock::to_time_t(*time));
}

/// What both roles share. The options differ in type but not in these names.
template <class Options>
tls_result<void> set_common(implementation& made, const Options& options) {
  SSL_CTX* const context = made.context.get();
  if (auto done = set_suites(context, options.cipher_suites); !done) return done;
  if (auto done = set_groups(context, options.groups); !done) return done;
  if (auto done = set_protocols(made, options.alpn); !done) return done;
  made.verification.verify = options.verify;
  SSL_CTX_set_cert_verify_callback(context, certificate_verification::callback, &made.verification);
  set_verification_time(context, options.verification_time);
  if (options.keylog) {
    made.keylog = options.keylog;
    SSL_CTX_set_keylog_callback(context, write_keylog);
  }
  return {};
}

tls_result<void> set_client_trust(implementation& made, const tls_client_options& options) {
  made.verification.pinned = options.pinned_certificates;
  made.verification.skip = options.insecure_skip_verification;
  //= RFC 9001 section 4.4
  //# A client MUST authenticate the identity of the server.
  SSL_CTX_set_verify(made.context.get(), SSL_VERIFY_PEER, nullptr);
  if (auto done = add_roots(made, options.roots, "roots"); !done) return done;
  const bool by_chain =
      options.pinned_certificates.empty() && !options.verify && !options.insecure_skip_verification;
  if (!by_chain) return {};
  if (options.system_roots)
    return add_system_roots(SSL_CTX_get_cert_store(made.context.get()), made.library);
  if (options.roots.empty()) {
    return std::unexpected(invalid(
        "nobody is trusted: set system_roots, give roots, pin a certificate or set verify"));
  }
  return {};
}

tls_result<void> set_client_authentication(implementation& made,
                                           const tls_server_options& options) {
  SSL_CTX* const context = made.context.get();
  if (options.client_certificate == client_certificates::ignored) return {};
  if (options.client_roots.empty() && !options.verify) {
    return std::unexpected(
        invalid("client certificates are asked for: give client_roots or verify to judge them by"));
  }
  if (auto done = add_roots(made, options.client_roots, "client_roots"); !done) return done;
  const bool required = options.client_certificate == client_certificates::required;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  return {};
}

tls_result<void> set_credentials(implementation& made, const tls_server_options& options) {
  if (options.credentials.empty()) {
    return std::unexpected(
        invalid("a server needs a certificate and its key: give credentials, for a trial those of "
                "make_self_signed_certificate"));
  }
  for (const tls_credential& credential : options.credentials) {
    auto loaded = load_credential(made.library, credential);
    if (!loaded) return std::unexpected(loaded.error());
    made.credentials.push_back(std::move(*loaded));
  }
  if (!made.credentials.front().use(made.context.get())) {
    return std::unexpected(openssl_failure("the TLS library refuses the first certificate"));
  }
  if (made.credentials.size() > 1)
    SSL_CTX_set_cert_cb(made.context.get(), select_credential, &made);
  return {};
}

}  // namespace

tls_context::tls_context(std::shared_ptr<const implementation> made) noexcept
    : implementation_(std::move(made)) {}
bool tls_context::is_server() const noexcept { return implementation_->server; }
const std::vector<std::string>& tls_context::alpn() const noexcept { return implementation_->alpn; }
void* tls_context::native_context() const noexcept { return implementation_->context.get(); }

//= RFC 9114 section 3.1
//# Upon receiving a server certificate in the TLS handshake, the client MUST verify that the
//# certificate is an acceptable match for the URI's origin server using the process described in
//# Section 4.3.4 of [RFC9110].
//= RFC 9114 section 3.1
//# If the certificate cannot be verified with respect to the URI's origin server, the client MUST
//# NOT consider the server authoritative for that origin.
bool tls_context::prepare_client(void* native_session, std::string_view server_name) const {
  auto* const session = static_cast<SSL*>(native_session);
  const std::string name(server_name);
  if (name.empty() || name.find('\0') != std::string::npos) return false;
  X509_VERIFY_PARAM* const parameters = SSL_get0_param(session);
  if (address::parse_ip(name, 0)) {
    // Names that are asked for are never addresses (RFC 6066 section 3).
    if (X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) != 1) return false;
  } else {
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size()) != 1) return false;
    //= RFC 9114 section 3.2
    //# HTTP/3 clients MUST support a mechanism to indicate the target host to the server during
    //# the TLS handshake.
    //= RFC 9114 section 3.2
    //# clients MUST send the Server Name Indication (SNI; [RFC6066]) TLS extension
    if (SSL_set_tlsext_host_name(session, name.c_str()) != 1) return false;
  }
  if (!implementation_->session_to_resume) return true;
  std::vector<std::byte> saved = implementation_->session_to_resume(server_name);
  const unsigned char* cursor = octets(saved.data());
  SSL_SESSION* const resumed =
      saved.empty() ? nullptr
                    : d2i_SSL_SESSION_ex(nullptr, &cursor, static_cast<long>(saved.size()),
                                         implementation_->library, nullptr);
  if (resumed != nullptr) SSL_set_session(session, resumed);
  SSL_SESSION_free(resumed);
  ERR_clear_error();  // A session that cannot be read only costs a full handshake.
  OPENSSL_cleanse(saved.data(), saved.size());
  return true;
}

std::string tls_context::verification_failure(void* native_session) {
  const long verdict = SSL_get_verify_result(static_cast<SSL*>(native_session));
  return verdict == X509_V_OK ? std::string() : X509_verify_cert_error_string(verdict);
}

tls_result<tls_context> make_tls_client_context(const tls_client_options& options) {
  auto made = start(options.native_library, false);
  if (!made) return std::unexpected(made.error());
  implementation& target = **made;
  if (auto done = set_common(target, options); !done) return std::unexpected(done.error());
  if (auto done = set_client_trust(target, options); !done) return std::unexpected(done.error());
  if (options.credential) {
    const auto credential = load_credential(target.library, *options.credential);
    if (!credential) return std::unexpected(credential.error());
    if (!credential->use(target.context.get())) {
      return std::unexpected(openssl_failure("the TLS library refuses the client's certificate"));
    }
  }
  target.session_to_resume = options.session_to_resume;
  if (options.session_received) {
    target.session_received = options.session_received;
    SSL_CTX_set_session_cache_mode(target.context.get(),
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(target.context.get(), receive_session);
  }
  return tls_context(std::move(*made));
}

tls_result<tls_context> make_tls_server_context(const tls_server_options& options) {
  auto made = start(options.native_library, true);
  if (!made) return std::unexpected(made.error());
  implementation& target = **made;
  SSL_CTX* const context = target.context.get();
  if (auto done = set_common(target, options); !done) return std::unexpected(done.error());
  if (auto done = set_credentials(target, options); !done) return std::unexpected(done.error());
  if (auto done = set_client_authentication(target, options); !done)
    return std::unexpected(done.error());
  // Tickets carry the session, so nothing is cached; the context of the ID only has to be the same
  // each time.
  constexpr unsigned char session_context[] = "strata";
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context, session_context, sizeof session_context);
  SSL_CTX_set_num_tickets(context, options.session_tickets);
  return tls_context(std::move(*made));
}

}  // namespace v0
}  // namespace strata::transport
