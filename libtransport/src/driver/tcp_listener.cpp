// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>

#include <asio/cancellation_signal.hpp>
#include <asio/ip/v6_only.hpp>
#include <optional>

#include "driver/asio_address.hpp"
#include "driver/tcp_congestion.hpp"
#include "driver/tcp_connection.hpp"
#include "driver/tcp_error.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/tcp.hpp"

namespace strata::transport {
inline namespace v0 {

/// The driver under a listener.
class tcp_listener::acceptor final : public driver {
 public:
  acceptor(const ready_list& ready, const tcp_listener_options& options)
      : ready_(ready), options_(options), socket_(std::in_place, ready.executor()) {}

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }
  std::error_code open(const address& local);
  void accept(completion<stream_signature> waiting);
  void close() noexcept;
  address local_address() const noexcept;

 private:
  void shutdown() noexcept override;
  void abort() noexcept;
  void watch();
  void serve();

  ready_list ready_;
  tcp_listener_options options_;
  std::optional<asio::ip::tcp::acceptor> socket_;  // nothing once the context is gone
  bool is_watched_ = false;
  pending_operation<stream_signature> waiting_;
};

std::error_code tcp_listener::acceptor::open(const address& local) {
  const auto at = to_tcp_endpoint(local);
  std::error_code error;
  socket_->open(at.protocol(), error);
  if (error == asio::error::address_family_not_supported && local.is_v6() &&
      local.is_unspecified()) {
    return open(address::any_v4(local.port()));  // a system without IPv6 has one family to take
  }
  if (error) return error;
  const auto set = [&](const auto& option) {
    if (!error) socket_->set_option(option, error);
  };
  set(asio::socket_base::reuse_address(true));
  if (local.is_v6()) set(asio::ip::v6_only(!local.is_unspecified()));
  const int on = 1;
  if (!error && options_.reuse_port &&
      ::setsockopt(socket_->native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    error = std::error_code(errno, asio::error::get_system_category());
  }
  // Accepted connections have the listener's.
  if (!error) error = set_congestion_control(socket_->native_handle(), options_.congestion_control);
  if (!error) socket_->bind(at, error);
  if (!error) socket_->listen(asio::socket_base::max_listen_connections, error);
  if (!error) socket_->non_blocking(true, error);
  return error;
}

void tcp_listener::acceptor::accept(completion<stream_signature> waiting) {
  if (!socket_) return;
  assert(ready_.is_on_owner());
  assert(!waiting_ && "one accept at a time");
  if (!socket_->is_open()) {
    return ready_.complete(std::move(waiting), make_error_code(errc::closed),
                           std::unique_ptr<stream>());
  }
  waiting_.start(std::move(waiting), [weak = weak_from_this()] {
    if (const auto self = std::static_pointer_cast<acceptor>(weak.lock())) self->abort();
  });
  watch();
}

/// Waits for a connection without taking it: a cancelled accept loses none.
void tcp_listener::acceptor::watch() {
  if (is_watched_) return;
  is_watched_ = true;
  socket_->async_wait(
      asio::socket_base::wait_read,
      [self = std::static_pointer_cast<acceptor>(shared_from_this())](std::error_code) {
        self->is_watched_ = false;
        if (self->waiting_) self->serve();
      });
}

void tcp_listener::acceptor::serve() {
  std::error_code error;
  asio::ip::tcp::socket accepted(ready_.executor());
  socket_->accept(accepted, error);
  // The peer may have given up meanwhile.
  if (error == asio::error::would_block || error == asio::error::try_again ||
      error == asio::error::connection_aborted || error == asio::error::interrupted) {
    return watch();
  }
  auto made = error ? std::unique_ptr<stream>()
                    : make_tcp_stream(ready_, std::move(accepted), options_.no_delay);
  ready_.complete(waiting_.take(), error ? from_system_error(error) : std::error_code(),
                  std::move(made));
}

void tcp_listener::acceptor::abort() noexcept {
  if (!waiting_) return;
  ready_.complete(waiting_.take(), make_error_code(errc::aborted), std::unique_ptr<stream>());
  std::error_code ignored;
  if (socket_) socket_->cancel(ignored);
}

void tcp_listener::acceptor::close() noexcept {
  abort();
  std::error_code ignored;
  if (socket_) socket_->close(ignored);
}

address tcp_listener::acceptor::local_address() const noexcept {
  std::error_code error;
  if (!socket_ || !socket_->is_open()) return {};
  const auto at = socket_->local_endpoint(error);
  return error ? address() : to_address(at);
}

void tcp_listener::acceptor::shutdown() noexcept {
  const auto waiting = waiting_.take();
  socket_.reset();
}

result<std::unique_ptr<tcp_listener>> tcp_listener::listen(const asio::any_io_executor& executor,
                                                           const address& local,
                                                           const tcp_listener_options& options) {
  if (local.ip_family() == address::family::none)
    return std::unexpected(make_error_code(errc::invalid_argument));
  const ready_list ready(executor);
  auto accepting = make_driver<acceptor>(executor, ready, options);
  if (const std::error_code error = accepting->open(local))
    return std::unexpected(from_system_error(error));
  return std::unique_ptr<tcp_listener>(new tcp_listener(std::move(accepting)));
}

tcp_listener::tcp_listener(std::shared_ptr<acceptor> accepting) noexcept
    : acceptor_(std::move(accepting)) {}
tcp_listener::~tcp_listener() { acceptor_->close(); }
void tcp_listener::close() noexcept { acceptor_->close(); }
address tcp_listener::local_address() const noexcept { return acceptor_->local_address(); }
asio::any_io_executor tcp_listener::do_executor() noexcept { return acceptor_->executor(); }
void tcp_listener::do_accept(completion<stream_signature> waiting) {
  acceptor_->accept(std::move(waiting));
}

}  // namespace v0
}  // namespace strata::transport
