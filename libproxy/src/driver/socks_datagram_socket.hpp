// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "strata/transport/core/address.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/datagram_socket.hpp"
#include "strata/transport/stream.hpp"

namespace strata::proxy {
inline namespace v0 {

/// The datagrams of a SOCKS5 association whose TCP connection is `control` and whose UDP port is
/// `relay` (RFC 1928 section 7). It ends with the connection, and the connection with it.
transport::result<std::unique_ptr<transport::datagram_socket>> open_socks_datagram_socket(
    std::unique_ptr<transport::stream> control, const transport::address& relay);

}  // namespace v0
}  // namespace strata::proxy
