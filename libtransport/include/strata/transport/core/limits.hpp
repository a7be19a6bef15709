// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// Every bound of libtransport on what a peer can make it hold or do. Each has a test at the limit,
/// one below and one above.
namespace strata::transport {
inline namespace v0 {
namespace limits {

// HTTP/1.
inline constexpr std::size_t max_http1_head_bytes =
    16 * 1024;  ///< Start line, field lines and the empty line after them, with their ends.
inline constexpr std::size_t max_http1_fields = 100;  ///< Field lines of one head or trailer.
inline constexpr std::size_t max_http1_connection_options = 32;  ///< Named by Connection.
inline constexpr std::uint64_t max_http1_content_length =
    (std::uint64_t{1} << 63) - 1;                              ///< Also of one chunk.
inline constexpr std::size_t max_http1_chunk_extension = 256;  ///< Bytes in one chunk's line.
/// Bytes of chunk extensions beyond those of the content so far.
inline constexpr std::uint64_t http1_chunk_extension_allowance = 16 * 1024;
inline constexpr std::size_t max_http1_trailer_bytes = 8 * 1024;

// The opening handshake of WebSocket.
inline constexpr std::size_t max_websocket_subprotocols = 32;   ///< Offered by one client.
inline constexpr unsigned max_websocket_interim_responses = 8;  ///< 1xx before the 101.

// WebSocket.
inline constexpr std::uint64_t max_websocket_frame = 16 << 20;    ///< Payload of one frame.
inline constexpr std::uint64_t max_websocket_message = 16 << 20;  ///< Payload of all its frames.
/// Unread bytes and messages, these at websocket_message_cost each, at which the carrier is read
/// no more; what one receive() brings comes on top.
inline constexpr std::size_t max_websocket_unread = 128 * 1024;
inline constexpr std::size_t websocket_message_cost = 64;
/// Bytes that the carrier has not taken, beyond which a write is short.
inline constexpr std::size_t websocket_watermark = 128 * 1024;
inline constexpr std::size_t max_websocket_frame_sent = 65535;  ///< A larger write is cut.

// What costs us and serves nobody: control frames, and data frames without a byte in them.
inline constexpr std::uint32_t websocket_glitch_burst = 1000;
inline constexpr std::uint32_t websocket_glitches_per_second = 33;

// Times.
/// A client that has finished waits so long for the end of what it reads, since its own Close would
/// end that too.
inline constexpr std::chrono::seconds websocket_finish_hold{30};
inline constexpr std::chrono::seconds websocket_close_timeout{30};  ///< From our Close to theirs.
/// A client lets the server end the carrier first, for so long (RFC 6455 section 7.1.1).
inline constexpr std::chrono::seconds websocket_linger{2};
inline constexpr std::chrono::seconds websocket_keepalive_timeout{
    20};  ///< From a ping to any byte.
/// Without a byte in either direction for so long, spare memory is given back.
inline constexpr std::chrono::seconds websocket_spare_memory_kept{1};

// TLS.
inline constexpr std::size_t tls_record_size = 16 * 1024;  ///< Plaintext; RFC 8446 section 5.1.
inline constexpr std::size_t tls_min_record_size = 512;    ///< The least that may be asked for.
/// Of a client, which fetches what it wants; of a server, where slowloris waits.
inline constexpr std::chrono::seconds tls_handshake_timeout{10};
/// Ciphertext of one connection that the carrier has not taken; writes are short beyond it.
inline constexpr std::size_t tls_write_watermark = 256 * 1024;
/// Ciphertext of one connection that nobody has read; the carrier is left alone beyond it. A record
/// fits in any case.
inline constexpr std::size_t tls_input_limit = 128 * 1024;
inline constexpr std::size_t tls_min_input_limit = 32 * 1024;
/// Records without data (key updates, tickets, warnings) that a peer may send in a row within
/// tls_control_window.
inline constexpr unsigned tls_control_records = 128;
inline constexpr std::chrono::seconds tls_control_window{10};
/// Records sealed with one key before this side updates it (RFC 8446 section 5.5).
inline constexpr std::uint64_t tls_records_per_key = std::uint64_t{1} << 23;
/// How long the buffers of a connection that has become quiet are kept.
inline constexpr std::chrono::seconds tls_memory_kept_when_idle{1};
/// A connection that has moved less than so much since its buffers were taken keeps them only for
/// this long: most are set up and wait then, and those that are set up together would all hold
/// theirs at once.
inline constexpr std::size_t tls_little_traffic = 64 * 1024;
inline constexpr std::chrono::milliseconds tls_memory_kept_after_little{50};
/// One session as bytes, and all those of a store; what is larger or too many is not kept.
inline constexpr std::size_t tls_session_bytes = 16 * 1024;
inline constexpr std::size_t tls_sessions = 1024;
inline constexpr std::size_t tls_sessions_per_name = 4;
/// Certificates of a peer, as bytes on the wire.
inline constexpr std::size_t tls_certificate_bytes = 100 * 1024;

// Encrypted Client Hello.
inline constexpr std::size_t ech_config_list_bytes = 16 * 1024;  ///< In binary.
inline constexpr std::size_t ech_configs = 64;                   ///< Of one list.
inline constexpr std::size_t ech_config_extensions = 32;         ///< Of one configuration.

// DNS.
inline constexpr std::size_t max_dns_message = 65'535;  ///< Octets, by TCP's length field.
inline constexpr std::size_t max_dns_records = 1024;    ///< Of all sections, OPT included.
inline constexpr unsigned max_dns_pointers = 126;       ///< In one compressed name.
inline constexpr std::size_t max_dns_addresses = 64;    ///< Of one set; what is beyond is left out.
/// CNAMEs behind one question, and HTTPS records in AliasMode behind one host.
inline constexpr unsigned max_dns_aliases = 8;
inline constexpr std::size_t max_dns_services = 16;  ///< HTTPS records of one host that are used.
/// Names beside the host's own whose addresses are asked for, since HTTPS records lead there.
inline constexpr std::size_t max_dns_targets = 4;
/// Datagrams to one query that answer something else, before it is asked by another way.
inline constexpr unsigned max_dns_mismatches = 16;
/// Queries to one question: more than rounds and servers lead to, by stream, without EDNS, behind
/// CNAMEs.
inline constexpr std::size_t max_dns_attempts = 80;
inline constexpr std::size_t dns_cache_entries = 4096;
inline constexpr std::size_t dns_cache_bytes = 1 << 20;
inline constexpr std::chrono::hours dns_longest_ttl{24};
inline constexpr std::chrono::hours dns_longest_negative_ttl{1};  ///< RFC 2308 section 5.
inline constexpr unsigned max_doh_interim_responses = 8;  ///< 1xx before the response itself.
/// Streams to one server at a time, and exchanges that wait for one.
inline constexpr std::size_t max_dns_streams = 6;
inline constexpr std::size_t max_dns_exchanges_in_line = 256;
inline constexpr std::size_t max_dns_servers = 8;  ///< That one resolver asks.
inline constexpr unsigned max_dns_rounds = 4;      ///< How often it asks each of them.
/// Hosts that one resolver asks about at a time, and those that wait for their turn.
inline constexpr std::size_t max_dns_lookups = 64;
inline constexpr std::size_t max_dns_lookups_in_line = 1024;

}  // namespace limits
}  // namespace v0
}  // namespace strata::transport
