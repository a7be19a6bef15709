// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "strata/h3/export.hpp"

namespace strata::h3 {
inline namespace v0 {

/// HTTP/3 and QPACK error codes as they stand on the wire (RFC 9114 section 8.1, RFC 9204 section
/// 6).
enum class error_code : std::uint64_t {
  datagram_error = 0x33,
  no_error = 0x100,
  general_protocol_error = 0x101,
  internal_error = 0x102,
  stream_creation_error = 0x103,
  closed_critical_stream = 0x104,
  frame_unexpected = 0x105,
  frame_error = 0x106,
  excessive_load = 0x107,
  id_error = 0x108,
  settings_error = 0x109,
  missing_settings = 0x10a,
  request_rejected = 0x10b,
  request_cancelled = 0x10c,
  request_incomplete = 0x10d,
  message_error = 0x10e,
  connect_error = 0x10f,
  version_fallback = 0x110,
  qpack_decompression_failed = 0x200,
  qpack_encoder_stream_error = 0x201,
  qpack_decoder_stream_error = 0x202,
};

/// "H3_FRAME_UNEXPECTED" and so on; "" for a code that has no name.
STRATA_H3_API std::string_view error_name(std::uint64_t code) noexcept;

}  // namespace v0
}  // namespace strata::h3
