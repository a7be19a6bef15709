// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/connection.hpp"

#include "strata/transport/connection_dialer.hpp"
#include "strata/transport/connection_listener.hpp"

namespace strata::transport {
inline namespace v0 {

connection::~connection() = default;
connection_dialer::~connection_dialer() = default;
connection_listener::~connection_listener() = default;

}  // namespace v0
}  // namespace strata::transport
