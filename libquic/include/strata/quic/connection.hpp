// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "strata/quic/core/connection.hpp"
#include "strata/quic/session.hpp"
#include "strata/quic/stream.hpp"

namespace strata::quic {
inline namespace v0 {

using stream_signature = void(std::error_code, std::unique_ptr<stream>);
/// The reason is never null: owned, because it would not fit where completions wait.
using close_signature = void(std::error_code, std::unique_ptr<close_reason>);

class connection;
using connection_signature = void(std::error_code, connection);

/// One connection: a move-only handle on its endpoint's driver. When the last handle of a
/// connection, its streams included, is destroyed, the connection is closed with code 0 and nothing
/// is flushed; async_shutdown() is the end that loses nothing. All functions run on the endpoint's
/// serial executor.
class STRATA_QUIC_API connection {
 public:
  using executor_type = asio::any_io_executor;

  connection() noexcept;
  connection(connection&&) noexcept;
  connection& operator=(connection&&) noexcept;
  ~connection();

  explicit operator bool() const noexcept { return driver_ != nullptr; }
  executor_type get_executor() const noexcept;

  /// Opens a stream; waits while the peer's limit allows none.
  template <asio::completion_token_for<stream_signature> Token = asio::deferred_t>
  auto async_open_stream(bool bidirectional = true, Token&& token = Token()) {
    return asio::async_initiate<Token, stream_signature>(initiate{*this}, token,
                                                         open_request{bidirectional});
  }
  /// The next stream that the peer opens, in the order of their numbers. One accept per kind may be
  /// outstanding.
  template <asio::completion_token_for<stream_signature> Token = asio::deferred_t>
  auto async_accept_stream(bool bidirectional = true, Token&& token = Token()) {
    return asio::async_initiate<Token, stream_signature>(initiate{*this}, token,
                                                         accept_request{bidirectional});
  }
  /// Completes when the connection is closed by whomever, with the reason; the error code is set
  /// only for a cancelled wait.
  template <asio::completion_token_for<close_signature> Token = asio::deferred_t>
  auto async_wait_closed(Token&& token = Token()) {
    return asio::async_initiate<Token, close_signature>(initiate{*this}, token,
                                                        wait_closed_request{});
  }
  /// Completes when the handshake is confirmed (RFC 9001 section 4.1.2).
  template <asio::completion_token_for<transport::status_signature> Token = asio::deferred_t>
  auto async_confirmed(Token&& token = Token()) {
    return asio::async_initiate<Token, transport::status_signature>(initiate{*this}, token,
                                                                    confirmed_request{});
  }
  /// Waits until everything written has been acknowledged, ends included, and closes then; after
  /// `deadline` it closes all the same and says timed_out.
  template <asio::completion_token_for<transport::status_signature> Token = asio::deferred_t>
  auto async_shutdown(transport::duration deadline, std::uint64_t code = 0,
                      Token&& token = Token()) {
    return asio::async_initiate<Token, transport::status_signature>(
        initiate{*this}, token, shutdown_request{deadline, code});
  }

  /// At once, with the application's code (RFC 9000 section 10.2); pending operations complete with
  /// errc::closed.
  void close(std::uint64_t code, std::string_view reason = {});
  /// From now on the session gets every event of this connection; see session. It is released when
  /// the connection ends.
  void attach(std::unique_ptr<session> attached);
  /// For the owner of an attached session: the core's view, for commands between turns; call
  /// flush() after them. False once the connection is forgotten.
  core::connection_view view() const noexcept;
  /// What was commanded through view() leaves soon: one flush is posted.
  void flush();

  const transport::address& remote_address() const noexcept;
  const transport::address& local_address() const noexcept;
  core::tls_summary security() const;
  core::connection_statistics statistics() const noexcept;
  connection_id original_destination() const noexcept;
  bool is_open() const noexcept;
  /// Why it is closed; nothing while it is open.
  std::optional<close_reason> closed() const;

 private:
  friend class detail::endpoint_driver;
  struct open_request {
    bool bidirectional;
  };
  struct accept_request {
    bool bidirectional;
  };
  struct wait_closed_request {};
  struct confirmed_request {};
  struct shutdown_request {
    transport::duration deadline;
    std::uint64_t code;
  };

  /// Captures the driver and the connection's number, never the handle: a deferred operation may
  /// start after it has moved.
  struct STRATA_QUIC_API initiate {
    using executor_type = asio::any_io_executor;
    explicit initiate(const connection& from) noexcept : driver(from.driver_), id(from.id_) {}
    std::shared_ptr<detail::endpoint_driver> driver;
    core::connection_handle id;
    executor_type get_executor() const noexcept;
    template <class Handler>
    void operator()(Handler&& handler, const open_request& request) const {
      start(request, transport::make_completion<stream_signature>(std::forward<Handler>(handler),
                                                                  get_executor()));
    }
    template <class Handler>
    void operator()(Handler&& handler, const accept_request& request) const {
      start(request, transport::make_completion<stream_signature>(std::forward<Handler>(handler),
                                                                  get_executor()));
    }
    template <class Handler>
    void operator()(Handler&& handler, const wait_closed_request& request) const {
      start(request, transport::make_completion<close_signature>(std::forward<Handler>(handler),
                                                                 get_executor()));
    }
    template <class Handler>
    void operator()(Handler&& handler, const confirmed_request& request) const {
      start(request, transport::make_completion<transport::status_signature>(
                         std::forward<Handler>(handler), get_executor()));
    }
    template <class Handler>
    void operator()(Handler&& handler, const shutdown_request& request) const {
      start(request, transport::make_completion<transport::status_signature>(
                         std::forward<Handler>(handler), get_executor()));
    }
    void start(const open_request&, transport::completion<stream_signature>) const;
    void start(const accept_request&, transport::completion<stream_signature>) const;
    void start(const wait_closed_request&, transport::completion<close_signature>) const;
    void start(const confirmed_request&, transport::completion<transport::status_signature>) const;
    void start(const shutdown_request&, transport::completion<transport::status_signature>) const;
  };

  connection(std::shared_ptr<detail::endpoint_driver> driver, core::connection_handle id) noexcept;

  std::shared_ptr<detail::endpoint_driver> driver_;
  core::connection_handle id_;
};

}  // namespace v0
}  // namespace strata::quic
