// SPDX-License-Identifier: Apache-2.0
#include "testkit/seeded_tls_library.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include <stdexcept>
#include <vector>

#include "testkit/fake_random.hpp"

namespace strata::testkit {
namespace {

constexpr std::size_t supply =
    4 * 1024 * 1024;  ///< Random bytes; a handshake takes some thousands.

void require(bool done) {
  if (!done) throw std::runtime_error("cannot seed the TLS library");
}

/// A generator that hands out what it was given; the library context takes it over.
EVP_RAND_CTX* seeded_generator(OSSL_LIB_CTX* library, std::uint64_t seed) {
  EVP_RAND* const algorithm = EVP_RAND_fetch(library, "TEST-RAND", nullptr);
  require(algorithm != nullptr);
  EVP_RAND_CTX* const generator = EVP_RAND_CTX_new(algorithm, nullptr);
  EVP_RAND_free(algorithm);
  require(generator != nullptr);
  std::vector<std::byte> content(supply);
  fake_random(seed).fill(content);
  unsigned strength = 256;
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_RAND_PARAM_TEST_ENTROPY, content.data(),
                                        content.size()),
      OSSL_PARAM_construct_uint(OSSL_RAND_PARAM_STRENGTH, &strength), OSSL_PARAM_construct_end()};
  require(EVP_RAND_instantiate(generator, strength, 0, nullptr, 0, parameters) == 1);
  return generator;
}

}  // namespace

struct seeded_tls_library::handles {
  OSSL_LIB_CTX* library = OSSL_LIB_CTX_new();
  OSSL_PROVIDER* provider = OSSL_PROVIDER_load(library, "default");

  handles() = default;
  handles(const handles&) = delete;
  handles& operator=(const handles&) = delete;
  ~handles() {
    OSSL_PROVIDER_unload(provider);
    OSSL_LIB_CTX_free(library);
  }
};

seeded_tls_library::seeded_tls_library(std::uint64_t seed) : handles_(std::make_unique<handles>()) {
  require(handles_->provider != nullptr);
  OSSL_LIB_CTX* const library = handles_->library;
  require(RAND_set0_public(library, seeded_generator(library, seed)) == 1);
  require(RAND_set0_private(library, seeded_generator(library, ~seed)) == 1);
}

seeded_tls_library::~seeded_tls_library() = default;

void* seeded_tls_library::native() const { return handles_->library; }

}  // namespace strata::testkit
