// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include "strata/transport/core/error.hpp"
#include "strata/transport/stream.hpp"

namespace strata::testkit {

/// Two connected streams on one io_context: `near` is under test, `far` plays the peer.
struct stream_ends {
  std::unique_ptr<transport::stream> near;
  std::unique_ptr<transport::stream> far;
};

/// What the table of carriers says of one, as far as a test of streams can see it.
struct carrier_row {
  std::string name;
  transport::stream_traits traits;
  /// A reset kills both directions, those included that had ended in order (TCP, TLS, WebSocket).
  /// Otherwise each direction is reset or stopped for itself, and the peer is told (QUIC, memory).
  bool reset_kills_connection = false;
  /// The peer's end is seen only by reading, so that waiting for the close of an unread stream
  /// takes longer.
  bool sees_end_by_reading_only = false;
  /// The end of the side under test leaves only after the peer's own (WebSocket that opened,
  /// anytls).
  bool holds_finish = false;
  /// The same of the peer's end: a test of what follows it would have to wait.
  bool peer_holds_finish = false;
  /// try_read_some and try_write_some work.
  bool tries = false;
  /// try_peek and consume work.
  bool peeks = false;
};

/// Makes the streams of one carrier for the conformance suite. One is made per case.
class carrier {
 public:
  virtual ~carrier() = default;

  virtual const carrier_row& row() const = 0;
  virtual asio::io_context& context() = 0;
  /// Connected streams; runs the context as long as that takes. Called once.
  virtual stream_ends connect() = 0;
  /// Lets everything happen that was set in motion. The default is enough where the peer's bytes
  /// are there at once.
  virtual void settle();
  /// Ends the connection below the streams, without a finish, and says what operations have to fail
  /// with from now on; nothing where a test cannot bring that about.
  virtual std::optional<std::error_code> lose() { return std::nullopt; }
};

}  // namespace strata::testkit
