// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/evp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace strata::bench {

/// Protects packets as cheaply as the TLS library lets one: AES-128-GCM in place with nothing but
/// the nonce set per packet, header masks for a batch in one call (RFC 9001 section 5).
class limit_cipher {
 public:
  static constexpr std::size_t header_size = 13;
  static constexpr std::size_t tag_size = 16;

  limit_cipher();

  void seal(std::uint64_t number, std::span<std::byte> packet);
  bool open(std::uint64_t number, std::span<std::byte> packet);
  /// Masks the first five bytes of each `stride` of `batch`, or takes the mask off again.
  void mask(std::span<std::byte> batch, std::size_t stride);

 private:
  struct free_context {
    void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
  };
  using context = std::unique_ptr<EVP_CIPHER_CTX, free_context>;

  static context make(const char* name, bool encrypt);

  context sealing_;
  context opening_;
  context masking_;
  std::vector<std::byte> samples_;
};

}  // namespace strata::bench
