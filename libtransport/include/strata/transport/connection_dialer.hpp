// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "strata/transport/connection.hpp"
#include "strata/transport/target.hpp"

namespace strata::transport {
inline namespace v0 {

/// How dialling and accepting connections complete; the connection is null exactly when there is an
/// error.
using connection_signature = void(std::error_code, std::unique_ptr<connection>);

/// Opens connections to targets: a QUIC endpoint, or a mux over any stream_dialer. Any number of
/// dials may be outstanding; each can be cancelled through its slot, and destroying the dialer
/// completes them with errc::aborted. Connections may outlive it and run on its executor.
class STRATA_TRANSPORT_API connection_dialer {
 public:
  using executor_type = asio::any_io_executor;

  connection_dialer(const connection_dialer&) = delete;
  connection_dialer& operator=(const connection_dialer&) = delete;
  virtual ~connection_dialer();

  executor_type get_executor() noexcept { return do_executor(); }

  /// Completes when streams can be opened, every handshake done. No deadline of its own:
  /// with_timeout gives one. Errors: name_not_found, refused, unreachable, timed_out, and those of
  /// the carrier.
  template <asio::completion_token_for<connection_signature> Token = asio::deferred_t>
  auto async_dial(target where, Token&& token = Token()) {
    return asio::async_initiate<Token, connection_signature>(initiate_dial{this}, token,
                                                             std::move(where));
  }

 protected:
  connection_dialer() = default;

 private:
  struct initiate_dial {
    using executor_type = connection_dialer::executor_type;
    connection_dialer* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler>
    void operator()(Handler&& handler, const target& where) const {
      self->do_dial(where, make_completion<connection_signature>(std::forward<Handler>(handler),
                                                                 self->do_executor()));
    }
  };

  virtual asio::any_io_executor do_executor() noexcept = 0;
  virtual void do_dial(const target& where, completion<connection_signature>) = 0;
};

}  // namespace v0
}  // namespace strata::transport
