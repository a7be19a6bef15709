// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "strata/transport/core/websocket_opening.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

enum class tunnel_visitor : std::uint8_t {
  client,     ///< Knows the secret and opens a WebSocket.
  health,     ///< Asks whether the server lives.
  stranger,   ///< Gets what any web server shows.
  malformed,  ///< Speaks no HTTP.
};

/// Answers a request that waits for its decision: 101 to who has `uuid` as the WebSocket's
/// subprotocol or in the path, a web server's pages to all others. The time that takes says nothing
/// about the secret.
tunnel_visitor answer_at_door(transport::websocket_server_opening& opening, std::string_view uuid);

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
