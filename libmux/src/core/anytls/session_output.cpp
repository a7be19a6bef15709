// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

#include "core/anytls/anytls_state.hpp"
#include "core/anytls/settings.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {
namespace {

namespace limit = limits::anytls;

constexpr std::size_t least_pieces = 4;
/// Of one packet that is padded: enough for a frame of a stream in its pages, and some control.
constexpr std::size_t packet_pieces = 32;

}  // namespace

std::size_t anytls_state::poll_output(time_point now, std::span<bytes> out) {
  assert(out.size() >= least_pieces);
  advance_clock(now);
  end_list();
  if (carrier_ended_ || (closed_ && !flush_waits_) || !is_authenticated()) return 0;
  piece_list pieces(out);
  try {
    if (records_.active()) {
      records_.gather(pieces);
    } else if (is_client() && packet_ == 0) {
      poll_authentication(pieces);
    } else if (!holds_first_packet()) {
      if (!closed_) queue_due();
      poll_packet(pieces);
    }
  } catch (const std::bad_alloc&) {
    out_of_memory();
  }
  listed_ = pieces.used() != 0;
  return pieces.used();
}

/// Of its own: the size of this record is what packet 0 of the scheme says.
void anytls_state::poll_authentication(piece_list& pieces) {
  config_.padding.draw(0, random_, sizes_);
  const std::size_t padding = sizes_.empty() ? 0 : sizes_.front();
  const auto request =
      anytls::authentication_request(config_.password, static_cast<std::uint16_t>(padding));
  records_.begin_whole(request, padding);
  packet_ = 1;
  records_.gather(pieces);
}

/// Settings, the first stream and its first bytes are one packet; apart, their sizes would tell
/// what they are.
bool anytls_state::holds_first_packet() {
  if (!is_client() || settings_done_) return false;
  if (untold_.empty()) {
    first_packet_deadline_.reset();
    return true;
  }
  stream* of = untold_.first();
  for (std::size_t left = untold_.size(); left != 0; --left, of = untold_.after(*of))
    if (of->unsent.size() != 0 || of->fin_due) return false;
  if (!first_packet_deadline_) first_packet_deadline_ = now_ + limit::first_packet_timeout;
  return now_ < *first_packet_deadline_;
}

/// Frames that come of what is known, in the order in which the peer must see them.
void anytls_state::queue_due() {
  if (is_client() && !std::exchange(settings_done_, true)) {
    const std::string said =
        anytls::client_settings(config_.version, config_.client_name, config_.padding.md5());
    queue_control(command::settings, 0, transport::as_bytes(said));
  }
  tell_of_new_streams();
  if (heartbeat_.take_request()) {
    ++statistics_.heartbeats_sent;
    queue_control(command::heart_request, 0);
  }
  if (answer_ && control_.size() < limit::max_control) {
    ++statistics_.heartbeats_answered;
    queue_control(command::heart_response, *std::exchange(answer_, std::nullopt));
  }
}

void anytls_state::tell_of_new_streams() {
  while (stream* const of = untold_.pop_front()) {
    of->syn_waits = false;
    of->told_at = now_;
    queue_control(command::syn, of->id);
    if (version_ >= 2) start_opening(*of, true);
    update_output(*of);
  }
}

/// Room for it is made or the session ends: so nobody need handle a frame that is half there.
void anytls_state::queue_control(command which, std::uint32_t id, bytes content) noexcept {
  if (closed_ && !flush_waits_) return;
  std::array<std::byte, frame_header::encoded_size> header;
  anytls::encode(
      {.command = which, .stream_id = id, .length = static_cast<std::uint16_t>(content.size())},
      header.data());
  try {
    control_.append(pages_, header);
    control_.append(pages_, content);
  } catch (const std::bad_alloc&) {
    out_of_memory();
  }
}

void anytls_state::poll_packet(piece_list& pieces) {
  const bool pads = is_client() && packet_ < config_.padding.stop();
  if (!pads) {
    records_.release_memory();
    return plan(pieces, SIZE_MAX);
  }
  std::array<bytes, packet_pieces> memory;
  piece_list content(memory);
  plan(content, 1);
  if (content.used() == 0) return;
  config_.padding.draw(packet_, random_, sizes_);
  records_.begin(std::span(memory).first(content.used()), sizes_);
  ++packet_;
  ++statistics_.packets_padded;
  commit(content.size());
  records_.gather(pieces);
}

void anytls_state::plan(piece_list& pieces, std::size_t most_payloads) {
  if (!plan_rest(pieces) || !plan_control(pieces)) return;
  if (!closed_) plan_streams(pieces, most_payloads);
}

/// False when the list is too short for all of it.
bool anytls_state::plan_rest(piece_list& pieces) {
  if (begun_.is_complete()) return true;
  if (begun_.header_left != 0) pieces.add(bytes(begun_.header).last(begun_.header_left));
  plan_.rest = begun_.header_left;
  if (begun_.payload_left == 0) return true;
  const std::size_t size = gather(*begun_.owner, begun_.payload_left, pieces);
  plan_.rest += size;
  return size == begun_.payload_left;
}

bool anytls_state::plan_control(piece_list& pieces) {
  for (const page* at = control_.first(); at != nullptr; at = at->next) {
    if (!pieces.add(at->used())) return false;
    plan_.control += at->used().size();
  }
  return true;
}

/// In turns of one frame. Every stream in the ring has something to send, so a whole round without
/// a frame means that all of it is planned.
void anytls_state::plan_streams(piece_list& pieces, std::size_t most_payloads) {
  stream* of = sendable_.first();
  for (std::size_t idle = 0; idle < sendable_.size() && plan_.has_room(pieces);) {
    const bool planned = most_payloads != 0 && plan_payload(*of, pieces);
    if (planned) --most_payloads;
    idle = planned || plan_fin(*of, pieces) ? 0 : idle + 1;
    of = sendable_.after(*of);
  }
}

bool anytls_state::plan_payload(stream& of, piece_list& pieces) {
  std::size_t most = std::min(of.unsent.size() - of.planned_bytes, config_.frame_payload);
  if (of.planned_bytes < of.first_write) most = std::min(most, of.first_write - of.planned_bytes);
  if (most == 0) return false;
  auto& frame =
      plan_.add({&of, {.command = command::psh, .stream_id = of.id, .length = 0}}, pieces);
  plan_.set_length(frame, gather(of, most, pieces));
  return true;
}

bool anytls_state::plan_fin(stream& of, piece_list& pieces) {
  if (!of.fin_due || of.fin_planned || of.unsent.size() != of.planned_bytes) return false;
  plan_.add({&of, {.command = command::fin, .stream_id = of.id, .length = 0}}, pieces);
  mark_planned(of);
  return of.fin_planned = true;
}

/// Adds up to `most` unsent bytes that are not planned yet.
std::size_t anytls_state::gather(stream& of, std::size_t most, piece_list& pieces) {
  if (of.planned_bytes == 0) {
    of.plan_page = of.unsent.first();
    of.plan_at = of.plan_page->begin;
  }
  mark_planned(of);
  std::size_t size = 0;
  while (size != most) {
    if (of.plan_at == of.plan_page->end) {
      of.plan_page = of.plan_page->next;
      of.plan_at = of.plan_page->begin;
    }
    const std::size_t here = std::min<std::size_t>(most - size, of.plan_page->end - of.plan_at);
    if (!pieces.add({of.plan_page->content + of.plan_at, here})) break;
    of.plan_at += static_cast<std::uint32_t>(here);
    size += here;
  }
  of.planned_bytes += size;
  return size;
}

void anytls_state::mark_planned(stream& of) noexcept {
  if (!planned_.holds(of)) planned_.push_back(of);
}

void anytls_state::sent(std::size_t size) {
  if (!std::exchange(listed_, false)) return;
  statistics_.bytes_sent += size;
  if (records_.active()) {
    statistics_.padding_sent += records_.sent(size);
  } else {
    commit(size);
  }
  end_list();
  conclude();
}

/// The first `size` bytes of the plan are the carrier's, or the packet's.
void anytls_state::commit(std::size_t size) {
  const std::size_t rest = std::min(size, plan_.rest);
  advance_begun(rest);
  const std::size_t control = std::min(size - rest, plan_.control);
  control_.consume(pages_, control);
  size -= rest + control;
  for (std::size_t i = 0; i < plan_.size() && size != 0; ++i) {
    begin(plan_[i]);
    size -= advance_begun(size);
  }
  if (flush_waits_ && control_.empty() && begun_.is_complete()) flush_waits_ = false;
  end_plan();
}

void anytls_state::begin(const anytls::output_plan::entry& frame) {
  stream& of = *frame.owner;
  begun_.owner = &of;
  begun_.header_left = frame_header::encoded_size;
  begun_.payload_left = frame.header.length;
  anytls::encode(frame.header, begun_.header.data());
  if (frame.header.command == command::fin) {
    of.fin_sent = true;
    leave_timers(of);
    announce_readable(of);
    sendable_.erase(of);
  } else if (sendable_.holds(of)) {
    sendable_.erase(of);  // Its turn is over: others come first in the next list.
    sendable_.push_back(of);
  }
}

std::size_t anytls_state::advance_begun(std::size_t size) {
  const std::size_t header = std::min(size, begun_.header_left);
  const std::size_t payload = std::min(size - header, begun_.payload_left);
  begun_.header_left -= header;
  begun_.payload_left -= payload;
  if (payload != 0) on_payload_taken(*begun_.owner, payload);
  if (begun_.is_complete() && begun_.owner != nullptr)
    settle(*std::exchange(begun_.owner, nullptr));
  return header + payload;
}

void anytls_state::on_payload_taken(stream& of, std::size_t size) {
  statistics_.payload_sent += size;
  heartbeat_.on_payload_sent(size);
  of.unsent.consume(pages_, size);
  of.first_write -= std::min(of.first_write, size);
  copied_ -= size;
  if (of.awaits_writable && of.can_write() && of.unsent.size() <= watermark(of) / 2) {
    of.awaits_writable = false;
    events_.raise(of, anytls_event_kind::writable);
  }
}

/// Whatever was not committed counts as never planned.
void anytls_state::end_plan() {
  plan_.clear();
  while (stream* const of = planned_.pop_front()) {
    of->fin_planned = false;
    of->planned_bytes = 0;
    if (std::exchange(of->drop_waits, false)) drop_output_now(*of);
    update_output(*of);
    settle(*of);
  }
}

/// No list is out any more: what had to stay for it goes.
void anytls_state::end_list() {
  listed_ = false;
  end_plan();
  if (!closed_ || flush_waits_) return;
  records_.clear();
  control_.clear(pages_);
  if (stream* const of = std::exchange(begun_, {}).owner) {
    drop_output_now(*of);
    settle(*of);
  }
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
