// SPDX-License-Identifier: Apache-2.0
#include "driver/tls_driver.hpp"

#include <utility>

#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace detail {
namespace {

tls_connection_options core_options(const tls_stream_options& from) {
  tls_connection_options out;
  out.server_name = from.server_name;
  out.handshake_timeout = from.handshake_timeout;
  return out;
}

}  // namespace

result<std::size_t> tls_view::read(std::span<const mutable_bytes> to) {
  std::size_t total = 0;
  for (const mutable_bytes& piece : to) {
    const auto got = of_->read(piece);
    // Bytes that have moved are reported first; the failure comes again.
    if (!got && total == 0) return got;
    total += got.value_or(0);
    if (got.value_or(0) < piece.size()) break;
  }
  return total;
}

tls_driver::tls_driver(const tls_setting& setting, std::unique_ptr<stream> carrier)
    : tls_pages{setting.store},
      carried_stream_driver(setting.ready, std::move(carrier), setting.input, setting.context,
                            core_options(setting.options), *store),
      options_(setting.options) {}

void tls_driver::handshake(completion<tls_signature> waiting) {
  if (is_dead()) return;
  handshake_.start(std::move(waiting), [weak = weak_from_this()] {
    const auto driver = std::static_pointer_cast<tls_driver>(weak.lock());
    if (!driver || !driver->handshake_) return;
    driver->core().reset();
    driver->reset_carrier(stream_cancelled);
    driver->end_handshake(make_error_code(errc::aborted));
  });
  if (const auto begun = core().begin(std::chrono::steady_clock::now()); !begun)
    return end_handshake(begun.error());
  start();
}

void tls_driver::on_turn(time_point) {
  tls_connection::event event;
  while (core().poll_event(event)) {
    switch (event) {
      case tls_connection::event::ready:
        if (handshake_) {
          auto self = std::static_pointer_cast<tls_driver>(shared_from_this());
          ready().complete(handshake_.take(), std::error_code(),
                           std::unique_ptr<tls_stream>(new tls_stream(std::move(self))));
        }
        break;
      case tls_connection::event::readable: operations().on_readable(view()); break;
      case tls_connection::event::writable: operations().on_writable(view()); break;
      case tls_connection::event::failed: on_failed(); break;
    }
  }
}

void tls_driver::on_failed() {
  const tls_failure& why = *core().failure();
  if (handshake_) {
    if (options_.on_failure) options_.on_failure(why);
    return end_handshake(why.code);
  }
  operations().on_gone(view(), why.code);
}

/// The alert still leaves, if there is one.
void tls_driver::end_handshake(std::error_code error) {
  ready().complete(handshake_.take(), error, std::unique_ptr<tls_stream>());
  let_go(options_.linger);
}

void tls_driver::on_shutdown() noexcept {
  operations().drop_handlers();
  const auto handshake = handshake_.take();
}

void start_tls(const tls_setting& setting, std::unique_ptr<stream> carrier,
               completion<tls_signature> waiting) {
  make_driver<tls_driver>(setting.ready.executor(), setting, std::move(carrier))
      ->handshake(std::move(waiting));
}

void start_tls(std::unique_ptr<stream> carrier, const tls_context& context,
               const tls_stream_options& options, completion<tls_signature> waiting) {
  const tls_setting setting(ready_list(carrier->get_executor()), context, options);
  start_tls(setting, std::move(carrier), std::move(waiting));
}

}  // namespace detail

tls_stream::tls_stream(std::shared_ptr<detail::tls_driver> driver) noexcept
    : driver_(std::move(driver)) {}
tls_stream::~tls_stream() { driver_->abandon(driver_->linger()); }

void tls_stream::reset(std::uint64_t code) noexcept { driver_->reset(code); }
stream_traits tls_stream::traits() const noexcept {
  return {.half_close = driver_->connection().half_close(),
          .reset_visible = true,
          .reset_code = false,
          .proves_end = true};
}
std::optional<connection_security> tls_stream::security() const {
  return driver_->connection().security();
}
address tls_stream::remote_address() const { return driver_->remote_address(); }
address tls_stream::local_address() const { return driver_->local_address(); }
const tls_failure* tls_stream::failure() const noexcept { return driver_->connection().failure(); }

asio::any_io_executor tls_stream::do_executor() noexcept { return driver_->executor(); }
void tls_stream::do_read_some(std::span<const asio::mutable_buffer> buffers,
                              completion<io_signature> waiting) {
  driver_->read_some(buffers, std::move(waiting));
}
void tls_stream::do_write_some(std::span<const asio::const_buffer> buffers,
                               completion<io_signature> waiting) {
  driver_->write_some(buffers, std::move(waiting));
}
result<std::size_t> tls_stream::do_try_read(std::span<const asio::mutable_buffer> buffers) {
  return driver_->try_read(buffers);
}
result<std::size_t> tls_stream::do_try_write(std::span<const asio::const_buffer> buffers) {
  return driver_->try_write(buffers);
}
void tls_stream::do_finish(completion<status_signature> waiting) {
  driver_->finish(std::move(waiting));
}
void tls_stream::do_wait_closed(completion<status_signature> waiting) {
  driver_->wait_closed(std::move(waiting));
}

}  // namespace v0
}  // namespace strata::transport
