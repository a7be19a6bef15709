// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>

#include "socks_client.hpp"
#include "strata/mux/anytls.hpp"

/// Serves UDP ASSOCIATE (RFC 1928 section 7) for a client that asks for it; its end is the
/// association's. Its datagrams share one stream to the server, which says where each
/// goes; when `connects`, those to each target have a stream of their own.
asio::awaitable<void> serve_association(socks_client& client, strata::mux::anytls_dialer& dialer,
                                        bool connects);
