// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "strata/transport/core/address.hpp"
#include "strata/transport/core/error.hpp"
#include "tls/openssl_handles.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

constexpr long backdated_by = 60 * 60;  // Clocks differ.
/// One second less than 14 days, because both ends count (RFC 5280 section 4.1.2.5).
constexpr long lifetime = 14 * 24 * 60 * 60 - 1;

using names_handle = std::unique_ptr<GENERAL_NAMES, openssl_deleter<&GENERAL_NAMES_free>>;
using name_handle = std::unique_ptr<GENERAL_NAME, openssl_deleter<&GENERAL_NAME_free>>;
using string_handle = std::unique_ptr<ASN1_STRING, openssl_deleter<&ASN1_STRING_free>>;

/// One alternative name: an address as octets, all else as a DNS name.
name_handle alternative_name(const std::string& text) {
  const auto ip = address::parse_ip(text, 0);
  const bytes value = ip ? ip->octets() : as_bytes(text);
  name_handle name(GENERAL_NAME_new());
  string_handle string(ASN1_STRING_type_new(ip ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING));
  if (!name || !string ||
      ASN1_STRING_set(string.get(), value.data(), static_cast<int>(value.size())) != 1)
    return nullptr;
  GENERAL_NAME_set0_value(name.get(), ip ? GEN_IPADD : GEN_DNS, string.release());
  return name;
}

bool add_names(X509* certificate, std::span<const std::string> names) {
  const names_handle all(sk_GENERAL_NAME_new_null());
  if (!all) return false;
  for (const std::string& text : names) {
    name_handle name = alternative_name(text);
    if (!name || sk_GENERAL_NAME_push(all.get(), name.get()) == 0) return false;
    (void)name.release();
  }
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, all.get(), 0, X509V3_ADD_DEFAULT) ==
         1;
}

bool fill(OSSL_LIB_CTX* library, X509* certificate, EVP_PKEY* key,
          std::span<const std::string> names) {
  std::array<unsigned char, 16> serial;
  if (RAND_bytes_ex(library, serial.data(), serial.size(), 0) != 1) return false;
  serial[0] =
      static_cast<unsigned char>((serial[0] & 0x3f) | 0x40);  // Positive, and as long as it looks.
  const std::unique_ptr<BIGNUM, openssl_deleter<&BN_free>> number(
      BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  // The subject is not what clients compare; 64 characters is the most that a common name may have.
  const std::string subject = names.front().substr(0, 64);
  const std::unique_ptr<X509_NAME, openssl_deleter<&X509_NAME_free>> name(X509_NAME_new());
  return number && name && X509_set_version(certificate, X509_VERSION_3) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr &&
         X509_gmtime_adj(X509_getm_notBefore(certificate), -backdated_by) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(certificate), lifetime - backdated_by) != nullptr &&
         X509_NAME_add_entry_by_NID(name.get(), NID_commonName, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(subject.data()),
                                    static_cast<int>(subject.size()), -1, 0) == 1 &&
         X509_set_subject_name(certificate, name.get()) == 1 &&
         X509_set_issuer_name(certificate, name.get()) == 1 &&
         X509_set_pubkey(certificate, key) == 1 && add_names(certificate, names);
}

template <class Write>
std::string pem_of(Write&& write) {
  const bio_handle bio(BIO_new(BIO_s_mem()));
  if (!bio || write(bio.get()) != 1) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace

tls_result<self_signed_certificate> make_self_signed_certificate(
    std::span<const std::string> names) {
  for (const std::string& name : names) {
    if (!name.empty() && name.find('\0') == std::string::npos) continue;
    return std::unexpected(
        tls_error{make_error_code(errc::invalid_argument), "a certificate's name cannot be empty"});
  }
  if (names.empty()) {
    return std::unexpected(
        tls_error{make_error_code(errc::invalid_argument),
                  "a certificate needs a name: give DNS names or IP literals, e.g. localhost"});
  }
  ERR_clear_error();
  const library_handle library(OSSL_LIB_CTX_new());
  const provider_handle provider(library ? OSSL_PROVIDER_load(library.get(), "default") : nullptr);
  const key_handle key(provider ? EVP_PKEY_Q_keygen(library.get(), nullptr, "EC", "P-256")
                                : nullptr);
  const certificate_handle certificate(X509_new_ex(library.get(), nullptr));
  if (!key || !certificate || !fill(library.get(), certificate.get(), key.get(), names) ||
      X509_sign(certificate.get(), key.get(), EVP_sha256()) <= 0) {
    return std::unexpected(openssl_failure("cannot make a certificate"));
  }
  self_signed_certificate made;
  unsigned size = 0;
  made.certificate_pem =
      pem_of([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); });
  made.private_key_pem = pem_of([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  const bool hashed =
      X509_digest(certificate.get(), EVP_sha256(), octets(made.sha256.data()), &size) == 1;
  if (!hashed || made.certificate_pem.empty() || made.private_key_pem.empty()) {
    return std::unexpected(openssl_failure("cannot write a certificate"));
  }
  return made;
}

}  // namespace v0
}  // namespace strata::transport
