// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/datagram_socket.hpp"

namespace strata::transport {
inline namespace v0 {

// Here, so that this library alone has the type's description, whoever implements it.
datagram_socket::~datagram_socket() = default;

std::optional<address> datagram_socket::resolved(const target& to) const {
  return to.is_name() ? std::nullopt : std::optional(to.ip());
}

}  // namespace v0
}  // namespace strata::transport
