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
/// Bytes that a forwarder has read for either carrier and that wait to be sent; beyond, it wants
/// nothing more for it. What one head or one chunk adds comes on top.
inline constexpr std::size_t max_forwarder_output = 64 * 1024;
inline constexpr unsigned max_forwarded_interim_responses = 32;  ///< 1xx of one exchange.

}  // namespace core::limits
}  // namespace v0
}  // namespace strata::proxy
