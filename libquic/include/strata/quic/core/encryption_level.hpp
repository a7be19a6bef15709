// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "strata/quic/core/role.hpp"

namespace strata::quic {
inline namespace v0 {

/// Which keys protect a packet (RFC 9001 section 2.1).
enum class encryption_level : std::uint8_t { initial, early_data, handshake, application };
inline constexpr std::size_t encryption_level_count = 4;

/// Where packet numbers are counted (RFC 9000 section 12.3). 0-RTT and 1-RTT share a space.
enum class packet_number_space : std::uint8_t { initial, handshake, application };
inline constexpr std::size_t packet_number_space_count = 3;

constexpr packet_number_space space_of(encryption_level level) noexcept {
  switch (level) {
    case encryption_level::initial: return packet_number_space::initial;
    case encryption_level::handshake: return packet_number_space::handshake;
    default: return packet_number_space::application;
  }
}

}  // namespace v0
}  // namespace strata::quic
