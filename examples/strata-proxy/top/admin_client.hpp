// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include "strata/transport/core/address.hpp"
#include "top/snapshot.hpp"

namespace top {

/// Asks a running strata-proxy for its pages; why it cannot, in words, when it cannot.
asio::awaitable<parsed<snapshot>> ask(asio::any_io_executor executor,
                                      strata::transport::address where);

}  // namespace top
