// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <new>

#include "core/yamux/yamux_state.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {
namespace {

/// Opening a stream and resetting it at once costs us most of a stream, and the peer a frame.
constexpr std::uint32_t rapid_reset_cost = 2;

}  // namespace

void yamux_state::receive(time_point now, bytes input) {
  advance_clock(now);
  if (closed_ || input.empty()) return;
  statistics_.bytes_received += input.size();
  keep_alive_.on_input(now_);
  try {
    decode_input(input);
  } catch (const std::bad_alloc&) {
    out_of_memory();
  }
  conclude();
  if (!wants_input()) was_deaf_ = true;
}

void yamux_state::release_input() {
  bool failed = false;
  while (stream* const of = lending_.pop_front()) {
    try {
      if (!failed) of->unread.settle(input_memory());
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    const std::size_t before = of->unread.size();
    of->unread.drop_lent(input_memory());
    unread_ -= before - of->unread.size();
  }
  lent_.clear();
  if (failed) out_of_memory();
}

bool yamux_state::wants_input() const noexcept {
  return !closed_ && unread_ < config_.max_buffered && !pongs_.full() &&
         refusals_.size() < limits::yamux::max_pending_refusals / 2;
}

void yamux_state::decode_input(bytes input) {
  constexpr std::size_t whole = frame_header::encoded_size;
  while (!input.empty() && !closed_) {
    if (payload_left_ != 0) {
      const std::size_t size = std::min<std::size_t>(input.size(), payload_left_);
      take_payload(input.first(size));
      input = input.subspan(size);
    } else if (header_held_ == 0 && input.size() >= whole) {
      on_frame(input.first<whole>());
      input = input.subspan(whole);
    } else {
      const std::size_t size = std::min(input.size(), whole - header_held_);
      std::memcpy(header_.data() + header_held_, input.data(), size);
      header_held_ += size;
      input = input.subspan(size);
      if (header_held_ != whole) return;
      header_held_ = 0;
      on_frame(header_);
    }
  }
}

void yamux_state::on_frame(std::span<const std::byte, frame_header::encoded_size> encoded) {
  ++statistics_.frames_received;
  const auto header = decode(encoded);
  if (!header) return fail_session(header.error(), go_away_code::protocol_error);
  switch (header->type) {
    case frame_type::data:
    case frame_type::window_update: return on_stream_frame(*header);
    case frame_type::ping: return on_ping(*header);
    case frame_type::go_away: return on_go_away(header->length);
  }
}

void yamux_state::on_stream_frame(const frame_header& header) {
  payload_left_ = header.payload();
  target_ = nullptr;
  fin_follows_ = false;
  // No stream has a larger window, so that a length of 2^32 - 1 need not be skipped byte by byte.
  if (payload_left_ > config_.max_window)
    return fail_session(errc::window_exceeded, go_away_code::protocol_error);
  const bool opens = header.has(flag::syn);
  stream* const of = opens ? on_syn(header) : streams_.find(header.stream_id);
  if (closed_ || (opens && of == nullptr)) return;
  if (of == nullptr || of->syn_waits || of->retired) return on_unknown_stream(header);
  if (header.has(flag::rst))
    return on_reset(*of, header.type == frame_type::window_update ? header.length : 0);
  if (of->rst_waits || of->rst_sent) return;  // The peer has not seen it yet.
  if (of->opened_here && !of->acknowledged) on_acknowledged(*of);
  if (header.type == frame_type::window_update) return on_window_update(*of, header);
  on_payload_header(*of, header);
}

/// Not answered with RST: it could overtake frames that the peer's application has yet to read
/// (rust-yamux issue 110). Bytes still under way when a stream was reset are nobody's fault.
void yamux_state::on_unknown_stream(const frame_header& header) {
  const bool ours = (header.stream_id % 2 == 1) == (config_.role == role::client);
  const bool past =
      ours ? next_id_ == 0 || header.stream_id < next_id_ : !peer_ids_.is_beyond(header.stream_id);
  if (past && header.payload() != 0) return;
  glitch();
}

bool yamux_state::may_take_stream() const noexcept {
  return !going_away_ && incoming_ < config_.max_incoming_streams && live_ < config_.max_streams &&
         unaccepted_.size() < config_.accept_backlog;
}

stream* yamux_state::on_syn(const frame_header& header) {
  const std::uint32_t id = header.stream_id;
  const auto fail = [this](errc why) {
    fail_session(why, go_away_code::protocol_error);
    return nullptr;
  };
  if ((id % 2 == 1) == (config_.role == role::client)) return fail(errc::bad_stream_id);
  // Y01: before there is anything that could stay behind half made.
  if (header.payload() > limits::yamux::initial_window) return fail(errc::window_exceeded);
  if (streams_.find(id) != nullptr || !peer_ids_.use(id)) return fail(errc::stream_id_reused);
  if (header.has(flag::rst)) {
    glitch(rapid_reset_cost);
    return nullptr;
  }
  if (!may_take_stream()) {
    refuse(id);
    return nullptr;
  }
  stream& of = streams_.insert(id);
  ++live_;
  ++incoming_;
  unaccepted_.push_back(of);
  if (awaits_stream_opened_) events_.raise(event_kind::stream_opened);
  awaits_stream_opened_ = false;
  return &of;
}

void yamux_state::refuse(std::uint32_t id) {
  ++statistics_.streams_refused;
  glitch();
  if (closed_) return;
  if (refusals_.full()) return fail_session(errc::flood, go_away_code::protocol_error);
  refusals_.push_back(id);
}

/// Any frame of the peer proves that it has the stream: rust-yamux has no other acknowledgement
/// than the flag on its first one.
void yamux_state::on_acknowledged(stream& of) {
  of.acknowledged = true;
  --unacked_;
  opening_.erase(of);
  if (!of.forgotten) events_.raise(of, event_kind::acknowledged);
  announce_room();
}

void yamux_state::on_payload_header(stream& of, const frame_header& header) {
  if (of.fin_received) return glitch();
  if (!of.receiving.receive(header.length))
    return fail_session(errc::window_exceeded, go_away_code::protocol_error);
  if (header.length != 0) {
    target_ = &of;
    fin_follows_ = header.has(flag::fin);
  } else if (header.has(flag::fin)) {
    on_fin(of);
  } else if (header.flags == 0) {
    glitch();
  }
}

void yamux_state::on_window_update(stream& of, const frame_header& header) {
  if (!of.sending.add(header.length))
    return fail_session(errc::window_overflow, go_away_code::protocol_error);
  if (header.length != 0) update_output(of);
  if (header.has(flag::fin)) return of.fin_received ? glitch() : on_fin(of);
  if (header.length == 0 && header.flags == 0) glitch();
}

void yamux_state::on_fin(stream& of) {
  of.fin_received = true;
  announce_readable(of);
  update_control(of);
  settle(of);
}

void yamux_state::on_reset(stream& of, std::uint32_t code) {
  if (of.reset_received) return glitch();
  glitch(!of.opened_here && !of.fin_sent ? rapid_reset_cost : 1);
  if (closed_) return;
  const bool told_read = of.reads_on() && !of.stopped;
  const bool told_write = of.can_write() || of.unsent.size() != 0;
  of.reset_received = true;
  if (!of.write_reset) of.reset_code = code;
  drop_output(of);
  if (!of.fin_received) drop_unread(of);
  if (!of.owned) {
    unaccepted_.erase(of);
    of.forgotten = true;
  } else if (!of.forgotten) {
    if (told_read) events_.raise(of, event_kind::read_reset);
    if (told_write) events_.raise(of, event_kind::write_stopped);
  }
  settle(of);
}

void yamux_state::on_ping(const frame_header& header) {
  if (header.has(flag::ack)) {
    const auto round_trip = keep_alive_.on_pong(now_, header.length);
    if (!round_trip) return glitch();
    if (!reports_pong_) return;
    reports_pong_ = false;
    return events_.raise(event_kind::pong, static_cast<std::uint64_t>(round_trip->count()));
  }
  if (pongs_.size() != 0) glitch();
  if (!closed_ && !pongs_.full()) pongs_.push_back(header.length);
}

void yamux_state::on_go_away(std::uint32_t code) {
  using enum close_reason::origin_kind;
  switch (static_cast<go_away_code>(code)) {
    case go_away_code::normal: break;
    case go_away_code::protocol_error:
      return end_session({peer, code, errc::peer_saw_violation}, false);
    case go_away_code::internal_error: return end_session({peer, code, errc::peer_failed}, false);
    default: return end_session({peer, code, transport::errc::closed_by_peer}, false);
  }
  // hashicorp/yamux lets its streams go on, the others end the carrier next: so wait for that.
  if (peer_goes_away_) return glitch();
  peer_goes_away_ = true;
  events_.raise(event_kind::go_away);
}

void yamux_state::take_payload(bytes piece) {
  payload_left_ -= static_cast<std::uint32_t>(piece.size());
  if (target_ == nullptr) return;
  deliver(*target_, piece);
  if (payload_left_ != 0) return;
  stream& of = *target_;
  target_ = nullptr;
  if (fin_follows_) on_fin(of);
}

void yamux_state::deliver(stream& to, bytes piece) {
  statistics_.payload_received += piece.size();
  glitches_.pay_back();
  keep_alive_.on_payload(now_);
  if (to.stopped) return on_consumed(to, piece.size());
  to.unread.append(input_memory(), piece);
  unread_ += piece.size();
  if (to.unread.has_lent() && !lending_.holds(to)) lending_.push_back(to);
  announce_readable(to);
}

void yamux_state::glitch(std::uint32_t count) {
  ++statistics_.glitches;
  if (!glitches_.charge(now_, count)) fail_session(errc::flood, go_away_code::protocol_error);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
