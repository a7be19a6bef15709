// SPDX-License-Identifier: Apache-2.0
#include "driver/stream_entry.hpp"

#include <algorithm>
#include <array>

#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace detail {

using core::event_kind;
using core::stream_view;
using transport::errc;

namespace {

struct moved {
  std::error_code error;
  std::size_t count = 0;
  bool would_wait = false;
  bool ended = false;
};

moved read_now(stream_view view, std::span<const asio::mutable_buffer> buffers) {
  moved out;
  for (const asio::mutable_buffer& buffer : buffers) {
    if (buffer.size() == 0 || out.ended) continue;
    const auto size = view.read({static_cast<std::byte*>(buffer.data()), buffer.size()}, out.ended);
    if (!size) {
      // Bytes that have moved are reported first; the failure comes again.
      out.would_wait = out.count == 0 && size.error() == errc::would_block;
      if (out.count == 0 && !out.would_wait) out.error = size.error();
      return out;
    }
    out.count += *size;
    if (*size < buffer.size()) break;
  }
  return out;
}

moved write_now(stream_view view, std::span<const asio::const_buffer> buffers) {
  std::array<core::bytes, transport::buffer_list<asio::const_buffer>::capacity> pieces;
  const std::size_t count = std::min(buffers.size(), pieces.size());
  for (std::size_t i = 0; i < count; ++i) {
    pieces[i] = {static_cast<const std::byte*>(buffers[i].data()), buffers[i].size()};
  }
  const auto size = view.write(std::span(pieces).first(count), false);
  if (!size) return {.error = size.error(), .count = 0};
  return {.error = {}, .count = *size, .would_wait = *size == 0};
}

}  // namespace

stream_entry::stream_entry(const transport::ready_list& ready, bool reads, bool writes)
    : ready_(ready) {
  if (!reads) read_end_ = errc::closed, read_in_order_ = true;
  if (!writes) write_end_ = errc::write_finished;
}

void stream_entry::read_some(stream_view view, std::span<const asio::mutable_buffer> buffers,
                             completion<io_signature> waiting, const canceller& cancel) {
  assert(!read_ && "one read at a time");
  if (!buffers.empty() && asio::buffer_size(buffers) == 0) {
    return ready_.complete(std::move(waiting), std::error_code(), std::size_t{0});
  }
  only_wait_ = buffers.empty();
  read_into_ = only_wait_ ? transport::buffer_list<asio::mutable_buffer>()
                          : transport::buffer_list<asio::mutable_buffer>(buffers);
  read_.start(std::move(waiting), [cancel] { cancel(place::read); });
  serve_read(view);
}

void stream_entry::serve_read(stream_view view) {
  if (!read_) return;
  if (only_wait_) {
    bool fin = false;
    const auto ready = view.peek(fin);
    const bool waits = !read_end_ && !ready && ready.error() == errc::would_block;
    const bool reset_here = read_end_ == errc::closed;
    if (!waits)
      ready_.complete(read_.take(), reset_here ? read_end_ : std::error_code(), std::size_t{0});
    return;
  }
  if (read_end_) return ready_.complete(read_.take(), read_end_, std::size_t{0});
  const moved now = read_now(view, read_into_);
  if (now.would_wait) return;
  if (now.ended) read_end_ = errc::eof, read_in_order_ = true;
  if (now.error) read_end_ = now.error;
  const bool only_the_end = now.count == 0 && read_end_;
  ready_.complete(read_.take(), only_the_end ? read_end_ : std::error_code(), now.count);
  serve_closed();
}

void stream_entry::write_some(stream_view view, std::span<const asio::const_buffer> buffers,
                              completion<io_signature> waiting, const canceller& cancel) {
  assert(!write_ && "one write at a time");
  if (asio::buffer_size(buffers) == 0)
    return ready_.complete(std::move(waiting), std::error_code(), std::size_t{0});
  write_from_ = transport::buffer_list<asio::const_buffer>(buffers);
  write_.start(std::move(waiting), [cancel] { cancel(place::write); });
  serve_write(view);
}

void stream_entry::serve_write(stream_view view) {
  if (!write_) return;
  moved now;
  now.error = write_end_;
  if (!write_end_) now = write_now(view, write_from_);
  if (now.would_wait) return;
  if (now.error) write_end_ = now.error;
  ready_.complete(write_.take(), now.error, now.count);
  serve_closed();
}

void stream_entry::write_borrowed(stream_view view, asio::const_buffer data, core::send_token token,
                                  completion<status_signature> waiting) {
  assert(borrowed_.size() < max_borrowed && "too many borrowed writes at a time");
  if (write_end_) return ready_.complete(std::move(waiting), write_end_);
  const auto taken =
      view.write_borrowed({static_cast<const std::byte*>(data.data()), data.size()}, token, false);
  if (!taken) return ready_.complete(std::move(waiting), taken.error());
  borrowed_.push_back({token, std::move(waiting)});
}

void stream_entry::settle_borrowed(core::send_token token, std::error_code error) {
  const auto found = std::ranges::find(borrowed_, token, &borrowed_write::token);
  if (found == borrowed_.end()) return;
  ready_.complete(std::move(found->waiting), error);
  borrowed_.erase(found);
}

/// On an open connection lent memory is given back for a reset of this side, which is known by
/// then, or because the peer reads no more, which may be told later and happens to finished
/// streams, too.
std::error_code stream_entry::abandoned_cause() const {
  const bool by_peer = !write_end_ || write_end_ == errc::write_finished;
  return by_peer ? make_error_code(errc::write_stopped) : write_end_;
}

void stream_entry::finish(stream_view view, completion<status_signature> waiting) {
  const bool quiet = write_end_ == errc::write_finished || write_end_ == errc::write_stopped;
  if (quiet || write_end_)
    return ready_.complete(std::move(waiting), quiet ? std::error_code() : write_end_);
  const auto done = view.write({}, true);
  const bool stopped = !done && done.error() == errc::write_stopped;
  write_end_ = done ? make_error_code(errc::write_finished) : done.error();
  ready_.complete(std::move(waiting), done || stopped ? std::error_code() : done.error());
  serve_closed();
}

void stream_entry::wait_closed(completion<status_signature> waiting, const canceller& cancel) {
  assert(!closed_ && "one wait until closed at a time");
  closed_.start(std::move(waiting), [cancel] { cancel(place::closed); });
  serve_closed();
}

void stream_entry::serve_closed() {
  if (!closed_ || !read_end_ || !write_end_) return;
  const bool writes_in_order = write_end_ == errc::write_finished;
  const std::error_code why = !read_in_order_   ? read_end_
                              : writes_in_order ? std::error_code()
                                                : write_end_;
  ready_.complete(closed_.take(), why);
}

void stream_entry::reset(stream_view view, std::uint64_t code) {
  // A direction that has ended in order stays as it ended.
  const bool wrote_all = write_end_ == errc::write_finished;
  const bool peer_ended = all_arrived(view);
  wrote_all ? view.stop(code) : view.reset(code);
  if (!read_end_ && !peer_ended) read_end_ = errc::closed;
  if (!write_end_) write_end_ = errc::closed;
  abort(place::read);
  abort(place::write);
  abort(place::closed);
}

/// The peer's end is there, and with it every byte before it.
bool stream_entry::all_arrived(stream_view view) {
  bool fin = false;
  return !read_end_ && view.peek(fin).has_value() && fin;
}

/// The end came behind bytes that have all been read: it shows without another read.
void stream_entry::notice_end(stream_view view) {
  bool fin = false;
  const auto rest = read_end_ ? core::result<core::bytes>(core::bytes()) : view.peek(fin);
  if (rest && rest->empty() && fin) read_end_ = errc::eof, read_in_order_ = true;
}

void stream_entry::abandon(stream_view view) {
  abort(place::read);
  abort(place::write);
  abort(place::closed);
  // Memory whose owner is told that the write is over must not be sent from any more, not even for
  // a stream that is finished.
  const bool lends = !borrowed_.empty();
  for (borrowed_write& one : borrowed_)
    ready_.complete(std::move(one.waiting), make_error_code(errc::aborted));
  borrowed_.clear();
  if (!write_end_ || lends) view.reset(transport::stream_cancelled);
  view.forget();
}

void stream_entry::abort(place which) {
  const std::error_code aborted = errc::aborted;
  switch (which) {
    case place::read:
      if (read_) ready_.complete(read_.take(), aborted, std::size_t{0});
      break;
    case place::write:
      if (write_) ready_.complete(write_.take(), aborted, std::size_t{0});
      break;
    case place::closed:
      if (closed_) ready_.complete(closed_.take(), aborted);
      break;
  }
}

void stream_entry::on_event(stream_view view, const core::event& event) {
  switch (event.kind) {
    case event_kind::readable:
      serve_read(view);
      notice_end(view);
      return serve_closed();
    case event_kind::writable: return serve_write(view);
    case event_kind::acknowledged: return settle_borrowed(event.value, {});
    case event_kind::abandoned: return settle_borrowed(event.value, abandoned_cause());
    case event_kind::read_reset:
      codes_.reset = event.value;
      if (!read_end_) read_end_ = errc::stream_reset;
      serve_read(view);
      return serve_closed();
    case event_kind::write_stopped:
      codes_.stopped = event.value;
      if (!write_end_) write_end_ = errc::write_stopped;
      serve_write(view);
      return serve_closed();
    default: return;
  }
}

void stream_entry::on_connection_closed(stream_view view, std::error_code cause) {
  serve_read(view);
  if (!write_end_) write_end_ = cause;
  serve_write(view);
  for (borrowed_write& one : borrowed_) ready_.complete(std::move(one.waiting), cause);
  borrowed_.clear();
  // Bytes that had arrived may still be read; the wait ends now all the same.
  if (closed_)
    ready_.complete(closed_.take(),
                    read_end_ && read_in_order_ && write_end_ == errc::write_finished
                        ? std::error_code()
                        : cause);
}

void stream_entry::drop_handlers() {
  read_.take();
  write_.take();
  closed_.take();
  borrowed_.clear();
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::quic
