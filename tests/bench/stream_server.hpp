// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>

#include "bench/arguments.hpp"

namespace strata::bench {

/// Serves until the standard input ends, and answers each line of it with the figures so far. A
/// client begins each stream with one byte and eight of little-endian length: 'B' asks for so many
/// bytes, 'E' to send everything back.
asio::awaitable<void> serve_streams(const arguments&);

}  // namespace strata::bench
