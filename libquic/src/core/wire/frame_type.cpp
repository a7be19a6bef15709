// SPDX-License-Identifier: Apache-2.0
#include "core/wire/frame_type.hpp"

#include <array>

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

// The columns of table 3.
constexpr unsigned I = 1, H = 2, Z = 4, A = 8;

struct row {
  std::string_view name;
  unsigned packets;
};

constexpr std::array<row, frame_type::end> table{{
    {"padding", I | H | Z | A},
    {"ping", I | H | Z | A},
    {"ack", I | H | A},
    {"ack", I | H | A},
    {"reset_stream", Z | A},
    {"stop_sending", Z | A},
    {"crypto", I | H | A},
    {"new_token", A},
    {"stream", Z | A},
    {"stream", Z | A},
    {"stream", Z | A},
    {"stream", Z | A},
    {"stream", Z | A},
    {"stream", Z | A},
    {"stream", Z | A},
    {"stream", Z | A},
    {"max_data", Z | A},
    {"max_stream_data", Z | A},
    {"max_streams", Z | A},
    {"max_streams", Z | A},
    {"data_blocked", Z | A},
    {"stream_data_blocked", Z | A},
    {"streams_blocked", Z | A},
    {"streams_blocked", Z | A},
    {"new_connection_id", Z | A},
    {"retire_connection_id", Z | A},
    {"path_challenge", Z | A},
    {"path_response", A},
    //= RFC 9000 section 12.5
    //# CONNECTION_CLOSE frames signaling
    //# application errors (type 0x1d) MUST only appear in the application data packet
    //# number space.
    {"connection_close", I | H | Z | A},
    {"connection_close", Z | A},
    {"handshake_done", A},
}};

constexpr unsigned column(packet_type packet) noexcept {
  switch (packet) {
    case packet_type::initial: return I;
    case packet_type::handshake: return H;
    case packet_type::zero_rtt: return Z;
    case packet_type::one_rtt: return A;
    case packet_type::retry:
    case packet_type::version_negotiation:
    case packet_type::unknown_version: break;
  }
  return 0;
}

}  // namespace

std::string_view frame_name(std::uint64_t type) noexcept {
  return type < table.size() ? table[type].name : "unknown";
}

bool is_allowed(std::uint64_t type, packet_type packet) noexcept {
  return type < table.size() && (table[type].packets & column(packet)) != 0;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
