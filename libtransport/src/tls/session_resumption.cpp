// SPDX-License-Identifier: Apache-2.0
#include "tls/session_resumption.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include <algorithm>
#include <cstring>

#include "strata/transport/core/buffer_reader.hpp"
#include "tls/ech.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

constexpr std::size_t ticket_name_size = 16;
constexpr std::size_t ticket_secret_size = 32;

tls_session_key key_of(const tls_context::implementation& context, std::string_view name) {
  return {.server_name = std::string(name), .configuration = context.configuration};
}

/// Returning zero says that no reference to the session was kept.
int receive_session(SSL* ssl, SSL_SESSION* session) {
  const int size = i2d_SSL_SESSION(session, nullptr);
  if (size <= 0 || ech_status_of(ssl) == ech_status::accepted) return 0;
  try {
    const auto& context = implementation_of(ssl);
    std::vector<std::byte> out(static_cast<std::size_t>(size));
    unsigned char* cursor = octets(out.data());
    i2d_SSL_SESSION(session, &cursor);
    const std::string name = expected_name(ssl);
    if (context.sessions) context.sessions->put(key_of(context, name), out);
    //= RFC 9001 section 9.2
    //# clients MUST treat them as opaque values
    if (context.session_received) context.session_received(name, out);
    OPENSSL_cleanse(out.data(), out.size());
  } catch (...) {
    // The application did not want it; the connection goes on.
  }
  return 0;
}

/// A ticket belongs to the name it was given for: without this, a client certificate that was
/// judged for one name would be good for all of them.
certificate_hash hash_of(const tls_context::implementation& context, std::string_view name) {
  certificate_hash hash{};
  const std::unique_ptr<EVP_MD, openssl_deleter<&EVP_MD_free>> sha256(
      EVP_MD_fetch(context.library, "SHA256", nullptr));
  unsigned size = 0;
  if (sha256)
    EVP_Digest(name.data(), name.size(), octets(hash.data()), &size, sha256.get(), nullptr);
  return hash;
}

int mark_ticket(SSL* ssl, void*) {
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  const certificate_hash mark = hash_of(implementation_of(ssl), name == nullptr ? "" : name);
  return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), mark.data(), mark.size());
}

/// The name in the ClientHello that is being read: tickets are opened before OpenSSL looks at it.
std::string_view name_in_hello(SSL* ssl) {
  const unsigned char* content = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &content, &size) != 1) return {};
  buffer_reader reader({reinterpret_cast<const std::byte*>(content), size});
  reader.skip(2 + 1);  // The length of a list of one, and its type (RFC 6066 section 3).
  return as_text(reader.take(reader.u16()));
}

bool is_for_this_name(SSL* ssl, SSL_SESSION* session) {
  // With TLS 1.2 OpenSSL compares the name itself.
  if (SSL_version(ssl) != TLS1_3_VERSION) return true;
  void* mark = nullptr;
  std::size_t size = 0;
  const certificate_hash name = hash_of(implementation_of(ssl), name_in_hello(ssl));
  return SSL_SESSION_get0_ticket_appdata(session, &mark, &size) == 1 && size == name.size() &&
         std::memcmp(mark, name.data(), size) == 0;
}

SSL_TICKET_RETURN judge_ticket(SSL* ssl, SSL_SESSION* session, const unsigned char*, std::size_t,
                               SSL_TICKET_STATUS status, void*) {
  const bool opened = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
  if (!opened || !is_for_this_name(ssl, session)) return SSL_TICKET_RETURN_IGNORE_RENEW;
  // A ticket of TLS 1.3 is used once (RFC 8446 appendix C.4), so there has to be another.
  const bool renew = status == SSL_TICKET_SUCCESS_RENEW || SSL_version(ssl) == TLS1_3_VERSION;
  return renew ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}

bool set_mac_key(EVP_MAC_CTX* mac, const std::byte* secret) {
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<std::byte*>(secret),
                                        ticket_secret_size),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

/// Seals with the first key and opens with all: 0 is "not mine", 2 "mine, but make a new one".
int use_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                   EVP_MAC_CTX* mac, int seal) {
  const auto& context = implementation_of(ssl);
  const auto& keys = context.ticket_keys;
  const auto key =
      seal == 1 ? keys.begin() : std::find_if(keys.begin(), keys.end(), [&](const auto& each) {
        return std::memcmp(each.data(), name, ticket_name_size) == 0;
      });
  if (key == keys.end()) return 0;
  if (seal == 1) {
    std::memcpy(name, key->data(), ticket_name_size);
    if (RAND_bytes_ex(context.library, iv, 16, 0) != 1) return -1;
  }
  const std::byte* const secrets = key->data() + ticket_name_size;
  if (!set_mac_key(mac, secrets) ||
      EVP_CipherInit_ex(cipher, context.ticket_cipher.get(), nullptr,
                        octets(secrets + ticket_secret_size), iv, seal) != 1)
    return -1;
  return key == keys.begin() ? 1 : 2;
}

}  // namespace

void set_client_sessions(context_settings& settings, const tls_client_options& options) {
  settings.made->sessions = options.sessions;
  settings.made->session_to_resume = options.session_to_resume;
  settings.made->session_received = options.session_received;
  if (!options.sessions && !options.session_received) return;
  SSL_CTX_set_session_cache_mode(settings.native(),
                                 SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(settings.native(), receive_session);
}

tls_result<void> set_server_tickets(context_settings& settings, const tls_server_options& options) {
  tls_context::implementation& made = *settings.made;
  SSL_CTX* const context = settings.native();
  // Tickets carry the session, so nothing is cached.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context, octets(made.configuration.data()),
                                 static_cast<unsigned>(made.configuration.size()));
  SSL_CTX_set_num_tickets(context, options.session_tickets);
  if (options.session_tickets == 0) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_session_ticket_cb(context, mark_ticket, judge_ticket, nullptr);
  if (options.ticket_keys.empty()) return {};
  made.ticket_keys = options.ticket_keys;
  made.ticket_cipher.reset(EVP_CIPHER_fetch(made.library, "AES-256-CBC", nullptr));
  if (made.ticket_cipher && SSL_CTX_set_tlsext_ticket_key_evp_cb(context, use_ticket_key) == 1)
    return {};
  return std::unexpected(openssl_failure("cannot use the ticket_keys"));
}

void resume_session(SSL* session, std::string_view server_name, bool offers_ech) {
  // OpenSSL 4.0.3 writes a binder without a byte into the outer hello then (RFC 8446 section 4.2.11
  // asks for 32), at which servers of others end the handshake.
  if (offers_ech) return;
  const auto& context = implementation_of(session);
  std::vector<std::byte> saved;
  if (context.sessions) saved = context.sessions->take(key_of(context, server_name));
  if (saved.empty() && context.session_to_resume) saved = context.session_to_resume(server_name);
  if (saved.empty()) return;
  const unsigned char* cursor = octets(saved.data());
  SSL_SESSION* const resumed = d2i_SSL_SESSION_ex(nullptr, &cursor, static_cast<long>(saved.size()),
                                                  context.library, nullptr);
  if (resumed != nullptr) SSL_set_session(session, resumed);
  // With TLS 1.2 a session is good for many connections, and not every one brings another.
  if (resumed != nullptr && context.sessions &&
      SSL_SESSION_get_protocol_version(resumed) == TLS1_2_VERSION)
    context.sessions->put(key_of(context, server_name), saved);
  SSL_SESSION_free(resumed);
  ERR_clear_error();  // A session that cannot be read only costs a full handshake.
  OPENSSL_cleanse(saved.data(), saved.size());
}

}  // namespace v0
}  // namespace strata::transport
