// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

/// Every bound of libproxy on what a peer can make it hold or do. Each has a test at the limit, one
/// below and one above.
namespace strata::proxy {
inline namespace v0 {
namespace core::limits {

/// SOCKS4 and 4a, whose texts have no length: bytes of the user id and of the name.
inline constexpr std::size_t max_socks4_text = 255;
inline constexpr unsigned max_connect_interim_responses = 8;  ///< 1xx before that to a CONNECT.

}  // namespace core::limits
}  // namespace v0
}  // namespace strata::proxy
