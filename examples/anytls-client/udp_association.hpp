// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <memory>

#include "strata/mux/anytls.hpp"

/// Serves UDP ASSOCIATE (RFC 1928 section 7) for the client at the other end of `control`, whose
/// end is the association's.
asio::awaitable<void> serve_association(std::unique_ptr<strata::transport::stream> control,
                                        strata::mux::anytls_dialer& dialer);
