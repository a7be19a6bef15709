// SPDX-License-Identifier: Apache-2.0
#include "driver/websocket_driver.hpp"

#include <utility>

#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/upgrading_dialer.hpp"
#include "strata/transport/driver/upgrading_listener.hpp"

namespace strata::transport {
inline namespace v0 {
namespace detail {

result<std::size_t> websocket_view::read(std::span<const mutable_bytes> to) {
  std::size_t total = 0;
  for (const mutable_bytes& piece : to) {
    const auto got = of_->connection()->read(piece);
    // Bytes that have moved are reported first; the failure comes again.
    if (!got && total == 0) return got;
    total += got.value_or(0);
    if (got.value_or(0) < piece.size()) break;
  }
  return total;
}

result<std::size_t> websocket_view::peek(std::span<bytes> pieces) {
  const auto first = of_->connection()->peek();
  if (!first) return std::unexpected(first.error());
  pieces.front() = *first;
  return 1;
}

std::optional<std::error_code> websocket_view::ahead() {
  if (of_->connection() == nullptr) return std::nullopt;
  const auto there = of_->connection()->peek();
  if (there) return std::error_code();
  if (there.error() == errc::would_block) return std::nullopt;
  return there.error();
}

websocket_driver::websocket_driver(const websocket_setting& setting,
                                   std::unique_ptr<stream> carrier)
    : carried_stream_driver(setting.ready, std::move(carrier), setting.pages, setting.role,
                            setting.options),
      linger_(setting.options.linger) {}

void websocket_driver::handshake(completion<websocket_signature> waiting) {
  if (is_dead()) return;
  handshake_.start(std::move(waiting), [weak = weak_from_this()] {
    const auto driver = std::static_pointer_cast<websocket_driver>(weak.lock());
    if (!driver || !driver->handshake_) return;
    driver->core().reset();
    driver->reset_carrier(stream_cancelled);
    driver->end_handshake(make_error_code(errc::aborted));
  });
  const time_point now = std::chrono::steady_clock::now();
  core().begin(now);
  on_turn(now);
  start();
}

void websocket_driver::on_turn(time_point) {
  websocket_core::event event;
  while (core().poll_event(event)) {
    switch (event) {
      case websocket_core::event::ready:
        if (handshake_) {
          auto self = std::static_pointer_cast<websocket_driver>(shared_from_this());
          ready().complete(
              handshake_.take(), std::error_code(),
              std::unique_ptr<websocket_stream>(new websocket_stream(std::move(self))));
        }
        break;
      case websocket_core::event::failed:
        if (handshake_) end_handshake(core().failure());
        break;
      case websocket_core::event::readable: operations().on_readable(view()); break;
      case websocket_core::event::writable: operations().on_writable(view()); break;
      case websocket_core::event::closed: on_closed(); break;
    }
  }
}

void websocket_driver::on_closed() {
  const std::error_code cause = core().connection()->closed()->cause;
  // After a Close in order the peer takes nothing more, either.
  operations().on_gone(view(), cause == errc::eof ? make_error_code(errc::write_stopped) : cause);
}

void websocket_driver::on_carrier_lost(std::error_code cause) {
  if (core().connection() != nullptr) carried_stream_driver::on_carrier_lost(cause);
}

/// A refusal still leaves.
void websocket_driver::end_handshake(std::error_code error) {
  ready().complete(handshake_.take(), error, std::unique_ptr<websocket_stream>());
  let_go(linger_);
}

void websocket_driver::on_shutdown() noexcept {
  operations().drop_handlers();
  const auto handshake = handshake_.take();
}

namespace {

void start_on(const websocket_setting& setting, std::unique_ptr<stream> carrier,
              completion<websocket_signature> waiting) {
  make_driver<websocket_driver>(setting.ready.executor(), setting, std::move(carrier))
      ->handshake(std::move(waiting));
}

struct as_stream {
  std::unique_ptr<stream> operator()(std::error_code, std::unique_ptr<websocket_stream> from) {
    return from;
  }
};

completion<websocket_signature> for_any_stream(
    const ready_list& ready, asio::any_completion_handler<stream_signature> made) {
  return make_completion<websocket_signature>(
      convert_completion<as_stream>(completion<stream_signature>{std::move(made)}),
      ready.executor());
}

}  // namespace

void start_websocket(std::unique_ptr<stream> carrier, websocket_role role,
                     const websocket_options& options, completion<websocket_signature> waiting) {
  const websocket_setting setting{ready_list(carrier->get_executor()),
                                  page_pool(options.read_size, 2), role, options};
  start_on(setting, std::move(carrier), std::move(waiting));
}

}  // namespace detail

websocket_stream::websocket_stream(std::shared_ptr<detail::websocket_driver> driver) noexcept
    : driver_(std::move(driver)) {}
websocket_stream::~websocket_stream() { driver_->abandon(driver_->linger()); }

void websocket_stream::reset(std::uint64_t code) noexcept { driver_->reset(code); }
stream_traits websocket_stream::traits() const noexcept {
  return {.half_close = false, .reset_visible = true, .reset_code = false, .proves_end = true};
}
std::optional<connection_security> websocket_stream::security() const {
  return driver_->carrier_security();
}
address websocket_stream::remote_address() const { return driver_->remote_address(); }
address websocket_stream::local_address() const { return driver_->local_address(); }
std::string_view websocket_stream::subprotocol() const noexcept {
  return driver_->connection().subprotocol();
}
const websocket_close* websocket_stream::closed() const noexcept {
  const auto* connection = driver_->connection().connection();
  return connection != nullptr ? connection->closed() : nullptr;
}

asio::any_io_executor websocket_stream::do_executor() noexcept { return driver_->executor(); }
void websocket_stream::do_read_some(std::span<const asio::mutable_buffer> buffers,
                                    completion<io_signature> waiting) {
  driver_->read_some(buffers, std::move(waiting));
}
void websocket_stream::do_write_some(std::span<const asio::const_buffer> buffers,
                                     completion<io_signature> waiting) {
  driver_->write_some(buffers, std::move(waiting));
}
result<std::size_t> websocket_stream::do_try_read(std::span<const asio::mutable_buffer> buffers) {
  return driver_->try_read(buffers);
}
result<std::size_t> websocket_stream::do_try_write(std::span<const asio::const_buffer> buffers) {
  return driver_->try_write(buffers);
}
result<std::size_t> websocket_stream::do_try_peek(std::span<bytes> pieces) {
  return driver_->try_peek(pieces);
}
void websocket_stream::do_consume(std::size_t size) { driver_->consume(size); }
void websocket_stream::do_finish(completion<status_signature> waiting) {
  driver_->finish(std::move(waiting));
}
void websocket_stream::do_wait_closed(completion<status_signature> waiting) {
  driver_->wait_closed(std::move(waiting));
}

class websocket_dialer::state {
 public:
  std::shared_ptr<upgrading_dialer<stream>> driver;
};

websocket_dialer::websocket_dialer(std::shared_ptr<stream_dialer> carriers,
                                   websocket_options options)
    : state_(std::make_unique<state>()) {
  const ready_list ready(carriers->get_executor());
  const page_pool pages(options.read_size, 4);
  state_->driver = make_driver<upgrading_dialer<stream>>(
      ready.executor(), ready, std::move(carriers),
      [setting =
           detail::websocket_setting{ready, pages, websocket_role::client, std::move(options)}](
          const target& where, std::unique_ptr<stream> carrier,
          asio::any_completion_handler<stream_signature> made) {
        detail::websocket_setting chosen = setting;
        auto& authority = chosen.options.request.authority;
        if (authority.empty()) authority = where.string();
        detail::start_on(chosen, std::move(carrier),
                         detail::for_any_stream(setting.ready, std::move(made)));
      });
}

websocket_dialer::~websocket_dialer() { state_->driver->abort_all(); }
asio::any_io_executor websocket_dialer::do_executor() noexcept {
  return state_->driver->executor();
}
void websocket_dialer::do_dial(const target& where, completion<stream_signature> waiting) {
  state_->driver->dial(where, std::move(waiting));
}

class websocket_listener::state {
 public:
  std::shared_ptr<upgrading_listener<stream>> driver;
};

websocket_listener::websocket_listener(std::unique_ptr<stream_listener> carriers,
                                       websocket_options options)
    : state_(std::make_unique<state>()) {
  const ready_list ready(carriers->get_executor());
  const page_pool pages(options.read_size, 4);
  state_->driver = make_driver<upgrading_listener<stream>>(
      ready.executor(), ready, std::move(carriers),
      [setting =
           detail::websocket_setting{ready, pages, websocket_role::server, std::move(options)}](
          std::unique_ptr<stream> carrier, asio::any_completion_handler<stream_signature> made) {
        detail::start_on(setting, std::move(carrier),
                         detail::for_any_stream(setting.ready, std::move(made)));
      },
      upgrade_limits());
}

websocket_listener::~websocket_listener() { state_->driver->close(); }
void websocket_listener::close() noexcept { state_->driver->close(); }
address websocket_listener::local_address() const noexcept {
  return state_->driver->local_address();
}
asio::any_io_executor websocket_listener::do_executor() noexcept {
  return state_->driver->executor();
}
void websocket_listener::do_accept(completion<stream_signature> waiting) {
  state_->driver->accept(std::move(waiting));
}

}  // namespace v0
}  // namespace strata::transport
