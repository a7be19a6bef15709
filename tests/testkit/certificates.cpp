// SPDX-License-Identifier: Apache-2.0
#include "testkit/certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdexcept>

#include "strata/transport/core/address.hpp"

namespace strata::testkit {
namespace {

template <auto Free>
struct deleter {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
using certificate_handle = std::unique_ptr<X509, deleter<&X509_free>>;
using key_handle = std::unique_ptr<EVP_PKEY, deleter<&EVP_PKEY_free>>;
using bio_handle = std::unique_ptr<BIO, deleter<&BIO_free_all>>;
using names_handle = std::unique_ptr<GENERAL_NAMES, deleter<&GENERAL_NAMES_free>>;
using subject_handle = std::unique_ptr<X509_NAME, deleter<&X509_NAME_free>>;

void require(bool done) {
  if (!done) throw std::runtime_error("cannot make a test certificate");
}

template <class Write>
std::string pem_of(Write&& write) {
  const bio_handle bio(BIO_new(BIO_s_mem()));
  require(bio && write(bio.get()) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

void add_extension(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, deleter<&X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  require(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void add_name(GENERAL_NAMES* names, const std::string& text) {
  const auto ip = transport::address::parse_ip(text, 0);
  const transport::bytes value = ip ? ip->octets() : transport::as_bytes(text);
  ASN1_STRING* const string = ASN1_STRING_type_new(ip ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  require(ASN1_STRING_set(string, value.data(), static_cast<int>(value.size())) == 1);
  GENERAL_NAME* const name = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(name, ip ? GEN_IPADD : GEN_DNS, string);
  require(sk_GENERAL_NAME_push(names, name) > 0);
}

/// Unsigned, with what roots and leaves share.
certificate_handle begin_certificate(const std::string& subject, EVP_PKEY* key,
                                     const test_certificate_options& options) {
  static long serial = 1;
  certificate_handle certificate(X509_new());
  const subject_handle name(X509_NAME_new());
  require(certificate && name);
  require(X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  require(ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial++) == 1);
  const auto seconds = [](std::chrono::hours hours) {
    return static_cast<long>(std::chrono::seconds(hours).count());
  };
  require(X509_gmtime_adj(X509_getm_notBefore(certificate.get()), seconds(options.valid_from)) !=
          nullptr);
  require(X509_gmtime_adj(X509_getm_notAfter(certificate.get()), seconds(options.valid_until)) !=
          nullptr);
  require(X509_NAME_add_entry_by_NID(name.get(), NID_commonName, MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(subject.c_str()), -1,
                                     -1, 0) == 1);
  require(X509_set_subject_name(certificate.get(), name.get()) == 1);
  require(X509_set_pubkey(certificate.get(), key) == 1);
  return certificate;
}

test_certificate finished(X509* certificate, EVP_PKEY* key) {
  test_certificate out;
  out.certificate_pem = pem_of([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
  out.private_key_pem = pem_of([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  out.der.resize(static_cast<std::size_t>(i2d_X509(certificate, nullptr)));
  auto* cursor = reinterpret_cast<unsigned char*>(out.der.data());
  i2d_X509(certificate, &cursor);
  unsigned size = 0;
  require(X509_digest(certificate, EVP_sha256(),
                      reinterpret_cast<unsigned char*>(out.sha256.data()), &size) == 1);
  return out;
}

}  // namespace

struct certificate_authority::identity {
  key_handle key;
  certificate_handle certificate;
};

certificate_authority::certificate_authority(const std::string& name)
    : identity_(std::make_unique<identity>()) {
  identity_->key.reset(EVP_EC_gen("P-256"));
  require(identity_->key != nullptr);
  identity_->certificate = begin_certificate(name, identity_->key.get(),
                                             {.names = {},
                                              .valid_from = std::chrono::hours(-24 * 365),
                                              .valid_until = std::chrono::hours(24 * 365)});
  X509* const root = identity_->certificate.get();
  require(X509_set_issuer_name(root, X509_get_subject_name(root)) == 1);
  add_extension(root, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(root, NID_key_usage, "critical,keyCertSign,cRLSign");
  require(X509_sign(root, identity_->key.get(), EVP_sha256()) > 0);
}

certificate_authority::~certificate_authority() = default;

transport::pem_source certificate_authority::root() const {
  return transport::pem_source::from_text(
      pem_of([&](BIO* bio) { return PEM_write_bio_X509(bio, identity_->certificate.get()); }));
}

test_certificate certificate_authority::issue(const test_certificate_options& options) const {
  const key_handle key(EVP_EC_gen("P-256"));
  require(key != nullptr);
  const auto certificate = begin_certificate(
      options.names.empty() ? "nobody" : options.names.front(), key.get(), options);
  require(X509_set_issuer_name(certificate.get(),
                               X509_get_subject_name(identity_->certificate.get())) == 1);
  const names_handle names(sk_GENERAL_NAME_new_null());
  for (const std::string& name : options.names) add_name(names.get(), name);
  if (!options.names.empty()) {
    require(X509_add1_ext_i2d(certificate.get(), NID_subject_alt_name, names.get(), 0,
                              X509V3_ADD_DEFAULT) == 1);
  }
  if (options.padding != 0) {
    add_extension(certificate.get(), NID_netscape_comment,
                  std::string(options.padding, 'x').c_str());
  }
  require(X509_sign(certificate.get(), identity_->key.get(), EVP_sha256()) > 0);
  return finished(certificate.get(), key.get());
}

test_certificates::test_certificates()
    : server(authority.issue({.names = {"server.test", "localhost", "127.0.0.1", "::1"}})),
      expired(authority.issue({.names = {"server.test", "localhost", "127.0.0.1", "::1"},
                               .valid_from = std::chrono::hours(-48),
                               .valid_until = std::chrono::hours(-24)})),
      wrong_name(authority.issue({.names = {"elsewhere.test"}})),
      client(authority.issue({.names = {"client.test"}})) {}

const test_certificates& test_certificates::shared() {
  static const test_certificates made;
  return made;
}

}  // namespace strata::testkit
