// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_completion_handler.hpp>
#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/deferred.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "strata/transport/completion.hpp"
#include "strata/transport/core/address.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/close_reason.hpp"
#include "strata/transport/core/connection_security.hpp"
#include "strata/transport/stream.hpp"
#include "strata/transport/stream_dialer.hpp"

namespace strata::transport {
inline namespace v0 {

using closed_signature = void(std::error_code, std::unique_ptr<close_reason>);

/// What a connection bears before it is closed by itself; nothing where there is no such limit. For
/// relays that promise their users no more than this.
struct connection_limits {
  std::optional<std::uint64_t> bytes;  ///< Left, both directions together.
  std::optional<duration> time;        ///< Left.
};

/// Many bidirectional streams between the same two ends, whatever carries them: QUIC, WebTransport,
/// or a mux over one byte stream.
///
/// Everything runs on the connection's serial executor; handlers run on their associated executor,
/// never inside the initiating function, and every operation can be cancelled through its slot. One
/// accept and one wait of a kind may be outstanding, any number of opens.
///
/// Destroying the connection lets go of it: once its streams are destroyed, too, it is closed with
/// code 0 and nothing is flushed. async_shutdown() is the end that loses nothing.
class STRATA_TRANSPORT_API connection {
 public:
  using executor_type = asio::any_io_executor;

  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  virtual ~connection();

  executor_type get_executor() noexcept { return do_executor(); }

  /// Opens a bidirectional stream; waits while the peer's limit allows none. Where streams open
  /// lazily the peer hears of it with the first byte.
  template <asio::completion_token_for<stream_signature> Token = asio::deferred_t>
  auto async_open_stream(Token&& token = Token()) {
    return asio::async_initiate<Token, stream_signature>(
        initiate<stream_signature, &connection::do_open_stream>{this}, token);
  }
  /// The next bidirectional stream of the peer. What arrived before the connection ended is still
  /// given out; then it completes with the cause.
  template <asio::completion_token_for<stream_signature> Token = asio::deferred_t>
  auto async_accept_stream(Token&& token = Token()) {
    return asio::async_initiate<Token, stream_signature>(
        initiate<stream_signature, &connection::do_accept_stream>{this}, token);
  }
  /// Completes when the connection is closed by whomever, with the reason, which is never null; the
  /// error code is set only for a cancelled wait.
  template <asio::completion_token_for<closed_signature> Token = asio::deferred_t>
  auto async_wait_closed(Token&& token = Token()) {
    return asio::async_initiate<Token, closed_signature>(
        initiate<closed_signature, &connection::do_wait_closed>{this}, token);
  }
  /// Completes when the peer is proved to be live and this connection is the only one that its
  /// handshake made: at once, unless early data is in use (RFC 9001 section 4.1.2).
  template <asio::completion_token_for<status_signature> Token = asio::deferred_t>
  auto async_confirmed(Token&& token = Token()) {
    return asio::async_initiate<Token, status_signature>(
        initiate<status_signature, &connection::do_confirmed>{this}, token);
  }
  /// Closes when all streams have ended and what they wrote has left (QUIC: was acknowledged);
  /// after `deadline` all the same, and says timed_out. No further streams meanwhile.
  template <asio::completion_token_for<status_signature> Token = asio::deferred_t>
  auto async_shutdown(duration deadline, std::uint64_t code = 0, Token&& token = Token()) {
    return asio::async_initiate<Token, status_signature>(initiate_shutdown{this, deadline, code},
                                                         token);
  }

  /// At once. Pending operations complete with errc::closed. A code or reason that the protocol
  /// cannot say stays here: yamux knows 0, 1 and 2, and no words.
  virtual void close(std::uint64_t code, std::string_view reason = {}) = 0;
  /// Nothing while it is open.
  virtual std::optional<close_reason> closed() const = 0;
  /// What protects it; nothing when nobody does.
  virtual std::optional<connection_security> security() const { return std::nullopt; }
  /// Snapshots: a path may change. Empty where the carrier has none.
  virtual address remote_address() const { return {}; }
  virtual address local_address() const { return {}; }
  virtual connection_limits limits() const { return {}; }

 protected:
  connection() = default;

 private:
  template <class Signature, void (connection::*Start)(completion<Signature>)>
  struct initiate {
    using executor_type = connection::executor_type;
    connection* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler>
    void operator()(Handler&& handler) const {
      (self->*Start)(
          make_completion<Signature>(std::forward<Handler>(handler), self->do_executor()));
    }
  };
  struct initiate_shutdown {
    using executor_type = connection::executor_type;
    connection* self;
    duration deadline;
    std::uint64_t code;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler>
    void operator()(Handler&& handler) const {
      self->do_shutdown(
          deadline, code,
          make_completion<status_signature>(std::forward<Handler>(handler), self->do_executor()));
    }
  };

  virtual asio::any_io_executor do_executor() noexcept = 0;
  virtual void do_open_stream(completion<stream_signature>) = 0;
  virtual void do_accept_stream(completion<stream_signature>) = 0;
  virtual void do_wait_closed(completion<closed_signature>) = 0;
  virtual void do_confirmed(completion<status_signature>) = 0;
  virtual void do_shutdown(duration deadline, std::uint64_t code, completion<status_signature>) = 0;
};

}  // namespace v0
}  // namespace strata::transport
