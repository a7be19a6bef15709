// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "strata/quic/core/limits.hpp"

#include "strata/transport/core/clock.hpp"
#include "strata/transport/tls.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// NewReno (RFC 9002 section 7) or CUBIC (RFC 9438), both with HyStart++ (RFC 9406).
enum class congestion_algorithm : std::uint8_t { new_reno, cubic };

/// What one connection is to be like. Windows are in bytes; times of zero switch the matter off
/// where the text says so.
struct connection_config {
  /// Silence after which the connection is dropped without a word (RFC 9000 section 10.1); the
  /// peer's may be shorter. Zero: never.
  std::chrono::milliseconds max_idle_timeout{30'000};
  /// A PING leaves after so much silence, so that the idle timeout and address translators do not
  /// strike. Zero: never.
  std::chrono::milliseconds keep_alive{0};
  /// A handshake that has not finished by then is given up, however much of it arrives: the answer
  /// to a peer that feeds it byte by byte.
  std::chrono::milliseconds handshake_timeout{10'000};

  std::uint64_t initial_max_data =
      1024 * 1024;  ///< Grows by itself up to max_window as the rtt demands.
  std::uint64_t initial_max_stream_data = 256 * 1024;
  std::uint64_t max_window = 24 * 1024 * 1024;
  std::uint64_t max_stream_window = 16 * 1024 * 1024;
  std::uint64_t max_streams_bidi = 100;  ///< Streams the peer may have open at a time.
  std::uint64_t max_streams_uni = 100;
  /// Copied bytes per stream that wait to be sent; rounded down to what fills whole batches, when
  /// it is one or more.
  std::uint64_t write_watermark = 128 * 1024;

  /// UDP payload of the datagrams this side sends. 1,200 passes every path that carries QUIC; more
  /// only where the path is known. At most 65,507.
  std::uint16_t max_datagram_size = 1200;
  std::chrono::milliseconds max_ack_delay{25};
  std::chrono::milliseconds initial_rtt{333};
  congestion_algorithm congestion = congestion_algorithm::cubic;
  /// Packets sealed with one set of 1-RTT keys before this side begins a key update (RFC 9001
  /// section 6.6); half of what the cipher allows may come first.
  std::uint64_t key_update_after = limits::key_update_after_packets;
  /// Unknown transport parameters and versions are offered now and then, so that peers stay
  /// tolerant (RFC 9287's spirit; RFC 9000 section 18.1).
  bool grease = true;
  /// A client's, in the place of its endpoint's: for one server's Encrypted Client Hello, which
  /// tls_context::with_ech() makes one of.
  std::optional<transport::tls_context> tls;
};

/// What an endpoint is to be like.
struct endpoint_config {
  connection_config connection;  ///< Of connections that are accepted.
  bool accept_incoming = false;  ///< False: a client only; Initial packets of others are dropped.
  /// 32 bytes that address validation and stateless reset tokens are derived from; servers behind
  /// one address share them. Empty: random ones, and a restart invalidates what was handed out.
  std::vector<std::byte> static_key;
  std::uint32_t max_connections = 65'536;
  /// Server: send NEW_TOKEN after the handshake, so that the client's next one is not asked to
  /// retry.
  bool issue_new_tokens = true;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
