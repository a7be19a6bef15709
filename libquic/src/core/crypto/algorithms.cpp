// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/algorithms.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

cipher_handle fetch(const library_context_handle& library, const char* name) {
  return cipher_handle(EVP_CIPHER_fetch(library.get(), name, nullptr));
}

mac_context_handle hmac_of(const library_context_handle& library, const char* digest) {
  const mac_handle mac(EVP_MAC_fetch(library.get(), "HMAC", nullptr));
  if (!mac) return nullptr;
  mac_context_handle context(EVP_MAC_CTX_new(mac.get()));
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(digest), 0),
      OSSL_PARAM_construct_end()};
  if (!context || EVP_MAC_CTX_set_params(context.get(), parameters) != 1) return nullptr;
  return context;
}

std::shared_ptr<const algorithms> make() {
  auto made = std::make_shared<algorithms>();
  made->library.reset(OSSL_LIB_CTX_new());
  if (!made->library) return nullptr;
  made->aes_128_gcm = fetch(made->library, "AES-128-GCM");
  made->aes_256_gcm = fetch(made->library, "AES-256-GCM");
  made->chacha20_poly1305 = fetch(made->library, "ChaCha20-Poly1305");
  made->aes_128_ecb = fetch(made->library, "AES-128-ECB");
  made->aes_256_ecb = fetch(made->library, "AES-256-ECB");
  made->chacha20 = fetch(made->library, "ChaCha20");
  made->hmac_sha256 = hmac_of(made->library, "SHA2-256");
  made->hmac_sha384 = hmac_of(made->library, "SHA2-384");
  // ChaCha20 alone may be missing: a FIPS-only build has none, and TLS then never negotiates it.
  if (!made->aes_128_gcm || !made->aes_256_gcm || !made->aes_128_ecb || !made->aes_256_ecb)
    return nullptr;
  if (!made->hmac_sha256 || !made->hmac_sha384) return nullptr;
  return made;
}

}  // namespace

std::shared_ptr<const algorithms> algorithms::shared() {
  static const std::shared_ptr<const algorithms> instance = make();
  return instance;
}

const EVP_CIPHER* algorithms::aead(cipher_suite suite) const noexcept {
  switch (suite) {
    case cipher_suite::aes_128_gcm_sha256: return aes_128_gcm.get();
    case cipher_suite::aes_256_gcm_sha384: return aes_256_gcm.get();
    case cipher_suite::chacha20_poly1305_sha256: return chacha20_poly1305.get();
    case cipher_suite::null: break;
  }
  return nullptr;
}

const EVP_CIPHER* algorithms::header(cipher_suite suite) const noexcept {
  switch (suite) {
    case cipher_suite::aes_128_gcm_sha256: return aes_128_ecb.get();
    case cipher_suite::aes_256_gcm_sha384: return aes_256_ecb.get();
    case cipher_suite::chacha20_poly1305_sha256: return chacha20.get();
    case cipher_suite::null: break;
  }
  return nullptr;
}

mac_context_handle algorithms::keyed_hmac(cipher_suite suite, bytes key) const noexcept {
  const mac_context_handle& keyless = hash_size(suite) == 48 ? hmac_sha384 : hmac_sha256;
  mac_context_handle context(EVP_MAC_CTX_dup(keyless.get()));
  // A null key means "the key set before" to EVP_MAC_init, and there is none.
  const std::byte empty{};
  if (context && EVP_MAC_init(context.get(), octets(key.empty() ? &empty : key.data()), key.size(),
                              nullptr) != 1) {
    context.reset();
  }
  return context;
}

bool algorithms::hmac(cipher_suite suite, bytes key, bytes input,
                      mutable_bytes out) const noexcept {
  const mac_context_handle keyed = keyed_hmac(suite, key);
  return keyed && compute_hmac(keyed.get(), input, out);
}

bool compute_hmac(EVP_MAC_CTX* keyed, bytes input, mutable_bytes out) noexcept {
  std::size_t size = 0;
  return EVP_MAC_init(keyed, nullptr, 0, nullptr) == 1 &&
         EVP_MAC_update(keyed, octets(input.data()), input.size()) == 1 &&
         EVP_MAC_final(keyed, octets(out.data()), &size, out.size()) == 1;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
