// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::quic {
inline namespace v0 {

/// Versions of the QUIC protocol, as they stand in long headers.
inline constexpr std::uint32_t version_negotiation_version =
    0x00000000;  ///< No version: marks the packet (RFC 8999 section 6).
inline constexpr std::uint32_t version_1 = 0x00000001;  ///< RFC 9000.

/// Versions 0x?a?a?a?a exist to be refused: they keep version negotiation exercised (RFC 9000
/// section 15).
constexpr bool is_reserved_version(std::uint32_t version) noexcept {
  return (version & 0x0f0f0f0fu) == 0x0a0a0a0au;
}

/// Whether this library can read more of a packet of that version than RFC 8999 fixes.
constexpr bool is_supported_version(std::uint32_t version) noexcept { return version == version_1; }

}  // namespace v0
}  // namespace strata::quic
