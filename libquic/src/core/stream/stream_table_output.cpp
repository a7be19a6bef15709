// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <cstring>

#include "core/stream/stream_table_state.hpp"
#include "strata/transport/core/varint.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

using transport::mutable_bytes;
using transport::time_point;
using transport::varint_size;

namespace {

/// A STREAM frame that leaves data behind is not worth its header when it would carry less.
constexpr std::size_t smallest_part = 32;
/// What a probe repeats of a stream: about a packet.
constexpr std::uint64_t probe_size = 1200;

template <class Frame>
bool put(packet_payload& payload, const Frame& made, const sent_frame& note) {
  if (encoded_size(made) > payload.remaining()) return false;
  encode(made, payload.writer);
  payload.frames.push_back(note);
  return true;
}

/// A variable-length integer of `size` bytes in one store; up to 7 bytes behind it are overwritten.
std::byte* store_varint(std::byte* out, std::uint64_t value, std::size_t size) noexcept {
  const auto prefix = static_cast<std::uint64_t>(std::countr_zero(size)) << 62;
  std::uint64_t word = prefix | value << (64 - 8 * size);
  if constexpr (std::endian::native == std::endian::little) word = std::byteswap(word);
  std::memcpy(out, &word, sizeof word);
  return out + size;
}

/// encode_stream_header(), for the one header that is written for every packet of data: where there
/// is room for the longest one, without a check and a loop per field.
void write_stream_header(const stream_header& header, transport::buffer_writer& writer) noexcept {
  constexpr std::size_t longest = 1 + 3 * 8 + 7;
  if (writer.remaining() < longest) return encode_stream_header(header, writer);
  std::byte* const begin = writer.free_space().data();
  const std::uint64_t type = frame_type::stream |
                             (header.offset != 0 ? frame_type::stream_off_bit : 0) |
                             (header.length ? frame_type::stream_len_bit : 0) |
                             (header.fin ? frame_type::stream_fin_bit : 0);
  *begin = static_cast<std::byte>(type);
  std::byte* end = store_varint(begin + 1, header.stream_id, varint_size(header.stream_id));
  if (header.offset != 0) end = store_varint(end, header.offset, varint_size(header.offset));
  if (header.length) end = store_varint(end, *header.length, varint_size(*header.length));
  writer.advance(static_cast<std::size_t>(end - begin));
}

bool has(const stream& one, stream_control what) noexcept {
  return (one.control & static_cast<std::uint8_t>(what)) != 0;
}

}  // namespace

//= RFC 9000 section 4.6
//# An endpoint MUST NOT wait to receive this signal before advertising additional credit
/// Credit for streams is worth a frame when there is an eighth of it, or when the peer has little
/// left.
bool stream_table::state::max_streams_due(bool bidirectional) const noexcept {
  const accepting& own = accepted[bidi(bidirectional)];
  if (own.lost) return true;
  const std::uint64_t more = own.next_limit() - own.limit;
  if (more == 0) return false;
  const stream_type type = stream_type::made_by(opposite(settings.side), bidirectional);
  const std::uint64_t left = own.limit - indices[type.bits].opened();
  return own.asked || more >= own.at_a_time / 8 || left <= own.at_a_time / 4;
}

void stream_table::state::update_max_streams(bool bidirectional) noexcept {
  accepted[bidi(bidirectional)].due = max_streams_due(bidirectional);
}

bool stream_table::has_output() const noexcept {
  const state& own = *state_;
  if (own.over) return false;
  return own.schedule.next(own.data_limit.available() != 0) != nullptr ||
         !own.control_waiting.empty() || own.has_connection_control() || own.has_blocked();
}

void stream_table::write_frames(time_point, packet_payload& payload) {
  state& own = *state_;
  if (own.over) return;
  if (own.has_connection_control()) own.write_connection_control(payload);
  if (!own.control_waiting.empty()) own.write_stream_control(payload);
  while (scheduled* next = own.schedule.next(own.data_limit.available() != 0)) {
    if (!own.write_stream_frame(static_cast<stream&>(*next), payload)) break;
  }
  if (own.has_blocked()) own.write_blocked(payload);
}

void stream_table::state::write_connection_control(packet_payload& payload) {
  using kind = sent_frame::kind;
  if (data_window.update_due()) {
    const std::uint64_t limit = data_window.next_limit();
    if (!put(payload, max_data_frame{limit}, {.what = kind::max_data, .offset = limit})) return;
    data_window.announced();
  }
  for (const bool bidirectional : {true, false}) {
    accepting& own = accepted[bidi(bidirectional)];
    if (!own.due) continue;
    const std::uint64_t limit = own.next_limit();
    const sent_frame note{.what = kind::max_streams, .fin = bidirectional, .offset = limit};
    if (!put(payload, max_streams_frame{bidirectional, limit}, note)) return;
    own.limit = limit;
    own.asked = own.lost = own.due = false;
  }
}

void stream_table::state::write_stream_control(packet_payload& payload) {
  while (!control_waiting.empty()) {
    stream& one = static_cast<stream&>(*control_waiting.first());
    if (!write_control_of(one, payload)) return;
    control_waiting.erase(static_cast<ring_link<control_tag>&>(one));
  }
}

/// False when the packet is full; what was written is no longer waiting.
bool stream_table::state::write_control_of(stream& one, packet_payload& payload) {
  using kind = sent_frame::kind;
  const auto done = [&one](stream_control what) {
    one.control &= static_cast<std::uint8_t>(~static_cast<unsigned>(what));
  };
  sent_frame note{.slot = one.slot, .id = one.id};
  if (has(one, stream_control::reset_stream)) {
    note.what = kind::reset_stream;
    //= RFC 9000 section 13.3
    //# The content of a RESET_STREAM frame MUST NOT change when it is sent again.
    const reset_stream_frame reset{one.id, one.sending.reset_code(),
                                   one.sending.buffer().sent_end()};
    if (!put(payload, reset, note)) return false;
    done(stream_control::reset_stream);
  }
  if (has(one, stream_control::stop_sending)) {
    note.what = kind::stop_sending;
    if (!put(payload, stop_sending_frame{one.id, one.receiving.stop_code()}, note)) return false;
    done(stream_control::stop_sending);
  }
  if (has(one, stream_control::max_stream_data)) {
    note.what = kind::max_stream_data;
    note.offset = one.receiving.window().next_limit();
    if (!put(payload, max_stream_data_frame{one.id, note.offset}, note)) return false;
    one.receiving.window().announced();
    done(stream_control::max_stream_data);
  }
  if (has(one, stream_control::stream_data_blocked)) {
    note.what = kind::stream_data_blocked;
    note.offset = one.sending.limit().limit();
    if (!put(payload, stream_data_blocked_frame{one.id, note.offset}, note)) return false;
    one.sending.on_blocked_sent();
    done(stream_control::stream_data_blocked);
  }
  return true;
}

/// One frame as large as the packet allows. False when none that is worth it fits.
bool stream_table::state::write_stream_frame(stream& one, packet_payload& payload) {
  send_stream::chunk piece = one.sending.next_chunk(data_limit.available());
  stream_header header{.stream_id = one.id, .offset = piece.offset};
  const std::size_t header_size =
      1 + varint_size(one.id) + (piece.offset == 0 ? 0 : varint_size(piece.offset));
  const std::size_t space = payload.remaining();
  if (space < header_size) return false;
  const std::size_t room = space - header_size;
  if (piece.size >= room) {
    // The frame ends the packet, and so needs no length.
    if (piece.size > room && room < smallest_part) return false;
    piece.fin = piece.fin && piece.size == room;
    piece.size = room;
  } else if (piece.size + varint_size(piece.size) <= room) {
    header.length = piece.size;
  } else {
    // Neither form fills the packet exactly: PADDING in front makes the one without length do so.
    payload.writer.zeros(room - piece.size);
  }
  header.fin = piece.fin;
  write_stream_header(header, payload.writer);
  const mutable_bytes out = payload.writer.free_space().first(piece.size);
  one.sending.buffer().copy_to(piece.offset, out);
  payload.writer.advance(piece.size);
  payload.frames.push_back({sent_frame::kind::stream, piece.fin, one.slot,
                            static_cast<std::uint32_t>(piece.size), one.id, piece.offset});
  one.sending.on_sent(piece);
  if (piece.fresh) data_limit.use(piece.size);
  schedule.served(one);
  reschedule(one);
  if (one.sending.take_writable(settings.write_watermark) && !one.forgotten)
    events.push(event_kind::writable, one.id);
  return true;
}

void stream_table::state::write_blocked(packet_payload& payload) {
  using kind = sent_frame::kind;
  for (const bool bidirectional : {true, false}) {
    opening& own = opened[bidi(bidirectional)];
    if (!own.blocked_due) continue;
    const sent_frame note{.what = kind::streams_blocked, .fin = bidirectional, .offset = own.limit};
    if (!put(payload, streams_blocked_frame{bidirectional, own.limit}, note)) return;
    own.blocked_due = false;
  }
  if (!schedule.has_fresh() || !data_limit.blocked_due()) return;
  const sent_frame note{.what = kind::data_blocked, .offset = data_limit.limit()};
  if (put(payload, data_blocked_frame{data_limit.limit()}, note)) data_limit.blocked_sent();
}

void stream_table::on_acked(const sent_frame& sent) {
  state& own = *state_;
  if (sent.what != sent_frame::kind::stream && sent.what != sent_frame::kind::reset_stream) return;
  stream* one = own.still_there(sent);
  if (one == nullptr || own.over) return;
  if (sent.what == sent_frame::kind::reset_stream) {
    one->sending.on_reset_acked();
    own.drop_stale_control(*one);
    return own.close_if_over(*one);
  }
  const bool was_terminal = one->sending.is_terminal();
  one->sending.on_acked(own.target(*one), sent.offset, sent.length, sent.fin);
  // An acknowledgement after the frame counted as lost takes away what was to be sent again.
  if (one->in == scheduled::place::resend) own.reschedule(*one);
  if (was_terminal || !one->sending.is_terminal()) return;
  if (!one->forgotten) own.events.push(event_kind::finished, one->id);
  own.close_if_over(*one);
}

void stream_table::on_lost(const sent_frame& sent) {
  using kind = sent_frame::kind;
  state& own = *state_;
  if (own.over) return;
  state::opening& opened = own.opened[own.bidi(sent.fin)];
  state::accepting& accepted = own.accepted[own.bidi(sent.fin)];
  switch (sent.what) {
    case kind::max_data: return own.data_window.announcement_lost(sent.offset);
    case kind::max_streams:
      accepted.lost = accepted.lost || sent.offset == accepted.limit;
      return own.update_max_streams(sent.fin);
    case kind::data_blocked: return own.data_limit.blocked_lost(sent.offset);
    case kind::streams_blocked:
      opened.blocked_due = opened.blocked_due || (opened.refused && sent.offset == opened.limit);
      return;
    default: break;
  }
  if (stream* one = own.still_there(sent)) own.on_stream_frame_lost(*one, sent);
}

void stream_table::state::on_stream_frame_lost(stream& one, const sent_frame& sent) {
  using kind = sent_frame::kind;
  switch (sent.what) {
    case kind::stream:
      one.sending.on_lost(sent.offset, sent.length, sent.fin);
      return reschedule(one);
    case kind::reset_stream:
      if (one.sending.state() == send_state::reset_sent)
        add_control(one, stream_control::reset_stream);
      return;
    case kind::stop_sending:
      if (one.receiving.wants_stop()) add_control(one, stream_control::stop_sending);
      return;
    case kind::max_stream_data:
      one.receiving.window().announcement_lost(sent.offset);
      if (one.receiving.wants_credit() && one.receiving.window().update_due()) {
        add_control(one, stream_control::max_stream_data);
      }
      return;
    case kind::stream_data_blocked:
      one.sending.limit().blocked_lost(sent.offset);
      return reschedule(one);
    default: return;
  }
}

bool stream_table::queue_probe_data() {
  state& own = *state_;
  if (own.over || own.slots.empty()) return false;
  const auto count = static_cast<std::uint32_t>(own.slots.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t slot = (own.probed + i) % count;
    stream* one = own.slots[slot].get();
    if (one == nullptr || one->id == stream::no_id || !one->can_send ||
        !one->sending.send_again(probe_size))
      continue;
    own.probed = slot + 1;
    own.reschedule(*one);
    return true;
  }
  return false;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
