// SPDX-License-Identifier: Apache-2.0
#include "bench/limit_cipher.hpp"

#include <array>
#include <cstring>
#include <stdexcept>

namespace strata::bench {

namespace {

constexpr std::size_t sample_size = 16;
constexpr std::size_t sample_offset = limit_cipher::header_size;
constexpr std::size_t masked_bytes = 5;

unsigned char* octets(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

void check(int result) {
  if (result != 1) throw std::runtime_error("the TLS library refused");
}

std::array<unsigned char, 12> nonce(std::uint64_t number) {
  std::array<unsigned char, 12> out{};
  std::memcpy(out.data() + 4, &number, sizeof number);
  return out;
}

}  // namespace

limit_cipher::context limit_cipher::make(const char* name, bool encrypt) {
  static constexpr std::array<unsigned char, 16> key{1, 2, 3};
  static constexpr std::array<unsigned char, 16> iv{};
  EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, name, nullptr);
  context made(EVP_CIPHER_CTX_new());
  check(EVP_CipherInit_ex2(made.get(), cipher, key.data(), iv.data(), encrypt ? 1 : 0, nullptr));
  EVP_CIPHER_CTX_set_padding(made.get(), 0);
  EVP_CIPHER_free(cipher);
  return made;
}

limit_cipher::limit_cipher()
    : sealing_(make("AES-128-GCM", true)),
      opening_(make("AES-128-GCM", false)),
      masking_(make("AES-128-ECB", true)) {}

void limit_cipher::seal(std::uint64_t number, std::span<std::byte> packet) {
  EVP_CIPHER_CTX* const by = sealing_.get();
  unsigned char* const header = octets(packet.data());
  unsigned char* const payload = header + header_size;
  const int size = static_cast<int>(packet.size() - header_size - tag_size);
  const auto iv = nonce(number);
  int written = 0;
  check(EVP_EncryptInit_ex2(by, nullptr, nullptr, iv.data(), nullptr));
  check(EVP_EncryptUpdate(by, nullptr, &written, header, static_cast<int>(header_size)));
  check(EVP_EncryptUpdate(by, payload, &written, payload, size));
  check(EVP_EncryptFinal_ex(by, payload + size, &written));
  check(EVP_CIPHER_CTX_ctrl(by, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag_size), payload + size));
}

bool limit_cipher::open(std::uint64_t number, std::span<std::byte> packet) {
  EVP_CIPHER_CTX* const by = opening_.get();
  unsigned char* const header = octets(packet.data());
  unsigned char* const payload = header + header_size;
  const int size = static_cast<int>(packet.size() - header_size - tag_size);
  const auto iv = nonce(number);
  int written = 0;
  check(EVP_DecryptInit_ex2(by, nullptr, nullptr, iv.data(), nullptr));
  check(EVP_CIPHER_CTX_ctrl(by, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_size), payload + size));
  check(EVP_DecryptUpdate(by, nullptr, &written, header, static_cast<int>(header_size)));
  check(EVP_DecryptUpdate(by, payload, &written, payload, size));
  return EVP_DecryptFinal_ex(by, payload + size, &written) == 1;
}

void limit_cipher::mask(std::span<std::byte> batch, std::size_t stride) {
  const std::size_t count = (batch.size() + stride - 1) / stride;
  samples_.resize(count * sample_size);
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(samples_.data() + i * sample_size, batch.data() + i * stride + sample_offset,
                sample_size);
  }
  int written = 0;
  check(EVP_EncryptUpdate(masking_.get(), octets(samples_.data()), &written,
                          octets(samples_.data()), static_cast<int>(samples_.size())));
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < masked_bytes; ++k) {
      batch[i * stride + k] ^= samples_[i * sample_size + k];
    }
  }
}

}  // namespace strata::bench
