// SPDX-License-Identifier: Apache-2.0
#include "core/stream/stream_table.hpp"

#include <algorithm>

#include "core/stream/stream_table_state.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

using transport::bytes;
using transport::errc;
using transport::mutable_bytes;
using transport::result;
using transport::time_point;

namespace {
std::unexpected<std::error_code> fail(errc why) { return std::unexpected(make_error_code(why)); }
}  // namespace

stream_table::stream_table(const config& wanted, event_queue& events, page_recycler& pages)
    : state_(std::make_unique<state>(wanted, events, pages)) {}

stream_table::~stream_table() {
  // Pages belong to all connections of an endpoint: they outlive this one.
  event_queue nobody;
  for (const std::unique_ptr<stream>& one : state_->slots) {
    if (!one || one->id == stream::no_id) continue;
    one->sending.reset({state_->pages, nobody, one->id}, 0, send_stream::ending::reset);
    one->receiving.clear(state_->pages);
  }
}

void stream_table::set_peer_limits(const transport_parameters& peer) {
  state_->peer_bidi_local =
      std::max(state_->peer_bidi_local, peer.initial_max_stream_data_bidi_local);
  state_->peer_bidi_remote =
      std::max(state_->peer_bidi_remote, peer.initial_max_stream_data_bidi_remote);
  state_->peer_uni = std::max(state_->peer_uni, peer.initial_max_stream_data_uni);
  state_->data_limit.raise(peer.initial_max_data);
  // Streams that were opened under the limits remembered for 0-RTT.
  for (const std::unique_ptr<stream>& one : state_->slots) {
    if (!one || one->id == stream::no_id || !one->can_send) continue;
    one->sending.limit().raise(state_->send_limit_of(stream_type::of(one->id)));
    state_->reschedule(*one);
  }
  // The rule for larger limits is that of the frame; 2^60 was checked where the parameters were
  // decoded.
  (void)on(max_streams_frame{true, std::min(peer.initial_max_streams_bidi, max_streams_limit)});
  (void)on(max_streams_frame{false, std::min(peer.initial_max_streams_uni, max_streams_limit)});
}

void stream_table::set_rtt(transport::duration smoothed) noexcept {
  state_->smoothed_rtt = smoothed;
}

result<std::uint64_t> stream_table::open(bool bidirectional) {
  if (state_->over) return fail(errc::closed);
  const stream_type type = stream_type::made_by(state_->settings.side, bidirectional);
  state::opening& own = state_->opened[state_->bidi(bidirectional)];
  stream_index& index = state_->index_of(type);
  //= RFC 9000 section 4.6
  //# Endpoints MUST NOT exceed the limit set by their peer.
  //= RFC 9000 section 19.11
  //# An endpoint MUST NOT open more streams than permitted by the current stream limit set by its
  //# peer.
  if (index.opened() >= own.limit) {
    own.blocked_due = own.blocked_due || !own.refused;
    own.refused = true;
    return fail(errc::limit_exceeded);
  }
  //= RFC 9000 section 2.1
  //# A QUIC endpoint MUST NOT reuse a stream ID within a connection.
  const std::uint64_t number = index.opened();
  index.open_to(number + 1);
  return state_->create(type.id_of(number)).id;
}

std::optional<std::uint64_t> stream_table::accept(bool bidirectional) {
  const stream_type type = stream_type::made_by(opposite(state_->settings.side), bidirectional);
  state::accepting& own = state_->accepted[state_->bidi(bidirectional)];
  own.reported = false;
  stream_index& index = state_->index_of(type);
  if (own.accepted == index.opened()) return std::nullopt;
  const std::uint64_t number = own.accepted++;
  if (index.find(number) == stream_index::idle) state_->create(type.id_of(number));
  return type.id_of(number);
}

result<std::size_t> stream_table::write(std::uint64_t id, std::span<const bytes> pieces, bool fin) {
  stream* one = state_->find(id);
  if (one == nullptr || one->forgotten || state_->over) return fail(errc::closed);
  if (!one->can_send) return fail(errc::invalid_argument);
  const result<std::size_t> taken =
      one->sending.write(state_->pages, pieces, fin, state_->settings.write_watermark);
  state_->reschedule(*one);
  return taken;
}

result<void> stream_table::write_borrowed(std::uint64_t id, bytes data, send_token token,
                                          bool fin) {
  stream* one = state_->find(id);
  if (one == nullptr || one->forgotten || state_->over) return fail(errc::closed);
  if (!one->can_send) return fail(errc::invalid_argument);
  const result<void> taken = one->sending.write_borrowed(state_->target(*one), data, token, fin);
  state_->reschedule(*one);
  return taken;
}

result<std::size_t> stream_table::read(time_point now, std::uint64_t id, mutable_bytes out,
                                       bool& fin) {
  fin = false;
  stream* one = state_->find(id);
  if (one == nullptr || one->forgotten) return fail(errc::closed);
  if (!one->can_receive) return fail(errc::invalid_argument);
  state_->now = now;
  one->readable_reported = false;
  const result<std::size_t> done = one->receiving.read(state_->memory(), out, fin);
  one->read_waiting = !done && done.error() == errc::would_block;
  state_->return_credit(*one);
  state_->close_if_over(*one);
  return done;
}

result<bytes> stream_table::peek(std::uint64_t id, bool& fin) const {
  fin = false;
  stream* one = state_->find(id);
  if (one == nullptr || one->forgotten) return fail(errc::closed);
  if (!one->can_receive) return fail(errc::invalid_argument);
  one->readable_reported = false;
  const result<bytes> piece = one->receiving.peek(state_->lent, fin);
  one->read_waiting = !piece && piece.error() == errc::would_block;
  if (!piece) state_->close_if_over(*one);
  return piece;
}

void stream_table::consume(time_point now, std::uint64_t id, std::size_t size) {
  stream* one = state_->find(id);
  if (one == nullptr || one->forgotten || !one->can_receive) return;
  state_->now = now;
  one->readable_reported = false;
  one->receiving.consume(state_->memory(), size);
  state_->return_credit(*one);
  state_->close_if_over(*one);
}

void stream_table::reset(std::uint64_t id, std::uint64_t code) {
  stream* one = state_->find(id);
  if (one == nullptr || one->forgotten || state_->over) return;
  state_->reset_sending(*one, code, send_stream::ending::reset);
  // What the peer has ended in order stays readable.
  const bool all_arrived = one->can_receive && one->receiving.state() == receive_state::data_recvd;
  if (!all_arrived) state_->stop_receiving(*one, code);
  state_->close_if_over(*one);
}

void stream_table::stop(std::uint64_t id, std::uint64_t code) {
  stream* one = state_->find(id);
  if (one == nullptr || one->forgotten || state_->over) return;
  state_->stop_receiving(*one, code);
  state_->close_if_over(*one);
}

void stream_table::prioritize(std::uint64_t id, std::uint8_t urgency, bool incremental) {
  stream* one = state_->find(id);
  if (one != nullptr && !one->forgotten) state_->schedule.prioritize(*one, urgency, incremental);
}

void stream_table::forget(std::uint64_t id) {
  stream* one = state_->find(id);
  if (one == nullptr || one->forgotten) return;
  one->forgotten = true;
  if (!state_->over) {
    if (one->can_send && !one->sending.finish_written())
      state_->reset_sending(*one, 0, send_stream::ending::reset);
    state_->stop_receiving(*one, 0);
  } else {
    one->receiving.clear(state_->pages);
  }
  state_->close_if_over(*one);
}

void stream_table::on_connection_closed() {
  if (state_->over) return;
  state_->over = true;
  for (const std::unique_ptr<stream>& one : state_->slots) {
    if (!one || one->id == stream::no_id) continue;
    if (one->can_send) one->sending.reset(state_->target(*one), 0, send_stream::ending::reset);
    state_->schedule.move(*one, scheduled::place::none);
    if (one->control != 0)
      state_->control_waiting.erase(static_cast<ring_link<control_tag>&>(*one));
    one->control = 0;
  }
}

bool stream_table::all_sent_acknowledged() const noexcept {
  return std::ranges::all_of(state_->slots, [](const std::unique_ptr<stream>& one) {
    return !one || one->id == stream::no_id || !one->can_send || one->sending.is_settled();
  });
}

stream_table::counters stream_table::count() const noexcept {
  counters all;
  for (const std::unique_ptr<stream>& one : state_->slots) {
    if (!one || one->id == stream::no_id) continue;
    if (!one->counted_closed) ++all.streams_open;
    all.bytes_buffered_to_read += one->receiving.buffer().pages_held() * page_recycler::page_size;
  }
  all.bytes_received = state_->data_received;
  all.bytes_sent = state_->data_limit.used();
  all.data_limit_from_peer = state_->data_limit.limit();
  return all;
}

void stream_table::shrink() {
  if (!state_->touched.empty()) return;
  for (const std::uint32_t slot : state_->free_slots) state_->slots[slot].reset();
  state_->touched.shrink_to_fit();
  state_->lent.shrink();
  for (stream_index& index : state_->indices) index.shrink();
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
