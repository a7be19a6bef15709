// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <system_error>

namespace strata::transport {
inline namespace v0 {

/// The system's words for what happened to a connection, in this library's; what has no word here
/// stays as it is.
std::error_code from_system_error(const std::error_code& error) noexcept;

}  // namespace v0
}  // namespace strata::transport
