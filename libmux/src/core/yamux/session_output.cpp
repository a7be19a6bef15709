// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "core/yamux/yamux_state.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

std::size_t yamux_state::poll_output(time_point now, std::span<bytes> out) {
  assert(out.size() >= 2);
  advance_clock(now);
  end_plan();
  if (carrier_ended_) return 0;
  piece_list pieces(out);
  plan_rest(pieces);
  plan_session_frames(pieces);
  if (!closed_) {
    plan_control(pieces);
    plan_streams(pieces);
  }
  return pieces.used();
}

/// When the list is too short for all of it, it is full, and so nothing else comes behind.
void yamux_state::plan_rest(piece_list& pieces) {
  if (begun_.is_complete()) return;
  plan_.add_rest();
  if (begun_.header_left != 0) pieces.add(bytes(begun_.header).last(begun_.header_left));
  if (begun_.owner != nullptr) {
    stream& of = *begun_.owner;
    mark_planned(of);
    of.place = of.unsent.front();
    of.planned_bytes = of.unsent.gather(of.place, begun_.payload_left, pieces);
    return;
  }
  std::size_t left = begun_.payload_left;
  for (const page* at = orphaned_.first(); at != nullptr && left != 0; at = at->next) {
    if (!pieces.add(at->used())) return;
    left -= at->used().size();
  }
}

bool yamux_state::plan_frame(const output_plan::entry& frame, piece_list& pieces) {
  if (!plan_.has_room(pieces)) return false;
  plan_.add(frame, pieces);
  return true;
}

/// Ahead of all that belongs to streams, so that a round trip and a refusal do not wait for bulk.
void yamux_state::plan_session_frames(piece_list& pieces) {
  using enum frame_type;
  if (closed_) {
    if (go_away_waits_)
      plan_frame({frame_origin::go_away, nullptr, {go_away, 0, 0, closed_->code}}, pieces);
    return;
  }
  for (std::size_t i = 0; i < pongs_.size(); ++i)
    if (!plan_frame({frame_origin::pong, nullptr, {ping, flag::ack, 0, pongs_[i]}}, pieces)) return;
  if (const auto value = keep_alive_.waiting())
    plan_frame({frame_origin::ping, nullptr, {ping, flag::syn, 0, *value}}, pieces);
  for (std::size_t i = 0; i < refusals_.size(); ++i) {
    const frame_header rst{window_update, flag::rst, refusals_[i], 0};
    if (!plan_frame({frame_origin::refusal, nullptr, rst}, pieces)) return;
  }
}

void yamux_state::plan_control(piece_list& pieces) {
  stream* of = control_.first();
  for (std::size_t left = control_.size(); left != 0; --left) {
    stream& one = *of;
    of = control_.after(one);
    if (!one.has_control()) {  // Bytes came up that take the flags along.
      control_.erase(one);
      continue;
    }
    frame_header header{.type = frame_type::window_update, .stream_id = one.id};
    if (one.rst_waits) {
      header.flags = flag::rst;
      header.length = config_.reset_codes ? one.reset_code : 0;
    } else {
      header.length = one.reads_on() ? one.receiving.unannounced() : 0;
      header.flags = plan_flags(one);
    }
    if (!plan_frame({frame_origin::control, &one, header}, pieces)) return;
    mark_planned(one);
    one.flags_planned = true;
  }
}

void yamux_state::mark_planned(stream& of) noexcept {
  if (!planned_.holds(of)) planned_.push_back(of);
}

std::uint16_t yamux_state::plan_flags(stream& of) noexcept {
  if (of.flags_planned) return 0;
  if (of.syn_waits) return flag::syn;
  return of.ack_waits ? flag::ack : std::uint16_t{0};
}

/// In turns of one frame. Every stream in the ring has something to send, so a whole round without
/// a frame means that all of it is planned.
void yamux_state::plan_streams(piece_list& pieces) {
  stream* of = sendable_.first();
  std::size_t idle = 0;
  while (idle < sendable_.size() && plan_.has_room(pieces)) {
    idle = plan_payload(*of, pieces) || plan_fin(*of, pieces) ? 0 : idle + 1;
    of = sendable_.after(*of);
  }
}

bool yamux_state::plan_payload(stream& of, piece_list& pieces) {
  const std::size_t waiting = of.unsent.size() - of.planned_bytes;
  const std::size_t most = std::min<std::size_t>(
      {waiting, of.sending.credit() - of.planned_credit, config_.frame_payload});
  if (most == 0) return false;
  frame_header header{.flags = plan_flags(of), .stream_id = of.id};
  output_plan::entry& frame = plan_.add({frame_origin::data, &of, header}, pieces);
  if (of.planned_bytes == 0) of.place = of.unsent.front();
  const std::size_t size = of.unsent.gather(of.place, most, pieces);
  header.length = static_cast<std::uint32_t>(size);
  plan_.set_header(frame, header);
  mark_planned(of);
  of.flags_planned = true;
  of.planned_bytes += size;
  of.planned_credit += header.length;
  return true;
}

/// FIN goes alone. Go peers act on a flag before they have stored the payload of its frame, and a
/// reader in between would see the end too early; old ones see no FIN beside ACK.
bool yamux_state::plan_fin(stream& of, piece_list& pieces) {
  if (!of.fin_waits || of.fin_sent || of.fin_planned) return false;
  if (of.unsent.size() != of.planned_bytes) return false;
  const frame_header header{.flags = flag::fin, .stream_id = of.id};
  of.fin_planned = plan_frame({frame_origin::data, &of, header}, pieces);
  if (of.fin_planned) mark_planned(of);
  return of.fin_planned;
}

void yamux_state::sent(std::size_t size) {
  for (std::size_t i = 0; i < plan_.size() && size != 0; ++i) size -= advance(plan_[i], size);
  end_plan();
  conclude();
}

std::size_t yamux_state::advance(const output_plan::entry& frame, std::size_t size) {
  if (frame.origin != frame_origin::rest) begin(frame);
  return advance_begun(size);
}

/// The carrier has at least one byte of the frame: what it says has been said.
void yamux_state::begin(const output_plan::entry& frame) {
  begun_ = {.owner = frame.owner,
            .header_left = frame_header::encoded_size,
            .payload_left = frame.header.payload()};
  encode(frame.header, begun_.header.data());
  ++statistics_.frames_sent;
  switch (frame.origin) {
    case frame_origin::rest: break;
    case frame_origin::pong: return pongs_.pop_front();
    case frame_origin::ping: return keep_alive_.on_sent(now_);
    case frame_origin::refusal: return refusals_.pop_front();
    case frame_origin::go_away: go_away_waits_ = false; return;
    case frame_origin::control: return begin_control(*frame.owner, frame.header);
    case frame_origin::data: return begin_data(*frame.owner, frame.header);
  }
}

void yamux_state::begin_flags(stream& of, const frame_header& header) {
  if (header.has(flag::ack)) of.ack_waits = false;
  if (!header.has(flag::syn)) return;
  of.syn_waits = false;
  if (config_.open_timeout.count() == 0 || !of.output_open()) return;
  of.deadline = now_ + config_.open_timeout;
  opening_.push_back(of);
}

void yamux_state::begin_control(stream& of, const frame_header& header) {
  begin_flags(of, header);
  if (header.has(flag::rst)) {
    of.rst_waits = false;
    of.rst_sent = true;
  } else {
    of.receiving.announced(header.length);
  }
}

void yamux_state::begin_data(stream& of, const frame_header& header) {
  begin_flags(of, header);
  of.sending.take(header.length);
  if (header.has(flag::fin)) of.fin_sent = true;
  if (!sendable_.holds(of)) return;
  sendable_.erase(of);  // Its turn is over: others come first in the next list.
  sendable_.push_back(of);
}

std::size_t yamux_state::advance_begun(std::size_t size) {
  const std::uint32_t header =
      static_cast<std::uint32_t>(std::min<std::size_t>(size, begun_.header_left));
  const std::uint32_t payload =
      static_cast<std::uint32_t>(std::min<std::size_t>(size - header, begun_.payload_left));
  begun_.header_left -= header;
  begun_.payload_left -= payload;
  statistics_.bytes_sent += header + payload;
  statistics_.payload_sent += payload;
  if (payload == 0) return header;
  if (begun_.owner != nullptr) {
    on_payload_taken(*begun_.owner, payload);
  } else {
    orphaned_.consume(pages_, payload);
  }
  return header + payload;
}

void yamux_state::on_payload_taken(stream& of, std::size_t size) {
  const std::size_t before = of.unsent.copied();
  const bool written = of.unsent.consume(output_memory(), size);
  recount_copied(of, before);
  if (of.forgotten || !of.output_open()) return;
  if (written) events_.raise(of, event_kind::written);
  if (of.awaits_writable && of.unsent.copied() <= watermark(of) / 2 && of.can_write()) {
    of.awaits_writable = false;
    events_.raise(of, event_kind::writable);
  }
}

/// Whatever the carrier did not take counts as never offered.
void yamux_state::end_plan() {
  plan_.clear();
  while (stream* const of = planned_.pop_front()) {
    of->flags_planned = of->fin_planned = false;
    of->planned_bytes = 0;
    of->planned_credit = 0;
    if (std::exchange(of->drop_waits, false)) drop_output_now(*of);
    update_output(*of);
    update_control(*of);
    settle(*of);
  }
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
