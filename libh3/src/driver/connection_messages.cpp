// SPDX-License-Identifier: Apache-2.0
// The two directions of a message: from QUIC to the reader, from the writer to QUIC.
#include <algorithm>
#include <array>

#include "driver/connection_driver.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace detail {

using transport::bytes;
using transport::errc;
using transport::time_point;

namespace {

/// Copies as much of `from` as the waiting read has room for.
std::size_t copy_to_reader(message_entry& entry, bytes from) {
  if (!entry.read || from.empty()) return 0;
  std::size_t skip = entry.read_count, done = 0;
  for (const asio::mutable_buffer& buffer : entry.read_into.span()) {
    if (skip >= buffer.size()) {
      skip -= buffer.size();
      continue;
    }
    const std::size_t size = std::min(buffer.size() - skip, from.size() - done);
    transport::copy_bytes(static_cast<std::byte*>(buffer.data()) + skip, from.subspan(done, size));
    skip = 0;
    done += size;
    if (done == from.size()) break;
  }
  entry.read_count += done;
  return done;
}

}  // namespace

void connection_driver::queue_pump(message_entry& entry) {
  if (entry.pump_queued || entry.receive_over) return;
  entry.pump_queued = true;
  to_pump_.push_back(entry.id);
}

/// Shows the core what QUIC has, until it takes nothing any more: content that nobody waits for
/// stays where it is.
void connection_driver::pump(time_point now, quic_view quic, std::uint64_t id) {
  message_entry* const entry = find(id);
  if (entry == nullptr) return;
  entry->pump_queued = false;
  quic::core::stream_view stream = quic.stream(id);
  while (!entry->receive_over) {
    bool fin = false;
    const auto input = stream.peek(fin);
    if (!input) {
      if (detached_ && input.error() != errc::would_block) end_reading(*entry, cause_);
      break;
    }
    const core::received got = core_.receive(now, id, *input, fin);
    const std::size_t taken = copy_to_reader(*entry, got.body);
    if (taken != 0) core_.request(id).consume_body(taken);
    if (got.consumed + taken == 0) break;
    stream.consume(got.consumed + taken);
    dirty_ = true;
  }
  if (entry->read && entry->read_count != 0)
    ready_.complete(entry->read.take(), std::error_code(), entry->read_count);
}

void connection_driver::pump_unidirectional(time_point now, quic_view quic, std::uint64_t id) {
  quic::core::stream_view stream = quic.stream(id);
  for (;;) {
    bool fin = false;
    const auto input = stream.peek(fin);
    if (!input) return;
    const std::size_t size = input->size();
    core_.receive(now, id, *input, fin);
    stream.consume(size);
    dirty_ = true;
    if (fin) return stream.forget();
  }
}

void connection_driver::serve_head(message_entry& entry, std::error_code error) {
  if (entry.head_wait) ready_.complete(entry.head_wait.take(), error);
  if (!entry.requesting) return;
  if (!error) {
    entry.held = true;
    hold();
    ready_.complete(entry.requesting.take(), error, response(self(), entry.id));
  } else {
    ready_.complete(entry.requesting.take(), error, response());
    ended_.push_back(entry.id);
  }
}

void connection_driver::end_reading(message_entry& entry, std::error_code why) {
  if (!entry.read_end) entry.read_end = why;
  if (!entry.head_received) serve_head(entry, entry.read_end);
  if (!entry.read) return;
  const bool short_read = entry.read_count != 0;
  ready_.complete(entry.read.take(), short_read ? std::error_code() : entry.read_end,
                  entry.read_count);
}

void connection_driver::end_writing(message_entry& entry, std::error_code why) {
  if (!entry.write_end) entry.write_end = why;
  if (entry.writing) complete_write(entry, why);
}

void connection_driver::serve_write(message_entry& entry) {
  if (!entry.writing) return;
  const std::array pieces{entry.write_from};
  const auto taken = core_.request(entry.id).send_body(pieces, entry.write_fin);
  if (!taken) {
    const bool lasting = taken.error() != errc::invalid_argument;
    if (lasting && !entry.write_end) entry.write_end = taken.error();
    return complete_write(entry, taken.error());
  }
  entry.write_count += *taken;
  entry.write_from = entry.write_from.subspan(*taken);
  if (!entry.write_from.empty()) return;  // an event `writable` follows
  if (entry.write_fin && !entry.write_end) entry.write_end = errc::write_finished;
  complete_write(entry, {});
}

/// The core still borrows the bytes until run() has polled its output; the handler runs later.
void connection_driver::complete_write(message_entry& entry, std::error_code error) {
  entry.writing = false;
  entry.write_from = {};
  if (entry.write) ready_.complete(entry.write.take(), error, entry.write_count);
}

void connection_driver::abort_pending(message_entry& entry) {
  const std::error_code aborted = errc::aborted;
  if (entry.read) ready_.complete(entry.read.take(), aborted, std::size_t{0});
  if (entry.head_wait) ready_.complete(entry.head_wait.take(), aborted);
  if (entry.write) complete_write(entry, aborted);  // what respond() took still leaves
}

// Requests of a client.

void connection_driver::serve_requests(quic_view quic) {
  while (!queued_.empty()) {
    const auto id = quic.open(true);
    if (!id) return;  // streams_available follows
    const auto queued = std::move(queued_.front());
    queued_.pop_front();
    dirty_ = true;
    if (core_.open_request(*id)) {
      begin_request(add(*id), *queued);
    } else {
      quic.stream(*id).reset(static_cast<std::uint64_t>(error_code::request_cancelled));
      quic.stream(*id).forget();
      ready_.complete(queued->waiting.take(), make_error_code(error_code::request_rejected),
                      response());
    }
  }
}

void connection_driver::begin_request(message_entry& entry, queued_request& queued) {
  request_options& options = queued.options;
  const std::string length = std::to_string(options.body.size());
  lines_.clear();
  const auto add_line = [this](std::string_view name, std::string_view value) {
    lines_.push_back({.name = name, .value = value});
  };
  const bool is_tunnel = options.method == "CONNECT";
  add_line(":method", options.method);
  if (!is_tunnel) add_line(":scheme", options.scheme);
  add_line(":authority", options.authority.empty() ? authority_ : options.authority);
  if (!is_tunnel) add_line(":path", options.path);
  for (const field_line line : options.fields) lines_.push_back(line);
  if (!options.body.empty() && !options.fields.find(known_field::content_length))
    add_line("content-length", length);

  core::request_view view = core_.request(entry.id);
  const bool ends = options.body.empty() && !options.body_follows;
  const auto sent = view.send_headers(lines_, ends);
  auto waiting = queued.waiting.take();
  if (!sent) {
    view.reset(error_code::request_cancelled);
    return ready_.complete(std::move(waiting), sent.error(), response());
  }
  entry.head_sent = true;
  if (ends) entry.write_end = errc::write_finished;
  entry.own_body = std::move(options.body);
  if (!entry.own_body.empty()) {
    entry.writing = true;
    entry.write_from = transport::as_bytes(entry.own_body);
    entry.write_fin = !options.body_follows;
    serve_write(entry);
  }
  if (options.body_follows) {
    entry.held = true;
    hold();
    return ready_.complete(std::move(waiting), std::error_code(), response(self(), entry.id));
  }
  entry.requesting.start(std::move(waiting), [weak = weak(), id = entry.id] {
    const auto driver = weak.lock();
    message_entry* late = driver ? driver->find(id) : nullptr;
    if (late == nullptr || !late->requesting) return;
    driver->ready_.complete(late->requesting.take(), make_error_code(errc::aborted), response());
    driver->core_.request(id).reset(error_code::request_cancelled);
    driver->ended_.push_back(id);
    driver->run();
  });
}

void connection_driver::fail_requests(std::error_code why) {
  while (!queued_.empty()) {
    const auto queued = std::move(queued_.front());
    queued_.pop_front();
    ready_.complete(queued->waiting.take(), why, response());
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::h3
