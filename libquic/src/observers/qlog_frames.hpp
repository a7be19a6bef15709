// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "strata/transport/core/bytes.hpp"

namespace strata::quic {
inline namespace v0 {
namespace observers {

/// Appends the JSON array of the frames in a packet's payload, in qlog's QuicFrame forms. A payload
/// that does not decode (the peer's fault; it is observed before it is judged) ends the array with
/// an `unknown` frame.
void append_frames(std::string& out, transport::bytes payload);

/// Appends a JSON string: whatever a peer sent is escaped.
void append_json_string(std::string& out, std::string_view text);

}  // namespace observers
}  // namespace v0
}  // namespace strata::quic
