// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace strata::quic {
inline namespace v0 {
namespace core {

enum class packet_type : std::uint8_t {
  initial,
  zero_rtt,
  handshake,
  retry,
  version_negotiation,
  one_rtt,
  unknown_version,  ///< A long header of a version that is not ours: what kind of packet it is
                    ///< cannot be told.
};

/// The name qlog gives it.
constexpr std::string_view packet_type_name(packet_type type) noexcept {
  switch (type) {
    case packet_type::initial: return "initial";
    case packet_type::zero_rtt: return "0RTT";
    case packet_type::handshake: return "handshake";
    case packet_type::retry: return "retry";
    case packet_type::version_negotiation: return "version_negotiation";
    case packet_type::one_rtt: return "1RTT";
    case packet_type::unknown_version: break;
  }
  return "unknown";
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
