// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>

#include "core/connection/event_queue.hpp"
#include "core/connection/packet_payload.hpp"
#include "core/stream/page_recycler.hpp"
#include "core/wire/frame.hpp"
#include "strata/quic/core/encryption_level.hpp"
#include "strata/quic/core/error.hpp"
#include "strata/quic/core/transport_parameters.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/result.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

using send_token = std::uint64_t;

/// Every stream of a connection, their flow control and the connection's (RFC 9000 sections 2 to
/// 4).
///
/// Received frames go into on(...), which gives the failure that closes the connection when the
/// peer broke a rule. Stream bytes that arrive in order are not copied: they are views into the
/// received batch until release_input().
class stream_table {
 public:
  struct config {
    role side = role::client;
    std::uint64_t max_data = 0;  ///< First connection window that this side announces.
    std::uint64_t max_stream_data_bidi_local = 0;
    std::uint64_t max_stream_data_bidi_remote = 0;
    std::uint64_t max_stream_data_uni = 0;
    std::uint64_t max_streams_bidi = 0;  ///< How many streams the peer may have open at a time.
    std::uint64_t max_streams_uni = 0;
    std::uint64_t max_window = 0;         ///< Auto-tuning stops here, for the connection.
    std::uint64_t max_stream_window = 0;  ///< And here for one stream.
    std::uint64_t write_watermark =
        128 * 1024;  ///< Copied bytes per stream that are not yet in flight.
  };
  using outcome = std::expected<void, protocol_failure>;

  stream_table(const config&, event_queue& events, page_recycler& pages);
  ~stream_table();
  stream_table(const stream_table&) = delete;
  stream_table& operator=(const stream_table&) = delete;

  /// The peer's first limits, when its transport parameters have arrived.
  void set_peer_limits(const transport_parameters& peer);

  // From the peer.
  outcome on(transport::time_point now, const stream_frame&);
  outcome on(transport::time_point now, const reset_stream_frame&);
  outcome on(const stop_sending_frame&);
  outcome on(const max_data_frame&);
  outcome on(const max_stream_data_frame&);
  outcome on(const max_streams_frame&);
  outcome on(const data_blocked_frame&);
  outcome on(const stream_data_blocked_frame&);
  outcome on(const streams_blocked_frame&);
  /// The memory of the received batch goes away: what was not read is moved to pages.
  void release_input();

  // From loss recovery; only the frame kinds that write_frames() notes.
  void on_acked(const sent_frame&);
  void on_lost(const sent_frame&);
  /// Queues unacknowledged data once more for a probe packet when nothing new can be sent; false
  /// when there is none.
  bool queue_probe_data();

  // To the peer.
  /// True when write_frames() would write something.
  bool has_output() const noexcept;
  /// Control frames first, then stream data by urgency, round robin among equals; fills the packet
  /// as far as it goes. A STREAM frame that ends the packet leaves out its length field.
  void write_frames(transport::time_point now, packet_payload&);
  /// The smoothed rtt, for auto-tuning of receive windows.
  void set_rtt(transport::duration smoothed) noexcept;

  // From the application. Streams are named by id; failures are transport::errc: `closed` for a
  // stream that is not there, was reset or stopped by this side, or forgotten, and for writing once
  // the connection is over; `invalid_argument` for a direction that the stream has not.
  transport::result<std::uint64_t> open(
      bool bidirectional);  ///< limit_exceeded: then streams_available is reported.
  /// The peer's streams one after the other, in the order of their ids.
  std::optional<std::uint64_t> accept(bool bidirectional);
  /// Copies what the watermark leaves room for, possibly nothing, and says how much. Less than all
  /// of it means that `writable` is reported once half of the watermark is free. `fin` counts only
  /// when everything was taken; alone, and repeated, it succeeds even when the peer has stopped
  /// reading. Else write_stopped, write_finished.
  transport::result<std::size_t> write(std::uint64_t id, std::span<const transport::bytes> pieces,
                                       bool fin);
  /// After success exactly one event names the token, `acknowledged` or `abandoned`, even when the
  /// stream is forgotten or the connection closed meanwhile. No watermark holds for borrowed
  /// memory. Empty `data` is acknowledged at once.
  transport::result<void> write_borrowed(std::uint64_t id, transport::bytes data, send_token token,
                                         bool fin);
  /// would_block when there is nothing, stream_reset (every time) after a reset by the peer. `fin`:
  /// the end is reached, now and every time after. Works on after on_connection_closed().
  transport::result<std::size_t> read(transport::time_point now, std::uint64_t id,
                                      transport::mutable_bytes out, bool& fin);
  /// The first contiguous piece of what read() would give, without taking it; valid until
  /// consume(), release_input() or the next on(). `fin`: the end is right behind it. An empty piece
  /// with `fin` is taken by consume(0).
  transport::result<transport::bytes> peek(std::uint64_t id, bool& fin) const;
  void consume(transport::time_point now, std::uint64_t id, std::size_t size);
  /// Ends both directions, whatever was written or read so far: RESET_STREAM unless all of it is
  /// acknowledged, STOP_SENDING unless the peer's end is known. Borrowed memory is abandoned. A
  /// driver whose contract lets finished writes arrive calls stop() instead once it has finished.
  void reset(std::uint64_t id, std::uint64_t code);
  /// Drops what arrives. STOP_SENDING unless the peer's end is known.
  void stop(std::uint64_t id, std::uint64_t code);
  /// From the start urgency 3, incremental: streams that nobody has ranked share.
  void prioritize(std::uint64_t id, std::uint8_t urgency, bool incremental);
  /// The application will not touch the stream again; of its events only tokens still come. What
  /// this side sends is reset with code 0, unless its end was written: then it still arrives. What
  /// the peer sends is dropped, and stopped with code 0, unless its end is known. When both ends
  /// are known, nothing is sent. The state goes once both directions are done.
  void forget(std::uint64_t id);

  /// The connection is over: `abandoned` for every borrowed write, nothing else is reported any
  /// more.
  void on_connection_closed();
  /// Nothing that was written, no end and no reset is without acknowledgement: a close now loses
  /// nothing. Streams that are open without an end do not count.
  bool all_sent_acknowledged() const noexcept;

  struct counters {
    std::uint64_t streams_open = 0;
    std::uint64_t bytes_buffered_to_read =
        0;  ///< Memory of pages; never more than used credit, and a page per stream.
    std::uint64_t bytes_received = 0;  ///< Sum of the highest offsets, as flow control counts.
    std::uint64_t bytes_sent = 0;
    std::uint64_t data_limit_from_peer = 0;
  };
  counters count() const noexcept;
  /// Gives back the memory that is kept for later streams: for a connection that has become quiet.
  /// Not between on() and release_input().
  void shrink();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
