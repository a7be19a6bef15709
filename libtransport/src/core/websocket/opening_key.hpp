// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "strata/transport/core/random.hpp"

namespace strata::transport {
inline namespace v0 {
namespace websocket {

/// Sec-WebSocket-Key: sixteen random bytes in base64.
std::string make_key(random_source& random);
/// Whether a value may be one.
bool is_key(std::string_view value) noexcept;
/// The Sec-WebSocket-Accept that belongs to a key (RFC 6455 section 4.2.2).
std::string accept_of(std::string_view key);
/// Compares in a time that does not depend on where they differ.
bool is_accept(std::string_view value, std::string_view expected) noexcept;

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
