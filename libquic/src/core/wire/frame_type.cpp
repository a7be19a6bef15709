// SPDX-License-Identifier: Apache-2.0
#include "core/wire/frame_type.hpp"

#include <array>

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

struct row {
  std::string_view name;
  std::string_view packets;  ///< As in the table: I, H, 0, 1, or _ where the frame may not stand.
};

constexpr std::array<row, frame_type::end> table{{
    {"padding", "IH01"},
    {"ping", "IH01"},
    {"ack", "IH_1"},
    {"ack", "IH_1"},
    {"reset_stream", "__01"},
    {"stop_sending", "__01"},
    {"crypto", "IH_1"},
    {"new_token", "___1"},
    {"stream", "__01"},
    {"stream", "__01"},
    {"stream", "__01"},
    {"stream", "__01"},
    {"stream", "__01"},
    {"stream", "__01"},
    {"stream", "__01"},
    {"stream", "__01"},
    {"max_data", "__01"},
    {"max_stream_data", "__01"},
    {"max_streams", "__01"},
    {"max_streams", "__01"},
    {"data_blocked", "__01"},
    {"stream_data_blocked", "__01"},
    {"streams_blocked", "__01"},
    {"streams_blocked", "__01"},
    {"new_connection_id", "__01"},
    {"retire_connection_id", "__01"},
    {"path_challenge", "__01"},
    {"path_response", "___1"},
    //= RFC 9000 section 12.5
    //# CONNECTION_CLOSE frames signaling
    //# application errors (type 0x1d) MUST only appear in the application data packet
    //# number space.
    {"connection_close", "IH01"},
    {"connection_close", "__01"},
    {"handshake_done", "___1"},
}};

constexpr std::size_t no_column = 4;

constexpr std::size_t column_of(packet_type packet) noexcept {
  switch (packet) {
    case packet_type::initial: return 0;
    case packet_type::handshake: return 1;
    case packet_type::zero_rtt: return 2;
    case packet_type::one_rtt: return 3;
    case packet_type::retry:
    case packet_type::version_negotiation:
    case packet_type::unknown_version: break;
  }
  return no_column;
}

}  // namespace

std::string_view frame_name(std::uint64_t type) noexcept {
  return type < table.size() ? table[type].name : "unknown";
}

bool is_allowed(std::uint64_t type, packet_type packet) noexcept {
  const std::size_t column = column_of(packet);
  return type < table.size() && column != no_column && table[type].packets[column] != '_';
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
