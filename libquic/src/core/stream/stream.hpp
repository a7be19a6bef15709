// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "core/stream/intrusive_ring.hpp"
#include "core/stream/receive_stream.hpp"
#include "core/stream/send_schedule.hpp"
#include "core/stream/send_stream.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

struct control_tag {};

/// A frame about a stream, other than STREAM, that waits to be written.
enum class stream_control : std::uint8_t {
  reset_stream = 1,
  stop_sending = 2,
  max_stream_data = 4,
  stream_data_blocked = 8,
};

/// One stream: the parts it has (RFC 9000 section 3), and what the table remembers about it. The
/// memory is used again for later streams; `id` tells whose it is.
struct stream : scheduled, ring_link<control_tag> {
  static constexpr std::uint64_t no_id = UINT64_MAX;

  std::uint64_t id = no_id;
  std::uint32_t slot = 0;
  bool can_send = false;
  bool can_receive = false;
  bool forgotten = false;          ///< The application has let go: only tokens are still reported.
  bool counted_closed = false;     ///< Both parts have ended: the peer may open another one.
  bool readable_reported = false;  ///< Until the next read, peek or consume.
  bool read_waiting = false;       ///< The last read gave would_block.
  bool touched = false;            ///< Got lent bytes in this batch.
  std::uint8_t control = 0;        ///< stream_control bits.
  send_stream sending;
  receive_stream receiving;

  bool is_bidirectional() const noexcept { return can_send && can_receive; }
  bool is_over() const noexcept {
    return (!can_send || sending.is_terminal()) && (!can_receive || receiving.is_terminal());
  }
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
