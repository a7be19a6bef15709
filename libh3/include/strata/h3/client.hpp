// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "strata/h3/core/connection.hpp"
#include "strata/h3/response.hpp"
#include "strata/quic/endpoint.hpp"
#include "strata/transport/target.hpp"

namespace strata::h3 {
inline namespace v0 {

struct client_options {
  /// Whom to connect to. A name is resolved; its addresses are tried one after the other, the next
  /// one when the last has been silent for attempt_delay (RFC 8305).
  transport::target server{"localhost", 443};
  /// What the certificate must name; empty: the host of `server`.
  std::string server_name;
  /// Without it: the system's roots, and nothing but "h3".
  std::optional<transport::tls_context> tls;
  /// Where `tls` offers ECH: what is accepted from a server that does not accept it. The one retry
  /// with configurations that the server has proven to be its own is always made.
  transport::ech_policy ech = transport::ech_policy::strict;
  quic::core::connection_config connection;
  /// What HTTP/3 is to be like: limits of field sections, QPACK. Its role is ignored.
  core::connection_config http;
  std::chrono::milliseconds attempt_delay{250};
  std::shared_ptr<quic::observer> watcher;
};

class client;
using client_signature = void(std::error_code, client);

/// One HTTP/3 connection to one server, with many requests at a time: a move-only handle. When it
/// and all its responses are destroyed, the connection is closed; async_shutdown() is the end that
/// loses nothing. All functions run on the serial executor it was connected on.
class STRATA_H3_API client {
 public:
  using executor_type = asio::any_io_executor;

  /// Resolves, connects and completes when the handshake is complete. Errors: name_not_found,
  /// timed_out, refused, certificate_rejected, ech_rejected, tls_failed and the system's; when a
  /// connection had begun, the client that is handed over says more with closed() and security().
  template <asio::completion_token_for<client_signature> Token = asio::deferred_t>
  static auto async_connect(asio::any_io_executor executor, client_options options,
                            Token&& token = Token()) {
    return asio::async_initiate<Token, client_signature>(initiate_connect{std::move(executor)},
                                                         token, std::move(options));
  }

  client() noexcept;
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;
  ~client();

  explicit operator bool() const noexcept { return driver_ != nullptr; }
  executor_type get_executor() const noexcept;

  /// Sends a request and completes when the header section of the final response has come; waits
  /// while the server allows no more requests at a time. After the server's GOAWAY, or when it
  /// rejects the request, the error is_retry_safe().
  template <asio::completion_token_for<response_signature> Token = asio::deferred_t>
  auto async_request(request_options options, Token&& token = Token()) {
    return asio::async_initiate<Token, response_signature>(initiate{driver_}, token,
                                                           std::move(options));
  }
  /// Sends GOAWAY, waits until every request is over, and closes; after `deadline` it closes all
  /// the same and says timed_out.
  template <asio::completion_token_for<transport::status_signature> Token = asio::deferred_t>
  auto async_shutdown(transport::duration deadline, Token&& token = Token()) {
    return asio::async_initiate<Token, transport::status_signature>(initiate{driver_}, token,
                                                                    deadline);
  }
  /// At once, with H3_NO_ERROR; requests under way fail.
  void close();

  bool is_open() const noexcept;
  /// The server takes no new requests on this connection (GOAWAY).
  bool going_away() const noexcept;
  /// Why the connection is over; nothing while it is open.
  std::optional<quic::close_reason> closed() const;
  const transport::address& remote_address() const noexcept;
  quic::core::tls_summary security() const;
  quic::core::connection_statistics statistics() const noexcept;

 private:
  friend class detail::connection_driver;

  struct STRATA_H3_API initiate_connect {
    using executor_type = asio::any_io_executor;
    executor_type executor;
    executor_type get_executor() const noexcept { return executor; }
    template <class Handler>
    void operator()(Handler&& handler, client_options options) const {
      start(std::move(options),
            transport::make_completion<client_signature>(std::forward<Handler>(handler), executor));
    }
    void start(client_options options, transport::completion<client_signature> waiting) const;
  };
  struct STRATA_H3_API initiate {
    using executor_type = asio::any_io_executor;
    std::shared_ptr<detail::connection_driver> driver;
    executor_type get_executor() const noexcept;
    template <class Handler>
    void operator()(Handler&& handler, request_options options) const {
      start(std::move(options), transport::make_completion<response_signature>(
                                    std::forward<Handler>(handler), get_executor()));
    }
    template <class Handler>
    void operator()(Handler&& handler, transport::duration deadline) const {
      start(deadline, transport::make_completion<transport::status_signature>(
                          std::forward<Handler>(handler), get_executor()));
    }
    void start(request_options, transport::completion<response_signature>) const;
    void start(transport::duration, transport::completion<transport::status_signature>) const;
  };

  explicit client(std::shared_ptr<detail::connection_driver> driver) noexcept;

  std::shared_ptr<detail::connection_driver> driver_;
};

}  // namespace v0
}  // namespace strata::h3
