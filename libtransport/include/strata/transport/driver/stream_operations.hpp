// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include "strata/transport/buffer_list.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/stream.hpp"

namespace strata::transport {
inline namespace v0 {

/// One stream in a core, by a view that is made anew for each use.
///   - read() and write() give would_block while there is nothing to read or no room, and
///   `readable`
///     or `writable` follows; a direction that is over gives its lasting end every time.
///   - ahead() says what a read would: nothing while it would wait, no error while bytes are there,
///     else the end, as far as the core knows it without reading.
///   - reset() ends both directions; one whose end had arrived stays as it ended.
///   - forget() is the destructor's row of the stream contract.
template <class View>
concept stream_view =
    requires(View view, std::span<const bytes> from, std::span<const mutable_bytes> to) {
      { view.read(to) } -> std::same_as<result<std::size_t>>;
      { view.ahead() } -> std::same_as<std::optional<std::error_code>>;
      { view.write(from) } -> std::same_as<result<std::size_t>>;
      { view.finish() } -> std::same_as<result<void>>;
      view.reset(0U);
      view.forget();
    };

/// A view that can send from the caller's memory: everything lent is told by one `written`, or
/// taken back by revoke(), which says how much of it goes out all the same.
template <class View>
concept lending_stream_view =
    stream_view<View> && requires(View view, std::span<const bytes> from) {
      { view.lend(from) } -> std::same_as<result<std::size_t>>;
      { view.revoke() } -> std::same_as<std::size_t>;
    };

/// A view that shows what it would read where that lies, as stream::try_peek() says; would_block
/// and the end are those of read().
template <class View>
concept peeking_stream_view =
    stream_view<View> && requires(View view, std::span<bytes> pieces, std::size_t size) {
      { view.peek(pieces) } -> std::same_as<result<std::size_t>>;
      view.consume(size);
    };

/// The contract of transport::stream for one stream whose bytes are a core's: what waits on it, and
/// the lasting result of each direction. For drivers; handles derive from stream and forward here.
template <stream_view View>
class stream_operations {
 public:
  enum class place : std::uint8_t { read, write, closed };
  /// Lends instead of copying what is as large as this. Below, a copy costs less than the wait.
  static constexpr std::size_t lend_from = 16 * 1024;
  /// What one lent write takes at most, so that a large one shows progress.
  static constexpr std::size_t lend_at_most = 256 * 1024;

  explicit stream_operations(const ready_list& ready) : ready_(ready) {}

  /// `cancel(place)` finds this stream again, if it and its driver are still there, and calls
  /// abort(). It must be small and hold the driver weakly.
  template <class Cancel>
  void read_some(View view, std::span<const asio::mutable_buffer> buffers,
                 completion<io_signature> waiting, const Cancel& cancel) {
    assert(!read_ && "one read at a time");
    if (!buffers.empty() && asio::buffer_size(buffers) == 0)
      return ready_.complete(std::move(waiting), std::error_code(), std::size_t{0});
    only_wait_ = buffers.empty();
    read_into_ = only_wait_ ? buffer_list<asio::mutable_buffer>()
                            : buffer_list<asio::mutable_buffer>(buffers);
    read_.start(std::move(waiting), [cancel] { cancel(place::read); });
    serve_read(view);
  }

  template <class Cancel>
  void write_some(View view, std::span<const asio::const_buffer> buffers,
                  completion<io_signature> waiting, const Cancel& cancel) {
    assert(!write_ && "one write at a time");
    if (asio::buffer_size(buffers) == 0)
      return ready_.complete(std::move(waiting), std::error_code(), std::size_t{0});
    write_from_ = buffer_list<asio::const_buffer>(buffers);
    write_.start(std::move(waiting), [cancel] { cancel(place::write); });
    serve_write(view);
  }

  result<std::size_t> try_read(View view, std::span<const asio::mutable_buffer> buffers) {
    assert(!read_ && "not while a read is outstanding");
    if (asio::buffer_size(buffers) == 0) return 0;
    if (read_end_) return std::unexpected(read_end_);
    const auto size = take(view, buffers);
    serve_closed();
    return size;
  }

  result<std::size_t> try_write(View view, std::span<const asio::const_buffer> buffers) {
    assert(!write_ && "not while a write is outstanding");
    if (asio::buffer_size(buffers) == 0) return 0;
    if (write_end_) return std::unexpected(write_end_);
    const_pieces pieces;
    const auto size = view.write(as_bytes(buffers, pieces));
    if (size && *size == 0) return std::unexpected(make_error_code(errc::would_block));
    if (!size && size.error() != errc::would_block) write_end_ = size.error();
    serve_closed();
    return size;
  }

  result<std::size_t> try_peek(View view, std::span<bytes> pieces) {
    assert(!read_ && "not while a read is outstanding");
    assert(!pieces.empty());
    if constexpr (peeking_stream_view<View>) {
      if (read_end_) return std::unexpected(read_end_);
      const auto shown = view.peek(pieces);
      if (!shown && shown.error() != errc::would_block) read_end_ = shown.error();
      serve_closed();
      return shown;
    } else {
      return std::unexpected(make_error_code(errc::not_supported));
    }
  }

  void consume(View view, std::size_t size)
    requires peeking_stream_view<View>
  {
    assert(!read_ && "not while a read is outstanding");
    view.consume(size);
  }

  void finish(View view, completion<status_signature> waiting) {
    assert(!write_ && "finish after the write has completed");
    const bool quiet = write_end_ == errc::write_finished || write_end_ == errc::write_stopped;
    if (write_end_)
      return ready_.complete(std::move(waiting), quiet ? std::error_code() : write_end_);
    const auto done = view.finish();
    const bool stopped = !done && done.error() == errc::write_stopped;
    write_end_ = done ? make_error_code(errc::write_finished) : done.error();
    // Behind the flush, which hands the end to the carrier: the program may stop then.
    ready_.complete_behind(std::move(waiting), done || stopped ? std::error_code() : done.error());
    serve_closed();
  }

  template <class Cancel>
  void wait_closed(completion<status_signature> waiting, const Cancel& cancel) {
    assert(!closed_ && "one wait until closed at a time");
    closed_.start(std::move(waiting), [cancel] { cancel(place::closed); });
    serve_closed();
  }

  /// Both directions, as far as they have not ended.
  void reset(View view, std::uint64_t code) {
    abort(view, place::read);
    abort(view, place::write);
    abort(view, place::closed);
    view.reset(static_cast<std::uint32_t>(std::min<std::uint64_t>(code, UINT32_MAX)));
    notice_end(view);
    if (!read_end_ && !view.ahead()) read_end_ = errc::closed;  // nothing comes any more
    if (!write_end_) write_end_ = errc::closed;
  }

  /// The handle is destroyed.
  void abandon(View view) {
    abort(view, place::read);
    abort(view, place::write);
    abort(view, place::closed);
    view.forget();
  }

  /// Completes what waits in that place with `aborted`; a write of which something will be sent all
  /// the same succeeds short.
  void abort(View view, place which) {
    const std::error_code aborted = make_error_code(errc::aborted);
    if (which == place::read && read_) ready_.complete(read_.take(), aborted, std::size_t{0});
    if (which == place::write && write_) {
      const std::size_t committed = take_back(view);
      ready_.complete(write_.take(), committed == 0 ? aborted : std::error_code(), committed);
    }
    if (which == place::closed && closed_) ready_.complete(closed_.take(), aborted);
  }

  // The core's events.

  void on_readable(View view) {
    serve_read(view);
    notice_end(view);
    serve_closed();
  }
  void on_writable(View view) { serve_write(view); }
  void on_written(View view) {
    if (!write_ || lent_ == 0) return;
    (void)view;
    ready_.complete(write_.take(), std::error_code(), std::exchange(lent_, 0));
  }
  /// The peer abandoned what this side reads.
  void on_reset(View view) {
    if (!read_end_) read_end_ = errc::stream_reset;
    serve_read(view);
    serve_closed();
  }
  /// Writing is over because of the peer: write_stopped, or stream_reset where a reset means both.
  void on_write_ended(View view, std::error_code cause) {
    if (!write_end_) write_end_ = cause;
    serve_write(view);
    serve_closed();
  }
  /// What carries the stream is gone. Bytes that had arrived may still be read, and the end behind
  /// them; the core's read gives `cause` after them.
  void on_gone(View view, std::error_code cause) {
    serve_read(view);
    notice_end(view);
    if (!write_end_) write_end_ = cause;
    serve_write(view);
    if (closed_ && !(read_end_ && write_end_)) ready_.complete(closed_.take(), cause);
    serve_closed();
  }
  /// The context goes: handlers die uninvoked.
  void drop_handlers() noexcept {
    const auto read = read_.take();
    const auto write = write_.take();
    const auto closed = closed_.take();
  }

  bool has_finished() const noexcept { return write_end_ == errc::write_finished; }
  bool has_ended() const noexcept { return read_end_ && write_end_; }

 private:
  void serve_read(View view) {
    if (!read_) return;
    if (only_wait_) return serve_wait(view);
    if (read_end_) return ready_.complete(read_.take(), read_end_, std::size_t{0});
    const auto size = take(view, read_into_.span());
    if (!size && size.error() == errc::would_block) return;
    ready_.complete(read_.take(), size ? std::error_code() : size.error(), size.value_or(0));
    serve_closed();
  }

  result<std::size_t> take(View view, std::span<const asio::mutable_buffer> buffers) {
    std::array<mutable_bytes, buffer_list<asio::mutable_buffer>::capacity> pieces;
    for (std::size_t i = 0; i < buffers.size(); ++i)
      pieces[i] = {static_cast<std::byte*>(buffers[i].data()), buffers[i].size()};
    const auto size = view.read(std::span(pieces).first(buffers.size()));
    if (!size && size.error() != errc::would_block) read_end_ = size.error();
    return size;
  }

  using const_pieces = std::array<bytes, buffer_list<asio::const_buffer>::capacity>;
  static std::span<bytes> as_bytes(std::span<const asio::const_buffer> from, const_pieces& to) {
    for (std::size_t i = 0; i < from.size(); ++i)
      to[i] = {static_cast<const std::byte*>(from[i].data()), from[i].size()};
    return std::span(to).first(from.size());
  }

  void serve_wait(View view) {
    if (!read_end_ && !view.ahead()) return;
    notice_end(view);
    const bool reset_here = read_end_ == errc::closed;
    ready_.complete(read_.take(), reset_here ? read_end_ : std::error_code(), std::size_t{0});
  }

  void serve_write(View view) {
    if (!write_) return;
    if (write_end_) {
      // What went out before belongs to the write; its failure comes with the next one.
      const std::size_t committed = take_back(view);
      return ready_.complete(write_.take(), committed == 0 ? write_end_ : std::error_code(),
                             committed);
    }
    if (lent_ != 0) return;
    const_pieces pieces;
    const std::span<bytes> all = as_bytes(write_from_.span(), pieces);
    if constexpr (lending_stream_view<View>) {
      if (write_from_.size() >= lend_from) return serve_lending(view, all);
    }
    settle_write(view.write(all));
  }

  void serve_lending(View view, std::span<bytes> pieces)
    requires lending_stream_view<View>
  {
    std::size_t left = lend_at_most;
    std::size_t used = 0;
    for (; used < pieces.size() && left != 0; ++used) {
      pieces[used] = pieces[used].first(std::min(pieces[used].size(), left));
      left -= pieces[used].size();
    }
    const auto lent = view.lend(pieces.first(used));
    if (lent && *lent != 0) {
      lent_ = *lent;
    } else {
      settle_write(lent);
    }
  }

  void settle_write(const result<std::size_t>& size) {
    if (size ? *size == 0 : size.error() == errc::would_block) return;  // `writable` follows
    if (!size) write_end_ = size.error();
    ready_.complete(write_.take(), size ? std::error_code() : size.error(), size.value_or(0));
    serve_closed();
  }

  std::size_t take_back(View view) {
    if (std::exchange(lent_, 0) == 0) return 0;
    if constexpr (lending_stream_view<View>) return view.revoke();
    return 0;
  }

  void serve_closed() {
    if (!closed_ || !read_end_ || !write_end_) return;
    const std::error_code why = read_end_ != errc::eof               ? read_end_
                                : write_end_ != errc::write_finished ? write_end_
                                                                     : std::error_code();
    ready_.complete(closed_.take(), why);
  }

  /// The end came behind bytes that have all been read: it shows without another read.
  void notice_end(View view) {
    if (read_end_) return;
    if (const auto ahead = view.ahead()) read_end_ = *ahead;
  }

  ready_list ready_;
  pending_operation<io_signature> read_;
  buffer_list<asio::mutable_buffer> read_into_;
  pending_operation<io_signature> write_;
  buffer_list<asio::const_buffer> write_from_;
  pending_operation<status_signature> closed_;
  std::size_t lent_ = 0;
  bool only_wait_ = false;
  std::error_code read_end_;
  std::error_code write_end_;
};

}  // namespace v0
}  // namespace strata::transport
