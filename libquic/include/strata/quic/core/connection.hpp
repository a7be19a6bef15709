// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "strata/quic/core/error.hpp"
#include "strata/quic/core/event.hpp"
#include "strata/quic/core/tls_backend.hpp"
#include "strata/quic/core/transport_parameters.hpp"
#include "strata/transport/core/address.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

class connection_state;

using send_token = std::uint64_t;

/// What a connection has done so far; plain numbers.
struct connection_statistics {
  std::uint64_t packets_sent = 0;
  std::uint64_t packets_received = 0;
  std::uint64_t packets_lost = 0;
  std::uint64_t packets_dropped = 0;  ///< Received, but not authentic, duplicate, or without keys.
  std::uint64_t bytes_sent = 0;       ///< UDP payload.
  std::uint64_t bytes_received = 0;
  std::uint64_t datagrams_sent = 0;
  std::uint64_t datagrams_received = 0;
  std::uint64_t batches_sent =
      0;  ///< Calls of poll_transmit that gave something: one sendmsg each.
  std::uint64_t probe_timeouts = 0;
  std::uint64_t congestion_window = 0;  ///< Bytes, now.
  std::uint64_t bytes_in_flight = 0;
  std::uint64_t streams_open = 0;
  transport::duration smoothed_rtt{};
  transport::duration minimum_rtt{};
  transport::duration
      handshake_time{};  ///< From the first packet to the completed handshake; zero before.
};

/// One stream of a connection: two words, to be made anew for each use, valid until the next
/// receive(), handle_timeout() or close of its endpoint. Failures are transport::errc.
class STRATA_QUIC_API stream_view {
 public:
  stream_view(connection_state& connection, std::uint64_t id) noexcept
      : connection_(&connection), id_(id) {}
  std::uint64_t id() const noexcept { return id_; }

  /// Copies as many bytes of `pieces` as the watermark leaves room for and says how many; less than
  /// all of them means that one `writable` event follows. `fin` ends the stream, and counts only
  /// when everything was taken.
  result<std::size_t> write(std::span<const bytes> pieces, bool fin);
  /// Sends from the caller's memory, which must stay unchanged until an event names the token:
  /// `acknowledged` or `abandoned`, exactly one of them.
  result<void> write_borrowed(bytes data, send_token token, bool fin);
  /// Copies received bytes out, straight from the datagram when they are read before
  /// release_input(). would_block when there are none yet (a `readable` event follows); `fin` is
  /// set once everything up to the end has been read.
  result<std::size_t> read(mutable_bytes out, bool& fin);
  /// The first contiguous received bytes, without taking them: valid until consume() or
  /// release_input().
  result<bytes> peek(bool& fin) const;
  void consume(std::size_t size);
  /// Ends both directions at once: RESET_STREAM for what this side sends, STOP_SENDING for what the
  /// peer does.
  void reset(std::uint64_t code);
  /// Asks the peer to send no more (RFC 9000 section 3.5); what arrives is dropped.
  void stop(std::uint64_t code);
  /// RFC 9218: urgency 0 (first) to 7; incremental streams of one urgency share the connection in
  /// turns.
  void prioritize(std::uint8_t urgency, bool incremental);
  /// The application lets go of the stream: written bytes still arrive, unread ones are refused.
  void forget();

 private:
  connection_state* connection_;
  std::uint64_t id_;
};

/// One connection of an endpoint: one word, to be made anew with endpoint::at(); valid as long as
/// stream_view.
class STRATA_QUIC_API connection_view {
 public:
  explicit connection_view(connection_state* connection) noexcept : connection_(connection) {}
  /// False when the handle named a connection that was released.
  explicit operator bool() const noexcept { return connection_ != nullptr; }

  /// limit_exceeded when the peer allows no more streams now; a `streams_available` event follows.
  result<std::uint64_t> open(bool bidirectional);
  /// The next stream that the peer opened.
  std::optional<std::uint64_t> accept(bool bidirectional);
  stream_view stream(std::uint64_t id) const noexcept { return {*connection_, id}; }

  /// Immediate close with the application's code (RFC 9000 section 10.2): what was not sent is
  /// dropped. At most limits::max_reason_size bytes of `reason` are sent.
  void close(transport::time_point now, std::uint64_t code, std::string_view reason);
  /// Everything written, ends included, has been acknowledged: a close now loses nothing.
  bool all_sent_acknowledged() const noexcept;
  /// Why the connection is over; nullptr while it is not.
  const close_reason* closed() const noexcept;
  /// After `closed`: the endpoint forgets the connection as soon as the draining period ends. The
  /// handle is invalid now.
  void release();

  bool handshake_complete() const noexcept;
  bool handshake_confirmed() const noexcept;
  role side() const noexcept;
  const transport::address& remote_address() const noexcept;
  const transport::address& local_address() const noexcept;
  /// What TLS agreed on; valid from `ready` on, and `ech` of it when the handshake failed, too.
  const tls_summary& security() const noexcept;
  const transport_parameters& peer_parameters() const noexcept;
  connection_statistics statistics() const noexcept;
  /// The connection ID of the first flight, by which logs name the connection on both sides.
  connection_id original_destination() const noexcept;
  /// Sends a PING soon.
  void ping();

 private:
  connection_state* connection_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
