// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "strata/transport/tls.hpp"

namespace strata::bench {

/// Gbit/s of `total` bytes over TLS on TCP as applications use both, one direction, a thread for
/// each side, written in pieces of `chunk`.
double tls_stream_gbits(const transport::tls_context& client, const transport::tls_context& server,
                        std::uint64_t total, std::size_t chunk);

}  // namespace strata::bench
