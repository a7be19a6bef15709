// SPDX-License-Identifier: Apache-2.0
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "driver/tcp_congestion.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {

std::error_code set_congestion_control(asio::detail::socket_type socket, const std::string& name) {
  if (name.empty()) return {};
  const auto size = static_cast<socklen_t>(name.size());
  if (::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(), size) == 0) return {};
  if (errno == ENOENT) return make_error_code(errc::not_supported);
  return {errno, std::system_category()};
}

}  // namespace v0
}  // namespace strata::transport
