// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/cancellation_signal.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <optional>

#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/stream.hpp"

namespace strata::transport {
inline namespace v0 {

/// The driver under a TCP stream. The socket is never read or written behind the application's
/// back: it waits until the system is ready and moves bytes in its own turn, so that a cancelled
/// operation has moved nothing.
class tcp_connection final : public driver {
 public:
  /// `socket` is connected and runs on the executor of `ready`.
  tcp_connection(const ready_list& ready, asio::ip::tcp::socket socket, bool no_delay);

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }
  native_socket native() noexcept;
  address remote_address() const noexcept;
  address local_address() const noexcept;

  void read_some(std::span<const asio::mutable_buffer> buffers, completion<io_signature> waiting);
  void write_some(std::span<const asio::const_buffer> buffers, completion<io_signature> waiting);
  result<std::size_t> try_read(std::span<const asio::mutable_buffer> buffers);
  result<std::size_t> try_write(std::span<const asio::const_buffer> buffers);
  void finish(completion<status_signature> waiting);
  void wait_closed(completion<status_signature> waiting);
  /// The linger 0 close: kills both directions.
  void reset() noexcept;
  /// The handle is being destroyed.
  void abandon() noexcept;

 private:
  struct outcome {
    std::error_code error;
    std::size_t count = 0;
    bool would_wait = false;
  };
  /// One kind of readiness that is being waited for.
  struct readiness {
    asio::cancellation_signal stop;
    bool is_awaited = false;
  };

  void shutdown() noexcept override;
  static result<std::size_t> result_of(const outcome& now);
  outcome read_now(std::span<const asio::mutable_buffer> buffers);
  outcome write_now(std::span<const asio::const_buffer> buffers);
  bool take_pending_error() noexcept;
  void fail(const std::error_code& cause) noexcept;
  void watch(readiness& which, asio::socket_base::wait_type type,
             void (tcp_connection::*serve)(bool));
  void watch_input();
  void abort_all() noexcept;
  void abort_read() noexcept;
  void abort_write() noexcept;
  void abort_closed() noexcept;
  void serve_read(bool is_ready);
  void serve_write(bool is_ready);
  void serve_closed(bool is_ready);
  void check_closed();
  void linger() noexcept;
  void discard_input();
  void close() noexcept;

  ready_list ready_;
  std::optional<asio::ip::tcp::socket> socket_;  // nothing once the context is gone
  readiness readable_, writable_, broken_;
  std::byte peeked_{};

  pending_operation<io_signature> read_;
  buffer_list<asio::mutable_buffer> read_into_;
  bool only_wait_ = false;
  pending_operation<io_signature> write_;
  buffer_list<asio::const_buffer> write_from_;
  pending_operation<status_signature> closed_;

  std::error_code read_end_;  // the lasting result of a direction, once it has one
  std::error_code write_end_;
  std::error_code cause_;  // the connection is lost: what the system says as an end is none
  std::optional<asio::steady_timer> linger_;
};

std::unique_ptr<stream> make_tcp_stream(const ready_list& ready, asio::ip::tcp::socket socket,
                                        bool no_delay);

}  // namespace v0
}  // namespace strata::transport
