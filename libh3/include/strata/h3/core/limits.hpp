// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// Every bound of libh3 on what a peer can make it hold or do. Each has a test at the limit, one
/// below and one above.
namespace strata::h3 {
inline namespace v0 {
namespace core::limits {

// Field sections.
inline constexpr std::size_t max_field_section_size =
    32 * 1024;  ///< Decoded, 32 bytes added per field; RFC 9114 section 4.2.2.
inline constexpr std::size_t max_field_count = 200;  ///< Field lines in one section.
inline constexpr std::size_t max_parked_section_bytes =
    256 * 1024;  ///< Encoded, incomplete or blocked, over all streams.
inline constexpr unsigned max_interim_responses = 10;  ///< 1xx before the final response.

// QPACK.
inline constexpr std::uint64_t qpack_table_capacity =
    4096;  ///< SETTINGS_QPACK_MAX_TABLE_CAPACITY we send.
inline constexpr std::uint64_t max_qpack_table_capacity =
    1 << 20;  ///< What an application may raise it to.
inline constexpr std::uint64_t qpack_blocked_streams =
    16;  ///< SETTINGS_QPACK_BLOCKED_STREAMS we send.
inline constexpr std::chrono::seconds blocked_stream_timeout{10};
inline constexpr std::size_t max_decoder_stream_backlog =
    16 * 1024;  ///< Instructions that QUIC has not taken yet.
inline constexpr std::size_t never_indexed_cookie_size =
    20;  ///< A shorter cookie can be guessed: never indexed.

// Control stream.
inline constexpr std::size_t max_settings_payload = 4096;
inline constexpr std::size_t max_settings_count = 64;
inline constexpr std::size_t max_varint_frame_payload = 8;  ///< GOAWAY, CANCEL_PUSH, MAX_PUSH_ID.

// Streams.
inline constexpr std::size_t max_peer_unidirectional_streams =
    16;                                            ///< Open at once, critical ones included.
inline constexpr std::size_t max_requests = 1024;  ///< Open at once; beyond: H3_REQUEST_REJECTED.
inline constexpr std::size_t max_unsent_body =
    64 * 1024;  ///< Kept per stream for QUIC; a write beyond is short.
inline constexpr std::size_t max_body_pieces = 16;      ///< In one send_body().
inline constexpr std::size_t max_pooled_requests = 32;  ///< Finished request slots kept for reuse.
inline constexpr std::size_t max_pooled_buffer =
    16 * 1024;  ///< A slot's buffer beyond this is freed, not pooled.

// Floods: a token bucket for what costs us and serves nobody (resets, malformed messages, control
// frames, empty frames), and a ratio of framing to content.
inline constexpr std::uint32_t glitch_burst = 1000;
inline constexpr std::uint32_t glitches_per_second = 33;
inline constexpr std::uint64_t overhead_allowance =
    1 << 20;                                        ///< Bytes of overhead before the ratio counts.
inline constexpr std::uint64_t overhead_ratio = 8;  ///< Overhead per useful byte beyond that.

// Closing.
inline constexpr std::size_t max_reason_size = 256;

}  // namespace core::limits
}  // namespace v0
}  // namespace strata::h3
