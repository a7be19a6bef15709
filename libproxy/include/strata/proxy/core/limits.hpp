// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
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

/// From the first byte of a client to its whole request: who is slower holds a descriptor for
/// nothing (slowloris).
inline constexpr std::chrono::seconds opening_timeout{10};
/// Until a target is connected.
inline constexpr std::chrono::seconds connect_timeout{15};
/// How long the answer to a wrong password waits.
inline constexpr std::chrono::seconds refusal_delay{1};
/// How long one direction of a tunnel may be silent after the other has ended.
inline constexpr std::chrono::seconds half_closed_timeout{30};
/// How long a plain HTTP connection may wait for another request.
inline constexpr std::chrono::seconds keep_alive_timeout{60};
/// How long an association may carry no datagram.
inline constexpr std::chrono::seconds association_idle{300};
/// How long a BIND waits for its connection.
inline constexpr std::chrono::seconds bind_timeout{60};
inline constexpr std::size_t max_connections = 16384;
inline constexpr std::size_t max_connections_per_source = 4096;
/// Outbounds that one association sends through at a time.
inline constexpr std::size_t max_association_paths = 16;

/// Of the line that names the target of a tunnelled stream, its end included.
inline constexpr std::size_t max_tunnel_request = 512;
/// Of a text message in a tunnel: a CONNECT with the client's first bytes.
inline constexpr std::size_t max_tunnel_text = 64 * 1024;
/// Of what a tunnel's client is told about a dial that failed.
inline constexpr std::size_t max_tunnel_reason = 200;
/// Bytes of one message that carries a tunnel: one frame.
inline constexpr std::size_t max_tunnel_message = 65'535;
/// How long a request without its end waits for the rest, before it counts as whole.
inline constexpr std::chrono::milliseconds tunnel_request_patience{200};
/// How long the end of a tunnelled stream is held back when the peer's has not come.
inline constexpr std::chrono::seconds tunnel_finish_hold{30};
inline constexpr std::size_t max_tunnel_sessions = 4096;
inline constexpr std::size_t max_tunnel_sessions_per_source = 256;
inline constexpr std::size_t max_tunnel_streams = 256;  ///< Of one session.

}  // namespace core::limits
}  // namespace v0
}  // namespace strata::proxy
