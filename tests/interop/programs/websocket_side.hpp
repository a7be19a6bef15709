// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <string_view>

#include "strata/transport/core/address.hpp"
#include "strata/transport/target.hpp"

namespace strata::interop {

/// Serves each WebSocket as one stream, and prints how it was closed.
asio::awaitable<void> serve_websockets(const transport::address& where,
                                       std::chrono::milliseconds keep_alive);

/// Runs one scenario of README.md as the client; throws what is wrong.
asio::awaitable<void> visit_websocket(const transport::target& where, std::string_view scenario,
                                      std::chrono::milliseconds keep_alive);

}  // namespace strata::interop
