// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <system_error>

#include "strata/h3/core/error.hpp"
#include "strata/h3/export.hpp"

namespace strata::h3 {
inline namespace v0 {

/// HTTP/3's codes as std::error_code: a peer's RESET_STREAM, STOP_SENDING or close with a code that
/// RFC 9114 or 9204 names, and what this side found wrong. Codes without a name become
/// transport::errc (stream_reset, write_stopped, closed_by_peer); message_stream::codes() has them.
STRATA_H3_API const std::error_category& error_category() noexcept;

inline std::error_code make_error_code(error_code code) noexcept {
  return {static_cast<int>(code), error_category()};
}

/// The server has done nothing with this request and never will (RFC 9114 sections 4.1.1 and 5.2):
/// whatever its method, it may be sent again, on another connection.
inline bool is_retry_safe(const std::error_code& error) noexcept {
  return error == make_error_code(error_code::request_rejected);
}

}  // namespace v0
}  // namespace strata::h3

template <>
struct std::is_error_code_enum<strata::h3::error_code> : std::true_type {};
