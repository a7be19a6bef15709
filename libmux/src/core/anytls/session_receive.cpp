// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <new>

#include "core/anytls/anytls_state.hpp"
#include "core/anytls/settings.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {
namespace {

namespace limit = limits::anytls;

/// For logs: what a peer chose cannot begin a line there, nor move the cursor.
std::string printable(std::string_view text) {
  std::string made(text);
  for (char& letter : made)
    if (static_cast<unsigned char>(letter) < ' ' || letter == 0x7f) letter = '?';
  return made;
}

}  // namespace

void anytls_state::receive(time_point now, bytes input) {
  advance_clock(now);
  if (closed_ || input.empty()) return;
  statistics_.bytes_received += input.size();
  hear(now_);
  try {
    if (receive_authentication(input)) decode_input(input);
  } catch (const std::bad_alloc&) {
    out_of_memory();
  }
  conclude();
  if (!wants_input()) was_deaf_ = true;
}

void anytls_state::release_input() {
  bool failed = false;
  while (stream* const of = lending_.pop_front()) {
    const std::size_t before = of->unread.size();
    try {
      if (!failed) of->unread.settle(input_memory());
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    of->unread.drop_lent(input_memory());
    recount_unread(*of, before);
  }
  lent_.clear();
  if (failed) out_of_memory();
}

bool anytls_state::wants_input() const noexcept {
  if (closed_ || control_.size() >= limit::max_control) return false;
  const bool all_wait = config_.overflow == anytls_overflow::stop_reading;
  if (over_limit_ != 0 && (all_wait || live_ == 1)) return false;
  return !all_wait || unread_ < config_.max_session_unread;
}

/// False: there is nothing behind it for a session.
bool anytls_state::receive_authentication(bytes& input) {
  using stage = anytls::authentication::stage;
  if (is_authenticated()) return true;
  if (authentication_.reached() == stage::rejected) return false;
  switch (authentication_.receive(config_.users, input)) {
    case stage::rejected: on_rejected(input); return false;
    case stage::accepted: break;
    default: return false;
  }
  authentication_deadline_.reset();
  idle_since_ = now_;
  events_.raise(anytls_event_kind::authenticated);
  return true;
}

/// Without anybody to fall back to, nothing is done until the time for authentication is over: so a
/// wrong password, garbage and silence look alike (A05).
void anytls_state::on_rejected(bytes rest) {
  if (!config_.fallback || authentication_.user()) return;
  rejected_.append(pages_, authentication_.taken());
  rejected_.append(pages_, rest);
  fallback_ = true;
  closed_ = {.origin = close_reason::origin_kind::local_session,
             .cause = make_error_code(errc::authentication_failed)};
  events_.raise(anytls_event_kind::fallback);
}

void anytls_state::decode_input(bytes input) {
  constexpr std::size_t whole = frame_header::encoded_size;
  while (!input.empty() && !closed_) {
    if (content_left_ != 0) {
      const std::size_t size = std::min(input.size(), content_left_);
      take_content(input.first(size));
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

/// Whether the protocol lets the peer send such a frame. What version 1 does not know is skipped
/// there like any unknown command.
bool anytls_state::may_send(command which) const noexcept {
  switch (which) {
    case command::syn:
    case command::settings: return !is_client();
    case command::alert:
    case command::update_padding_scheme:
    case command::synack:
    case command::server_settings: return is_client();
    default: return true;
  }
}

void anytls_state::on_frame(std::span<const std::byte, frame_header::encoded_size> encoded) {
  const frame_header header = anytls::decode(encoded);
  ++statistics_.frames_received;
  content_left_ = header.length;
  target_ = nullptr;
  collects_ = false;
  const bool known = header.command <= (config_.version >= 2 ? command::server_settings
                                                             : command::update_padding_scheme);
  if (!known) return glitch();
  if (!may_send(header.command)) return violate(errc::bad_command, "command of a server");
  if (header.length != 0 && !anytls::may_carry_data(header.command)) glitch();
  if (closed_) return;
  switch (header.command) {
    case command::syn: return on_syn(header.stream_id);
    case command::psh: return on_psh(header);
    case command::fin: return on_fin(header.stream_id);
    default: return on_session_frame(header);
  }
}

void anytls_state::on_session_frame(const frame_header& header) {
  switch (header.command) {
    case command::waste: return header.length == 0 ? glitch() : void();
    case command::settings:
      if (header.length > limit::max_settings)
        return violate(errc::bad_settings, "settings that are too long");
      return collect(header, limit::max_settings);
    case command::server_settings: return collect(header, limit::max_settings);
    case command::alert: return collect(header, limit::max_alert);
    case command::synack: return collect(header, limit::max_refusal);
    case command::update_padding_scheme:
      if (header.length > limit::max_padding_text) return glitch();
      return collect(header, limit::max_padding_text);
    case command::heart_request: return on_heart_request(header.stream_id);
    case command::heart_response: return heartbeat_.on_response() ? void() : glitch();
    default: return;
  }
}

/// The content is wanted whole, as far as `most` bytes.
void anytls_state::collect(const frame_header& header, std::size_t most) {
  text_.clear();
  collected_ = header;
  collect_most_ = most;
  collects_ = true;
  if (header.length == 0) on_collected();
}

void anytls_state::take_content(bytes piece) {
  content_left_ -= piece.size();
  if (target_ != nullptr) return deliver(*target_, piece);
  if (!collects_) return;
  text_ += transport::as_text(piece).substr(0, collect_most_ - text_.size());
  if (content_left_ == 0) on_collected();
}

void anytls_state::on_collected() {
  collects_ = false;
  switch (collected_.command) {
    case command::settings: return on_settings();
    case command::server_settings: return on_server_settings();
    case command::update_padding_scheme: return on_update_padding();
    case command::alert: return on_alert();
    case command::synack: return on_synack();
    default: return;
  }
}

void anytls_state::on_settings() {
  if (settings_done_) return glitch();
  anytls::settings said;
  if (!said.parse(text_)) return violate(errc::bad_settings, "settings of too many lines");
  settings_done_ = version_known_ = true;
  peer_name_ = printable(said.client);
  if (said.padding_md5 != config_.padding.md5()) {
    const bytes scheme = transport::as_bytes(config_.padding.text());
    queue_control(command::update_padding_scheme, 0, scheme);
  }
  if (std::min(said.version, config_.version) >= 2) {
    const std::string settings = anytls::server_settings(config_.version);
    queue_control(command::server_settings, 0, transport::as_bytes(settings));
    enable_version_2();
  }
  events_.raise(anytls_event_kind::version_known);
}

void anytls_state::on_server_settings() {
  if (version_known_) return glitch();
  anytls::settings said;
  if (!said.parse(text_)) return violate(errc::bad_settings, {});
  version_known_ = true;
  if (std::min(said.version, config_.version) >= 2) enable_version_2();
  events_.raise(anytls_event_kind::version_known);
}

/// From now on the server answers the opening of each stream: also of those that are on their way.
void anytls_state::enable_version_2() {
  version_ = 2;
  heartbeat_.enable();
  if (!is_client()) return;
  streams_.for_each([this](stream& of) {
    if (!of.syn_waits && !of.acknowledged && !of.is_over()) start_opening(of, false);
  });
}

/// One that this side cannot use is left: the old one is no worse than before.
void anytls_state::on_update_padding() {
  if (pushed_) glitch();
  if (closed_) return;
  auto pushed = anytls_padding_scheme::parse(transport::as_bytes(text_));
  if (!pushed) return glitch();
  pushed_ = std::move(*pushed);
  events_.raise(anytls_event_kind::padding_scheme);
}

void anytls_state::on_alert() {
  alert_ = printable(text_);
  end_session(
      {.origin = close_reason::origin_kind::peer, .cause = make_error_code(errc::peer_alert)});
}

void anytls_state::on_syn(std::uint32_t id) {
  if (!settings_done_) return violate(errc::settings_missing, "client did not send its settings");
  if (id == 0) return violate(errc::bad_stream_id, "stream 0");
  if (streams_.find(id) != nullptr) return glitch();
  const bool is_new = id > last_id_;
  last_id_ = std::max(last_id_, id);
  const bool has_room = live_ < config_.max_streams && unaccepted_.size() < config_.accept_backlog;
  if (!is_new || !has_room || draining_) return refuse_syn(id);
  stream& of = streams_.insert(id);
  ++live_;
  idle_since_.reset();
  unaccepted_.push_back(of);
  if (version_ >= 2 && config_.report_timeout.count() != 0) {
    of.report_deadline = now_ + config_.report_timeout;
    unreported_.push_back(of);
  }
  if (awaits_stream_opened_) events_.raise(anytls_event_kind::stream_opened);
  awaits_stream_opened_ = false;
}

void anytls_state::refuse_syn(std::uint32_t id) {
  ++statistics_.streams_refused;
  glitch();
  if (closed_) return;
  if (version_ >= 2) queue_control(command::synack, id, transport::as_bytes("too many streams"));
  queue_control(command::fin, id);
}

/// Bytes under way when this side ended a stream are nobody's fault.
void anytls_state::note_unknown(std::uint32_t id) {
  if (id > last_id_ || id == 0) glitch();
}

void anytls_state::on_psh(const frame_header& header) {
  stream* const of = streams_.find(header.stream_id);
  if (header.length == 0) return glitch();
  if (of == nullptr || of->syn_waits) return note_unknown(header.stream_id);
  if (of->is_over()) return;
  of->got_payload = true;
  if (is_client() && !of->acknowledged) on_acknowledged(*of);
  target_ = of;
}

void anytls_state::on_fin(std::uint32_t id) {
  stream* const of = streams_.find(id);
  if (of == nullptr || of->syn_waits) return note_unknown(id);
  if (of->is_over()) return;
  // Opening streams only to end them costs us a stream each, and the peer two headers.
  if (!is_client() && !of->got_payload) glitch();
  if (closed_) return;
  const bool told = of->owned && !of->stopped && (of->can_write() || of->unsent.size() != 0);
  of->fin_received = true;
  leave_timers(*of);
  drop_output(*of);
  announce_readable(*of);
  if (told) events_.raise(*of, anytls_event_kind::write_stopped);
  settle(*of);
}

void anytls_state::on_heart_request(std::uint32_t id) {
  // One answer for all that came since the last (A15).
  if (answer_) glitch();
  answer_ = id;
}

/// A12: it is about this stream and no other.
void anytls_state::on_synack() {
  stream* const of = streams_.find(collected_.stream_id);
  if (of == nullptr || of->syn_waits) return note_unknown(collected_.stream_id);
  if (of->is_over()) return;
  if (!text_.empty() || collected_.length != 0) {
    of->refusal = printable(text_);
    return fail_stream(*of, errc::stream_refused);
  }
  of->acknowledged ? glitch() : on_acknowledged(*of);
}

void anytls_state::on_acknowledged(stream& of) {
  of.acknowledged = true;
  opening_.erase(of);
  silent_.erase(of);
  if (!of.stopped) events_.raise(of, anytls_event_kind::acknowledged);
}

bool anytls_state::is_overrun(const stream& of) const noexcept {
  return config_.overflow == anytls_overflow::reset_stream && live_ > 1 &&
         (of.over_limit || unread_ > config_.max_session_unread);
}

void anytls_state::deliver(stream& to, bytes piece) {
  statistics_.payload_received += piece.size();
  glitches_.pay_back();
  if (holding_.holds(to)) {
    hold_end(to);
  } else if (!to.fin_asked) {
    to.answered = to.unsent.size() == 0;
  }
  if (to.stopped) return;
  const std::size_t before = to.unread.size();
  to.unread.append(input_memory(), piece);
  recount_unread(to, before);
  if (to.unread.has_lent() && !lending_.holds(to)) lending_.push_back(to);
  if (is_overrun(to)) {
    ++statistics_.streams_overrun;
    return fail_stream(to, transport::errc::limit_exceeded);
  }
  announce_readable(to);
}

void anytls_state::glitch(std::uint32_t count) {
  ++statistics_.glitches;
  if (!glitches_.charge(now_, count)) violate(errc::flood, "too many frames that serve nobody");
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
