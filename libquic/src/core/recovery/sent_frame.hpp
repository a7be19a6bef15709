// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::quic {
inline namespace v0 {
namespace core {

/// What was put into a packet, as far as its acknowledgement or loss matters to somebody. Frames
/// themselves are not kept: a lost one is written anew from the state it described (RFC 9000
/// section 13.3).
struct sent_frame {
  enum class kind : std::uint8_t {
    ack,                   ///< offset = the largest packet number that was acknowledged.
    crypto,                ///< offset, length in the handshake bytes of the packet's level.
    stream,                ///< slot, id, offset, length, fin.
    reset_stream,          ///< slot, id.
    stop_sending,          ///< slot, id.
    max_data,              ///< offset = the limit announced.
    max_stream_data,       ///< slot, id, offset = the limit announced.
    max_streams,           ///< fin = bidirectional, offset = the limit announced.
    data_blocked,          ///< offset = the limit.
    stream_data_blocked,   ///< slot, id, offset = the limit.
    streams_blocked,       ///< fin = bidirectional, offset = the limit.
    new_connection_id,     ///< offset = sequence number.
    retire_connection_id,  ///< offset = sequence number.
    path_challenge,
    path_response,
    new_token,
    handshake_done,
    ping,
    mtu_probe,  ///< length = the datagram size probed (RFC 9000 section 14.3).
  };

  kind what = kind::ping;
  bool fin = false;
  std::uint32_t slot = 0;  ///< Of stream frames: the stream's place in the stream table, to find it
                           ///< without a search.
  std::uint32_t length = 0;
  std::uint64_t id = 0;
  std::uint64_t offset = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
