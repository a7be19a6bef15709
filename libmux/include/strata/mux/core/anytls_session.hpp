// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

#include "strata/mux/core/anytls_config.hpp"
#include "strata/mux/core/error.hpp"
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

class anytls_state;

/// What the owner of a session must know. Each is an edge: it comes once, and again only after what
/// its line names.
enum class anytls_event_kind : std::uint8_t {
  authenticated,      ///< Server: the client is user().
  fallback,           ///< Server: it is none; rejected() has what came. Nothing else follows.
  version_known,      ///< The peer has said what it speaks: version() will not change any more.
  padding_scheme,     ///< Client: pushed_padding() is for the sessions to come.
  stream_opened,      ///< Server: accept() has a stream; again after accept() had none.
  streams_available,  ///< Client: open(), which had failed with limit_exceeded, may work now.
  acknowledged,       ///< Client: the server has connected the stream. Only in version 2.
  readable,       ///< Bytes or the end can be read; again after a read or peek would have blocked.
  writable,       ///< write(), which had taken less than it was offered, takes more now.
  write_stopped,  ///< The peer ended the stream: what was not sent is gone.
  failed,         ///< This side gave the stream up: failure() says why. Unread bytes are gone.
  closed,         ///< The session is over, and all its streams with it. The last event.
};

/// Owns nothing; a stream it names may be gone when it is read. Zero names the session.
struct anytls_event {
  anytls_event_kind kind;
  std::uint32_t stream;
};

/// What a session has done so far; plain numbers.
struct anytls_statistics {
  std::uint64_t bytes_sent = 0;  ///< To the carrier, padding included.
  std::uint64_t bytes_received = 0;
  std::uint64_t payload_sent = 0;
  std::uint64_t payload_received = 0;
  std::uint64_t padding_sent = 0;  ///< With the headers of its frames.
  std::uint64_t frames_received = 0;
  std::uint64_t packets_padded = 0;
  std::uint64_t streams_opened = 0;
  std::uint64_t streams_accepted = 0;
  std::uint64_t streams_refused = 0;  ///< Opened by the peer beyond a limit.
  std::uint64_t streams_overrun = 0;  ///< Ended because nobody read them.
  std::uint64_t streams_open = 0;     ///< Now; those that ended and have unread bytes too.
  std::uint64_t heartbeats_sent = 0;  ///< Requests.
  std::uint64_t heartbeats_answered = 0;
  std::uint64_t glitches = 0;  ///< Frames that served nobody.
  std::uint64_t unread = 0;    ///< Bytes that wait for the application now.
};

/// One stream of a session: two words, to be made anew for each use. On a stream that was forgotten
/// everything gives errc::closed. Failures are transport::errc, or what ended the session.
///
/// Both directions of a stream end together, because the protocol has one mark for it: after the
/// peer's end reads give eof behind the last byte, and writes write_stopped.
class STRATA_MUX_API anytls_stream_view {
 public:
  std::uint32_t id() const noexcept { return id_; }

  /// Copies as many bytes of `pieces` as the watermark leaves room for and says how many; less than
  /// all of them means that one `writable` event follows. What the first call takes is a frame of
  /// its own, so that the address of a target and what is sent there do not look like one.
  result<std::size_t> write(std::span<const bytes> pieces);

  /// Copies received bytes out, straight from the input when it is read before release_input().
  /// would_block when there are none yet (a `readable` event follows); eof after the last.
  result<std::size_t> read(std::span<const mutable_bytes> pieces);
  /// The first contiguous received bytes, without taking them: valid until consume() or
  /// release_input(). Empty with `end` set when all was consumed and the stream has ended.
  result<bytes> peek(bool& end);
  /// The same for as many contiguous pieces as there are and the list holds: says how many.
  result<std::size_t> peek(std::span<bytes> pieces, bool& end);
  void consume(std::size_t size);

  /// Writes no more. A server ends the stream at once, behind what was written. A client does so
  /// when the peer has ended it or has sent nothing for anytls_config::finish_hold, since the end
  /// cuts off what the peer still has to say; or for answered_hold, if the peer had answered all
  /// that was written. Again is not an error.
  result<void> finish(time_point now);
  /// Ends the stream at once; what was not sent is dropped. The peer cannot tell it from an end.
  void reset();
  /// The application lets go of the stream: reset(), unless it had finished: then what was written
  /// is sent, and the end at once.
  void forget();

  /// Server: the target is connected. Told to clients of version 2; unless it was said before, the
  /// first write says it too.
  void acknowledge();
  /// Server: it could not be connected. Clients of version 2 get the first
  /// limits::anytls::max_refusal bytes of `why`; the stream is ended.
  void refuse(std::string_view why);

  /// What this side, or a server's refusal, made the stream fail with.
  std::error_code failure() const;
  /// Client: the words of that refusal. The server chose them, so they prove nothing.
  std::string_view refusal() const;

 private:
  friend class anytls_session;
  anytls_stream_view(anytls_state& state, std::uint32_t id) noexcept : state_(&state), id_(id) {}

  anytls_state* state_;
  std::uint32_t id_;
};

/// The session itself, beside its streams; to be made anew for each use.
class STRATA_MUX_API anytls_control {
 public:
  /// No new streams from now on. When the last one has ended, the session is over.
  void drain();
  /// Ends the session and all its streams, and sends nothing: the end of the carrier says it.
  void close(time_point now);
  /// Server: the same, after telling the client why. `text` is cut to limits::anytls::max_alert.
  void reject(time_point now, std::string_view text);

  /// Why the session is over; nullptr while it is not.
  const close_reason* closed() const noexcept;
  /// What the server said when it ended the session, cut to limits::anytls::max_alert and without
  /// control octets; or what this side said.
  std::string_view alert() const noexcept;
  /// Server: the name that goes with the client's password.
  std::string_view user() const noexcept;
  /// Server: what the client calls itself, without control octets.
  std::string_view peer_name() const noexcept;
  /// The version that is in use: 1 until the peer has said that it speaks 2.
  unsigned version() const noexcept;
  /// Client: what the server wants the next sessions to use.
  const std::optional<anytls_padding_scheme>& pushed_padding() const noexcept;
  /// Server, after `fallback`: the next of the bytes that came, all of which are here; they are
  /// taken by consume_rejected().
  bytes rejected() const noexcept;
  void consume_rejected(std::size_t size);
  anytls_statistics statistics() const noexcept;

 private:
  friend class anytls_session;
  explicit anytls_control(anytls_state& state) noexcept : state_(&state) {}

  anytls_state* state_;
};

/// anytls, versions 1 and 2: streams over one TLS connection that somebody else carries, whose
/// first packets are padded. No sockets, clock or threads in it, and nothing calls back.
///
/// After every call: poll_event() until false, then poll_output() and write what it lists, and
/// compare next_timeout() with the timer.
///
/// A client proves who it is by SHA-256 of its password, which nothing binds to the TLS connection:
/// whoever can read it can use it. So verify the server's certificate.
///
/// Memory that runs out makes a command fail with out_of_memory; where no command can fail, the
/// session ends.
class STRATA_MUX_API anytls_session {
 public:
  /// `random` must outlive the session.
  anytls_session(const anytls_config& config, transport::random_source& random);
  ~anytls_session();
  anytls_session(anytls_session&&) noexcept;
  anytls_session& operator=(anytls_session&&) noexcept;

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
  bool poll_event(anytls_event& out);

  /// Fills `pieces` (four at least) with what one gathered write is to send and says how many of
  /// them it used. Every byte of it counts as unsent until sent(); other calls in between are fine,
  /// and the memory stays as it is.
  ///
  /// While a client pads, and for its authentication, the list is one record of the planned size:
  /// it must become one TLS record, by one write that nothing is added to, since the sizes of
  /// records are what padding is for. Call again after sent() for the next one.
  std::size_t poll_output(time_point now, std::span<bytes> pieces);
  /// The carrier took so many bytes of it; the rest comes again, first of all.
  void sent(std::size_t size);

  /// False: stop reading the carrier. The application does not read, or our answers are stuck.
  bool wants_input() const;
  /// The session is over and has sent what it had to: end the carrier.
  bool finished() const;

  /// Client: opens a stream; the server hears of it with the next output, the first time with the
  /// first bytes that are written on it. Errors: limit_exceeded (a `streams_available` event
  /// follows), refused after drain(), out_of_memory, what ended the session.
  result<std::uint32_t> open();
  /// Server: the next stream that the client opened.
  std::optional<std::uint32_t> accept();
  anytls_stream_view stream(std::uint32_t id) noexcept { return {*state_, id}; }
  anytls_control control() noexcept { return anytls_control{*state_}; }

 private:
  std::unique_ptr<anytls_state> state_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
