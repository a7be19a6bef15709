// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "strata/quic/core/connection_id.hpp"
#include "strata/quic/core/error.hpp"
#include "strata/quic/core/role.hpp"
#include "strata/quic/export.hpp"
#include "strata/transport/core/address.hpp"
#include "strata/transport/core/buffer_writer.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Where a server would rather be spoken to after the handshake, with the connection ID of sequence
/// number 1 to use there. The server may offer only one family; then the other address is empty
/// (all zeros on the wire).
struct preferred_address {
  transport::address ipv4;
  transport::address ipv6;
  quic::connection_id connection_id;
  quic::stateless_reset_token stateless_reset_token{};

  friend bool operator==(const preferred_address&, const preferred_address&) = default;
};

/// The transport parameters of RFC 9000 section 18.2, with the values that hold when one is absent.
/// Integers go up to 2^62-1 where no range is named: what computes with them has to saturate.
struct transport_parameters {
  static constexpr std::uint64_t min_max_udp_payload_size = 1200;
  static constexpr std::uint64_t default_max_udp_payload_size = 65527;
  static constexpr std::uint64_t max_initial_max_streams = std::uint64_t{1} << 60;
  static constexpr std::uint64_t default_ack_delay_exponent = 3;
  static constexpr std::uint64_t max_ack_delay_exponent = 20;
  static constexpr std::uint64_t default_max_ack_delay = 25;
  static constexpr std::uint64_t max_max_ack_delay = (std::uint64_t{1} << 14) - 1;
  static constexpr std::uint64_t min_active_connection_id_limit = 2;
  /// encode() never writes more than this.
  static constexpr std::size_t max_encoded_size = 384;
  /// Random bytes from which encode() makes one reserved parameter.
  static constexpr std::size_t grease_size = 24;

  std::optional<connection_id> original_destination_connection_id;    ///< Server only.
  std::uint64_t max_idle_timeout = 0;                                 ///< Milliseconds; zero: none.
  std::optional<quic::stateless_reset_token> stateless_reset_token;   ///< Server only.
  std::uint64_t max_udp_payload_size = default_max_udp_payload_size;  ///< Bytes, 1200 or more.
  std::uint64_t initial_max_data = 0;                                 ///< Bytes.
  std::uint64_t initial_max_stream_data_bidi_local =
      0;  ///< Bytes; on streams that the sender of this opens.
  std::uint64_t initial_max_stream_data_bidi_remote =
      0;  ///< Bytes; on streams that the receiver of this opens.
  std::uint64_t initial_max_stream_data_uni =
      0;  ///< Bytes; on streams that the receiver of this opens.
  std::uint64_t initial_max_streams_bidi = 0;                     ///< At most 2^60.
  std::uint64_t initial_max_streams_uni = 0;                      ///< At most 2^60.
  std::uint64_t ack_delay_exponent = default_ack_delay_exponent;  ///< At most 20.
  std::uint64_t max_ack_delay = default_max_ack_delay;            ///< Milliseconds, less than 2^14.
  bool disable_active_migration = false;
  std::optional<core::preferred_address> preferred_address;                   ///< Server only.
  std::uint64_t active_connection_id_limit = min_active_connection_id_limit;  ///< 2 or more.
  std::optional<connection_id> initial_source_connection_id;
  std::optional<connection_id> retry_source_connection_id;  ///< Server only.

  friend bool operator==(const transport_parameters&, const transport_parameters&) = default;
};

/// Writes the extension's content; parameters at their default are left out. From `grease`,
/// grease_size unpredictable bytes, comes one reserved parameter (section 18.1) with random
/// content; none when it is empty.
STRATA_QUIC_API void encode(const transport_parameters& parameters,
                            transport::buffer_writer& writer,
                            transport::bytes grease = {}) noexcept;

/// Reads what a peer in the role of `sender` sent. Every failure is a TRANSPORT_PARAMETER_ERROR.
/// Whether the connection IDs are the right ones is for verify_connection_ids.
STRATA_QUIC_API std::expected<transport_parameters, protocol_failure> decode_transport_parameters(
    transport::bytes content, role sender) noexcept;

/// The connection IDs a handshake has used, as the receiver of transport parameters saw them on
/// packets.
struct handshake_connection_ids {
  connection_id peer_initial_source;  ///< Source of the peer's first Initial packet.
  std::optional<connection_id>
      original_destination;  ///< At a client: Destination of the first Initial packet it sent.
  std::optional<connection_id>
      retry_source;  ///< At a client: Source of the Retry packet, if there was one.
};

/// Authenticates the handshake's connection IDs (RFC 9000 section 7.3): stops an attacker who
/// changes them on the way.
STRATA_QUIC_API std::expected<void, protocol_failure> verify_connection_ids(
    const transport_parameters& received, role sender,
    const handshake_connection_ids& seen) noexcept;

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
