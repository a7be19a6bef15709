// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace strata::transport {
inline namespace v0 {
namespace websocket {

inline constexpr std::string_view key_field = "Sec-WebSocket-Key";
inline constexpr std::string_view accept_field = "Sec-WebSocket-Accept";
inline constexpr std::string_view version_field = "Sec-WebSocket-Version";
inline constexpr std::string_view subprotocol_field = "Sec-WebSocket-Protocol";
inline constexpr std::string_view extensions_field = "Sec-WebSocket-Extensions";
inline constexpr std::string_view version_text = "13";

/// Fields that the handshake writes itself, or that would change what follows it.
bool is_handshake_field(std::string_view name) noexcept;
/// The value of Sec-WebSocket-Extensions (RFC 6455 section 9.1): whatever it offers is declined,
/// but it must be what it says.
bool is_extension_list(std::string_view value) noexcept;

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
