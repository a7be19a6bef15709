// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Names a connection of an endpoint. A handle of a connection that was released is recognised by
/// its generation.
struct connection_handle {
  std::uint32_t slot = UINT32_MAX;
  std::uint32_t generation = 0;
  friend bool operator==(const connection_handle&, const connection_handle&) = default;
};

enum class event_kind : std::uint8_t {
  incoming,   ///< A client wants in: decide(). value = the number of the attempt.
  ready,      ///< The handshake is complete: application data can be sent under full protection.
  confirmed,  ///< The handshake is confirmed (RFC 9001 section 4.1.2).
  streams_available,  ///< The peer allows more streams than when open() failed. value = 1 for
                      ///< bidirectional, else 0.
  stream_opened,      ///< The peer opened streams: accept(). value = 1 for bidirectional, else 0.
  readable,  ///< A read of `stream` that gave would_block gives something now: bytes, the end, or a
             ///< failure.
  writable,  ///< A write of `stream` that was cut short would take bytes now, or fails.
  acknowledged,   ///< The bytes of a borrowed write have arrived. value = its token.
  abandoned,      ///< The bytes of a borrowed write will not be used any more, and may not have
                  ///< arrived. value = token.
  write_stopped,  ///< The peer wants no more of `stream` (STOP_SENDING). value = its code.
  read_reset,     ///< The peer abandoned its side of `stream` (RESET_STREAM). value = its code.
  finished,       ///< Everything written to `stream`, its end included, has been acknowledged.
  closed,         ///< The connection is over; closed() says why. Nothing follows.
};

/// An edge: it is reported once until the command that looks at the matter. It owns nothing, so a
/// queue of events is bounded by the number of objects.
struct event {
  event_kind kind = event_kind::incoming;
  connection_handle connection;
  std::uint64_t stream = 0;
  std::uint64_t value = 0;
};
static_assert(sizeof(event) == 32);

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
