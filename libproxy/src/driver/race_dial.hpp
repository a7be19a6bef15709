// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <memory>
#include <vector>

#include "driver/spawned_operations.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/stream_dialer.hpp"

namespace strata::proxy {
inline namespace v0 {

/// The first of these that can be dialled, each a little later than the one before it or as soon as
/// that has failed (RFC 8305 section 5). The error is that of the last which failed.
asio::awaitable<made<transport::stream>> race_dial(std::shared_ptr<transport::stream_dialer> by,
                                                   std::vector<transport::target> places,
                                                   transport::duration attempt_delay);

}  // namespace v0
}  // namespace strata::proxy
