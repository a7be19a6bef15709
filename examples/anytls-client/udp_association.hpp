// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <memory>

#include "strata/mux/anytls.hpp"

/// Serves UDP ASSOCIATE (RFC 1928 section 7) for the client at the other end of `control`, whose
/// end is the association's. Its datagrams share one stream to the server, which says where each
/// goes; when `connects`, those to each target have a stream of their own.
asio::awaitable<void> serve_association(std::unique_ptr<strata::transport::stream> control,
                                        strata::mux::anytls_dialer& dialer, bool connects);
