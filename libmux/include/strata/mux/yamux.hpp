// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

#include "strata/mux/core/yamux_config.hpp"
#include "strata/mux/export.hpp"
#include "strata/transport/connection_dialer.hpp"
#include "strata/transport/connection_listener.hpp"
#include "strata/transport/stream_dialer.hpp"
#include "strata/transport/stream_listener.hpp"

namespace strata::mux {
inline namespace v0 {

struct yamux_options {
  /// `role` is set by whoever makes the session: a dialer's are clients, a listener's servers.
  core::yamux_config session;
  /// Of each read from the carrier, and of the page it needs only while it has something to read.
  std::size_t read_size = 128 * 1024;
  /// How long what was written may take to leave when nobody holds the connection any more.
  transport::duration linger = std::chrono::seconds(30);
};

/// yamux over `carrier`, which nobody else uses from now on: a session has no handshake, so streams
/// can be opened at once. Everything runs on the carrier's executor.
///
/// Closing codes are 0 (normal), 1 (protocol error) and 2 (internal error); others are sent as 0.
/// The stream's contract holds with its row for yamux: a reset carries a 32-bit code, which peers
/// by others ignore.
STRATA_MUX_API std::unique_ptr<transport::connection> make_yamux_connection(
    std::unique_ptr<transport::stream> carrier, role side, const yamux_options& options = {});

/// Dials a carrier for every connection: TCP, TLS, WebSocket, whatever `carriers` dials.
class STRATA_MUX_API yamux_dialer final : public transport::connection_dialer {
 public:
  yamux_dialer(std::shared_ptr<transport::stream_dialer> carriers, yamux_options options = {});
  ~yamux_dialer() override;

 private:
  class state;
  asio::any_io_executor do_executor() noexcept override;
  void do_dial(const transport::target& where,
               transport::completion<transport::connection_signature>) override;

  std::unique_ptr<state> state_;
};

/// A connection for every carrier that `carriers` accepts.
class STRATA_MUX_API yamux_listener final : public transport::connection_listener {
 public:
  yamux_listener(std::unique_ptr<transport::stream_listener> carriers, yamux_options options = {});
  ~yamux_listener() override;

  void close() noexcept override;
  transport::address local_address() const noexcept override;

 private:
  class state;
  asio::any_io_executor do_executor() noexcept override;
  void do_accept(transport::completion<transport::connection_signature>) override;

  std::unique_ptr<state> state_;
};

}  // namespace v0
}  // namespace strata::mux
