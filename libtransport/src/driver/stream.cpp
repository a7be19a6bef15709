// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/stream.hpp"

#include "strata/transport/stream_dialer.hpp"
#include "strata/transport/stream_listener.hpp"

namespace strata::transport {
inline namespace v0 {

const char STRATA_TRANSPORT_BUILT_WITH_ASIO = 0;

stream::~stream() = default;
stream_dialer::~stream_dialer() = default;
stream_listener::~stream_listener() = default;

}  // namespace v0
}  // namespace strata::transport
