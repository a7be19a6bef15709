// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::quic {
inline namespace v0 {

/// Which side of a connection: the client is the one that sent the first Initial packet.
enum class role : std::uint8_t { client, server };

constexpr role opposite(role side) noexcept {
  return side == role::client ? role::server : role::client;
}

}  // namespace v0
}  // namespace strata::quic
