// SPDX-License-Identifier: Apache-2.0
#include "driver/anytls_session_driver.hpp"

#include <utility>

namespace strata::mux {
inline namespace v0 {
namespace detail {

using core::anytls_event_kind;
using transport::errc;

void anytls_session_driver::abort_by_signal::operator()(place which) const {
  const auto driver = std::static_pointer_cast<anytls_session_driver>(weak.lock());
  operations* const found = driver ? driver->find(id) : nullptr;
  if (found != nullptr) found->abort(driver->view(id), which);
}

anytls_session_driver::anytls_session_driver(const anytls_setting& setting,
                                             const core::anytls_config& config,
                                             std::unique_ptr<transport::stream> carrier)
    : carrier_driver(setting.ready, std::move(carrier), setting.pages, session_),
      session_(config, random_),
      linger_(setting.options.linger) {}

anytls_session_driver::operations* anytls_session_driver::find(std::uint32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &found->second;
}

std::error_code anytls_session_driver::cause() {
  const auto* reason = session_.core.control().closed();
  return reason != nullptr ? reason->cause : make_error_code(errc::closed);
}

// The turn.

void anytls_session_driver::on_turn(transport::time_point now) {
  core::anytls_event event;
  while (session_.core.poll_event(event)) dispatch(event);
  end_of_turn(now);
}

void anytls_session_driver::dispatch(const core::anytls_event& event) {
  if (event.kind == anytls_event_kind::closed) on_closed();
  operations* const found = event.stream == 0 ? nullptr : find(event.stream);
  found != nullptr ? dispatch_to_stream(*found, event) : on_event(event);
}

void anytls_session_driver::dispatch_to_stream(operations& of, const core::anytls_event& event) {
  const anytls_view at = view(event.stream);
  switch (event.kind) {
    case anytls_event_kind::readable: return of.on_readable(at);
    case anytls_event_kind::writable: return of.on_writable(at);
    case anytls_event_kind::write_stopped: return of.on_write_ended(at, errc::write_stopped);
    case anytls_event_kind::failed: return of.on_gone(at, at.failure());
    default: return;
  }
}

void anytls_session_driver::on_closed() {
  const std::error_code why = cause();
  for (auto& [id, one] : streams_) one.on_gone(view(id), why);
  let_go(linger_);
}

void anytls_session_driver::on_shutdown() noexcept {
  for (auto& [id, one] : streams_) one.drop_handlers();
}

void anytls_session_driver::retire() {
  if (is_dead()) return;
  session_.core.control().drain();
  on_turn(clock_now());
  schedule_flush();
}

// Streams.

std::unique_ptr<transport::stream> anytls_session_driver::make_handle(std::uint32_t id) {
  return std::make_unique<mux_stream<anytls_session_driver>>(
      std::static_pointer_cast<anytls_session_driver>(shared_from_this()), id);
}

/// Its readiness was told before anybody listened, so it is looked at.
void anytls_session_driver::own_stream(std::uint32_t id) {
  streams_.try_emplace(id, ready()).first->second.on_readable(view(id));
}

std::unique_ptr<transport::stream> anytls_session_driver::make_stream(std::uint32_t id) {
  own_stream(id);
  return make_handle(id);
}

void anytls_session_driver::note_write_stopped(std::uint32_t id) {
  find(id)->on_write_ended(view(id), errc::write_stopped);
}

void anytls_session_driver::read_some(std::uint32_t id,
                                      std::span<const asio::mutable_buffer> buffers,
                                      completion<io_signature> waiting) {
  if (is_dead()) return;
  find(id)->read_some(view(id), buffers, std::move(waiting), canceller(id));
  on_turn(clock_now());  // it may have been the last of the stream
  schedule_flush();
}

void anytls_session_driver::write_some(std::uint32_t id,
                                       std::span<const asio::const_buffer> buffers,
                                       completion<io_signature> waiting) {
  if (is_dead()) return;
  find(id)->write_some(view(id), buffers, std::move(waiting), canceller(id));
  schedule_flush();
}

transport::result<std::size_t> anytls_session_driver::try_read(
    std::uint32_t id, std::span<const asio::mutable_buffer> buffers) {
  if (is_dead()) return std::unexpected(make_error_code(errc::aborted));
  const auto size = find(id)->try_read(view(id), buffers);
  on_turn(clock_now());  // it may have been the last of the stream
  schedule_flush();
  return size;
}

transport::result<std::size_t> anytls_session_driver::try_write(
    std::uint32_t id, std::span<const asio::const_buffer> buffers) {
  if (is_dead()) return std::unexpected(make_error_code(errc::aborted));
  schedule_flush();
  return find(id)->try_write(view(id), buffers);
}

transport::result<std::size_t> anytls_session_driver::try_peek(std::uint32_t id,
                                                               std::span<transport::bytes> pieces) {
  if (is_dead()) return std::unexpected(make_error_code(errc::aborted));
  return find(id)->try_peek(view(id), pieces);
}

void anytls_session_driver::consume(std::uint32_t id, std::size_t size) {
  if (is_dead()) return;
  find(id)->consume(view(id), size);
  on_turn(clock_now());  // it may have been the last of the stream
  schedule_flush();
}

void anytls_session_driver::finish(std::uint32_t id, completion<status_signature> waiting) {
  if (is_dead()) return;
  find(id)->finish(view(id), std::move(waiting));
  schedule_flush();
}

void anytls_session_driver::wait_stream_closed(std::uint32_t id,
                                               completion<status_signature> waiting) {
  if (is_dead()) return;
  find(id)->wait_closed(std::move(waiting), canceller(id));
}

void anytls_session_driver::reset(std::uint32_t id, std::uint64_t code) noexcept {
  if (is_dead()) return;
  find(id)->reset(view(id), code);
  on_turn(clock_now());
  schedule_flush();
}

void anytls_session_driver::abandon_stream(std::uint32_t id) noexcept {
  if (is_dead()) return;
  find(id)->abandon(view(id));
  streams_.erase(id);
  on_turn(clock_now());
  schedule_flush();
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::mux
