// SPDX-License-Identifier: Apache-2.0
#include "strata/h3/core/error.hpp"

namespace strata::h3 {
inline namespace v0 {

std::string_view error_name(std::uint64_t code) noexcept {
  switch (static_cast<error_code>(code)) {
    case error_code::datagram_error: return "H3_DATAGRAM_ERROR";
    case error_code::no_error: return "H3_NO_ERROR";
    case error_code::general_protocol_error: return "H3_GENERAL_PROTOCOL_ERROR";
    case error_code::internal_error: return "H3_INTERNAL_ERROR";
    case error_code::stream_creation_error: return "H3_STREAM_CREATION_ERROR";
    case error_code::closed_critical_stream: return "H3_CLOSED_CRITICAL_STREAM";
    case error_code::frame_unexpected: return "H3_FRAME_UNEXPECTED";
    case error_code::frame_error: return "H3_FRAME_ERROR";
    case error_code::excessive_load: return "H3_EXCESSIVE_LOAD";
    case error_code::id_error: return "H3_ID_ERROR";
    case error_code::settings_error: return "H3_SETTINGS_ERROR";
    case error_code::missing_settings: return "H3_MISSING_SETTINGS";
    case error_code::request_rejected: return "H3_REQUEST_REJECTED";
    case error_code::request_cancelled: return "H3_REQUEST_CANCELLED";
    case error_code::request_incomplete: return "H3_REQUEST_INCOMPLETE";
    case error_code::message_error: return "H3_MESSAGE_ERROR";
    case error_code::connect_error: return "H3_CONNECT_ERROR";
    case error_code::version_fallback: return "H3_VERSION_FALLBACK";
    case error_code::qpack_decompression_failed: return "QPACK_DECOMPRESSION_FAILED";
    case error_code::qpack_encoder_stream_error: return "QPACK_ENCODER_STREAM_ERROR";
    case error_code::qpack_decoder_stream_error: return "QPACK_DECODER_STREAM_ERROR";
  }
  return {};
}

}  // namespace v0
}  // namespace strata::h3
