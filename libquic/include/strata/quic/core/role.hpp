// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::quic {
inline namespace v0 {

/// Which side of a connection: the client is the one that sent the first Initial packet.
enum class endpoint_role : std::uint8_t { client, server };

constexpr endpoint_role opposite(endpoint_role role) noexcept {
  return role == endpoint_role::client ? endpoint_role::server : endpoint_role::client;
}

}  // namespace v0
}  // namespace strata::quic
