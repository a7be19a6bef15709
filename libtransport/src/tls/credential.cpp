// SPDX-License-Identifier: Apache-2.0
#include "tls/credential.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>

#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

tls_error invalid(std::string text) {
  return {make_error_code(errc::invalid_argument), std::move(text)};
}

bio_handle reader(const std::string& text) {
  return bio_handle(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// Without this OpenSSL would ask the terminal.
int no_password(char*, int, int, void*) { return -1; }

tls_result<key_handle> load_key(OSSL_LIB_CTX* library, const pem_source& source) {
  const auto text = read_pem(source, "private key");
  if (!text) return std::unexpected(text.error());
  ERR_clear_error();
  const bio_handle bio = reader(*text);
  key_handle key(
      bio ? PEM_read_bio_PrivateKey_ex(bio.get(), nullptr, no_password, nullptr, library, nullptr)
          : nullptr);
  if (key) return key;
  if (text->find("ENCRYPTED") != std::string::npos) {
    ERR_clear_error();
    return std::unexpected(
        invalid("the private key " + place_of(source) + " is encrypted: give it decrypted"));
  }
  if (text->find("PRIVATE KEY-----") == std::string::npos) {
    ERR_clear_error();
    return std::unexpected(invalid("no PEM private key " + place_of(source) +
                                   ": it must have a line \"-----BEGIN PRIVATE KEY-----\""));
  }
  return std::unexpected(openssl_failure("cannot use the private key " + place_of(source)));
}

}  // namespace

std::string place_of(const pem_source& source) {
  return source.path.empty() ? std::string("in memory") : "in " + source.path;
}

tls_result<std::string> read_pem(const pem_source& source, std::string_view what) {
  if (source.path.empty()) {
    if (source.text.empty()) return std::unexpected(invalid("no " + std::string(what) + " given"));
    return source.text;
  }
  std::ifstream file(source.path, std::ios::binary);
  std::ostringstream text;
  if (file.is_open()) text << file.rdbuf();
  if (!file.is_open() || file.bad()) {
    const std::error_code why(errno, std::generic_category());
    return std::unexpected(tls_error{
        why, "cannot read the " + std::string(what) + " " + source.path + ": " + why.message()});
  }
  return text.str();
}

std::string take_openssl_error() {
  char text[256] = "";
  if (const unsigned long code = ERR_peek_error()) {
    const char* const reason = ERR_reason_error_string(code);
    if (reason != nullptr) {
      ERR_clear_error();
      return reason;
    }
    ERR_error_string_n(code, text, sizeof text);
  }
  ERR_clear_error();
  return text;
}

tls_error openssl_failure(std::string text) {
  const std::string why = take_openssl_error();
  if (!why.empty()) text += ": " + why;
  return {make_error_code(errc::tls_failed), std::move(text)};
}

bool loaded_credential::matches(std::string_view name) const {
  return X509_check_host(chain.front().get(), name.data(), name.size(), 0, nullptr) == 1;
}

bool loaded_credential::use(SSL* session) const {
  if (SSL_use_certificate(session, chain.front().get()) != 1 ||
      SSL_use_PrivateKey(session, key.get()) != 1)
    return false;
  if (SSL_clear_chain_certs(session) != 1) return false;
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_add1_chain_cert(session, chain[i].get()) != 1) return false;
  }
  return true;
}

bool loaded_credential::use(SSL_CTX* context) const {
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) return false;
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) return false;
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) return false;
  }
  return true;
}

tls_result<std::vector<certificate_handle>> load_certificates(OSSL_LIB_CTX* library,
                                                              const pem_source& source,
                                                              std::string_view what) {
  const auto text = read_pem(source, what);
  if (!text) return std::unexpected(text.error());
  ERR_clear_error();
  const bio_handle bio = reader(*text);
  std::vector<certificate_handle> out;
  for (;;) {
    X509* raw = X509_new_ex(library, nullptr);
    const bool found =
        bio && raw && PEM_read_bio_X509(bio.get(), &raw, no_password, nullptr) != nullptr;
    certificate_handle certificate(raw);
    if (!found) break;
    out.push_back(std::move(certificate));
  }
  // The loop ends with "no start line" when the text does, and with anything else when a
  // certificate is broken.
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!at_end) {
    return std::unexpected(openssl_failure("certificate number " + std::to_string(out.size() + 1) +
                                           " " + place_of(source) + " (" + std::string(what) +
                                           ") is damaged"));
  }
  ERR_clear_error();
  if (out.empty()) {
    return std::unexpected(invalid("no PEM certificate " + place_of(source) + " (" +
                                   std::string(what) +
                                   "): it must have a line \"-----BEGIN CERTIFICATE-----\""));
  }
  return out;
}

tls_result<loaded_credential> load_credential(OSSL_LIB_CTX* library,
                                              const tls_credential& credential) {
  auto chain = load_certificates(library, credential.certificate_chain, "certificate chain");
  if (!chain) return std::unexpected(chain.error());
  auto key = load_key(library, credential.private_key);
  if (!key) return std::unexpected(key.error());
  if (X509_check_private_key(chain->front().get(), key->get()) != 1) {
    ERR_clear_error();
    return std::unexpected(invalid("the private key " + place_of(credential.private_key) +
                                   " does not belong to the first certificate " +
                                   place_of(credential.certificate_chain) +
                                   ": the leaf has to come first in the chain"));
  }
  return loaded_credential{std::move(*chain), std::move(*key)};
}

}  // namespace v0
}  // namespace strata::transport
