// SPDX-License-Identifier: Apache-2.0
#include "core/stream/stream_table_state.hpp"

#include <algorithm>
#include <limits>

namespace strata::quic {
inline namespace v0 {
namespace core {

stream_table::state::state(const config& wanted, event_queue& queue, page_recycler& recycler)
    : settings(wanted),
      events(queue),
      pages(recycler),
      data_window(wanted.max_data, wanted.max_window) {
  for (const bool bidirectional : {true, false}) {
    accepting& own = accepted[bidi(bidirectional)];
    own.at_a_time = std::min(bidirectional ? wanted.max_streams_bidi : wanted.max_streams_uni,
                             max_streams_limit);
    own.limit = own.at_a_time;
  }
}

std::uint64_t stream_table::state::accepting::next_limit() const noexcept {
  return std::min(closed + at_a_time, max_streams_limit);
}

stream* stream_table::state::find(std::uint64_t id) noexcept {
  if (last_found != nullptr && last_found->id == id) return last_found;
  const stream_index& index = index_of(stream_type::of(id));
  if (id / 4 >= index.opened()) return nullptr;
  const std::uint32_t slot = index.find(id / 4);
  if (slot >= stream_index::idle) return nullptr;
  return last_found = slots[slot].get();
}

stream& stream_table::state::create(std::uint64_t id) {
  if (free_slots.empty()) {
    // Room first: what follows must not fail half way.
    free_slots.reserve(slots.size() + 1);
    slots.push_back(nullptr);
    free_slots.push_back(static_cast<std::uint32_t>(slots.size() - 1));
  }
  const std::uint32_t slot = free_slots.back();
  if (!slots[slot]) slots[slot] = std::make_unique<stream>();
  free_slots.pop_back();
  stream& made = *slots[slot];
  const stream_type type = stream_type::of(id);
  made.id = id;
  made.slot = slot;
  made.can_send = type.is_bidirectional() || type.is_made_by(settings.side);
  made.can_receive = type.is_bidirectional() || !type.is_made_by(settings.side);
  if (made.can_send) made.sending.open(send_limit_of(type));
  if (made.can_receive) made.receiving.open(receive_window_of(type));
  index_of(type).place(id / 4, slot);
  return *(last_found = &made);
}

std::uint64_t stream_table::state::send_limit_of(stream_type type) const noexcept {
  if (!type.is_bidirectional()) return peer_uni;
  return type.is_made_by(settings.side) ? peer_bidi_remote : peer_bidi_local;
}

receive_window stream_table::state::receive_window_of(stream_type type) const noexcept {
  const std::uint64_t window = !type.is_bidirectional() ? settings.max_stream_data_uni
                               : type.is_made_by(settings.side)
                                   ? settings.max_stream_data_bidi_local
                                   : settings.max_stream_data_bidi_remote;
  return {window, settings.max_stream_window};
}

std::expected<stream*, protocol_failure> stream_table::state::find_for_peer(
    std::uint64_t id, part wanted, std::uint64_t frame_type) {
  if (last_found != nullptr && last_found->id == id &&
      (wanted == part::sending ? last_found->can_send : last_found->can_receive)) {
    return last_found;
  }
  const stream_type type = stream_type::of(id);
  const std::uint64_t number = id / 4;
  stream_index& index = index_of(type);
  const bool ours = type.is_made_by(settings.side);
  if (!type.is_bidirectional() && ours == (wanted == part::receiving)) {
    //= RFC 9000 section 19.8
    //# An endpoint MUST terminate the connection with error STREAM_STATE_ERROR if it
    //# receives a STREAM frame for a locally initiated stream that has not yet been
    //# created, or for a send-only stream.
    return refuse(transport_error::stream_state_error, frame_type,
                  "the stream has no such direction");
  }
  if (ours && number >= index.opened()) {
    return refuse(transport_error::stream_state_error, frame_type,
                  "the stream has not been created");
  }
  if (!ours && number >= index.opened()) {
    //= RFC 9000 section 4.6
    //# An endpoint that receives a frame with a stream ID exceeding the limit it has sent MUST
    //# treat this as a connection error of type STREAM_LIMIT_ERROR; see Section 11 for details on
    //# error handling.
    if (number >= accepted[bidi(type.is_bidirectional())].limit) {
      //= RFC 9000 section 19.11
      //# An endpoint MUST terminate a connection with an error of type STREAM_LIMIT_ERROR if a
      //# peer opens more streams than was permitted.
      return refuse(transport_error::stream_limit_error, frame_type, "more streams than allowed");
    }
    open_for_peer(type, number + 1);
  }
  const std::uint32_t slot = index.find(number);
  if (slot == stream_index::closed) return nullptr;
  if (slot == stream_index::idle) return &create(id);
  return last_found = slots[slot].get();
}

void stream_table::state::open_for_peer(stream_type type, std::uint64_t count) {
  //= RFC 9000 section 3.2
  //# Before a stream is created, all streams of the same type with lower-numbered
  //# stream IDs MUST be created.
  index_of(type).open_to(count);
  update_max_streams(type.is_bidirectional());
  accepting& own = accepted[bidi(type.is_bidirectional())];
  if (own.reported || over) return;
  own.reported = true;
  events.push(event_kind::stream_opened, 0, type.is_bidirectional() ? 1 : 0);
}

void stream_table::state::close_if_over(stream& one) {
  //= RFC 9000 section 4.4
  //# Both endpoints MUST maintain flow control state for the stream in the unterminated direction
  //# until that direction enters a terminal state.
  if (!one.is_over()) return;
  const stream_type type = stream_type::of(one.id);
  if (!one.counted_closed) {
    one.counted_closed = true;
    if (!type.is_made_by(settings.side)) {
      ++accepted[bidi(type.is_bidirectional())].closed;
      update_max_streams(type.is_bidirectional());
    }
  }
  if (!one.forgotten) return;
  schedule.move(one, scheduled::place::none);
  schedule.prioritize(one, scheduled::default_urgency, true);
  if (one.control != 0) control_waiting.erase(static_cast<ring_link<control_tag>&>(one));
  one.control = 0;
  index_of(type).close(one.id / 4);
  one.sending.clear();
  one.receiving.clear(pages);
  one.id = stream::no_id;
  one.forgotten = one.counted_closed = one.readable_reported = one.read_waiting = false;
  if (last_found == &one) last_found = nullptr;
  free_slots.push_back(one.slot);
}

void stream_table::state::reschedule(stream& one) {
  const send_stream& sending = one.sending;
  schedule.move(one, sending.has_resend()  ? scheduled::place::resend
                     : sending.has_fresh() ? scheduled::place::fresh
                                           : scheduled::place::none);
  if (one.in == scheduled::place::none && sending.state() >= send_state::data_sent)
    schedule.release_turn(one);
  if (sending.is_blocked()) add_control(one, stream_control::stream_data_blocked);
}

void stream_table::state::add_control(stream& one, stream_control what) noexcept {
  if (one.control == 0) control_waiting.push_back(one);
  one.control |= static_cast<std::uint8_t>(what);
}

void stream_table::state::drop_stale_control(stream& one) noexcept {
  if (one.control == 0) return;
  unsigned sensible = 0;
  if (one.sending.state() == send_state::reset_sent)
    sensible |= static_cast<unsigned>(stream_control::reset_stream);
  if (one.receiving.wants_stop()) sensible |= static_cast<unsigned>(stream_control::stop_sending);
  if (one.receiving.wants_credit())
    sensible |= static_cast<unsigned>(stream_control::max_stream_data);
  if (one.sending.is_blocked())
    sensible |= static_cast<unsigned>(stream_control::stream_data_blocked);
  one.control &= static_cast<std::uint8_t>(sensible);
  if (one.control == 0) control_waiting.erase(static_cast<ring_link<control_tag>&>(one));
}

void stream_table::state::report_readable(stream& one) {
  if (one.readable_reported || one.forgotten || over) return;
  one.readable_reported = true;
  events.push(event_kind::readable, one.id);
}

void stream_table::state::return_credit(stream& one) {
  receive_stream& receiving = one.receiving;
  const std::uint64_t bytes = receiving.take_consumed();
  if (bytes == 0) return;
  if (receiving.wants_credit()) {
    receive_window& window = receiving.window();
    if (window.consume(now, smoothed_rtt, bytes)) {
      // One stream alone must be able to use what its window promises.
      const std::uint64_t wanted = window.window() + window.window() / 2;
      data_window.grow_to(std::min(wanted, std::numeric_limits<std::uint64_t>::max() / 4));
    }
    if (window.update_due()) add_control(one, stream_control::max_stream_data);
  }
  data_window.consume(now, smoothed_rtt, bytes);
}

//= RFC 9000 section 11.2
//# RESET_STREAM MUST only be instigated by the application protocol that uses QUIC.
void stream_table::state::reset_sending(stream& one, std::uint64_t code, send_stream::ending why) {
  if (!one.can_send || !one.sending.reset(target(one), code, why)) return;
  schedule.release_turn(one);
  add_control(one, stream_control::reset_stream);
  drop_stale_control(one);
  reschedule(one);
}

void stream_table::state::stop_receiving(stream& one, std::uint64_t code) {
  if (!one.can_receive || !one.receiving.discard(pages, code)) return;
  one.read_waiting = false;
  return_credit(one);
  if (one.receiving.wants_stop()) add_control(one, stream_control::stop_sending);
  drop_stale_control(one);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
