// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>

#include <memory>

namespace strata::quic {
inline namespace v0 {
namespace core {

template <auto Free>
struct openssl_deleter {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};

using library_context_handle = std::unique_ptr<OSSL_LIB_CTX, openssl_deleter<&OSSL_LIB_CTX_free>>;
using cipher_handle = std::unique_ptr<EVP_CIPHER, openssl_deleter<&EVP_CIPHER_free>>;
using cipher_context_handle =
    std::unique_ptr<EVP_CIPHER_CTX, openssl_deleter<&EVP_CIPHER_CTX_free>>;
using mac_handle = std::unique_ptr<EVP_MAC, openssl_deleter<&EVP_MAC_free>>;
using mac_context_handle = std::unique_ptr<EVP_MAC_CTX, openssl_deleter<&EVP_MAC_CTX_free>>;
using ssl_handle = std::unique_ptr<SSL, openssl_deleter<&SSL_free>>;

inline unsigned char* octets(std::byte* data) noexcept {
  return reinterpret_cast<unsigned char*>(data);
}
inline const unsigned char* octets(const std::byte* data) noexcept {
  return reinterpret_cast<const unsigned char*>(data);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
