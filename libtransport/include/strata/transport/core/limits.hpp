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

// TLS.
inline constexpr std::size_t tls_record_size = 16 * 1024;  ///< Plaintext; RFC 8446 section 5.1.
inline constexpr std::size_t tls_min_record_size = 512;    ///< The least that may be asked for.
/// Of a client, which fetches what it wants; of a server, where slowloris waits.
inline constexpr std::chrono::seconds tls_handshake_timeout{10};
/// Ciphertext of one connection that the carrier has not taken; writes are short beyond it.
inline constexpr std::size_t tls_write_watermark = 128 * 1024;
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

}  // namespace limits
}  // namespace v0
}  // namespace strata::transport
