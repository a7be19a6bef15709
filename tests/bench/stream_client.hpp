// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>

#include "bench/arguments.hpp"

namespace strata::bench {

/// One transfer of `bytes` over one stream.
asio::awaitable<void> measure_bulk(const arguments&);
/// Full handshakes for `time`, `parallel` at a time.
asio::awaitable<void> measure_handshakes(const arguments&);
/// `count` rounds of 64 bytes there and back.
asio::awaitable<void> measure_pingpong(const arguments&);
/// Does the steps of the standard input, one a line, each for all of `count` connections: `open`,
/// `transfer` of `bytes`, `close`.
asio::awaitable<void> hold_connections(const arguments&);

}  // namespace strata::bench
