// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// Every bound of libmux on what a peer can make it hold or do. Each has a test at the limit, one
/// below and one above.
namespace strata::mux {
inline namespace v0 {
namespace core::limits {

// Memory of one session, of either protocol.
inline constexpr std::size_t max_lent_views = 256;  ///< Beyond, received bytes are copied.
inline constexpr std::size_t kept_pages = 512;      ///< Free pages of 4 KiB that are not freed.
inline constexpr std::size_t kept_streams = 64;     ///< Free stream objects that are not freed.

namespace yamux {

// Windows, in bytes.
inline constexpr std::uint32_t initial_window =
    256 * 1024;  ///< Of every stream at first; both ends take it as agreed.
inline constexpr std::uint32_t max_window = 16 * 1024 * 1024;  ///< Of one stream, grown.
inline constexpr std::uint64_t window_growth =
    16 * 1024 * 1024;  ///< By which all windows of a session together may exceed the initial ones.
inline constexpr std::uint32_t window_step =
    512 * 1024;  ///< Read bytes are returned at half the window, or when there are so many.
inline constexpr std::uint64_t max_buffered =
    32 * 1024 * 1024;  ///< Unread bytes of a session; beyond, the carrier is not read.

// Streams.
inline constexpr std::size_t max_streams =
    512;  ///< Open at once, of both ends; rust-yamux ends the session at the 513th.
inline constexpr std::size_t max_incoming_streams = 512;  ///< Of those, opened by the peer.
inline constexpr std::size_t accept_backlog = 256;        ///< Not yet accepted; beyond: reset.
inline constexpr std::size_t ack_backlog = 256;           ///< Opened here and not yet acknowledged.
inline constexpr std::uint32_t remembered_ids =
    1024;  ///< How far back an ID used twice is recognised.

// Sending.
inline constexpr std::uint32_t frame_payload = 16 * 1024;  ///< One turn of a stream.
inline constexpr std::uint32_t max_frame_payload =
    64 * 1024 - 12;  ///< What frame_payload may be set to: all peers take as much.
inline constexpr std::size_t write_watermark =
    256 * 1024;  ///< Copied bytes of one stream that wait for the carrier; a write beyond is short.
inline constexpr std::size_t min_watermark =
    16 * 1024;  ///< What every stream may always copy, however many others do.
inline constexpr std::size_t max_unsent =
    16 * 1024 * 1024;  ///< Copied bytes of a session, shared among the streams that have some.
inline constexpr std::size_t max_lent_pieces = 16;          ///< In one lend().
inline constexpr std::size_t max_batch_frames = 128;        ///< In one poll_output().
inline constexpr std::size_t max_batch_bytes = 512 * 1024;  ///< In one poll_output().

// What a peer makes us answer.
inline constexpr std::size_t max_pending_pongs = 32;  ///< Pings beyond those are not answered.
inline constexpr std::size_t max_pending_refusals =
    256;  ///< Resets of streams that were not taken; beyond, the session is closed.
inline constexpr std::uint32_t glitch_burst =
    1000;  ///< Frames that serve nobody; beyond, the session is closed.
inline constexpr std::uint32_t glitches_per_second = 100;

// Times.
inline constexpr std::chrono::milliseconds keep_alive_interval{30'000};
inline constexpr std::chrono::milliseconds keep_alive_timeout{10'000};
inline constexpr std::chrono::milliseconds rtt_interval{30'000};
inline constexpr std::chrono::milliseconds open_timeout{75'000};
inline constexpr std::chrono::milliseconds close_timeout{300'000};
inline constexpr std::chrono::milliseconds flush_timeout{10'000};

}  // namespace yamux

namespace anytls {

// The padding scheme that a server may push (A09 to A11).
inline constexpr std::size_t max_padding_text = 4 * 1024;
inline constexpr std::uint32_t max_padded_packets = 64;     ///< The largest `stop`.
inline constexpr std::size_t max_padding_items = 32;        ///< Of one packet.
inline constexpr std::uint32_t max_padding_size = 16384;    ///< Of one record, as TLS has it.
inline constexpr std::uint64_t max_padding_total = 262144;  ///< Of all packets together.

// What comes before streams.
inline constexpr std::chrono::milliseconds authentication_timeout{5'000};
inline constexpr std::size_t max_settings = 4 * 1024;  ///< Bytes of a client's settings, ...
inline constexpr std::size_t max_settings_lines = 64;  ///< ... and lines.
inline constexpr std::size_t max_peer_name = 256;      ///< Bytes of `client=` that are kept.
inline constexpr std::size_t max_alert = 1024;         ///< Bytes of an alert that are kept, ...
inline constexpr std::size_t max_refusal = 256;        ///< ... and of why a stream was refused.
/// How long a client that opened a stream waits for the first bytes on it, which go into one packet
/// with its settings.
inline constexpr std::chrono::milliseconds first_packet_timeout{100};

// Streams.
inline constexpr std::size_t max_streams = 256;        ///< Open at once in a session.
inline constexpr std::size_t accept_backlog = 128;     ///< Not yet accepted.
inline constexpr std::size_t max_unread = 512 * 1024;  ///< Unread bytes of one stream.
inline constexpr std::size_t max_session_unread = 16 * 1024 * 1024;  ///< Of all of a session.

// Sending.
inline constexpr std::size_t frame_payload = 16 * 1024 - 7;  ///< A frame is a TLS record.
inline constexpr std::size_t write_watermark = 256 * 1024;   ///< Unsent bytes of one stream.
inline constexpr std::size_t max_unsent = 16 * 1024 * 1024;  ///< The same of a session.
inline constexpr std::size_t min_watermark = 16 * 1024;      ///< What every stream may have unsent.
inline constexpr std::size_t max_batch_frames = 128;         ///< In one poll_output().
inline constexpr std::size_t max_batch_bytes = 512 * 1024;   ///< In one poll_output().
/// Answers that wait for a peer that does not read; beyond, it is not read either.
inline constexpr std::size_t max_control = 64 * 1024;

// Frames that serve nobody; beyond, the session is closed.
inline constexpr std::uint32_t glitch_burst = 1000;
inline constexpr std::uint32_t glitches_per_second = 100;

// Times.
inline constexpr std::chrono::milliseconds heartbeat_interval{30'000};
inline constexpr std::chrono::milliseconds heartbeat_timeout{10'000};
/// The same when bytes of streams may be stuck in front of the answer.
inline constexpr std::chrono::milliseconds stall_timeout{120'000};
inline constexpr std::chrono::milliseconds liveness_timeout{3'000};
inline constexpr std::chrono::milliseconds synack_timeout{10'000};
inline constexpr std::chrono::milliseconds report_timeout{2'000};
inline constexpr std::chrono::milliseconds finish_hold{30'000};
/// The same when the peer had answered what was written.
inline constexpr std::chrono::milliseconds answered_hold{1'000};
inline constexpr std::chrono::milliseconds idle_timeout{600'000};
inline constexpr std::chrono::milliseconds flush_timeout{5'000};
/// A carrier that takes longer to be dialled is given up, and counts as dead on arrival.
inline constexpr std::chrono::milliseconds dial_timeout{15'000};
/// How long a dial that waits for the server's answer waits for its version, without which there
/// may never be one.
inline constexpr std::chrono::milliseconds version_timeout{3'000};

// A listener.
inline constexpr std::size_t max_sessions = 16'384;  ///< Beyond, no carrier is accepted.
/// Requests that wait to be accepted; beyond, streams are left to the backlog of their session.
inline constexpr std::size_t max_requests = 1024;
/// How long a stream may take to say where it is to go.
inline constexpr std::chrono::milliseconds destination_timeout{10'000};

// The pool.
inline constexpr std::chrono::milliseconds pool_interval{30'000};
inline constexpr std::chrono::milliseconds pool_timeout{60'000};
/// An interval or a timeout up to `min_pool_time` is `pool_replacement` instead.
inline constexpr std::chrono::milliseconds min_pool_time{5'000};
inline constexpr std::chrono::milliseconds pool_replacement{30'000};
inline constexpr std::chrono::milliseconds first_backoff{250};
inline constexpr std::chrono::milliseconds max_backoff{30'000};

inline constexpr std::size_t max_uri = 2048;

}  // namespace anytls

}  // namespace core::limits
}  // namespace v0
}  // namespace strata::mux
