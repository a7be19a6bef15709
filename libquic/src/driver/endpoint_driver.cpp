// SPDX-License-Identifier: Apache-2.0
#include "driver/endpoint_driver.hpp"

#include <algorithm>
#include <asio/bind_allocator.hpp>
#include <asio/post.hpp>

#include "strata/quic/core/limits.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace detail {

using transport::errc;
using transport::time_point;

namespace {

core::endpoint_config core_config(const endpoint_options& options) {
  core::endpoint_config config = options.config;
  config.accept_incoming = options.server_tls.has_value();
  return config;
}

}  // namespace

endpoint_driver::endpoint_driver(const transport::ready_list& ready, endpoint_options options)
    : ready_(ready),
      options_(std::move(options)),
      tls_(core::make_openssl_tls(options_.client_tls, options_.server_tls)),
      core_(core_config(options_), random_, wall_clock_, *tls_),
      timer_(std::in_place, ready.executor()),
      out_(core::limits::max_batch_bytes),
      accepts_(options_.server_tls.has_value()) {
  core_.observe(options_.watcher.get());
}

endpoint_driver::~endpoint_driver() = default;

transport::result<void> endpoint_driver::open() {
  const transport::udp_options options{.receive_buffer = options_.socket_buffer,
                                       .send_buffer = options_.socket_buffer};
  auto socket = transport::udp_socket::open(ready_.executor(), options_.bind, options);
  if (!socket) return std::unexpected(socket.error());
  socket_.emplace(std::move(*socket));
  receive();
  return {};
}

transport::address endpoint_driver::local_address() const {
  return socket_ ? socket_->local_address() : transport::address();
}

/// The context goes: handlers die uninvoked, then everything that needs it.
void endpoint_driver::shutdown() noexcept {
  dead_ = true;
  const auto accepting = accepting_.take();
  auto entries = std::move(entries_);
  entries_.clear();
  for (auto& [key, entry] : entries) {
    if (entry->attached)
      entry->attached->on_detached({.origin = close_reason::origin_kind::local_application});
  }
  socket_.reset();
  timer_.reset();
}

// The turn.

void endpoint_driver::receive() {
  const transport::handler_allocator<void> allocator(receive_memory_);
  socket_->async_receive(
      received_,
      asio::bind_allocator(allocator, [driver = self()](std::error_code error, std::size_t count) {
        driver->on_received(error, count);
      }));
}

void endpoint_driver::on_received(std::error_code error, std::size_t count) {
  if (dead_ || error) return;
  const time_point now = clock_now();
  for (std::size_t i = 0; i < count; ++i) core_.receive(now, received_[i]);
  try {
    end_turn(now);
  } catch (...) {
    // The application's admit() threw: that is for whoever runs the context, and the endpoint goes
    // on.
    end_receive_turn();
    throw;
  }
  end_receive_turn();
}

void endpoint_driver::end_receive_turn() {
  core_.release_input();
  schedule_flush();
  if (socket_ && socket_->is_open()) receive();
}

void endpoint_driver::end_turn(time_point now) {
  // Streams that were let go tell nothing of their last acknowledgement: whoever waits for it
  // looks.
  if (shutdowns_ != 0) {
    for (auto& [key, entry] : entries_) serve_shutdown(now, *entry);
  }
  dispatch(now);
  // A session that answers may bring forth events, which are its own again: until there are none.
  while (!with_sessions_.empty()) {
    turned_.swap(with_sessions_);
    for (connection_entry* entry : turned_) {
      if (entry != nullptr && entry->attached)
        entry->attached->on_turn(now, core_.at(entry->handle));
    }
    turned_.clear();
    dispatch(now);
  }
}

void endpoint_driver::schedule_flush() {
  if (dead_ || flush_posted_) return;
  flush_posted_ = true;
  asio::post(ready_.executor(), [driver = self()] { driver->flush(); });
}

bool endpoint_driver::send_batch(const transport::transmit& what, std::size_t from) {
  transport::transmit rest = what;
  rest.size = static_cast<std::uint32_t>(what.size - from);
  const auto sent = socket_->send(rest, core::bytes(out_).subspan(from, rest.size));
  if (sent && *sent == rest.size) return true;
  if (!sent && sent.error() != errc::would_block) {
    core_.transmit_failed(what, sent.error());
    return true;
  }
  unsent_ = what;
  unsent_from_ = from + (sent ? *sent : 0);
  wait_writable();
  return false;
}

bool endpoint_driver::send_unsent() {
  if (!unsent_) return true;
  const transport::transmit what = *unsent_;
  unsent_.reset();
  return send_batch(what, unsent_from_);
}

void endpoint_driver::wait_writable() {
  if (waiting_writable_) return;
  waiting_writable_ = true;
  socket_->async_wait_writable([driver = self()](std::error_code error) {
    driver->waiting_writable_ = false;
    if (!error && !driver->dead_) driver->flush();
  });
}

void endpoint_driver::flush() {
  flush_posted_ = false;
  if (dead_ || !socket_ || !socket_->is_open() || waiting_writable_) return;
  const time_point now = clock_now();
  bool more = send_unsent();
  unsigned batches = 0;
  while (more) {
    if (batches++ == batches_per_flush) {
      schedule_flush();
      break;
    }
    const auto batch = core_.poll_transmit(now, out_, core::limits::max_batch_segments);
    if (!batch) break;
    more = send_batch(*batch, 0);
  }
  end_turn(now);
  arm_timer();
  end_if_idle();
}

void endpoint_driver::arm_timer() {
  const auto next = core_.next_timeout();
  if (!next || (timer_armed_at_ && *timer_armed_at_ <= *next)) return;
  // Only ever moved forward: one that fires early looks again, which costs less than a system call
  // per packet.
  timer_armed_at_ = *next;
  timer_->expires_at(*next);
  timer_->async_wait([weak = weak_from_this()](std::error_code error) {
    const auto driver = std::static_pointer_cast<endpoint_driver>(weak.lock());
    if (driver && !error) driver->on_timer();
  });
}

void endpoint_driver::on_timer() {
  if (dead_) return;
  timer_armed_at_.reset();
  const time_point now = clock_now();
  const auto next = core_.next_timeout();
  if (next && *next > now) return arm_timer();
  core_.handle_timeout(now);
  end_turn(now);
  flush();
}

// Events.

void endpoint_driver::dispatch(time_point now) {
  core::event event;
  while (core_.poll_event(event)) {
    if (event.kind == core::event_kind::incoming) {
      decide_incoming(now, event.value);
    } else if (connection_entry* entry = find(event.connection)) {
      dispatch_to_connection(now, *entry, event);
    } else if (event.kind == core::event_kind::closed) {
      if (auto view = core_.at(event.connection)) view.release();
    }
  }
}

void endpoint_driver::decide_incoming(time_point now, std::uint64_t number) {
  const core::incoming_attempt* attempt = core_.incoming(number);
  if (attempt == nullptr) return;
  core::decision what = core::decision::refuse;
  if (accepts_ && backlog_.size() < options_.accept_backlog) {
    const core::endpoint_statistics now_open = core_.statistics();
    try {
      what = options_.admit ? options_.admit(*attempt, now_open)
                            : core::default_admission(*attempt, now_open);
    } catch (...) {
      core_.decide(now, number, core::decision::refuse);
      throw;
    }
  }
  const auto accepted = core_.decide(now, number, what);
  if (accepted && what == core::decision::accept) add(*accepted, true);
}

void endpoint_driver::dispatch_to_connection(time_point now, connection_entry& entry,
                                             const core::event& event) {
  using core::event_kind;
  const core::connection_view view = core_.at(entry.handle);
  if (event.kind == event_kind::confirmed) entry.confirmed = true;
  if (event.kind == event_kind::closed) entry.closed = *view.closed();
  if (entry.attached) {
    entry.attached->on_event(now, view, event);
    if (std::ranges::find(with_sessions_, &entry) == with_sessions_.end())
      with_sessions_.push_back(&entry);
  }
  switch (event.kind) {
    case event_kind::ready: return on_ready(entry);
    case event_kind::closed: return on_closed(entry);
    case event_kind::confirmed:
      if (entry.waiting_confirmed)
        ready_.complete(entry.waiting_confirmed.take(), std::error_code());
      return;
    case event_kind::streams_available: return serve_opening(entry, event.value == 1);
    case event_kind::stream_opened: return serve_accepting(entry, event.value == 1);
    case event_kind::finished: return serve_shutdown(now, entry);
    case event_kind::abandoned:
      // The end of the connection is about to be told, and then its cause.
      if (view.closed() != nullptr) return;
      break;
    default: break;
  }
  if (const auto found = entry.streams.find(event.stream); found != entry.streams.end()) {
    found->second.on_event(view.stream(event.stream), event);
  }
}

void endpoint_driver::on_ready(connection_entry& entry) {
  entry.ready = true;
  if (!entry.is_server) {
    if (entry.connecting)
      ready_.complete(entry.connecting.take(), std::error_code(), make_connection(entry));
  } else if (accepting_) {
    ready_.complete(accepting_.take(), std::error_code(), make_connection(entry));
  } else {
    backlog_.push_back(entry.handle);
  }
}

void endpoint_driver::on_closed(connection_entry& entry) {
  const std::error_code cause = entry.closed->code_for_operations();
  if (entry.connecting) ready_.complete(entry.connecting.take(), cause, make_connection(entry));
  const core::connection_view view = core_.at(entry.handle);
  for (auto& [id, stream] : entry.streams) stream.on_connection_closed(view.stream(id), cause);
  end_waits_on_close(entry, cause);
  if (entry.attached) {
    entry.attached->on_detached(*entry.closed);
    std::erase(with_sessions_, &entry);
    entry.attached.reset();
    --entry.holders;
  }
  forget_if_unheld(entry);
}

void endpoint_driver::fail_waits(connection_entry& entry, std::error_code cause) {
  for (const bool bidirectional : {false, true}) {
    for (auto& one : entry.opening[bidirectional])
      ready_.complete(one.waiting.take(), cause, std::unique_ptr<stream>());
    entry.opening[bidirectional].clear();
    auto& accepting = entry.accepting[bidirectional];
    if (accepting) ready_.complete(accepting.take(), cause, std::unique_ptr<stream>());
  }
  if (entry.waiting_confirmed) ready_.complete(entry.waiting_confirmed.take(), cause);
}

void endpoint_driver::end_waits_on_close(connection_entry& entry, std::error_code cause) {
  fail_waits(entry, cause);
  if (entry.waiting_closed) {
    ready_.complete(entry.waiting_closed.take(), std::error_code(),
                    std::make_unique<close_reason>(*entry.closed));
  }
  if (entry.shutting_down) {
    const bool by_us = entry.closed->origin == close_reason::origin_kind::local_application;
    ready_.complete(entry.shutting_down->waiting.take(), by_us ? std::error_code() : cause);
    entry.shutting_down.reset();
    --shutdowns_;
  }
}

// Who holds what.

connection_entry& endpoint_driver::add(core::connection_handle id, bool is_server) {
  const std::uint64_t key = std::uint64_t{id.slot} << 32 | id.generation;
  auto& entry = entries_[key];
  entry = std::make_unique<connection_entry>(id);
  entry->is_server = is_server;
  return *entry;
}

connection_entry* endpoint_driver::find(core::connection_handle id) noexcept {
  const auto found = entries_.find(std::uint64_t{id.slot} << 32 | id.generation);
  return found == entries_.end() ? nullptr : found->second.get();
}

const connection_entry* endpoint_driver::entry_of(core::connection_handle id) const noexcept {
  const auto found = entries_.find(std::uint64_t{id.slot} << 32 | id.generation);
  return found == entries_.end() ? nullptr : found->second.get();
}

void endpoint_driver::hold(core::connection_handle id) noexcept {
  if (connection_entry* entry = find(id)) ++entry->holders;
}

void endpoint_driver::release(core::connection_handle id) noexcept {
  connection_entry* entry = find(id);
  if (dead_ || entry == nullptr) return;
  --entry->holders;
  forget_if_unheld(*entry);
}

void endpoint_driver::abandon_connection(core::connection_handle id) noexcept {
  connection_entry* entry = find(id);
  if (dead_ || entry == nullptr) return;
  const std::error_code aborted = errc::aborted;
  fail_waits(*entry, aborted);
  if (entry->waiting_closed)
    ready_.complete(entry->waiting_closed.take(), aborted, std::make_unique<close_reason>());
  abort_shutdown(*entry);
  release(id);
}

void endpoint_driver::forget_if_unheld(connection_entry& entry) noexcept {
  // One that has ended meanwhile still waits: its peer may have had everything acknowledged before.
  const bool waits_for_accept =
      accepts_ && entry.is_server &&
      (entry.ready ? std::ranges::find(backlog_, entry.handle) != backlog_.end() : !entry.closed);
  const bool dialling = static_cast<bool>(entry.connecting);
  if (entry.holders != 0 || waits_for_accept || dialling) return;
  core::connection_view view = core_.at(entry.handle);
  if (view) {
    if (!entry.closed) view.close(clock_now(), 0, {});
    view.release();
  }
  const auto removed =
      std::move(entries_[std::uint64_t{entry.handle.slot} << 32 | entry.handle.generation]);
  std::erase(with_sessions_, removed.get());
  std::ranges::replace(turned_, removed.get(), nullptr);
  entries_.erase(std::uint64_t{removed->handle.slot} << 32 | removed->handle.generation);
  schedule_flush();
}

void endpoint_driver::release_endpoint() noexcept {
  if (dead_) return;
  endpoint_held_ = false;
  if (accepting_) ready_.complete(accepting_.take(), make_error_code(errc::aborted), connection());
  stop_accepting();
  abort_dials();
  schedule_flush();
}

/// Without handles nothing can come of the socket any more: the receive loop ends, and with it the
/// driver.
void endpoint_driver::end_if_idle() noexcept {
  if (endpoint_held_ || !entries_.empty() || unsent_ || flush_posted_) return;
  if (socket_) socket_->close();
  if (timer_) timer_->cancel();
}

connection endpoint_driver::make_connection(connection_entry& entry) {
  ++entry.holders;
  return connection(self(), entry.handle);
}

std::unique_ptr<stream> endpoint_driver::make_stream(connection_entry& entry, std::uint64_t id) {
  const core::connection_view view = core_.at(entry.handle);
  const bool local = ((id & 1) == 0) == (view.side() == role::client);
  const bool bidirectional = (id & 2) == 0;
  entry.streams.try_emplace(id, ready_, bidirectional || !local, bidirectional || local);
  ++entry.holders;
  return std::unique_ptr<stream>(new stream(
      std::make_unique<stream_reference>(stream_reference{self(), entry.handle, id, local})));
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::quic
