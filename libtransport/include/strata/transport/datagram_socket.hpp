// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/deferred.hpp>
#include <cstddef>
#include <optional>
#include <system_error>
#include <utility>

#include "strata/transport/completion.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/export.hpp"
#include "strata/transport/target.hpp"

namespace strata::transport {
inline namespace v0 {

/// Sends datagrams to targets and receives them from targets: a UDP socket, or a relay that speaks
/// for one. Delivery, order and uniqueness are not promised.
///
/// One send and one receive may be outstanding; a second is a programmer error. Everything is
/// called on get_executor(); handlers run on their associated executor, never inside the call that
/// starts the operation. Destroying the socket completes what is pending with errc::aborted. An
/// operation whose token is called later (deferred) must start while the socket lives.
class STRATA_TRANSPORT_API datagram_socket {
 public:
  using send_signature = status_signature;
  using receive_signature = io_signature;

  datagram_socket() = default;
  datagram_socket(const datagram_socket&) = delete;
  datagram_socket& operator=(const datagram_socket&) = delete;
  virtual ~datagram_socket();

  asio::any_io_executor get_executor() noexcept { return do_executor(); }
  /// The largest payload one send takes; a path may carry less. It can change.
  virtual std::size_t max_datagram_size() const noexcept = 0;
  /// Pending operations complete with errc::aborted, later ones with errc::closed. Idempotent.
  virtual void close() noexcept = 0;
  /// Where datagrams to `to` go, as far as this socket knows: the IP address itself; of a name the
  /// address that it was looked up as last, and nothing while it was not, or for somebody further
  /// on to do.
  virtual std::optional<address> resolved(const target& to) const;

  /// Completes when the datagram was handed down, not when it was delivered. `datagram` must stay
  /// until then. Errors: message_too_large, name_not_found, unreachable, refused, aborted, closed.
  template <asio::completion_token_for<send_signature> Token = asio::deferred_t>
  auto async_send_to(target to, bytes datagram, Token&& token = Token()) {
    return asio::async_initiate<Token, send_signature>(initiate_send{this}, token, std::move(to),
                                                       datagram);
  }

  /// Receives one datagram into `into` and its sender into `from`; both must stay until completion.
  /// A datagram larger than `into` is lost and reported as message_too_large. Other errors:
  /// aborted, closed, or the end of what carries this.
  template <asio::completion_token_for<receive_signature> Token = asio::deferred_t>
  auto async_receive_from(mutable_bytes into, target& from, Token&& token = Token()) {
    return asio::async_initiate<Token, receive_signature>(initiate_receive{this}, token, into,
                                                          &from);
  }

 private:
  struct initiate_send {
    using executor_type = asio::any_io_executor;
    datagram_socket* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler>
    void operator()(Handler&& handler, const target& to, bytes datagram) const {
      self->do_send_to(
          to, datagram,
          make_completion<send_signature>(std::forward<Handler>(handler), get_executor()));
    }
  };

  struct initiate_receive {
    using executor_type = asio::any_io_executor;
    datagram_socket* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler>
    void operator()(Handler&& handler, mutable_bytes into, target* from) const {
      self->do_receive_from(
          into, *from,
          make_completion<receive_signature>(std::forward<Handler>(handler), get_executor()));
    }
  };

  virtual asio::any_io_executor do_executor() noexcept = 0;
  /// `to` is valid during the call only.
  virtual void do_send_to(const target& to, bytes datagram, completion<send_signature> finish) = 0;
  virtual void do_receive_from(mutable_bytes into, target& from,
                               completion<receive_signature> finish) = 0;
};

}  // namespace v0
}  // namespace strata::transport
