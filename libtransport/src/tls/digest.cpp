// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/digest.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "strata/transport/core/error.hpp"
#include "tls/openssl_handles.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

template <class Digest>
result<Digest> digest_by_name(const char* name, bytes message) {
  Digest made{};
  std::size_t size = 0;
  if (EVP_Q_digest(nullptr, name, nullptr, message.data(), message.size(), octets(made.data()),
                   &size) != 1 ||
      size != made.size()) {
    forget_errors();
    return std::unexpected(make_error_code(errc::not_supported));
  }
  return made;
}

}  // namespace

result<md5_digest> md5(bytes message) { return digest_by_name<md5_digest>("MD5", message); }

result<sha256_digest> sha256(bytes message) {
  return digest_by_name<sha256_digest>("SHA256", message);
}

bool equal_in_constant_time(bytes a, bytes b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace v0
}  // namespace strata::transport
