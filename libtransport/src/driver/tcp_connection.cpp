// SPDX-License-Identifier: Apache-2.0
#include "driver/tcp_connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <asio/bind_cancellation_slot.hpp>
#include <chrono>

#include "driver/asio_address.hpp"
#include "driver/native_socket_access.hpp"
#include "driver/tcp_error.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// How long a finished stream whose handle is gone goes on taking in, and throwing away, what the
/// peer still sends. A socket closed at once would answer with a reset, which overtakes written
/// bytes that were lost and need repeating.
constexpr std::chrono::seconds linger_time{5};
/// Reads of discarded input in one turn.
constexpr int linger_reads = 16;

bool is_waiting_error(const std::error_code& error) {
  return error == asio::error::would_block || error == asio::error::try_again ||
         error == asio::error::interrupted;
}

bool is_in_order(const std::error_code& end) {
  return end == errc::eof || end == errc::write_finished;
}

}  // namespace

tcp_connection::tcp_connection(const ready_list& ready, asio::ip::tcp::socket socket, bool no_delay)
    : ready_(ready), socket_(std::move(socket)) {
  // Failures are those of a connection that is gone already: the first operation reports them.
  std::error_code ignored;
  socket_->non_blocking(true, ignored);
  if (no_delay) socket_->set_option(asio::ip::tcp::no_delay(true), ignored);
}

native_socket tcp_connection::native() noexcept {
  return socket_ && socket_->is_open()
             ? detail::native_socket_access::make(socket_->native_handle())
             : native_socket();
}

address tcp_connection::remote_address() const noexcept {
  std::error_code error;
  const auto at = socket_ ? socket_->remote_endpoint(error) : asio::ip::tcp::endpoint();
  return socket_ && !error ? to_address(at) : address();
}

address tcp_connection::local_address() const noexcept {
  std::error_code error;
  const auto at = socket_ ? socket_->local_endpoint(error) : asio::ip::tcp::endpoint();
  return socket_ && !error ? to_address(at) : address();
}

void tcp_connection::read_some(std::span<const asio::mutable_buffer> buffers,
                               completion<io_signature> waiting) {
  if (!socket_) return;
  assert(ready_.is_on_owner());
  assert(!read_ && "one read at a time");
  const bool only_wait = buffers.empty();
  if (only_wait && read_end_) {
    const auto error = read_end_ == errc::closed ? read_end_ : std::error_code();
    return ready_.complete(std::move(waiting), error, std::size_t{0});
  }
  if (!only_wait) {
    const outcome now = read_now(buffers);
    if (!now.would_wait) return ready_.complete(std::move(waiting), now.error, now.count);
    read_into_ = buffer_list<asio::mutable_buffer>(buffers);
  }
  only_wait_ = only_wait;
  read_.start(std::move(waiting), [weak = weak_from_this()] {
    if (const auto self = std::static_pointer_cast<tcp_connection>(weak.lock())) self->abort_read();
  });
  watch_input();
}

void tcp_connection::write_some(std::span<const asio::const_buffer> buffers,
                                completion<io_signature> waiting) {
  if (!socket_) return;
  assert(ready_.is_on_owner());
  assert(!write_ && "one write at a time");
  const outcome now = write_now(buffers);
  if (!now.would_wait) return ready_.complete(std::move(waiting), now.error, now.count);
  write_from_ = buffer_list<asio::const_buffer>(buffers);
  write_.start(std::move(waiting), [weak = weak_from_this()] {
    if (const auto self = std::static_pointer_cast<tcp_connection>(weak.lock()))
      self->abort_write();
  });
  watch(writable_, asio::socket_base::wait_write, &tcp_connection::serve_write);
}

result<std::size_t> tcp_connection::try_read(std::span<const asio::mutable_buffer> buffers) {
  assert(!read_ && "not while a read is outstanding");
  return socket_ ? result_of(read_now(buffers)) : std::unexpected(make_error_code(errc::aborted));
}

result<std::size_t> tcp_connection::try_write(std::span<const asio::const_buffer> buffers) {
  assert(!write_ && "not while a write is outstanding");
  return socket_ ? result_of(write_now(buffers)) : std::unexpected(make_error_code(errc::aborted));
}

result<std::size_t> tcp_connection::result_of(const outcome& now) {
  if (now.would_wait) return std::unexpected(make_error_code(errc::would_block));
  if (now.error) return std::unexpected(now.error);
  return now.count;
}

void tcp_connection::finish(completion<status_signature> waiting) {
  if (!socket_) return;
  assert(!write_ && "finish after the write has completed");
  if (!write_end_) {
    std::error_code error;
    socket_->shutdown(asio::socket_base::shutdown_send, error);
    if (error == asio::error::not_connected) take_pending_error();
    if (!write_end_)
      write_end_ = error ? from_system_error(error) : make_error_code(errc::write_finished);
  }
  ready_.complete(std::move(waiting),
                  write_end_ == errc::write_finished ? std::error_code() : write_end_);
  check_closed();
}

void tcp_connection::wait_closed(completion<status_signature> waiting) {
  if (!socket_) return;
  closed_.start(std::move(waiting), [weak = weak_from_this()] {
    if (const auto self = std::static_pointer_cast<tcp_connection>(weak.lock()))
      self->abort_closed();
  });
  check_closed();
  if (closed_) watch(broken_, asio::socket_base::wait_error, &tcp_connection::serve_closed);
}

void tcp_connection::watch(readiness& which, asio::socket_base::wait_type type,
                           void (tcp_connection::*serve)(bool)) {
  if (which.is_awaited) return;
  which.is_awaited = true;
  auto on_ready = [self = std::static_pointer_cast<tcp_connection>(shared_from_this()), &which,
                   serve](std::error_code error) {
    which.is_awaited = false;
    if (self->socket_ && self->socket_->is_open()) ((*self).*serve)(!error);
    self->ready_.run_now();
  };
  socket_->async_wait(type, asio::bind_cancellation_slot(which.stop.slot(), std::move(on_ready)));
}

/// Looks at one byte without taking it: Asio's own wait costs an epoll_ctl each time, and a wakeup
/// for nothing while the socket is writable.
void tcp_connection::watch_input() {
  if (readable_.is_awaited) return;
  readable_.is_awaited = true;
  auto on_ready = [self = std::static_pointer_cast<tcp_connection>(shared_from_this())](
                      std::error_code error, std::size_t) {
    self->readable_.is_awaited = false;
    if (!self->socket_ || !self->socket_->is_open()) return;
    const bool is_lost =
        error && error != asio::error::eof && error != asio::error::operation_aborted;
    // The look has used the system's error up.
    if (is_lost) self->fail(error);
    self->serve_read(error != asio::error::operation_aborted);
    self->ready_.run_now();
  };
  socket_->async_receive(asio::buffer(&peeked_, 1), asio::socket_base::message_peek,
                         asio::bind_cancellation_slot(readable_.stop.slot(), std::move(on_ready)));
}

tcp_connection::outcome tcp_connection::read_now(std::span<const asio::mutable_buffer> buffers) {
  if (asio::buffer_size(buffers) == 0) return {};
  if (read_end_) return {.error = read_end_};
  std::error_code error;
  const std::size_t count = buffers.size() == 1 ? socket_->read_some(buffers.front(), error)
                                                : socket_->read_some(buffers, error);
  if (is_waiting_error(error)) return {.would_wait = true};
  // Linux hands out bytes that arrived before a reset; the contract drops them, so that a reset is
  // seen at once.
  if (!error && take_pending_error() && read_end_) return {.error = read_end_};
  if (!error) return {.count = count};
  // A write that met the lost connection has used up its error, and the system calls what is left
  // an end.
  if (error == asio::error::eof) {
    read_end_ = cause_ ? cause_ : make_error_code(errc::eof);
  } else {
    fail(error);
    read_end_ = cause_;
  }
  check_closed();
  return {.error = read_end_};
}

tcp_connection::outcome tcp_connection::write_now(std::span<const asio::const_buffer> buffers) {
  if (asio::buffer_size(buffers) == 0) return {};
  if (write_end_) return {.error = write_end_};
  std::error_code error;
  const std::size_t count = buffers.size() == 1 ? socket_->write_some(buffers.front(), error)
                                                : socket_->write_some(buffers, error);
  if (is_waiting_error(error)) return {.would_wait = true};
  if (!error) return {.count = count};
  fail(error);
  return {.error = write_end_};
}

/// Asks the system for an error that no operation has met yet; true when there was one.
bool tcp_connection::take_pending_error() noexcept {
  int pending = 0;
  socklen_t size = sizeof pending;
  if (::getsockopt(socket_->native_handle(), SOL_SOCKET, SO_ERROR, &pending, &size) != 0 ||
      pending == 0)
    return false;
  fail(std::error_code(pending, asio::error::get_system_category()));
  return true;
}

/// The connection is lost. A reset ends both directions at once; after anything else what had
/// arrived can still be read.
void tcp_connection::fail(const std::error_code& cause) noexcept {
  if (!cause_) cause_ = from_system_error(cause);
  if (!write_end_) write_end_ = cause_;
  if (!read_end_ && cause_ == errc::stream_reset) read_end_ = cause_;
  serve_write(true);
  if (read_end_) serve_read(true);
  check_closed();
}

/// Not ready means that the wait was given up for an earlier operation; one that came meanwhile
/// needs its own.
void tcp_connection::serve_read(bool is_ready) {
  if (linger_) return discard_input();
  if (!read_) return;
  if (only_wait_ && is_ready)
    return ready_.complete(read_.take(), std::error_code(), std::size_t{0});
  const outcome now = only_wait_ ? outcome{.would_wait = true} : read_now(read_into_);
  if (!read_) return;  // failing has served it
  if (now.would_wait) return watch_input();
  ready_.complete(read_.take(), now.error, now.count);
}

void tcp_connection::serve_write(bool) {
  if (!write_) return;
  const outcome now = write_now(write_from_);
  if (!write_) return;
  if (now.would_wait)
    return watch(writable_, asio::socket_base::wait_write, &tcp_connection::serve_write);
  ready_.complete(write_.take(), now.error, now.count);
}

/// The system has seen an error or the end of both directions, or urgent bytes. For these the wait
/// is not repeated: they stay urgent, and a peer could keep us busy. Later operations still notice
/// the end.
void tcp_connection::serve_closed(bool is_ready) {
  if (!closed_) return;
  if (!is_ready)
    return watch(broken_, asio::socket_base::wait_error, &tcp_connection::serve_closed);
  if (take_pending_error()) return;
  pollfd asked{.fd = socket_->native_handle(), .events = 0, .revents = 0};
  const bool both_ended = ::poll(&asked, 1, 0) == 1 && (asked.revents & POLLHUP) != 0;
  if (both_ended && write_end_ == errc::write_finished)
    ready_.complete(closed_.take(), std::error_code());
}

void tcp_connection::check_closed() {
  if (!closed_ || !read_end_ || !write_end_) return;
  const std::error_code worst = !is_in_order(read_end_)    ? read_end_
                                : !is_in_order(write_end_) ? write_end_
                                                           : std::error_code();
  ready_.complete(closed_.take(), worst);
  broken_.stop.emit(asio::cancellation_type::terminal);
}

void tcp_connection::abort_read() noexcept {
  if (read_) ready_.complete(read_.take(), make_error_code(errc::aborted), std::size_t{0});
  readable_.stop.emit(asio::cancellation_type::terminal);
}

void tcp_connection::abort_write() noexcept {
  if (write_) ready_.complete(write_.take(), make_error_code(errc::aborted), std::size_t{0});
  writable_.stop.emit(asio::cancellation_type::terminal);
}

void tcp_connection::abort_closed() noexcept {
  if (closed_) ready_.complete(closed_.take(), make_error_code(errc::aborted));
  broken_.stop.emit(asio::cancellation_type::terminal);
}

void tcp_connection::abort_all() noexcept {
  abort_read();
  abort_write();
  abort_closed();
}

void tcp_connection::reset() noexcept {
  if (!socket_ || !socket_->is_open()) return;
  abort_all();
  if (!read_end_) read_end_ = errc::closed;
  if (!write_end_) write_end_ = errc::closed;
  std::error_code ignored;
  socket_->set_option(asio::socket_base::linger(true, 0), ignored);
  socket_->close(ignored);
}

void tcp_connection::abandon() noexcept {
  if (!socket_ || !socket_->is_open()) return;
  abort_all();
  const bool is_lost = static_cast<bool>(cause_);
  if (!is_lost && write_end_ == errc::write_finished && !read_end_) return linger();
  if (is_lost || (read_end_ && write_end_)) return close();
  reset();
}

void tcp_connection::linger() noexcept {
  read_end_ = errc::closed;
  linger_.emplace(ready_.executor(), linger_time);
  linger_->async_wait(
      [self = std::static_pointer_cast<tcp_connection>(shared_from_this())](std::error_code error) {
        if (!error) self->close();
      });
  discard_input();
}

void tcp_connection::discard_input() {
  std::array<std::byte, 4096> discarded;
  std::error_code error;
  for (int reads = 0; reads < linger_reads && !error; ++reads)
    socket_->read_some(asio::buffer(discarded), error);
  if (error && !is_waiting_error(error)) return close();
  watch_input();
}

void tcp_connection::close() noexcept {
  linger_.reset();
  std::error_code ignored;
  if (socket_) socket_->close(ignored);
}

void tcp_connection::shutdown() noexcept {
  const auto read = read_.take();
  const auto write = write_.take();
  const auto closed = closed_.take();
  linger_.reset();
  socket_.reset();
}

namespace {

class tcp_stream final : public stream {
 public:
  explicit tcp_stream(std::shared_ptr<tcp_connection> connection) noexcept
      : connection_(std::move(connection)) {}
  ~tcp_stream() override { connection_->abandon(); }

  void reset(std::uint64_t) noexcept override { connection_->reset(); }
  stream_traits traits() const noexcept override {
    return {.half_close = true, .reset_visible = true, .reset_code = false, .proves_end = false};
  }
  native_socket native() noexcept override { return connection_->native(); }
  address remote_address() const override { return connection_->remote_address(); }
  address local_address() const override { return connection_->local_address(); }

 private:
  asio::any_io_executor do_executor() noexcept override { return connection_->executor(); }
  void do_read_some(std::span<const asio::mutable_buffer> buffers,
                    completion<io_signature> waiting) override {
    connection_->read_some(buffers, std::move(waiting));
  }
  void do_write_some(std::span<const asio::const_buffer> buffers,
                     completion<io_signature> waiting) override {
    connection_->write_some(buffers, std::move(waiting));
  }
  result<std::size_t> do_try_read(std::span<const asio::mutable_buffer> buffers) override {
    return connection_->try_read(buffers);
  }
  result<std::size_t> do_try_write(std::span<const asio::const_buffer> buffers) override {
    return connection_->try_write(buffers);
  }
  void do_finish(completion<status_signature> waiting) override {
    connection_->finish(std::move(waiting));
  }
  void do_wait_closed(completion<status_signature> waiting) override {
    connection_->wait_closed(std::move(waiting));
  }

  std::shared_ptr<tcp_connection> connection_;
};

}  // namespace

std::unique_ptr<stream> make_tcp_stream(const ready_list& ready, asio::ip::tcp::socket socket,
                                        bool no_delay) {
  return std::make_unique<tcp_stream>(
      make_driver<tcp_connection>(ready.executor(), ready, std::move(socket), no_delay));
}

}  // namespace v0
}  // namespace strata::transport
