// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>

#include "strata/transport/core/bytes.hpp"

namespace strata::transport {
inline namespace v0 {
namespace websocket {

/// SHA-1 (RFC 3174), for Sec-WebSocket-Accept only: there it proves that a server speaks WebSocket
/// and protects nothing. It is here, and not the TLS library's, so that a build of that without
/// SHA-1 (as FIPS wants it) can still open a WebSocket.
std::array<std::byte, 20> sha1(bytes text) noexcept;

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
