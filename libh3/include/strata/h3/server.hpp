// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "strata/h3/core/connection.hpp"
#include "strata/h3/exchange.hpp"
#include "strata/quic/endpoint.hpp"

namespace strata::h3 {
inline namespace v0 {

namespace detail {
class server_driver;
}

struct server_options {
  /// Where to listen and with which certificate: server_tls is needed, with "h3" among its alpn.
  /// How many requests one client may have under way is config.connection.max_streams_bidi.
  quic::endpoint_options endpoint;
  /// What HTTP/3 is to be like: limits of field sections, QPACK. Its role is ignored.
  core::connection_config http;
  /// Gets connections that agreed on another protocol than "h3"; without it they are closed.
  std::function<void(quic::connection)> other_protocol;
};

/// An HTTP/3 server on one UDP socket: a move-only handle. Everything, handlers included, runs on
/// the one serial executor it was opened with. Destroying it is stop().
class STRATA_H3_API server {
 public:
  using executor_type = asio::any_io_executor;

  /// Binds the socket and begins to answer. The failure is the system's: address in use, not
  /// available, permission; or invalid_argument without server_tls.
  static transport::result<server> open(asio::any_io_executor executor, server_options options,
                                        request_handler handler);

  server() noexcept;
  server(server&&) noexcept;
  server& operator=(server&&) noexcept;
  ~server();

  executor_type get_executor() const noexcept;
  transport::address local_address() const noexcept;
  quic::core::endpoint_statistics statistics() const noexcept;
  /// Connections that speak HTTP/3 now.
  std::size_t connection_count() const noexcept;

  /// For the clients that come from now on: other certificates, other ECH keys. With "h3" among its
  /// alpn.
  void use(transport::tls_context server_tls);
  /// Takes no new connection, tells every client by GOAWAY (RFC 9114 section 5.2: first that the
  /// end is near, a round trip later which request was the last), answers what has come in, and
  /// closes. Completes when the last connection is closed; after `deadline` those that are left are
  /// cut off, and it says timed_out.
  template <asio::completion_token_for<transport::status_signature> Token = asio::deferred_t>
  auto async_shutdown(transport::duration deadline, Token&& token = Token()) {
    return asio::async_initiate<Token, transport::status_signature>(initiate_shutdown{driver_},
                                                                    token, deadline);
  }
  /// Closes every connection now; requests under way fail on both sides.
  void stop();

 private:
  struct STRATA_H3_API initiate_shutdown {
    using executor_type = asio::any_io_executor;
    std::shared_ptr<detail::server_driver> driver;
    executor_type get_executor() const noexcept;
    template <class Handler>
    void operator()(Handler&& handler, transport::duration deadline) const {
      start(deadline, transport::make_completion<transport::status_signature>(
                          std::forward<Handler>(handler), get_executor()));
    }
    void start(transport::duration deadline,
               transport::completion<transport::status_signature> waiting) const;
  };

  explicit server(std::shared_ptr<detail::server_driver> driver) noexcept;

  std::shared_ptr<detail::server_driver> driver_;
};

}  // namespace v0
}  // namespace strata::h3
