// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "core/wire/packet_type.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Frame types as they stand on the wire (RFC 9000 section 12.4, table 3). A type is a
/// std::uint64_t everywhere, because a peer may name any number; where one type has several values,
/// this is the first of them and its flags follow.
namespace frame_type {

inline constexpr std::uint64_t padding = 0x00;
inline constexpr std::uint64_t ping = 0x01;
inline constexpr std::uint64_t ack = 0x02;
inline constexpr std::uint64_t ack_ecn = 0x03;
inline constexpr std::uint64_t reset_stream = 0x04;
inline constexpr std::uint64_t stop_sending = 0x05;
inline constexpr std::uint64_t crypto = 0x06;
inline constexpr std::uint64_t new_token = 0x07;
inline constexpr std::uint64_t stream = 0x08;
inline constexpr std::uint64_t stream_fin_bit = 0x01;
inline constexpr std::uint64_t stream_len_bit = 0x02;
inline constexpr std::uint64_t stream_off_bit = 0x04;
inline constexpr std::uint64_t max_data = 0x10;
inline constexpr std::uint64_t max_stream_data = 0x11;
inline constexpr std::uint64_t max_streams_bidi = 0x12;
inline constexpr std::uint64_t max_streams_uni = 0x13;
inline constexpr std::uint64_t data_blocked = 0x14;
inline constexpr std::uint64_t stream_data_blocked = 0x15;
inline constexpr std::uint64_t streams_blocked_bidi = 0x16;
inline constexpr std::uint64_t streams_blocked_uni = 0x17;
inline constexpr std::uint64_t new_connection_id = 0x18;
inline constexpr std::uint64_t retire_connection_id = 0x19;
inline constexpr std::uint64_t path_challenge = 0x1a;
inline constexpr std::uint64_t path_response = 0x1b;
inline constexpr std::uint64_t connection_close = 0x1c;
inline constexpr std::uint64_t connection_close_application = 0x1d;
inline constexpr std::uint64_t handshake_done = 0x1e;
/// One past the largest type of RFC 9000.
inline constexpr std::uint64_t end = 0x1f;

}  // namespace frame_type

/// What qlog calls a frame of that type; "unknown" for types that are not in table 3.
std::string_view frame_name(std::uint64_t type) noexcept;

/// Whether a packet with such a frame must be acknowledged: all but PADDING, ACK and
/// CONNECTION_CLOSE.
constexpr bool is_ack_eliciting(std::uint64_t type) noexcept {
  constexpr std::uint32_t not_eliciting =
      1u << frame_type::padding | 1u << frame_type::ack | 1u << frame_type::ack_ecn |
      1u << frame_type::connection_close | 1u << frame_type::connection_close_application;
  return type >= frame_type::end || (not_eliciting >> type & 1) == 0;
}

/// Whether packets of only such frames may probe a new path (RFC 9000 section 9.1).
constexpr bool is_probing(std::uint64_t type) noexcept {
  constexpr std::uint32_t probing =
      1u << frame_type::padding | 1u << frame_type::new_connection_id |
      1u << frame_type::path_challenge | 1u << frame_type::path_response;
  return type < frame_type::end && (probing >> type & 1) != 0;
}

/// Table 3 of RFC 9000 section 12.4: whether a frame of that type may stand in a packet of that
/// type. False for types the table has not, and for packets that carry no frames.
bool is_allowed(std::uint64_t type, packet_type packet) noexcept;

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
