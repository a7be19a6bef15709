// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "core/crypto/openssl_handles.hpp"
#include "strata/quic/core/tls_backend.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// The algorithms that packets are protected with, fetched once: a fetch costs more than sealing a
/// packet.
///
/// They live in a library context of their own, never in the process's default one, whose
/// configuration belongs to the application. Immutable once made, so any thread may use them;
/// whoever keeps a context made from them shares ownership.
struct algorithms {
  library_context_handle library;
  cipher_handle aes_128_gcm;
  cipher_handle aes_256_gcm;
  cipher_handle chacha20_poly1305;
  cipher_handle aes_128_ecb;
  cipher_handle aes_256_ecb;
  cipher_handle chacha20;
  mac_context_handle hmac_sha256;  ///< Without a key: to be duplicated, which is cheaper than to
                                   ///< look the digest up.
  mac_context_handle hmac_sha384;

  /// Null when the TLS library has no memory or lacks an algorithm.
  static std::shared_ptr<const algorithms> shared();

  const EVP_CIPHER* aead(cipher_suite suite) const noexcept;
  const EVP_CIPHER* header(cipher_suite suite) const noexcept;
  /// HMAC with the hash of `suite` and this key, for hmac(); null when the TLS library fails.
  mac_context_handle keyed_hmac(cipher_suite suite, bytes key) const noexcept;
  /// The same for a key that is used once.
  bool hmac(cipher_suite suite, bytes key, bytes input, mutable_bytes out) const noexcept;
};

/// HMAC of `input` with a context of algorithms::keyed_hmac(), which may be used again; `out` has
/// room for the whole of it.
bool compute_hmac(EVP_MAC_CTX* keyed, bytes input, mutable_bytes out) noexcept;

/// Bytes of the AEAD's key, which the header protection key has too.
constexpr std::size_t key_size(cipher_suite suite) noexcept {
  return suite == cipher_suite::aes_128_gcm_sha256 ? 16 : 32;
}

/// Bytes of a traffic secret and of the hash.
constexpr std::size_t hash_size(cipher_suite suite) noexcept {
  return suite == cipher_suite::aes_256_gcm_sha384 ? 48 : 32;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
