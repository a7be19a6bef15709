// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// Every bound of libquic on what a peer can make it hold or do. Each has a test at the limit, one
/// below and one above.
namespace strata::quic {
inline namespace v0 {
namespace core::limits {

// Packets.
inline constexpr std::size_t min_initial_datagram = 1200;  ///< RFC 9000 section 14.1.
inline constexpr std::size_t max_batch_bytes = 65'507;     ///< One sendmsg; more is EMSGSIZE.
inline constexpr unsigned max_batch_segments = 64;
inline constexpr std::size_t max_undecryptable_packets =
    8;  ///< Kept per connection until their keys arrive.
inline constexpr std::size_t max_undecryptable_bytes = 16 * 1024;  ///< Of those together.

inline constexpr std::uint64_t packet_number_skip_period =
    1024;  ///< One number in about so many is never sent, so that
           ///< an acknowledgement of it proves a cheat.

// Acknowledgements.
inline constexpr std::size_t max_ack_ranges = 32;  ///< Kept and sent.
inline constexpr std::size_t max_received_ack_ranges =
    4096;  ///< Looked at in one ACK frame; more is ignored.
inline constexpr std::size_t max_tracked_packets =
    128 * 1024;  ///< Sent, not settled, per space; older ones are lost.
inline constexpr std::size_t max_tracked_ack_only =
    256;  ///< The same while the oldest is not in flight.

// Handshake.
inline constexpr std::size_t max_crypto_buffer =
    64 * 1024;  ///< Out of order per level; CRYPTO_BUFFER_EXCEEDED beyond.
inline constexpr std::size_t max_crypto_gaps =
    1024;  ///< A ClientHello in crumbs is fine; more is an attack.
inline constexpr std::uint64_t amplification_factor = 3;  ///< RFC 9000 section 8.1.

// Keys.
inline constexpr std::uint64_t key_update_after_packets =
    1 << 20;  ///< Sealed in one phase; the AEAD's limit may be less.

// Streams.
inline constexpr std::size_t max_lent_views =
    1024;  ///< Pieces of one batch that are not copied, per connection.
inline constexpr std::size_t max_reassembly_gaps =
    512;  ///< Per stream; PROTOCOL_VIOLATION-free: INTERNAL_ERROR.

// Connection IDs and paths.
inline constexpr std::uint64_t active_connection_id_limit = 4;
inline constexpr std::size_t max_pending_retirements =
    16;  ///< RETIRE_CONNECTION_ID not yet acknowledged.
inline constexpr std::size_t max_path_responses = 4;  ///< Waiting to be sent; the oldest goes.

// Memory.
inline constexpr std::chrono::seconds memory_kept_when_idle{1};  ///< Rings and tables of a burst.

// Closing.
inline constexpr std::size_t max_reason_size = 512;  ///< Kept of a peer's reason phrase, and sent.

// Endpoint.
inline constexpr std::size_t max_pending_incoming = 1024;  ///< Attempts waiting for decide().
inline constexpr std::size_t max_pending_incoming_bytes =
    16 * 1024;  ///< Datagrams kept for one attempt.
inline constexpr std::uint32_t half_open_before_retry =
    512;  ///< Handshakes under way; from there on clients prove their address first.
inline constexpr std::uint32_t max_half_open =
    4096;  ///< From there on nobody is answered, whatever they prove.
inline constexpr unsigned stateless_resets_per_second = 1000;
inline constexpr std::chrono::seconds retry_token_lifetime{10};
inline constexpr std::chrono::hours new_token_lifetime{24};
inline constexpr std::size_t max_token_size = 512;

}  // namespace core::limits
}  // namespace v0
}  // namespace strata::quic
