// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/packet_protection.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/crypto/algorithms.hpp"
#include "core/crypto/key_schedule.hpp"
#include "core/crypto/label_expansion.hpp"
#include "core/crypto/null_cipher.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

using transport::errc;

struct packet_protection::keys {
  static constexpr std::size_t iv_size = 12;
  static constexpr std::size_t max_key_size = 32;

  /// One for all key phases.
  struct header_protection {
    null_cipher null;
    cipher_context_handle context;
  };

  cipher_suite suite = cipher_suite::null;
  null_cipher null_aead;
  cipher_context_handle aead;
  std::array<std::byte, iv_size> iv{};
  std::shared_ptr<header_protection> header;
  std::shared_ptr<const algorithms> library;

  bool start_aead(const label_expansion& expand);
  bool start_header(const label_expansion& expand);
  std::array<std::byte, iv_size> nonce(std::uint64_t packet_number) const noexcept;
  bool seal(std::uint64_t packet_number, std::byte* packet, std::size_t header_size,
            std::size_t plaintext_size) noexcept;
  bool open(std::uint64_t packet_number, bytes header_bytes, mutable_bytes ciphertext) noexcept;
  void aes_masks(std::span<const std::byte* const> samples, std::span<header_mask> masks) noexcept;
  void chacha20_mask(const std::byte* sample, header_mask& mask) noexcept;
};

namespace {

/// The tag by the address of its bytes, without the detour through EVP_CIPHER_CTX_ctrl.
std::array<OSSL_PARAM, 2> tag_parameter(std::byte* tag) noexcept {
  return {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, aead_tag_size),
          OSSL_PARAM_construct_end()};
}

}  // namespace

bool packet_protection::keys::start_aead(const label_expansion& expand) {
  std::array<std::byte, max_key_size> key;
  const mutable_bytes used = mutable_bytes(key).first(key_size(suite));
  //= RFC 9001 section 5.1
  //# The current encryption level secret and the label "quic key" are input to the KDF to produce
  //# the AEAD key; the label "quic iv" is used to derive the Initialization Vector (IV); see
  //# Section 5.3.
  bool ready = expand("quic key", used) && expand("quic iv", iv);
  if (suite == cipher_suite::null) {
    null_aead = null_cipher(key);
  } else {
    aead.reset(EVP_CIPHER_CTX_new());
    ready = ready && aead && library->aead(suite) != nullptr &&
            EVP_CipherInit_ex2(aead.get(), library->aead(suite), octets(key.data()),
                               octets(iv.data()), 1, nullptr) == 1;
  }
  OPENSSL_cleanse(key.data(), key.size());
  return ready;
}

bool packet_protection::keys::start_header(const label_expansion& expand) {
  std::array<std::byte, max_key_size> key{};
  if (!expand("quic hp", mutable_bytes(key).first(key_size(suite)))) return false;
  header = std::make_shared<header_protection>();
  bool ready = true;
  if (suite == cipher_suite::null) {
    header->null = null_cipher(key);
  } else {
    EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
    header->context.reset(context);
    ready = context != nullptr && library->header(suite) != nullptr &&
            EVP_EncryptInit_ex2(context, library->header(suite), octets(key.data()), nullptr,
                                nullptr) == 1 &&
            EVP_CIPHER_CTX_set_padding(context, 0) == 1;
  }
  OPENSSL_cleanse(key.data(), key.size());
  return ready;
}

std::array<std::byte, packet_protection::keys::iv_size> packet_protection::keys::nonce(
    std::uint64_t packet_number) const noexcept {
  //= RFC 9001 section 5.3
  //# The exclusive OR of the
  //# padded packet number and the IV forms the AEAD nonce.
  std::array<std::byte, iv_size> out = iv;
  for (std::size_t i = 0; i < 8; ++i)
    out[iv_size - 1 - i] ^= static_cast<std::byte>(packet_number >> (8 * i));
  return out;
}

bool packet_protection::keys::seal(std::uint64_t packet_number, std::byte* packet,
                                   std::size_t header_size, std::size_t plaintext_size) noexcept {
  std::byte* const payload = packet + header_size;
  const auto number = nonce(packet_number);
  auto tag = tag_parameter(payload + plaintext_size);
  int written = 0;
  EVP_CIPHER_CTX* const context = aead.get();
  return EVP_CipherInit_ex2(context, nullptr, nullptr, octets(number.data()), 1, nullptr) == 1 &&
         EVP_EncryptUpdate(context, nullptr, &written, octets(packet),
                           static_cast<int>(header_size)) == 1 &&
         EVP_EncryptUpdate(context, octets(payload), &written, octets(payload),
                           static_cast<int>(plaintext_size)) == 1 &&
         EVP_EncryptFinal_ex(context, octets(payload + plaintext_size), &written) == 1 &&
         EVP_CIPHER_CTX_get_params(context, tag.data()) == 1;
}

bool packet_protection::keys::open(std::uint64_t packet_number, bytes header_bytes,
                                   mutable_bytes ciphertext) noexcept {
  const std::size_t plaintext_size = ciphertext.size() - aead_tag_size;
  const auto number = nonce(packet_number);
  const auto tag = tag_parameter(ciphertext.data() + plaintext_size);
  int written = 0;
  EVP_CIPHER_CTX* const context = aead.get();
  std::byte unused[1];
  return EVP_CipherInit_ex2(context, nullptr, nullptr, octets(number.data()), 0, tag.data()) == 1 &&
         EVP_DecryptUpdate(context, nullptr, &written, octets(header_bytes.data()),
                           static_cast<int>(header_bytes.size())) == 1 &&
         EVP_DecryptUpdate(context, octets(ciphertext.data()), &written, octets(ciphertext.data()),
                           static_cast<int>(plaintext_size)) == 1 &&
         EVP_DecryptFinal_ex(context, octets(unused), &written) == 1;
}

void packet_protection::keys::aes_masks(std::span<const std::byte* const> samples,
                                        std::span<header_mask> masks) noexcept {
  constexpr std::size_t most = limits::max_batch_segments;
  std::array<std::byte, most * header_sample_size> blocks;
  while (!samples.empty()) {
    const std::size_t count = std::min(samples.size(), most);
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(blocks.data() + i * header_sample_size, samples[i], header_sample_size);
    }
    int written = 0;
    if (EVP_EncryptUpdate(header->context.get(), octets(blocks.data()), &written,
                          octets(blocks.data()),
                          static_cast<int>(count * header_sample_size)) != 1) {
      blocks.fill(std::byte{});
    }
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(masks[i].data(), blocks.data() + i * header_sample_size, masks[i].size());
    }
    samples = samples.subspan(count);
    masks = masks.subspan(count);
  }
}

void packet_protection::keys::chacha20_mask(const std::byte* sample, header_mask& mask) noexcept {
  //= RFC 9001 section 5.4.4
  //# The first 4 bytes of the sampled ciphertext are the block counter.
  // The TLS library's IV for ChaCha20 has that very layout: a little-endian counter, then the
  // nonce.
  mask.fill(std::byte{});
  int written = 0;
  EVP_CIPHER_CTX* const context = header->context.get();
  if (EVP_EncryptInit_ex2(context, nullptr, nullptr, octets(sample), nullptr) != 1) return;
  EVP_EncryptUpdate(context, octets(mask.data()), &written, octets(mask.data()),
                    static_cast<int>(mask.size()));
}

packet_protection::packet_protection() noexcept = default;
packet_protection::packet_protection(packet_protection&&) noexcept = default;
packet_protection& packet_protection::operator=(packet_protection&&) noexcept = default;
packet_protection::~packet_protection() = default;
packet_protection::packet_protection(std::unique_ptr<keys> impl) noexcept
    : impl_(std::move(impl)) {}

result<packet_protection> packet_protection::from_secret(cipher_suite cipher, bytes secret) {
  const bool null = cipher == cipher_suite::null;
  if (secret.empty() || (!null && secret.size() != hash_size(cipher))) {
    return std::unexpected(make_error_code(errc::invalid_argument));
  }
  auto made = std::make_unique<keys>();
  made->suite = cipher;
  if (!null) made->library = algorithms::shared();
  const label_expansion expand(cipher, secret);
  if ((!null && !made->library) || !made->start_aead(expand) || !made->start_header(expand)) {
    return std::unexpected(make_error_code(errc::tls_failed));
  }
  return packet_protection(std::move(made));
}

result<packet_protection> packet_protection::next_phase(bytes secret) const {
  if (!impl_) return std::unexpected(make_error_code(errc::invalid_argument));
  auto made = std::make_unique<keys>();
  made->suite = impl_->suite;
  made->library = impl_->library;
  //= RFC 9001 section 6.1
  //# The header protection key is not updated.
  made->header = impl_->header;
  if (!made->start_aead(label_expansion(made->suite, secret)))
    return std::unexpected(make_error_code(errc::tls_failed));
  return packet_protection(std::move(made));
}

cipher_suite packet_protection::cipher() const noexcept {
  return impl_ ? impl_->suite : cipher_suite::null;
}

void packet_protection::seal(std::uint64_t packet_number, std::byte* packet,
                             std::size_t header_size, std::size_t plaintext_size) noexcept {
  if (impl_->suite == cipher_suite::null) {
    const auto tag = impl_->null_aead.tag(packet_number, {packet, header_size},
                                          {packet + header_size, plaintext_size});
    std::memcpy(packet + header_size + plaintext_size, tag.data(), tag.size());
    return;
  }
  // The cipher refuses nothing that gets here. Should it ever, no plaintext may leave: the peer
  // drops a packet of zeros.
  if (!impl_->seal(packet_number, packet, header_size, plaintext_size)) {
    std::memset(packet + header_size, 0, plaintext_size + aead_tag_size);
  }
}

bool packet_protection::open(std::uint64_t packet_number, bytes header,
                             mutable_bytes ciphertext) noexcept {
  if (ciphertext.size() < aead_tag_size) return false;
  if (impl_->suite != cipher_suite::null) return impl_->open(packet_number, header, ciphertext);
  const std::size_t plaintext_size = ciphertext.size() - aead_tag_size;
  const auto tag = impl_->null_aead.tag(packet_number, header, ciphertext.first(plaintext_size));
  return std::memcmp(tag.data(), ciphertext.data() + plaintext_size, tag.size()) == 0;
}

void packet_protection::header_masks(std::span<const std::byte* const> samples,
                                     std::span<header_mask> masks) noexcept {
  switch (impl_->suite) {
    case cipher_suite::aes_128_gcm_sha256:
    case cipher_suite::aes_256_gcm_sha384: return impl_->aes_masks(samples, masks);
    case cipher_suite::chacha20_poly1305_sha256:
      for (std::size_t i = 0; i < samples.size(); ++i) impl_->chacha20_mask(samples[i], masks[i]);
      return;
    case cipher_suite::null:
      for (std::size_t i = 0; i < samples.size(); ++i)
        masks[i] = impl_->header->null.mask(samples[i]);
      return;
  }
}

std::uint64_t packet_protection::confidentiality_limit() const noexcept {
  //= RFC 9001 section 6.6
  //# For AEAD_AES_128_GCM and AEAD_AES_256_GCM, the confidentiality limit is 2<sup>23</sup>
  //# encrypted packets; see Section B.1.
  switch (cipher()) {
    case cipher_suite::aes_128_gcm_sha256:
    case cipher_suite::aes_256_gcm_sha384: return std::uint64_t{1} << 23;
    default: return std::uint64_t{1} << 62;
  }
}

std::uint64_t packet_protection::integrity_limit() const noexcept {
  //= RFC 9001 section 6.6
  //# For AEAD_AES_128_GCM and AEAD_AES_256_GCM, the integrity limit is 2<sup>52</sup> invalid
  //# packets; see Section B.1. For AEAD_CHACHA20_POLY1305, the integrity limit is 2<sup>36</sup>
  //# invalid packets; see [AEBounds].
  switch (cipher()) {
    case cipher_suite::aes_128_gcm_sha256:
    case cipher_suite::aes_256_gcm_sha384: return std::uint64_t{1} << 52;
    case cipher_suite::chacha20_poly1305_sha256: return std::uint64_t{1} << 36;
    case cipher_suite::null: break;
  }
  return std::uint64_t{1} << 62;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
