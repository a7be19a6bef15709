// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <system_error>

#include "core/memory/intrusive_ring.hpp"
#include "core/memory/page_chain.hpp"
#include "core/memory/receive_queue.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core::anytls {

/// One stream, as its session keeps it, and the rings of the session that it stands in.
struct stream : ring_link<struct accept_tag>,
                ring_link<struct event_tag>,
                ring_link<struct lent_tag>,
                ring_link<struct syn_tag>,
                ring_link<struct data_tag>,
                ring_link<struct opening_tag>,
                ring_link<struct silent_tag>,
                ring_link<struct report_tag>,
                ring_link<struct hold_tag>,
                ring_link<struct planned_tag> {
  std::uint32_t id = 0;

  // Opening.
  bool syn_waits = false;     ///< Opened here, and the peer was not told.
  bool acknowledged = false;  ///< Opened here, and the peer has connected it.
  bool reported = false;      ///< Opened by the peer, who knows what became of it.
  bool owned = false;         ///< The application has it: opened here, or accepted.
  bool forgotten = false;     ///< Nobody has it any more.

  // Ends. Each of them ends both directions.
  bool fin_received = false;
  bool fin_asked = false;  ///< The application writes no more.
  bool answered = false;   ///< Until then: the last bytes that went either way were the peer's.
  bool fin_due = false;    ///< The peer is to be told, behind what was written.
  bool fin_sent = false;   ///< It was, or need not be.
  bool given_up = false;   ///< By the application, before it had finished.
  bool stopped = false;    ///< What comes is dropped.
  bool cut_short = false;  ///< This side could not wait for the peer's end.
  std::error_code failure;
  bool retired = false;  ///< Over, read to the end, and counted as open no more.

  bool awaits_readable = true;  ///< The next bytes or the end are an event.
  bool awaits_writable = false;
  bool over_limit = false;   ///< More is unread than may be.
  bool got_payload = false;  ///< A frame with bytes has come.

  // Between poll_output() and sent().
  bool fin_planned = false;
  bool drop_waits = false;  ///< Unsent bytes that the list may name are to be dropped.
  std::size_t planned_bytes = 0;
  const page* plan_page = nullptr;  ///< Where the next planned byte is: in this page ...
  std::uint32_t plan_at = 0;        ///< ... at this place.

  std::uint16_t events = 0;     ///< Kinds that wait, as bits.
  std::size_t first_write = 0;  ///< Bytes of the first write that are unsent.
  bool has_written = false;
  page_chain unsent;
  receive_queue unread;
  std::string refusal;
  transport::time_point opening_deadline{};  ///< To be acknowledged.
  transport::time_point told_at{};           ///< When the peer was told of it.
  transport::time_point report_deadline{};
  transport::time_point hold_deadline{};

  /// Neither side has anything more to say.
  bool is_over() const noexcept { return fin_received || fin_sent; }
  bool output_open() const noexcept { return !is_over() && !given_up && !failure; }
  bool can_write() const noexcept { return output_open() && !fin_asked; }
  bool has_output() const noexcept {
    return output_open() && !syn_waits && (unsent.size() != 0 || fin_due);
  }
};

}  // namespace core::anytls
}  // namespace v0
}  // namespace strata::mux
