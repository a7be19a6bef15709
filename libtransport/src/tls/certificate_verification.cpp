// SPDX-License-Identifier: Apache-2.0
#include "tls/certificate_verification.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// Where systems keep all their roots in one file: Debian and Alpine, Fedora, openSUSE, the BSDs
/// and macOS.
constexpr const char* system_root_files[] = {"/etc/ssl/certs/ca-certificates.crt",
                                             "/etc/pki/tls/certs/ca-bundle.crt",
                                             "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

bool within_its_time(X509_STORE_CTX* store, X509* certificate) {
  const X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(store);
  std::time_t now = std::time(nullptr);
  if ((X509_VERIFY_PARAM_get_flags(parameters) & X509_V_FLAG_USE_CHECK_TIME) != 0) {
    now = X509_VERIFY_PARAM_get_time(parameters);
  }
  if (ASN1_TIME_cmp_time_t(X509_get0_notBefore(certificate), now) > 0) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_NOT_YET_VALID);
    return false;
  }
  if (ASN1_TIME_cmp_time_t(X509_get0_notAfter(certificate), now) < 0) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_HAS_EXPIRED);
    return false;
  }
  return true;
}

bool is_pinned(const std::vector<certificate_hash>& pinned, X509* certificate) {
  certificate_hash hash;
  unsigned size = 0;
  return X509_digest(certificate, EVP_sha256(), octets(hash.data()), &size) == 1 &&
         size == hash.size() && std::find(pinned.begin(), pinned.end(), hash) != pinned.end();
}

}  // namespace

std::string expected_name(SSL* session) {
  X509_VERIFY_PARAM* const parameters = SSL_get0_param(session);
  if (const char* const host = X509_VERIFY_PARAM_get0_host(parameters, 0)) return host;
  char* const ip = X509_VERIFY_PARAM_get1_ip_asc(parameters);
  if (ip == nullptr) return {};
  std::string text = ip;
  OPENSSL_free(ip);
  return text;
}

std::vector<std::byte> der_of(X509* certificate) {
  const int size = i2d_X509(certificate, nullptr);
  if (size <= 0) return {};
  std::vector<std::byte> out(static_cast<std::size_t>(size));
  unsigned char* cursor = octets(out.data());
  i2d_X509(certificate, &cursor);
  return out;
}

int certificate_verification::callback(X509_STORE_CTX* store, void* verification) {
  // A verifier is the application's code: what it throws must not cross OpenSSL's frames, and means
  // no.
  try {
    return static_cast<const certificate_verification*>(verification)->accepts(store) ? 1 : 0;
  } catch (...) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
  }
}

bool certificate_verification::accepts(X509_STORE_CTX* store) const {
  if (skip) return true;
  X509* const leaf = X509_STORE_CTX_get0_cert(store);
  if (verify) {
    const STACK_OF(X509)* const sent = X509_STORE_CTX_get0_untrusted(store);
    std::vector<std::vector<std::byte>> der;
    for (int i = 0; i < sk_X509_num(sent); ++i) der.push_back(der_of(sk_X509_value(sent, i)));
    if (der.empty()) der.push_back(der_of(leaf));
    auto* const session =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    const std::string name = session == nullptr ? std::string() : expected_name(session);
    if (verify({.der = der, .name = name})) return true;
    // Of all codes this is the one that becomes the alert bad_certificate.
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return false;
  }
  if (pinned.empty()) return X509_verify_cert(store) == 1;
  if (!is_pinned(pinned, leaf)) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return false;
  }
  return within_its_time(store, leaf);
}

tls_result<void> add_system_roots(X509_STORE* store, OSSL_LIB_CTX* library) {
  for (const char* const path : system_root_files) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) continue;
    if (X509_STORE_load_file_ex(store, path, library, nullptr) == 1) {
      ERR_clear_error();  // A bundle may name a root twice, which OpenSSL notes as an error.
      return {};
    }
    return std::unexpected(
        openssl_failure(std::string("cannot use the system's roots in ") + path));
  }
  return std::unexpected(
      tls_error{make_error_code(errc::not_supported),
                "this system keeps no roots where they are looked for "
                "(/etc/ssl/certs/ca-certificates.crt and others): install ca-certificates, or set "
                "system_roots = false and give roots"});
}

}  // namespace v0
}  // namespace strata::transport
