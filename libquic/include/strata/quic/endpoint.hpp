// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "strata/quic/connection.hpp"
#include "strata/quic/core/endpoint.hpp"
#include "strata/quic/observer.hpp"
#include "strata/transport/target.hpp"
#include "strata/transport/tls.hpp"

namespace spdlog {
class logger;
}

namespace strata::quic {
inline namespace v0 {

struct endpoint_options {
  /// Where the socket binds. Port 0 lets the system choose; [::] serves IPv4 too.
  transport::address bind = transport::address::any_v6(0);
  core::endpoint_config config;
  /// For connections that are dialled; without it async_connect() fails with not_supported.
  std::optional<transport::tls_context> client_tls;
  /// For connections that are accepted; without it nothing is.
  std::optional<transport::tls_context> server_tls;
  /// Asked for every client that wants in, before any state of it exists; without it everybody is
  /// accepted, with a Retry first once many handshakes are under way.
  std::function<core::decision(const core::incoming_attempt&, const core::endpoint_statistics&)>
      admit;
  /// Accepted connections that wait for async_accept(); beyond, clients are refused.
  std::size_t accept_backlog = 256;
  /// Bytes the socket asks the system to buffer each way.
  std::size_t socket_buffer = 4 * 1024 * 1024;
  std::shared_ptr<observer> watcher;
  std::shared_ptr<spdlog::logger> log;
};

/// QUIC on one UDP socket: dials and listens at once (hole punching needs that). A move-only handle
/// on a driver; everything runs on the one serial executor it was opened with. Destroying it stops
/// accepting and dialling only: connections that were handed out live on.
class STRATA_QUIC_API endpoint {
 public:
  using executor_type = asio::any_io_executor;

  /// Binds the socket. The failure is the system's: address in use, not available, permission.
  static transport::result<endpoint> open(asio::any_io_executor executor, endpoint_options options);

  endpoint() noexcept;
  endpoint(endpoint&&) noexcept;
  endpoint& operator=(endpoint&&) noexcept;
  ~endpoint();

  executor_type get_executor() const noexcept;
  transport::address local_address() const noexcept;
  core::endpoint_statistics statistics() const noexcept;

  /// Dials and completes when the handshake is complete. `server_name`, a DNS name or an IP
  /// literal, is what the certificate must name. When it fails, the connection that is handed over
  /// says why with closed(), if it began at all, and security() what became of ECH: it is offered
  /// once, and endpoint_dialer is who tries again.
  template <asio::completion_token_for<connection_signature> Token = asio::deferred_t>
  auto async_connect(const transport::address& remote, std::string server_name,
                     const core::connection_config& config, Token&& token = Token()) {
    return asio::async_initiate<Token, connection_signature>(
        initiate_connect{driver_}, token, remote, std::move(server_name), config);
  }
  /// The next connection whose handshake is complete, in the order in which they complete. One may
  /// be outstanding.
  template <asio::completion_token_for<connection_signature> Token = asio::deferred_t>
  auto async_accept(Token&& token = Token()) {
    return asio::async_initiate<Token, connection_signature>(initiate_accept{driver_}, token);
  }
  /// For the clients that come from now on: other certificates, other ECH keys. Only where
  /// endpoint_options::server_tls was set.
  void use(transport::tls_context server_tls);
  /// What connections are dialled with that bring none of their own.
  const std::optional<transport::tls_context>& client_tls() const noexcept;
  /// No further client is accepted; those that wait for async_accept() are refused.
  void stop_accepting();
  /// Closes every connection with `code` and completes when the last CONNECTION_CLOSE has left,
  /// without waiting out the draining periods.
  template <asio::completion_token_for<transport::status_signature> Token = asio::deferred_t>
  auto async_close(std::uint64_t code, Token&& token = Token()) {
    return asio::async_initiate<Token, transport::status_signature>(initiate_close{driver_}, token,
                                                                    code);
  }

 private:
  struct STRATA_QUIC_API initiate_base {
    using executor_type = asio::any_io_executor;
    std::shared_ptr<detail::endpoint_driver> driver;
    executor_type get_executor() const noexcept;
    void connect(const transport::address& remote, std::string server_name,
                 const core::connection_config& config,
                 transport::completion<connection_signature> waiting) const;
    void accept(transport::completion<connection_signature> waiting) const;
    void close(std::uint64_t code,
               transport::completion<transport::status_signature> waiting) const;
  };
  struct initiate_connect : initiate_base {
    template <class Handler>
    void operator()(Handler&& handler, const transport::address& remote, std::string server_name,
                    const core::connection_config& config) const {
      this->connect(remote, std::move(server_name), config,
                    transport::make_completion<connection_signature>(std::forward<Handler>(handler),
                                                                     this->get_executor()));
    }
  };
  struct initiate_accept : initiate_base {
    template <class Handler>
    void operator()(Handler&& handler) const {
      this->accept(transport::make_completion<connection_signature>(std::forward<Handler>(handler),
                                                                    this->get_executor()));
    }
  };
  struct initiate_close : initiate_base {
    template <class Handler>
    void operator()(Handler&& handler, std::uint64_t code) const {
      this->close(code, transport::make_completion<transport::status_signature>(
                            std::forward<Handler>(handler), this->get_executor()));
    }
  };

  explicit endpoint(std::shared_ptr<detail::endpoint_driver> driver) noexcept;

  std::shared_ptr<detail::endpoint_driver> driver_;
};

}  // namespace v0
}  // namespace strata::quic
