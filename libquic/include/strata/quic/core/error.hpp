// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <system_error>

#include "strata/quic/export.hpp"

namespace strata::quic {
inline namespace v0 {

/// Transport error codes as they stand on the wire (RFC 9000 section 20.1). crypto_error + alert is
/// 0x0100..0x01ff.
enum class transport_error : std::uint64_t {
  no_error = 0x00,
  internal_error = 0x01,
  connection_refused = 0x02,
  flow_control_error = 0x03,
  stream_limit_error = 0x04,
  stream_state_error = 0x05,
  final_size_error = 0x06,
  frame_encoding_error = 0x07,
  transport_parameter_error = 0x08,
  connection_id_limit_error = 0x09,
  protocol_violation = 0x0a,
  invalid_token = 0x0b,
  application_error = 0x0c,
  crypto_buffer_exceeded = 0x0d,
  key_update_error = 0x0e,
  aead_limit_reached = 0x0f,
  no_viable_path = 0x10,
  crypto_error = 0x0100,
};

/// The transport error of a TLS alert (RFC 9001 section 4.8).
constexpr transport_error crypto_alert(std::uint8_t alert) noexcept {
  return static_cast<transport_error>(0x0100u + alert);
}

/// What broke the protocol, inside the core: it becomes a CONNECTION_CLOSE. `reason` is a static
/// string for people.
struct protocol_failure {
  transport_error code = transport_error::no_error;
  std::uint64_t frame_type = 0;  ///< The frame that caused it; zero when none did.
  const char* reason = "";
};

/// Why and by whom a connection was closed; `code` has wire meaning and fits no std::error_code.
struct close_reason {
  enum class origin_kind : std::uint8_t {
    local_application,    ///< close() here; `code` is the application's.
    local_transport,      ///< This side found an error; `code` is a transport_error.
    peer_application,     ///< CONNECTION_CLOSE of type 0x1d.
    peer_transport,       ///< CONNECTION_CLOSE of type 0x1c.
    idle_timeout,         ///< Silence for longer than the idle timeout (RFC 9000 section 10.1).
    handshake_timeout,    ///< The handshake did not finish in time.
    stateless_reset,      ///< The peer has forgotten the connection (RFC 9000 section 10.3).
    version_negotiation,  ///< The peer speaks no version of ours.
    network,              ///< The socket failed for good.
  };
  origin_kind origin = origin_kind::local_application;
  std::uint64_t code = 0;
  std::uint64_t frame_type = 0;
  std::string reason;  ///< UTF-8 as far as the peer kept the rule; escape it before printing. At
                       ///< most 512 bytes are kept.

  /// The same as an error code: what pending operations complete with.
  STRATA_QUIC_API std::error_code code_for_operations() const noexcept;
  /// One line for people: who, which code by name where it has one, and the reason with unprintable
  /// bytes escaped.
  STRATA_QUIC_API std::string describe() const;
};

}  // namespace v0
}  // namespace strata::quic
