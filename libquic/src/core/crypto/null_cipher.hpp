// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "strata/transport/core/bytes.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// What cipher_suite::null does instead of cryptography: nothing is hidden, but a keyed checksum
/// notices damage. Fast and deterministic, for simulation and fuzzing; it stops no attacker.
class null_cipher {
 public:
  null_cipher() = default;
  /// A key from any number of bytes.
  explicit null_cipher(transport::bytes secret) noexcept;

  /// Any change inside one aligned word of eight bytes changes the tag for certain, any other with
  /// overwhelming likelihood.
  std::array<std::byte, 16> tag(std::uint64_t packet_number, transport::bytes header,
                                transport::bytes payload) const noexcept;
  /// `sample` has 16 bytes.
  std::array<std::byte, 5> mask(const std::byte* sample) const noexcept;

  /// A stand-in for HKDF-Expand-Label: the same inputs give the same bytes, other inputs others.
  static void expand(transport::bytes secret, std::string_view label,
                     transport::mutable_bytes out) noexcept;

 private:
  std::uint64_t key_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
