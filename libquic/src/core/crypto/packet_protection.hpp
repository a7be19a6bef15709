// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "strata/quic/core/tls_backend.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Every AEAD of QUIC v1 ends a packet with 16 bytes of tag (RFC 9001 section 5.3).
inline constexpr std::size_t aead_tag_size = 16;
/// Bytes of ciphertext that header protection samples (RFC 9001 section 5.4.2).
inline constexpr std::size_t header_sample_size = 16;
using header_mask = std::array<std::byte, 5>;

/// The keys of one level in one direction: AEAD key and IV, and the header protection key, which a
/// key update leaves alone. One cipher context per key lives here for as long as the key does; only
/// the nonce is set per packet.
class packet_protection {
 public:
  packet_protection() noexcept;
  packet_protection(packet_protection&&) noexcept;
  packet_protection& operator=(packet_protection&&) noexcept;
  ~packet_protection();

  /// Keys from a traffic secret with the labels of QUIC v1 (RFC 9001 section 5.1).
  static result<packet_protection> from_secret(cipher_suite cipher, bytes secret);
  /// The AEAD keys of the next key phase with this one's header protection key (RFC 9001 section
  /// 6). `secret` is the next phase's: see next_phase_secret().
  result<packet_protection> next_phase(bytes secret) const;

  explicit operator bool() const noexcept { return impl_ != nullptr; }
  cipher_suite cipher() const noexcept;

  /// Encrypts in place: `packet` starts with header_size bytes of header, then plaintext_size bytes
  /// of payload, and has room for aead_tag_size bytes more. The header must still be without header
  /// protection.
  void seal(std::uint64_t packet_number, std::byte* packet, std::size_t header_size,
            std::size_t plaintext_size) noexcept;
  /// Decrypts in place; `ciphertext` ends with the tag. False when the packet is not authentic; its
  /// bytes are then garbage.
  bool open(std::uint64_t packet_number, bytes header, mutable_bytes ciphertext) noexcept;
  /// Masks for several samples in one call of the cipher: as cheap as it gets for a batch.
  void header_masks(std::span<const std::byte* const> samples,
                    std::span<header_mask> masks) noexcept;

  /// Packets that may be sealed with these keys, and forged ones that may be seen (RFC 9001
  /// section 6.6).
  std::uint64_t confidentiality_limit() const noexcept;
  std::uint64_t integrity_limit() const noexcept;

 private:
  struct keys;
  explicit packet_protection(std::unique_ptr<keys>) noexcept;
  std::unique_ptr<keys> impl_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
