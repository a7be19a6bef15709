// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/key_schedule.hpp"

#include <openssl/crypto.h>

#include <utility>

#include "core/crypto/algorithms.hpp"
#include "core/crypto/label_expansion.hpp"
#include "core/crypto/null_cipher.hpp"
#include "strata/transport/core/buffer_writer.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

using transport::as_bytes;
using transport::errc;

constexpr std::size_t max_hash_size = 48;
constexpr std::string_view label_prefix = "tls13 ";
constexpr std::size_t max_label_size = 32;

template <std::size_t Size>
constexpr std::array<std::byte, Size> octet_array(const unsigned char (&values)[Size]) noexcept {
  std::array<std::byte, Size> out;
  for (std::size_t i = 0; i < Size; ++i) out[i] = static_cast<std::byte>(values[i]);
  return out;
}

//= RFC 9001 section 5.2
//# This secret is determined by using HKDF-Extract (see Section 2.2 of [HKDF]) with a salt of
//# 0x38762cf7f55934b34d179ae6a4c80cadccbb7f0a and the input keying material (IKM) of the
//# Destination Connection ID field.
constexpr auto initial_salt =
    octet_array({0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a});

// RFC 9001 section 5.8.
constexpr auto retry_key = octet_array({0xbe, 0x0c, 0x69, 0x0b, 0x9f, 0x66, 0x57, 0x5a, 0x1d, 0x76,
                                        0x6b, 0x54, 0xe3, 0x68, 0xc8, 0x4e});
constexpr auto retry_nonce =
    octet_array({0x46, 0x15, 0x99, 0xd3, 0x5d, 0x63, 0x2b, 0xf2, 0x23, 0x98, 0x25, 0xbb});

result<packet_protection> initial_keys(cipher_suite cipher, const label_expansion& expand,
                                       std::string_view label) {
  std::array<std::byte, 32> secret;
  if (!expand(label, secret)) return std::unexpected(make_error_code(errc::tls_failed));
  auto keys = packet_protection::from_secret(cipher, secret);
  OPENSSL_cleanse(secret.data(), secret.size());
  return keys;
}

}  // namespace

traffic_secret::~traffic_secret() { OPENSSL_cleanse(octets.data(), octets.size()); }

label_expansion::label_expansion(cipher_suite cipher, bytes secret) noexcept
    : cipher_(cipher), secret_(secret) {
  if (cipher == cipher_suite::null) return;
  if (const auto library = algorithms::shared()) keyed_ = library->keyed_hmac(cipher, secret);
}

//= RFC 9001 section 5.2
//# The HKDF-Expand-Label function defined in TLS 1.3 MUST be used for Initial packets even where
//# the TLS versions offered do not include TLS 1.3.
bool label_expansion::operator()(std::string_view label, mutable_bytes out) const noexcept {
  if (label.size() > max_label_size || out.size() > max_hash_size) return false;
  if (cipher_ == cipher_suite::null) {
    null_cipher::expand(secret_, label, out);
    return true;
  }
  if (!keyed_ || out.size() > hash_size(cipher_)) return false;
  std::array<std::byte, 2 + 1 + label_prefix.size() + max_label_size + 1 + 1> storage;
  transport::buffer_writer info(storage);
  info.u16(static_cast<std::uint16_t>(out.size()));
  info.u8(static_cast<std::uint8_t>(label_prefix.size() + label.size()));
  info.put(as_bytes(label_prefix));
  info.put(as_bytes(label));
  //= RFC 9001 section 5.1
  //# All uses of HKDF-Expand-Label in QUIC use a zero-length Context.
  info.u8(0);
  // HKDF-Expand of at most one hash is a single HMAC over the info and a counter of one (RFC 5869
  // section 2.3).
  info.u8(1);
  std::array<std::byte, max_hash_size> block;
  if (!compute_hmac(keyed_.get(), info.written(), block)) return false;
  transport::copy_bytes(out.data(), bytes(block).first(out.size()));
  OPENSSL_cleanse(block.data(), block.size());
  return true;
}

bool expand_label(cipher_suite cipher, bytes secret, std::string_view label, mutable_bytes out) {
  return label_expansion(cipher, secret)(label, out);
}

result<initial_protection> derive_initial_protection(const connection_id& client_destination,
                                                     bool null) {
  // Before a cipher suite is chosen it is AES-128-GCM with SHA-256 (RFC 9001 sections 5.2
  // and 5.4.1).
  const cipher_suite cipher = null ? cipher_suite::null : cipher_suite::aes_128_gcm_sha256;
  std::array<std::byte, max_hash_size> storage;
  const mutable_bytes initial_secret = mutable_bytes(storage).first(hash_size(cipher));
  if (null) {
    null_cipher::expand(client_destination.bytes(), "initial", initial_secret);
  } else {
    const auto library = algorithms::shared();
    if (!library || !library->hmac(cipher, initial_salt, client_destination.bytes(), storage))
      return std::unexpected(make_error_code(errc::tls_failed));
  }
  const label_expansion expand(cipher, initial_secret);
  auto client = initial_keys(cipher, expand, "client in");
  if (!client) return std::unexpected(client.error());
  auto server = initial_keys(cipher, expand, "server in");
  if (!server) return std::unexpected(server.error());
  return initial_protection{std::move(*client), std::move(*server)};
}

result<traffic_secret> next_phase_secret(const traffic_secret& current) {
  traffic_secret next = current;
  //= RFC 9001 section 6.1
  //# This
  //# uses the KDF function provided by TLS with a label of "quic ku".
  if (!expand_label(current.cipher, current.view(), "quic ku",
                    mutable_bytes(next.octets).first(current.size))) {
    return std::unexpected(make_error_code(errc::tls_failed));
  }
  return next;
}

result<std::array<std::byte, aead_tag_size>> retry_integrity_tag(
    const connection_id& original_destination, bytes retry) {
  const std::array<std::byte, 1> size{static_cast<std::byte>(original_destination.size())};
  std::array<std::byte, aead_tag_size> tag;
  const auto library = algorithms::shared();
  // A context per call: Retry is answered by whole endpoints, which may run on several threads.
  const cipher_context_handle context(EVP_CIPHER_CTX_new());
  bool sealed =
      library && context &&
      EVP_EncryptInit_ex2(context.get(), library->aes_128_gcm.get(), octets(retry_key.data()),
                          octets(retry_nonce.data()), nullptr) == 1;
  int written = 0;
  for (const bytes piece : {bytes(size), original_destination.bytes(), retry}) {
    sealed = sealed && EVP_EncryptUpdate(context.get(), nullptr, &written, octets(piece.data()),
                                         static_cast<int>(piece.size())) == 1;
  }
  sealed =
      sealed && EVP_EncryptFinal_ex(context.get(), octets(tag.data()), &written) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, aead_tag_size, tag.data()) == 1;
  if (!sealed) return std::unexpected(make_error_code(errc::tls_failed));
  return tag;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
