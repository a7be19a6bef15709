// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/detail/socket_types.hpp>
#include <string>
#include <system_error>

namespace strata::transport {
inline namespace v0 {

/// Chooses a TCP socket's congestion control by the system's name for it; nothing to do for an
/// empty one. errc::not_supported where the system has it not.
std::error_code set_congestion_control(asio::detail::socket_type socket, const std::string& name);

}  // namespace v0
}  // namespace strata::transport
