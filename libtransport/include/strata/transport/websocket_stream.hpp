// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/http1_head.hpp"
#include "strata/transport/core/limits.hpp"
#include "strata/transport/core/websocket_connection.hpp"
#include "strata/transport/core/websocket_opening.hpp"
#include "strata/transport/stream_dialer.hpp"
#include "strata/transport/stream_listener.hpp"

namespace strata::transport {
inline namespace v0 {

namespace detail {
class websocket_driver;
}

struct websocket_options {
  /// Client: what to ask for. A dialer takes the target for an empty authority.
  websocket_request request{};
  /// Server: asked for every request. It accepts or refuses by the opening's functions, within the
  /// call; what it leaves undecided is accepted with the client's first subprotocol if it is an
  /// opening of a WebSocket, and refused otherwise. Requests that ask for no WebSocket come here,
  /// too.
  std::function<void(websocket_server_opening&)> decide{};
  /// Mode and role are set by whoever makes the stream.
  websocket_config connection{};
  /// From the first byte to the last of the opening handshake.
  duration handshake_timeout = std::chrono::seconds(10);
  std::size_t read_size = 64 * 1024;
  duration linger = std::chrono::seconds(35);
};

/// Bytes in binary messages over any stream; reads ignore the borders of messages. There is no
/// half-close: an end is a Close, which the side that opened holds back until the peer's end, for
/// at most 30 s (the row of WebSocket in the stream contract).
class STRATA_TRANSPORT_API websocket_stream final : public stream {
 public:
  ~websocket_stream() override;

  void reset(std::uint64_t code) noexcept override;
  stream_traits traits() const noexcept override;
  std::optional<connection_security> security() const override;
  address remote_address() const override;
  address local_address() const override;
  /// What was agreed on in the opening; may be empty.
  std::string_view subprotocol() const noexcept;
  /// How it ended; null before.
  const websocket_close* closed() const noexcept;

 private:
  friend class detail::websocket_driver;
  explicit websocket_stream(std::shared_ptr<detail::websocket_driver> driver) noexcept;

  asio::any_io_executor do_executor() noexcept override;
  void do_read_some(std::span<const asio::mutable_buffer>, completion<io_signature>) override;
  void do_write_some(std::span<const asio::const_buffer>, completion<io_signature>) override;
  result<std::size_t> do_try_read(std::span<const asio::mutable_buffer>) override;
  result<std::size_t> do_try_write(std::span<const asio::const_buffer>) override;
  result<std::size_t> do_try_peek(std::span<bytes>) override;
  void do_consume(std::size_t) override;
  void do_finish(completion<status_signature>) override;
  void do_wait_closed(completion<status_signature>) override;

  std::shared_ptr<detail::websocket_driver> driver_;
};

using websocket_signature = void(std::error_code, std::unique_ptr<websocket_stream>);

namespace detail {
STRATA_TRANSPORT_API void start_websocket(std::unique_ptr<stream> carrier, websocket_role role,
                                          const websocket_options& options,
                                          completion<websocket_signature> waiting);

struct initiate_websocket {
  using executor_type = asio::any_io_executor;
  executor_type executor;
  executor_type get_executor() const noexcept { return executor; }
  template <class Handler>
  void operator()(Handler&& handler, std::unique_ptr<stream> carrier, websocket_role role,
                  const websocket_options& options) const {
    start_websocket(std::move(carrier), role, options,
                    make_completion<websocket_signature>(std::forward<Handler>(handler), executor));
  }
};
}  // namespace detail

/// The opening handshake (RFC 6455 section 4) on a carrier that nobody else uses from now on.
/// Errors: refused (by either side), protocol_error, timed_out, truncated, and the carrier's.
template <asio::completion_token_for<websocket_signature> Token = asio::deferred_t>
auto async_websocket_handshake(std::unique_ptr<stream> carrier, websocket_role role,
                               const websocket_options& options = {}, Token&& token = Token()) {
  const auto executor = carrier->get_executor();
  return asio::async_initiate<Token, websocket_signature>(detail::initiate_websocket{executor},
                                                          token, std::move(carrier), role, options);
}

/// Dials a carrier, TCP or TLS, and opens a WebSocket on it.
class STRATA_TRANSPORT_API websocket_dialer final : public stream_dialer {
 public:
  websocket_dialer(std::shared_ptr<stream_dialer> carriers, websocket_options options = {});
  ~websocket_dialer() override;

 private:
  class state;
  asio::any_io_executor do_executor() noexcept override;
  void do_dial(const target& where, completion<stream_signature> waiting) override;

  std::unique_ptr<state> state_;
};

/// Yields streams whose opening is done, in the order in which openings end.
class STRATA_TRANSPORT_API websocket_listener final : public stream_listener {
 public:
  websocket_listener(std::unique_ptr<stream_listener> carriers, websocket_options options = {});
  ~websocket_listener() override;

  void close() noexcept override;
  address local_address() const noexcept override;

 private:
  class state;
  asio::any_io_executor do_executor() noexcept override;
  void do_accept(completion<stream_signature> waiting) override;

  std::unique_ptr<state> state_;
};

}  // namespace v0
}  // namespace strata::transport
