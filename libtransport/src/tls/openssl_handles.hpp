// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "strata/transport/tls.hpp"

namespace strata::transport {
inline namespace v0 {

template <auto Free>
struct openssl_deleter {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};

using library_handle = std::unique_ptr<OSSL_LIB_CTX, openssl_deleter<&OSSL_LIB_CTX_free>>;
using provider_handle = std::unique_ptr<OSSL_PROVIDER, openssl_deleter<&OSSL_PROVIDER_unload>>;
using context_handle = std::unique_ptr<SSL_CTX, openssl_deleter<&SSL_CTX_free>>;
using ssl_handle = std::unique_ptr<SSL, openssl_deleter<&SSL_free>>;
using cipher_handle = std::unique_ptr<EVP_CIPHER, openssl_deleter<&EVP_CIPHER_free>>;
using bio_handle = std::unique_ptr<BIO, openssl_deleter<&BIO_free_all>>;
using certificate_handle = std::unique_ptr<X509, openssl_deleter<&X509_free>>;
using key_handle = std::unique_ptr<EVP_PKEY, openssl_deleter<&EVP_PKEY_free>>;

/// The text of the oldest error in this thread's queue, which is where a failure began; empties the
/// queue.
std::string take_openssl_error();

/// An error whose text ends with what OpenSSL has to say.
tls_error openssl_failure(std::string text);

/// SSL_get_error looks at the whole thread's queue: what others left there would count as ours.
/// Emptying it costs more than asking whether it is empty, and this is done per record.
inline void forget_errors() noexcept {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

inline const unsigned char* octets(const std::byte* data) noexcept {
  return reinterpret_cast<const unsigned char*>(data);
}
inline unsigned char* octets(std::byte* data) noexcept {
  return reinterpret_cast<unsigned char*>(data);
}

}  // namespace v0
}  // namespace strata::transport
