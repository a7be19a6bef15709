// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/native_socket.hpp"

#include <sys/socket.h>

#include "driver/asio_address.hpp"
#include "driver/native_socket_access.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

template <class NameOf>
address ask(const native_socket& socket, NameOf name_of) noexcept {
  asio::ip::tcp::endpoint out;
  auto size = static_cast<socklen_t>(out.capacity());
  if (!socket || name_of(detail::native_socket_access::of(socket), out.data(), &size) != 0)
    return {};
  return to_address(out);
}

}  // namespace

address native_socket::local_address() const noexcept { return ask(*this, ::getsockname); }
address native_socket::remote_address() const noexcept { return ask(*this, ::getpeername); }

}  // namespace v0
}  // namespace strata::transport
