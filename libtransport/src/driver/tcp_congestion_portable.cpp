// SPDX-License-Identifier: Apache-2.0
#include "driver/tcp_congestion.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {

std::error_code set_congestion_control(asio::detail::socket_type, const std::string& name) {
  return name.empty() ? std::error_code() : make_error_code(errc::not_supported);
}

}  // namespace v0
}  // namespace strata::transport
