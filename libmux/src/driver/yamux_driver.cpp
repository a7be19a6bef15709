// SPDX-License-Identifier: Apache-2.0
#include "driver/yamux_driver.hpp"

#include <algorithm>
#include <utility>

#include "driver/clock_now.hpp"

namespace strata::mux {
inline namespace v0 {
namespace detail {

using core::event_kind;
using transport::errc;

namespace {

go_away_code go_away_code_of(std::uint64_t code) noexcept {
  return code <= 2 ? static_cast<go_away_code>(code) : go_away_code::normal;
}

transport::close_reason::origin_kind origin_of(const close_reason& reason) noexcept {
  using from = close_reason::origin_kind;
  using to = transport::close_reason::origin_kind;
  // It said Go Away, and then ended the carrier.
  if (reason.origin == from::carrier && reason.cause == errc::closed_by_peer)
    return to::peer_application;
  switch (reason.origin) {
    case from::local_application: return to::local_application;
    case from::local_session: return to::local_protocol;
    case from::peer: return to::peer_application;
    case from::carrier: return to::carrier;
    case from::timed_out: return to::timed_out;
  }
  return to::carrier;
}

}  // namespace

void yamux_driver::abort_by_signal::operator()(place which) const {
  const auto driver = std::static_pointer_cast<yamux_driver>(weak.lock());
  operations* const found = driver ? driver->find(id) : nullptr;
  if (found != nullptr) found->abort(driver->view(id), which);
}

yamux_driver::yamux_driver(const transport::ready_list& ready,
                           std::unique_ptr<transport::stream> carrier, transport::page_pool pages,
                           const yamux_options& options)
    : carrier_driver(ready, std::move(carrier), std::move(pages), session_),
      session_(options.session, random_),
      linger_(options.linger) {}

yamux_driver::operations* yamux_driver::find(std::uint32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &found->second;
}

std::error_code yamux_driver::cause() const {
  const auto* reason = const_cast<yamux_driver*>(this)->session_.core.control().closed();
  return reason != nullptr ? reason->cause : make_error_code(errc::closed);
}

std::optional<transport::close_reason> yamux_driver::closed() const {
  const auto* reason = const_cast<yamux_driver*>(this)->session_.core.control().closed();
  if (reason == nullptr) return std::nullopt;
  return transport::close_reason{.origin = origin_of(*reason),
                                 .code = reason->code,
                                 .frame_type = 0,
                                 .cause = reason->cause,
                                 .reason = {}};
}

// The turn.

void yamux_driver::on_turn(transport::time_point) {
  core::event event;
  while (session_.core.poll_event(event)) dispatch(event);
}

void yamux_driver::dispatch(const core::event& event) {
  switch (event.kind) {
    case event_kind::stream_opened: return serve_accepting();
    case event_kind::streams_available: return serve_opening();
    case event_kind::closed: return on_closed();
    case event_kind::acknowledged:
    case event_kind::pong:
    case event_kind::go_away: return;
    default: return dispatch_to_stream(event);
  }
}

void yamux_driver::dispatch_to_stream(const core::event& event) {
  operations* const found = find(event.stream);
  if (found == nullptr) return;
  const yamux_view at = view(event.stream);
  switch (event.kind) {
    case event_kind::readable: return found->on_readable(at);
    case event_kind::writable: return found->on_writable(at);
    case event_kind::written: return found->on_written(at);
    // The core's own read and write say what ended them: a reset, or an open that timed out.
    case event_kind::read_reset: return found->on_readable(at);
    case event_kind::write_stopped: return found->on_write_ended(at, errc::stream_reset);
    default: return;
  }
}

void yamux_driver::on_closed() {
  const std::error_code why = cause();
  for (auto& [id, one] : streams_) one.on_gone(view(id), why);
  for (open_wait& one : opening_)
    ready().complete(one.waiting.take(), why, std::unique_ptr<transport::stream>());
  opening_.clear();
  serve_accepting();
  if (accepting_) ready().complete(accepting_.take(), why, std::unique_ptr<transport::stream>());
  if (waiting_closed_)
    ready().complete(waiting_closed_.take(), std::error_code(),
                     std::make_unique<transport::close_reason>(*closed()));
  const bool by_us = closed()->origin == transport::close_reason::origin_kind::local_application;
  if (!by_us) end_shutdown(why);
  if (shutting_down_) shutting_down_->is_closed = true;  // What is said last has yet to leave.
  let_go(linger_);
}

void yamux_driver::on_carrier_lost(std::error_code) {
  if (shutting_down_ && shutting_down_->is_closed) end_shutdown({});
}

void yamux_driver::on_output_ended() { end_shutdown({}); }

void yamux_driver::on_shutdown() noexcept {
  for (auto& [id, one] : streams_) one.drop_handlers();
  const auto opening = std::move(opening_);
  const auto accepting = accepting_.take();
  const auto closed = waiting_closed_.take();
  const auto shutting_down = std::move(shutting_down_);
  shutting_down_.reset();
}

// The connection.

std::unique_ptr<transport::stream> yamux_driver::make_stream(std::uint32_t id) {
  streams_.try_emplace(id, ready());
  return std::make_unique<mux_stream<yamux_driver>>(self(), id);
}

void yamux_driver::open_stream(completion<stream_signature> waiting) {
  if (is_dead()) return;
  auto& one = opening_.emplace_back();
  one.number = next_open_++;
  one.waiting.start(std::move(waiting), [weak = weak_from_this(), number = one.number] {
    if (const auto driver = std::static_pointer_cast<yamux_driver>(weak.lock()))
      driver->abort_open(number);
  });
  serve_opening();
  schedule_flush();
}

void yamux_driver::serve_opening() {
  while (!opening_.empty()) {
    const auto opened = session_.core.open();
    if (!opened && opened.error() == errc::limit_exceeded) return;
    ready().complete(opening_.front().waiting.take(), opened ? std::error_code() : opened.error(),
                     opened ? make_stream(*opened) : nullptr);
    opening_.pop_front();
  }
}

void yamux_driver::abort_open(std::uint64_t number) {
  const auto found = std::ranges::find(opening_, number, &open_wait::number);
  if (found == opening_.end()) return;
  ready().complete(found->waiting.take(), make_error_code(errc::aborted),
                   std::unique_ptr<transport::stream>());
  opening_.erase(found);
}

void yamux_driver::accept_stream(completion<stream_signature> waiting) {
  if (is_dead()) return;
  accepting_.start(std::move(waiting), [weak = weak_from_this()] {
    const auto driver = std::static_pointer_cast<yamux_driver>(weak.lock());
    if (driver && driver->accepting_)
      driver->ready().complete(driver->accepting_.take(), make_error_code(errc::aborted),
                               std::unique_ptr<transport::stream>());
  });
  serve_accepting();
  if (accepting_ && session_.core.control().closed() != nullptr)
    ready().complete(accepting_.take(), cause(), std::unique_ptr<transport::stream>());
  schedule_flush();
}

void yamux_driver::serve_accepting() {
  if (!accepting_) return;
  if (const auto id = session_.core.accept()) {
    auto made = make_stream(*id);
    if (session_.core.control().closed() != nullptr) find(*id)->on_gone(view(*id), cause());
    ready().complete(accepting_.take(), std::error_code(), std::move(made));
  }
}

void yamux_driver::wait_closed(completion<transport::closed_signature> waiting) {
  if (is_dead()) return;
  if (auto reason = closed()) {
    return ready().complete(std::move(waiting), std::error_code(),
                            std::make_unique<transport::close_reason>(std::move(*reason)));
  }
  waiting_closed_.start(std::move(waiting), [weak = weak_from_this()] {
    const auto driver = std::static_pointer_cast<yamux_driver>(weak.lock());
    if (driver && driver->waiting_closed_)
      driver->ready().complete(driver->waiting_closed_.take(), make_error_code(errc::aborted),
                               std::make_unique<transport::close_reason>());
  });
}

void yamux_driver::shut_down(transport::duration deadline, std::uint64_t code,
                             completion<status_signature> waiting) {
  if (is_dead()) return;
  if (closed()) return ready().complete(std::move(waiting), std::error_code());
  assert(!shutting_down_ && "one shutdown at a time");
  auto& shutdown = shutting_down_.emplace();
  shutdown.code = go_away_code_of(code);
  shutdown.waiting.start(std::move(waiting), [weak = weak_from_this()] {
    if (const auto driver = std::static_pointer_cast<yamux_driver>(weak.lock()))
      driver->end_shutdown(make_error_code(errc::aborted));
  });
  shutdown.timer = std::make_unique<asio::steady_timer>(executor(), deadline);
  shutdown.timer->async_wait([weak = weak_from_this()](std::error_code error) {
    const auto driver = std::static_pointer_cast<yamux_driver>(weak.lock());
    if (error || !driver || driver->is_dead() || !driver->shutting_down_) return;
    const auto say = driver->shutting_down_->code;
    driver->end_shutdown(make_error_code(errc::timed_out));
    driver->session_.core.control().close(clock_now(), say);
    driver->on_turn(clock_now());
    driver->schedule_flush();
  });
  session_.core.control().go_away();
  on_turn(clock_now());
  schedule_flush();
}

void yamux_driver::end_shutdown(std::error_code error) {
  if (!shutting_down_) return;
  ready().complete_behind(shutting_down_->waiting.take(), error);
  shutting_down_.reset();
}

void yamux_driver::close(std::uint64_t code) {
  if (is_dead()) return;
  session_.core.control().close(clock_now(), go_away_code_of(code));
  on_turn(clock_now());
  schedule_flush();
}

void yamux_driver::abandon() {
  if (is_dead()) return;
  connection_held_ = false;
  const std::error_code aborted = make_error_code(errc::aborted);
  for (open_wait& one : opening_)
    ready().complete(one.waiting.take(), aborted, std::unique_ptr<transport::stream>());
  opening_.clear();
  if (accepting_)
    ready().complete(accepting_.take(), aborted, std::unique_ptr<transport::stream>());
  if (waiting_closed_)
    ready().complete(waiting_closed_.take(), aborted, std::make_unique<transport::close_reason>());
  end_shutdown(aborted);
  end_if_unheld();
}

void yamux_driver::end_if_unheld() {
  if (connection_held_ || !streams_.empty()) return;
  if (!closed()) {
    session_.core.control().close(clock_now(), go_away_code::normal);
    on_turn(clock_now());
  }
  let_go(linger_);
}

// Streams.

void yamux_driver::read_some(std::uint32_t id, std::span<const asio::mutable_buffer> buffers,
                             completion<io_signature> waiting) {
  if (is_dead()) return;
  find(id)->read_some(view(id), buffers, std::move(waiting), canceller(id));
  schedule_flush();
}

void yamux_driver::write_some(std::uint32_t id, std::span<const asio::const_buffer> buffers,
                              completion<io_signature> waiting) {
  if (is_dead()) return;
  find(id)->write_some(view(id), buffers, std::move(waiting), canceller(id));
  schedule_flush();
}

transport::result<std::size_t> yamux_driver::try_read(
    std::uint32_t id, std::span<const asio::mutable_buffer> buffers) {
  if (is_dead()) return std::unexpected(make_error_code(errc::aborted));
  schedule_flush();
  return find(id)->try_read(view(id), buffers);
}

transport::result<std::size_t> yamux_driver::try_write(
    std::uint32_t id, std::span<const asio::const_buffer> buffers) {
  if (is_dead()) return std::unexpected(make_error_code(errc::aborted));
  schedule_flush();
  return find(id)->try_write(view(id), buffers);
}

transport::result<std::size_t> yamux_driver::try_peek(std::uint32_t id,
                                                      std::span<transport::bytes> pieces) {
  if (is_dead()) return std::unexpected(make_error_code(errc::aborted));
  return find(id)->try_peek(view(id), pieces);
}

void yamux_driver::consume(std::uint32_t id, std::size_t size) {
  if (is_dead()) return;
  find(id)->consume(view(id), size);
  schedule_flush();
}

void yamux_driver::finish(std::uint32_t id, completion<status_signature> waiting) {
  if (is_dead()) return;
  find(id)->finish(view(id), std::move(waiting));
  schedule_flush();
}

void yamux_driver::wait_stream_closed(std::uint32_t id, completion<status_signature> waiting) {
  if (is_dead()) return;
  find(id)->wait_closed(std::move(waiting), canceller(id));
}

void yamux_driver::reset(std::uint32_t id, std::uint64_t code) noexcept {
  if (is_dead()) return;
  find(id)->reset(view(id), code);
  schedule_flush();
}

void yamux_driver::abandon_stream(std::uint32_t id) noexcept {
  if (is_dead()) return;
  find(id)->abandon(view(id));
  streams_.erase(id);
  on_turn(clock_now());
  end_if_unheld();
  schedule_flush();
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::mux
