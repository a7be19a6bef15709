// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strata/quic/core/connection.hpp"
#include "strata/quic/core/event.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::quic {
inline namespace v0 {

/// A protocol that lives on one connection without an asynchronous hop: the driver hands it the
/// connection's events within its turn, and the session answers with commands of the core. HTTP/3
/// is one. While a session is attached, the handle's own streams are not to be used. Between turns
/// its owner commands through connection::view(), then calls connection::flush().
class session {
 public:
  virtual ~session() = default;

  /// One event of the connection. Commands on `connection` are allowed; what they bring forth is
  /// reported later.
  virtual void on_event(transport::time_point now, core::connection_view connection,
                        const core::event& event) = 0;
  /// All events of the turn have been handed over; lent input is still there. What is to be sent is
  /// written now.
  virtual void on_turn(transport::time_point now, core::connection_view connection) = 0;
  /// The connection is closed and will be forgotten, or the driver shuts down: no call follows.
  virtual void on_detached(const close_reason& why) = 0;
};

}  // namespace v0
}  // namespace strata::quic
