// SPDX-License-Identifier: Apache-2.0
#include "tls/connection_report.hpp"

#include <openssl/err.h>
#include <openssl/sslerr.h>

#include "strata/transport/core/error.hpp"
#include "tls/certificate_verification.hpp"
#include "tls/ech.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

std::string text_or_nothing(const char* text) { return text == nullptr ? "" : text; }

std::vector<std::vector<std::byte>> peer_chain(SSL* session) {
  std::vector<std::vector<std::byte>> chain;
  X509* const leaf = SSL_get0_peer_certificate(session);
  if (leaf == nullptr) return chain;
  chain.push_back(der_of(leaf));
  const STACK_OF(X509)* const sent = SSL_get_peer_cert_chain(session);
  for (int i = 0; i < sk_X509_num(sent); ++i) {
    // On a client the leaf is in it, on a server it is not.
    X509* const next = sk_X509_value(sent, i);
    if (i != 0 || X509_cmp(next, leaf) != 0) chain.push_back(der_of(next));
  }
  return chain;
}

std::optional<certificate_hash> leaf_hash(SSL* session) {
  X509* const leaf = SSL_get0_peer_certificate(session);
  if (leaf == nullptr) return std::nullopt;
  certificate_hash hash;
  unsigned size = 0;
  if (X509_digest(leaf, EVP_sha256(), octets(hash.data()), &size) != 1) return std::nullopt;
  return hash;
}

void report_ech_rejection(SSL* session, std::optional<std::uint8_t> alert_sent,
                          tls_failure& failure) {
  ech_rejection rejection = ech_rejection_of(session, alert_sent);
  failure.ech = rejection.status;
  failure.retry_configs = std::move(rejection.retry_configs);
  if (rejection.status == ech_status::failed) return;
  failure.code = errc::ech_rejected;
  failure.text = "the server of \"" + expected_name(session) + "\" did not accept ECH" +
                 (rejection.status == ech_status::rejected ? "" : ", and named other keys");
}

}  // namespace

connection_security security_of(SSL* session) {
  connection_security out;
  out.protocol = text_or_nothing(SSL_get_version(session));
  if (const SSL_CIPHER* const cipher = SSL_get_current_cipher(session))
    out.cipher = text_or_nothing(SSL_CIPHER_standard_name(cipher));
  out.group = text_or_nothing(SSL_get0_group_name(session));
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(session, &protocol, &size);
  out.alpn.assign(reinterpret_cast<const char*>(protocol), size);
  out.server_name = text_or_nothing(SSL_get_servername(session, TLSEXT_NAMETYPE_host_name));
  out.peer_certificates = peer_chain(session);
  out.peer_certificate_sha256 = leaf_hash(session);
  out.resumed = SSL_session_reused(session) == 1;
  ERR_clear_error();
  return out;
}

tls_failure failure_of(SSL* session, bool after_handshake, std::optional<std::uint8_t> alert_sent) {
  // The oldest error is where it began; what follows only passes it on.
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
  tls_failure failure;
  failure.text = text_or_nothing(ERR_reason_error_string(code));
  if (failure.text.empty()) failure.text = "the TLS library gave no reason";
  // A signature in the chain that does not fit has an older error than the verdict about it.
  const bool disbelieved = !after_handshake && SSL_get_verify_result(session) != X509_V_OK;
  if (disbelieved || reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    failure.code = errc::certificate_rejected;
    failure.text += ": " + tls_context::verification_failure(session);
  } else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    failure.code = errc::certificate_rejected;
  } else if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
    failure.code = errc::out_of_memory;
  } else if (reason > SSL_AD_REASON_OFFSET) {
    failure.code = after_handshake ? errc::closed_by_peer : errc::tls_failed;
  } else {
    failure.code = after_handshake ? errc::protocol_error : errc::tls_failed;
  }
  if (is_ech_error(code)) report_ech_rejection(session, alert_sent, failure);
  ERR_clear_error();
  return failure;
}

}  // namespace v0
}  // namespace strata::transport
