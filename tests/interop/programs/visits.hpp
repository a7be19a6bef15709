// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <string_view>

#include "strata/transport/connection.hpp"

namespace strata::interop {

/// Runs one scenario of README.md as the client; throws what is wrong.
asio::awaitable<void> visit(transport::connection& connection, std::string_view scenario);

}  // namespace strata::interop
