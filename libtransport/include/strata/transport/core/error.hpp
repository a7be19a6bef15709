// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <system_error>

#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// Why an operation of this library failed. Compare with condition when the kind of failure is
/// enough.
enum class errc {
  eof = 1,         ///< The peer ended its direction in order; every byte before it was delivered.
  closed,          ///< The connection or stream is gone because this side closed it.
  closed_by_peer,  ///< The peer closed the connection.
  aborted,      ///< The operation was cancelled, or its handle destroyed; nothing of it happened.
  timed_out,    ///< A deadline passed, or the peer was silent for too long.
  refused,      ///< The peer, or a policy of this side, does not want the connection.
  unreachable,  ///< No route, host or port there.
  name_not_found,  ///< The name has no address.
  stream_reset,    ///< The peer abandoned the direction that was being read.
  write_stopped,   ///< The peer reads no more.
  write_finished,  ///< This side already finished its direction.
  truncated,  ///< The carrier ended without the end mark of the protocol: bytes may be missing.
  message_too_large,  ///< Larger than the path, the peer or a limit allows.
  limit_exceeded,     ///< A configured limit would be passed.
  would_block,        ///< Nothing to read, or no room to write, now.
  invalid_argument,  ///< What was asked makes no sense; the text of the call says what is accepted.
  malformed,         ///< Bytes that do not follow their format.
  not_supported,     ///< This build, system or peer cannot do it.
  certificate_rejected,  ///< The peer's certificate did not verify.
  tls_failed,            ///< The TLS handshake failed for another reason than the certificate.
  protocol_error,        ///< The peer broke the protocol.
  out_of_memory,         ///< Memory ran out; the operation had no effect.
  ech_rejected,          ///< Encrypted Client Hello was asked for and the server did not accept it.
  name_server_failed,    ///< No name server could or would answer; the name may be there.
};

/// Kinds of failure that every library of Strata maps its codes to.
enum class condition { closed = 1, timed_out, refused, protocol_error };

STRATA_TRANSPORT_API const std::error_category& error_category() noexcept;
STRATA_TRANSPORT_API const std::error_category& condition_category() noexcept;

inline std::error_code make_error_code(errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}
inline std::error_condition make_error_condition(condition kind) noexcept {
  return {static_cast<int>(kind), condition_category()};
}

}  // namespace v0
}  // namespace strata::transport

template <>
struct std::is_error_code_enum<strata::transport::errc> : std::true_type {};
template <>
struct std::is_error_condition_enum<strata::transport::condition> : std::true_type {};
