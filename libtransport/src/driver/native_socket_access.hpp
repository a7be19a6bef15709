// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/ip/tcp.hpp>

#include "strata/transport/native_socket.hpp"

namespace strata::transport {
inline namespace v0 {
namespace detail {

/// Opens native_socket for this library's drivers (tcp_connection makes one, the relay splices with
/// it).
struct native_socket_access {
  using handle = asio::ip::tcp::socket::native_handle_type;

  static native_socket make(handle from) noexcept {
    native_socket out;
    out.value_ = static_cast<std::intptr_t>(from);
    return out;
  }
  static handle of(const native_socket& from) noexcept { return static_cast<handle>(from.value_); }
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::transport
