// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "strata/transport/core/bytes.hpp"

namespace strata::quic {
inline namespace v0 {
namespace observers {

/// Appends the JSON array of the frames in a packet's payload, in qlog's QuicFrame forms. A payload
/// that does not decode (the peer's fault; it is observed before it is judged) ends the array with
/// an `unknown` frame. `ack_delay_exponent` is the sender's.
void append_frames(std::string& out, transport::bytes payload, std::uint64_t ack_delay_exponent);

/// Appends `,"name":` and the error as qlog's TransportError, CryptoError or ApplicationError; what
/// has no word there is `unknown`, with the number behind it.
void append_error(std::string& out, std::string_view name, bool application, std::uint64_t code);

}  // namespace observers
}  // namespace v0
}  // namespace strata::quic
