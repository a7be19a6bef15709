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

}  // namespace core::limits
}  // namespace v0
}  // namespace strata::mux
