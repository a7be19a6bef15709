// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <system_error>

#include "core/memory/intrusive_ring.hpp"
#include "core/memory/receive_queue.hpp"
#include "core/yamux/flow_window.hpp"
#include "core/yamux/send_queue.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// One stream, as its session keeps it: how far each direction has come, what waits in it, and the
/// rings of the session that it stands in.
struct stream : ring_link<struct accept_tag>,
                ring_link<struct event_tag>,
                ring_link<struct lent_tag>,
                ring_link<struct control_tag>,
                ring_link<struct data_tag>,
                ring_link<struct opening_tag>,
                ring_link<struct closing_tag>,
                ring_link<struct planned_tag> {
  std::uint32_t id = 0;

  // Opening.
  bool opened_here = false;
  bool syn_waits = false;     ///< Opened here, and the peer was not told.
  bool ack_waits = false;     ///< Accepted, and the peer was not told.
  bool acknowledged = false;  ///< Opened here, and the peer has it.
  bool owned = false;         ///< The application has it: opened here, or accepted.
  bool forgotten = false;     ///< Nobody has it any more.

  // What this side reads.
  bool fin_received = false;
  bool reset_received = false;  ///< Both directions, as far as they had not ended.
  bool stopped = false;         ///< What comes is dropped.
  bool awaits_readable = true;  ///< The next bytes or the end are an event.

  // What this side writes.
  bool fin_waits = false;  ///< The application has finished.
  bool fin_sent = false;
  bool rst_waits = false;
  bool rst_sent = false;
  bool write_reset = false;  ///< The application gave the direction up.
  bool awaits_writable = false;

  bool retired = false;  ///< Over, read to the end, and counted as open no more.

  // Between poll_output() and sent().
  bool flags_planned = false;  ///< A frame of the list has the SYN or ACK that waits.
  bool fin_planned = false;
  bool drop_waits = false;  ///< Unsent bytes that the list may name are to be dropped.
  std::uint32_t planned_credit = 0;
  std::size_t planned_bytes = 0;
  send_queue::cursor place{};

  std::size_t lent = 0;          ///< The size of the last run, until `written` was told.
  std::uint16_t events = 0;      ///< Kinds that wait, as bits.
  std::uint32_t reset_code = 0;  ///< Sent or received.
  std::error_code failure;       ///< What this side gave it up for.
  send_window sending;
  receive_window receiving;
  send_queue unsent;
  receive_queue unread;
  transport::time_point deadline{};        ///< To be acknowledged.
  transport::time_point close_deadline{};  ///< To end, once it is forgotten.

  /// Neither side has anything more to say.
  bool is_over() const noexcept { return rst_sent || reset_received || (fin_sent && fin_received); }
  bool can_write() const noexcept { return !fin_waits && output_open(); }
  bool reads_on() const noexcept { return !fin_received && !reset_received && !failure; }
  /// Neither given up nor refused: what waits may still go out.
  bool output_open() const noexcept { return !write_reset && !reset_received && !failure; }
  bool has_payload() const noexcept {
    return output_open() && unsent.size() != 0 && sending.credit() != 0;
  }
  bool has_output() const noexcept {
    return has_payload() || (output_open() && unsent.size() == 0 && fin_waits && !fin_sent);
  }
  bool flags_wait() const noexcept { return syn_waits || ack_waits; }
  /// A frame of its own is due, besides those with payload, which take the SYN or ACK along.
  bool has_control() const noexcept {
    if (rst_waits) return true;
    if (rst_sent || reset_received) return false;
    if (reads_on() && receiving.update_due()) return true;
    return flags_wait() && (!has_payload() || receiving.unannounced() != 0);
  }
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
