// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <memory>

#include "strata/mux/udp_over_tcp.hpp"

/// Sends and receives for a client, until it ends its stream or nothing moved for minutes.
asio::awaitable<void> relay_datagrams(std::unique_ptr<strata::mux::udp_over_tcp_socket> client);
