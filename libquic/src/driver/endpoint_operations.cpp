// SPDX-License-Identifier: Apache-2.0
// What handles ask of the driver; the turn that serves it is in endpoint_driver.cpp.
#include <algorithm>
#include <asio/post.hpp>

#include "driver/endpoint_driver.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace detail {

using transport::errc;

namespace {

/// What an operation on a connection that is over completes with; without an entry its handles are
/// gone, which only a deferred operation outlives.
std::error_code closed_cause(const connection_entry* entry) {
  return entry != nullptr ? entry->closed->code_for_operations() : make_error_code(errc::closed);
}

}  // namespace

void endpoint_driver::connect(const transport::address& remote, const std::string& server_name,
                              const core::connection_config& config,
                              completion<connection_signature> waiting) {
  if (dead_) return;
  assert(ready_.is_on_owner());
  const bool has_tls = options_.client_tls || config.tls;
  const auto begun = has_tls ? core_.connect(clock_now(), remote, server_name, config)
                             : core::result<core::connection_handle>(
                                   std::unexpected(make_error_code(errc::not_supported)));
  if (!begun) return ready_.complete(std::move(waiting), begun.error(), connection());
  connection_entry& entry = add(*begun, false);
  entry.connecting.start(std::move(waiting), [weak = weak_from_this(), id = *begun] {
    const auto driver = std::static_pointer_cast<endpoint_driver>(weak.lock());
    connection_entry* dialled = driver ? driver->find(id) : nullptr;
    if (dialled == nullptr || !dialled->connecting) return;
    driver->ready_.complete(dialled->connecting.take(), make_error_code(errc::aborted),
                            connection());
    driver->forget_if_unheld(*dialled);
  });
  schedule_flush();
}

void endpoint_driver::accept(completion<connection_signature> waiting) {
  if (dead_) return;
  assert(ready_.is_on_owner() && !accepting_ && "one accept at a time");
  if (!options_.server_tls || !accepts_) {
    const auto why = options_.server_tls ? errc::closed : errc::not_supported;
    return ready_.complete(std::move(waiting), make_error_code(why), connection());
  }
  if (!backlog_.empty()) {
    connection_entry& entry = *find(backlog_.front());
    backlog_.pop_front();
    return ready_.complete(std::move(waiting), std::error_code(), make_connection(entry));
  }
  accepting_.start(std::move(waiting), [weak = weak_from_this()] {
    const auto driver = std::static_pointer_cast<endpoint_driver>(weak.lock());
    if (!driver || !driver->accepting_) return;
    driver->ready_.complete(driver->accepting_.take(), make_error_code(errc::aborted),
                            connection());
  });
}

void endpoint_driver::use(transport::tls_context server_tls) {
  assert(options_.server_tls && server_tls.is_server());
  options_.server_tls = server_tls;
  tls_->use(std::move(server_tls));
}

void endpoint_driver::stop_accepting() {
  if (dead_) return;
  accepts_ = false;
  if (accepting_) ready_.complete(accepting_.take(), make_error_code(errc::closed), connection());
  backlog_.clear();
  // Those whose handshake is still under way would be nobody's, too.
  std::vector<core::connection_handle> all;
  for (const auto& [key, entry] : entries_) all.push_back(entry->handle);
  for (const core::connection_handle id : all) {
    if (connection_entry* entry = find(id)) forget_if_unheld(*entry);
  }
}

void endpoint_driver::abort_dials() noexcept {
  std::vector<core::connection_handle> all;
  for (const auto& [key, entry] : entries_) {
    if (!entry->connecting) continue;
    ready_.complete(entry->connecting.take(), make_error_code(errc::aborted), connection());
    all.push_back(entry->handle);
  }
  for (const core::connection_handle id : all) forget_if_unheld(*find(id));
}

void endpoint_driver::close_all(std::uint64_t code, completion<status_signature> waiting) {
  if (dead_) return;
  accepts_ = false;
  if (accepting_) ready_.complete(accepting_.take(), make_error_code(errc::closed), connection());
  for (auto& [key, entry] : entries_) core_.at(entry->handle).close(clock_now(), code, {});
  // The last CONNECTION_CLOSE leaves with the flush that is posted behind what was posted before.
  schedule_flush();
  asio::post(ready_.executor(), [driver = self(), waiting = std::move(waiting)]() mutable {
    if (!driver->dead_) driver->ready_.complete(std::move(waiting), std::error_code());
  });
}

void endpoint_driver::open_stream(core::connection_handle id, bool bidirectional,
                                  completion<stream_signature> waiting) {
  if (dead_) return;
  assert(ready_.is_on_owner());
  connection_entry* entry = find(id);
  if (entry == nullptr || entry->closed)
    return ready_.complete(std::move(waiting), closed_cause(entry), std::unique_ptr<stream>());
  auto& one = entry->opening[bidirectional].emplace_back();
  one.number = next_open_++;
  one.waiting.start(std::move(waiting),
                    [weak = weak_from_this(), id, bidirectional, number = one.number] {
                      const auto driver = std::static_pointer_cast<endpoint_driver>(weak.lock());
                      if (driver) driver->abort_open(id, bidirectional, number);
                    });
  serve_opening(*entry, bidirectional);
}

void endpoint_driver::abort_open(core::connection_handle id, bool bidirectional,
                                 std::uint64_t number) {
  connection_entry* entry = find(id);
  if (entry == nullptr) return;
  auto& waiting = entry->opening[bidirectional];
  const auto found = std::ranges::find(waiting, number, &open_wait::number);
  if (found == waiting.end()) return;
  ready_.complete(found->waiting.take(), make_error_code(errc::aborted), std::unique_ptr<stream>());
  waiting.erase(found);
}

void endpoint_driver::serve_opening(connection_entry& entry, bool bidirectional) {
  auto& waiting = entry.opening[bidirectional];
  while (!waiting.empty()) {
    const auto opened = core_.at(entry.handle).open(bidirectional);
    if (!opened && opened.error() == errc::limit_exceeded) return;
    const std::error_code error = opened ? std::error_code() : opened.error();
    ready_.complete(waiting.front().waiting.take(), error,
                    opened ? make_stream(entry, *opened) : nullptr);
    waiting.pop_front();
  }
}

void endpoint_driver::accept_stream(core::connection_handle id, bool bidirectional,
                                    completion<stream_signature> waiting) {
  if (dead_) return;
  connection_entry* entry = find(id);
  if (entry == nullptr || entry->closed) {
    // What arrived before the end is still the application's, however late it asks.
    auto late = entry != nullptr ? accept_late(*entry, bidirectional) : nullptr;
    const std::error_code error = late ? std::error_code() : closed_cause(entry);
    return ready_.complete(std::move(waiting), error, std::move(late));
  }
  auto& accepting = entry->accepting[bidirectional];
  assert(ready_.is_on_owner() && !accepting && "one accept of a kind at a time");
  accepting.start(std::move(waiting), [weak = weak_from_this(), id, bidirectional] {
    const auto driver = std::static_pointer_cast<endpoint_driver>(weak.lock());
    connection_entry* accepting_entry = driver ? driver->find(id) : nullptr;
    if (accepting_entry == nullptr || !accepting_entry->accepting[bidirectional]) return;
    driver->ready_.complete(accepting_entry->accepting[bidirectional].take(),
                            make_error_code(errc::aborted), std::unique_ptr<stream>());
  });
  serve_accepting(*entry, bidirectional);
}

std::unique_ptr<stream> endpoint_driver::accept_late(connection_entry& entry, bool bidirectional) {
  core::connection_view view = core_.at(entry.handle);
  const auto id = view.accept(bidirectional);
  if (!id) return nullptr;
  auto late = make_stream(entry, *id);
  entry.streams.at(*id).on_connection_closed(view.stream(*id), entry.closed->code_for_operations());
  return late;
}

void endpoint_driver::serve_accepting(connection_entry& entry, bool bidirectional) {
  auto& accepting = entry.accepting[bidirectional];
  if (!accepting) return;
  if (const auto id = core_.at(entry.handle).accept(bidirectional)) {
    ready_.complete(accepting.take(), std::error_code(), make_stream(entry, *id));
  }
}

void endpoint_driver::wait_closed(core::connection_handle id, completion<close_signature> waiting) {
  if (dead_) return;
  connection_entry* entry = find(id);
  if (entry == nullptr || entry->closed) {
    return ready_.complete(
        std::move(waiting), std::error_code(),
        std::make_unique<close_reason>(entry != nullptr ? *entry->closed : close_reason()));
  }
  entry->waiting_closed.start(std::move(waiting), [weak = weak_from_this(), id] {
    const auto driver = std::static_pointer_cast<endpoint_driver>(weak.lock());
    connection_entry* waiting_entry = driver ? driver->find(id) : nullptr;
    if (waiting_entry == nullptr || !waiting_entry->waiting_closed) return;
    driver->ready_.complete(waiting_entry->waiting_closed.take(), make_error_code(errc::aborted),
                            std::make_unique<close_reason>());
  });
}

void endpoint_driver::wait_confirmed(core::connection_handle id,
                                     completion<status_signature> waiting) {
  if (dead_) return;
  connection_entry* entry = find(id);
  if (entry != nullptr && entry->confirmed)
    return ready_.complete(std::move(waiting), std::error_code());
  if (entry == nullptr || entry->closed)
    return ready_.complete(std::move(waiting), closed_cause(entry));
  entry->waiting_confirmed.start(std::move(waiting), [weak = weak_from_this(), id] {
    const auto driver = std::static_pointer_cast<endpoint_driver>(weak.lock());
    connection_entry* waiting_entry = driver ? driver->find(id) : nullptr;
    if (waiting_entry == nullptr || !waiting_entry->waiting_confirmed) return;
    driver->ready_.complete(waiting_entry->waiting_confirmed.take(),
                            make_error_code(errc::aborted));
  });
}

void endpoint_driver::shut_down(core::connection_handle id, transport::duration deadline,
                                std::uint64_t code, completion<status_signature> waiting) {
  if (dead_) return;
  connection_entry* entry = find(id);
  if (entry == nullptr || entry->closed)
    return ready_.complete(std::move(waiting), std::error_code());
  assert(!entry->shutting_down && "one shutdown at a time");
  const auto now = clock_now();
  auto& shutdown = entry->shutting_down.emplace();
  shutdown.deadline = now + deadline;
  shutdown.code = code;
  shutdown.waiting.start(std::move(waiting), [weak = weak_from_this(), id] {
    const auto driver = std::static_pointer_cast<endpoint_driver>(weak.lock());
    connection_entry* waiting_entry = driver ? driver->find(id) : nullptr;
    if (waiting_entry != nullptr) driver->abort_shutdown(*waiting_entry);
  });
  ++shutdowns_;
  serve_shutdown(now, *entry);
  if (!entry->shutting_down) return;
  auto& timer = entry->shutting_down->timer;
  timer = std::make_unique<asio::steady_timer>(ready_.executor(), deadline);
  timer->async_wait([weak = weak_from_this(), id](std::error_code error) {
    const auto driver = std::static_pointer_cast<endpoint_driver>(weak.lock());
    connection_entry* late = driver && !error ? driver->find(id) : nullptr;
    if (late != nullptr) driver->serve_shutdown(clock_now(), *late);
  });
}

void endpoint_driver::abort_shutdown(connection_entry& entry) {
  if (!entry.shutting_down) return;
  ready_.complete(entry.shutting_down->waiting.take(), make_error_code(errc::aborted));
  entry.shutting_down.reset();
  --shutdowns_;
}

void endpoint_driver::serve_shutdown(transport::time_point now, connection_entry& entry) {
  if (!entry.shutting_down) return;
  const bool flushed = core_.at(entry.handle).all_sent_acknowledged();
  const bool late = now >= entry.shutting_down->deadline;
  if (!flushed && !late) return;
  auto shutdown = std::move(*entry.shutting_down);
  entry.shutting_down.reset();
  --shutdowns_;
  core_.at(entry.handle).close(now, shutdown.code, {});
  ready_.complete(shutdown.waiting.take(),
                  flushed ? std::error_code() : make_error_code(errc::timed_out));
  schedule_flush();
}

void endpoint_driver::close(core::connection_handle id, std::uint64_t code,
                            std::string_view reason) {
  if (dead_ || find(id) == nullptr) return;
  core_.at(id).close(clock_now(), code, reason);
  schedule_flush();
}

void endpoint_driver::attach(core::connection_handle id, std::unique_ptr<session> attached) {
  connection_entry* entry = find(id);
  if (dead_ || entry == nullptr) return;
  assert(!entry->attached && "one session per connection");
  if (entry->closed) return attached->on_detached(*entry->closed);
  entry->attached = std::move(attached);
  ++entry->holders;
  with_sessions_.push_back(entry);
  const auto now = clock_now();
  entry->attached->on_turn(now, core_.at(id));
  schedule_flush();
}

// Streams.

stream_entry* endpoint_driver::find_stream(core::connection_handle id,
                                           std::uint64_t stream) noexcept {
  connection_entry* entry = find(id);
  if (dead_ || entry == nullptr) return nullptr;
  const auto found = entry->streams.find(stream);
  return found == entry->streams.end() ? nullptr : &found->second;
}

stream_entry::canceller endpoint_driver::stream_canceller(core::connection_handle id,
                                                          std::uint64_t stream) {
  return {weak_from_this(), id, stream};
}

void stream_entry::canceller::operator()(place which) const {
  if (const auto held = std::static_pointer_cast<endpoint_driver>(driver.lock()))
    held->abort(connection, stream, which);
}

void endpoint_driver::abort(core::connection_handle id, std::uint64_t stream,
                            stream_entry::place which) {
  if (stream_entry* entry = find_stream(id, stream)) entry->abort(which);
}

void endpoint_driver::read_some(core::connection_handle id, std::uint64_t stream,
                                std::span<const asio::mutable_buffer> buffers,
                                completion<io_signature> waiting) {
  stream_entry* entry = find_stream(id, stream);
  if (entry == nullptr) return;
  assert(ready_.is_on_owner());
  entry->read_some(core_.at(id).stream(stream), buffers, std::move(waiting),
                   stream_canceller(id, stream));
  schedule_flush();
}

void endpoint_driver::write_some(core::connection_handle id, std::uint64_t stream,
                                 std::span<const asio::const_buffer> buffers,
                                 completion<io_signature> waiting) {
  stream_entry* entry = find_stream(id, stream);
  if (entry == nullptr) return;
  assert(ready_.is_on_owner());
  entry->write_some(core_.at(id).stream(stream), buffers, std::move(waiting),
                    stream_canceller(id, stream));
  schedule_flush();
}

void endpoint_driver::write_borrowed(core::connection_handle id, std::uint64_t stream,
                                     asio::const_buffer data,
                                     completion<status_signature> waiting) {
  stream_entry* entry = find_stream(id, stream);
  if (entry == nullptr) return;
  entry->write_borrowed(core_.at(id).stream(stream), data, next_token_++, std::move(waiting));
  schedule_flush();
}

void endpoint_driver::finish(core::connection_handle id, std::uint64_t stream,
                             completion<status_signature> waiting) {
  stream_entry* entry = find_stream(id, stream);
  if (entry == nullptr) return;
  entry->finish(core_.at(id).stream(stream), std::move(waiting));
  schedule_flush();
}

void endpoint_driver::wait_stream_closed(core::connection_handle id, std::uint64_t stream,
                                         completion<status_signature> waiting) {
  stream_entry* entry = find_stream(id, stream);
  if (entry != nullptr) entry->wait_closed(std::move(waiting), stream_canceller(id, stream));
}

void endpoint_driver::reset(core::connection_handle id, std::uint64_t stream, std::uint64_t code) {
  stream_entry* entry = find_stream(id, stream);
  if (entry == nullptr) return;
  entry->reset(core_.at(id).stream(stream), code);
  schedule_flush();
}

void endpoint_driver::prioritize(core::connection_handle id, std::uint64_t stream,
                                 std::uint8_t urgency, bool incremental) {
  if (find_stream(id, stream) != nullptr)
    core_.at(id).stream(stream).prioritize(urgency, incremental);
}

transport::peer_codes endpoint_driver::codes(core::connection_handle id,
                                             std::uint64_t stream) const {
  const connection_entry* entry = entry_of(id);
  if (entry == nullptr) return {};
  const auto found = entry->streams.find(stream);
  return found == entry->streams.end() ? transport::peer_codes{} : found->second.codes();
}

void endpoint_driver::abandon_stream(core::connection_handle id, std::uint64_t stream) noexcept {
  stream_entry* abandoned = find_stream(id, stream);
  if (abandoned == nullptr) return;
  abandoned->abandon(core_.at(id).stream(stream));
  connection_entry& entry = *find(id);
  entry.streams.erase(stream);
  schedule_flush();
  release(id);
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::quic
