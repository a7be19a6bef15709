// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <system_error>

#include "strata/mux/core/error.hpp"
#include "strata/mux/core/event.hpp"
#include "strata/mux/core/yamux_config.hpp"
#include "strata/mux/export.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/random.hpp"
#include "strata/transport/core/result.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

using transport::bytes;
using transport::mutable_bytes;
using transport::result;
using transport::time_point;

class yamux_state;

/// What a session has done so far; plain numbers.
struct yamux_statistics {
  std::uint64_t bytes_sent = 0;  ///< To the carrier, headers included.
  std::uint64_t bytes_received = 0;
  std::uint64_t payload_sent = 0;
  std::uint64_t payload_received = 0;
  std::uint64_t frames_sent = 0;
  std::uint64_t frames_received = 0;
  std::uint64_t streams_opened = 0;
  std::uint64_t streams_accepted = 0;
  std::uint64_t streams_refused = 0;  ///< Opened by the peer and reset by this side at once.
  std::uint64_t streams_open = 0;     ///< Now.
  std::uint64_t glitches = 0;         ///< Frames that served nobody.
  std::uint64_t unread = 0;           ///< Bytes that wait for the application now.
  std::uint64_t window_growth_left = 0;
  transport::duration smoothed_rtt{};  ///< Zero until a ping was answered.
};

/// One stream of a session: two words, to be made anew for each use. On a stream that was forgotten
/// everything gives errc::closed. Failures are transport::errc, or what ended the session.
class STRATA_MUX_API yamux_stream_view {
 public:
  std::uint32_t id() const noexcept { return id_; }

  /// Copies as many bytes of `pieces` as the watermark leaves room for and says how many; less than
  /// all of them means that one `writable` event follows.
  result<std::size_t> write(std::span<const bytes> pieces);
  /// Sends from the caller's memory, which must stay unchanged until `written`; or until revoke(),
  /// reset(), forget() or the end of stream or session and, when a list of poll_output() may name
  /// it, the sent() behind that. Says how many bytes were taken: those of the first
  /// limits::yamux::max_lent_pieces pieces. While something lent is under way, this, write() and
  /// finish() give invalid_argument.
  result<std::size_t> lend(std::span<const bytes> pieces);
  /// Takes back what was lent and says how many of its bytes are committed all the same: they were
  /// sent, or belong to a frame that has begun, whose rest is copied; all of them when `written`
  /// was to come next, which does not come then. Zero when nothing is lent. A list from
  /// poll_output() that waits for its sent() is void then: call sent() first.
  std::size_t revoke();

  /// Copies received bytes out, straight from the input when it is read before release_input().
  /// would_block when there are none yet (a `readable` event follows); eof after the last.
  result<std::size_t> read(std::span<const mutable_bytes> pieces);
  /// The first contiguous received bytes, without taking them: valid until consume() or
  /// release_input(). Empty with `end` set when all was consumed and the peer has finished.
  result<bytes> peek(bool& end);
  /// The same for as many contiguous pieces as there are and the list holds: says how many.
  result<std::size_t> peek(std::span<bytes> pieces, bool& end);
  void consume(std::size_t size);

  /// Ends the writing direction after what was written. A second time is not an error.
  result<void> finish();
  /// Ends both directions at once, as far as they had not ended in order. If this side had
  /// finished, what it wrote still arrives, and only reading stops.
  void reset(std::uint32_t code);
  /// Reads no more. yamux cannot say so: what still comes is dropped, and the peer may go on.
  void stop();
  /// The application lets go of the stream: reset(), unless this side had finished, and the ID is
  /// not used any more.
  void forget();

 private:
  friend class yamux_session;
  yamux_stream_view(yamux_state& state, std::uint32_t id) noexcept : state_(&state), id_(id) {}

  yamux_state* state_;
  std::uint32_t id_;
};

/// The session itself, beside its streams; to be made anew for each use.
class STRATA_MUX_API yamux_control {
 public:
  /// No new streams from now on, from either end. When the last one has ended, Go Away is sent and
  /// the session is over; not before, because most peers drop everything when they see it.
  void go_away();
  /// Ends the session and all its streams: what was not sent is dropped, and Go Away with `code` is
  /// sent after the frame under way.
  void close(time_point now, go_away_code code);
  /// Sends a ping; the event `pong` tells the round trip.
  void ping();
  /// Why the session is over; nullptr while it is not.
  const close_reason* closed() const noexcept;
  yamux_statistics statistics() const noexcept;

 private:
  friend class yamux_session;
  explicit yamux_control(yamux_state& state) noexcept : state_(&state) {}

  yamux_state* state_;
};

/// yamux, version 0: many streams over one byte stream that somebody else carries. No sockets,
/// clock or threads in it, and nothing calls back.
///
/// After every call: poll_event() until false, then poll_output() and write what it lists, and
/// compare next_timeout() with the timer. It behaves towards hashicorp/yamux, go-yamux and
/// rust-yamux, which differ, so that none of them is offended.
///
/// Memory that runs out makes a command fail with out_of_memory; where no command can fail, the
/// session ends.
class STRATA_MUX_API yamux_session {
 public:
  /// `random` must outlive the session.
  yamux_session(const yamux_config& config, transport::random_source& random);
  ~yamux_session();
  yamux_session(yamux_session&&) noexcept;
  yamux_session& operator=(yamux_session&&) noexcept;

  /// What the carrier gave; all of it is decoded. Its memory is lent until release_input().
  void receive(time_point now, bytes input);
  /// What nobody has read is moved to recycled pages.
  void release_input();
  /// The carrier ended in order.
  void receive_end(time_point now);
  /// The carrier ended in any other way; nothing can be sent any more. No list of poll_output() is
  /// in use any more.
  void carrier_lost(std::error_code cause);

  void handle_timeout(time_point now);
  std::optional<time_point> next_timeout() const;
  bool poll_event(event& out);

  /// Fills `pieces` (two at least) with what one gathered write is to send and says how many of
  /// them it used. Every byte of it counts as unsent until sent(); other calls in between are
  /// fine, and the memory stays as it is, except for what revoke() says.
  std::size_t poll_output(time_point now, std::span<bytes> pieces);
  /// The carrier took so many bytes of it; the rest comes again, perhaps in another order.
  void sent(std::size_t size);

  /// False: stop reading the carrier. The application does not read, or our answers are stuck.
  bool wants_input() const;
  /// The session is over and has sent what it had to: end the carrier.
  bool finished() const;

  /// Opens a stream; the peer hears of it with the next output. Errors: limit_exceeded (a
  /// `streams_available` event follows), refused after Go Away of either end, out_of_memory, what
  /// ended the session.
  result<std::uint32_t> open();
  /// The next stream that the peer opened, which is acknowledged thereby.
  std::optional<std::uint32_t> accept();
  yamux_stream_view stream(std::uint32_t id) noexcept { return {*state_, id}; }
  yamux_control control() noexcept { return yamux_control{*state_}; }

 private:
  std::unique_ptr<yamux_state> state_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
