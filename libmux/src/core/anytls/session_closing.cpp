// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <new>
#include <utility>

#include "core/anytls/anytls_state.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

using origin_kind = close_reason::origin_kind;
namespace limit = limits::anytls;

void anytls_state::receive_end(time_point now) {
  advance_clock(now);
  if (closed_) return;
  using stage = anytls::authentication::stage;
  if (authentication_.reached() == stage::reading && !authentication_.taken().empty()) {
    authentication_.give_up();
    try {
      on_rejected({});
    } catch (const std::bad_alloc&) {
      out_of_memory();
    }
    if (closed_) return;
  }
  const bool cut = content_left_ != 0 || header_held_ != 0;
  lose_carrier({.origin = origin_kind::carrier,
                .cause = make_error_code(cut ? transport::errc::truncated
                                             : transport::errc::closed_by_peer)});
}

void anytls_state::carrier_lost(std::error_code cause) {
  listed_ = false;
  lose_carrier({.origin = origin_kind::carrier, .cause = cause});
}

void anytls_state::drain() {
  draining_ = true;
  while (stream* const of = unaccepted_.pop_front()) {
    of->forgotten = true;
    give_up(*of);
  }
  conclude();
}

void anytls_state::close(time_point now) {
  advance_clock(now);
  fallback_ = false;
  end_session({.origin = origin_kind::local_application,
               .cause = make_error_code(transport::errc::closed)});
}

void anytls_state::reject(time_point now, std::string_view text) {
  advance_clock(now);
  if (closed_) return;
  queue_alert(text);
  end_session({.origin = origin_kind::local_application,
               .cause = make_error_code(transport::errc::closed)});
}

/// What broke the protocol is told to a client; to a server nothing can be said.
void anytls_state::violate(errc why, std::string_view text) {
  if (closed_) return;
  queue_alert(text);
  end_session({.origin = origin_kind::local_session, .cause = make_error_code(why)});
}

void anytls_state::queue_alert(std::string_view text) {
  if (is_client() || !is_authenticated() || carrier_ended_) return;
  alert_ = text.substr(0, limit::max_alert);
  flush_waits_ = true;
  queue_control(command::alert, 0, transport::as_bytes(alert_));
}

void anytls_state::consume_rejected(std::size_t size) {
  rejected_.consume(pages_, std::min(size, rejected_.size()));
}

// Time.

void anytls_state::advance_clock(time_point now) noexcept {
  now_ = std::max(now_, now);
  heartbeat_.start(now_);
  if (!is_authenticated() && !authentication_deadline_ &&
      config_.authentication_timeout.count() != 0)
    authentication_deadline_ = now_ + config_.authentication_timeout;
}

/// The peer lives, or silence would prove nothing.
void anytls_state::hear(time_point now) noexcept {
  heartbeat_.on_input(now);
  while (silent_.pop_front() != nullptr) {}
}

/// When something is due because the peer is silent.
std::optional<time_point> anytls_state::next_silence() const {
  std::optional<time_point> next = heartbeat_.next_timeout();
  const auto consider = [&next](time_point when) {
    if (!next || when < *next) next = when;
  };
  if (!opening_.empty()) consider(opening_.first()->opening_deadline);
  if (!silent_.empty() && config_.liveness_timeout.count() != 0) {
    const time_point told = silent_.first()->told_at;
    consider(told +
             (heartbeat_.is_asking() ? config_.liveness_timeout : config_.liveness_timeout / 3));
  }
  return next;
}

std::optional<time_point> anytls_state::next_timeout() const {
  if (closed_) return finished() || fallback_ ? std::nullopt : std::optional(flush_deadline_);
  std::optional<time_point> next = wants_input() ? next_silence() : std::nullopt;
  const auto consider = [&next](std::optional<time_point> when) {
    if (when && (!next || *when < *next)) next = when;
  };
  consider(authentication_deadline_);
  if (!settings_done_) consider(first_packet_deadline_);
  if (!unreported_.empty()) consider(unreported_.first()->report_deadline);
  if (!holding_.empty()) consider(holding_.first()->hold_deadline);
  if (!holding_answered_.empty()) consider(holding_answered_.first()->hold_deadline);
  if (idle_since_ && config_.idle_timeout.count() != 0)
    consider(*idle_since_ + config_.idle_timeout);
  return next;
}

void anytls_state::handle_timeout(time_point now) {
  advance_clock(now);
  if (closed_) {
    if (!fallback_ && now_ >= flush_deadline_) lose_carrier(*closed_);
    return;
  }
  // What was not read from the carrier cannot have been heard.
  if (std::exchange(was_deaf_, !wants_input()) && wants_input()) {
    hear(now_);
    intrusive_ring<stream, anytls::opening_tag> again;
    while (stream* const of = opening_.pop_front()) {
      of->opening_deadline = now_ + config_.synack_timeout;
      again.push_back(*of);
    }
    opening_ = again;
  }
  if (authentication_deadline_ && now_ >= *authentication_deadline_) return expire_authentication();
  if (wants_input() && is_silent_for_too_long()) {
    return lose_carrier(
        {.origin = origin_kind::timed_out, .cause = make_error_code(errc::keep_alive_expired)});
  }
  expire_streams();
  conclude();
}

void anytls_state::expire_authentication() {
  authentication_deadline_.reset();
  authentication_.give_up();
  try {
    on_rejected({});
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
  end_session({.origin = origin_kind::local_session,
               .cause = make_error_code(errc::authentication_failed)});
}

/// A session is dead when a heartbeat has no answer, and when nothing at all came since a stream
/// was opened: a slow target holds up its own stream only. Long before, it is asked, so that a
/// server that waits for a target has something to say.
bool anytls_state::is_silent_for_too_long() noexcept {
  if (heartbeat_.handle_timeout(now_) == anytls::heartbeat::verdict::dead) return true;
  if (stream* const of = opening_.first();
      of != nullptr && of->opening_deadline <= now_ && silent_.holds(*of))
    return true;
  if (silent_.empty() || config_.liveness_timeout.count() == 0) return false;
  const auto silence = now_ - silent_.first()->told_at;
  if (silence >= config_.liveness_timeout) return true;
  if (silence >= config_.liveness_timeout / 3) heartbeat_.ask(now_);
  return false;
}

void anytls_state::expire_streams() {
  while (wants_input() && !opening_.empty() && opening_.first()->opening_deadline <= now_)
    fail_stream(*opening_.first(), transport::errc::timed_out);
  while (!unreported_.empty() && unreported_.first()->report_deadline <= now_)
    report(*unreported_.first(), {});
  for (auto* ring : {&holding_, &holding_answered_}) {
    while (!ring->empty() && ring->first()->hold_deadline <= now_) {
      stream& of = *ring->pop_front();
      of.fin_due = of.cut_short = true;
      update_output(of);
    }
  }
  const bool is_idle = idle_since_ && config_.idle_timeout.count() != 0 &&
                       now_ >= *idle_since_ + config_.idle_timeout;
  if (is_idle) {
    end_session(
        {.origin = origin_kind::timed_out, .cause = make_error_code(transport::errc::timed_out)});
  }
}

// Streams.

/// After finish() what was written still arrives, and the end behind it; there is nobody to wait
/// for the peer's end any more.
void anytls_state::give_up(stream& of) {
  if (of.is_over() || closed_) return;
  of.stopped = true;
  drop_unread(of);
  if (of.fin_asked) {
    stop_holding(of);
    of.fin_due = true;
    update_output(of);
    return;
  }
  of.given_up = true;
  report(of, "closed");
  end_by_fin(of);
}

/// The peer is told at once, unless it never heard of the stream.
void anytls_state::end_by_fin(stream& of) {
  if (!of.is_over() && !of.syn_waits) queue_control(command::fin, of.id);
  untold_.erase(of);
  of.syn_waits = false;
  of.fin_sent = true;
  leave_timers(of);
  if (target_ == &of) target_ = nullptr;
  drop_output(of);
  settle(of);
}

void anytls_state::leave_timers(stream& of) noexcept {
  opening_.erase(of);
  silent_.erase(of);
  unreported_.erase(of);
  stop_holding(of);
}

void anytls_state::fail_stream(stream& of, std::error_code cause) {
  const bool told = of.owned && !of.stopped;
  if (of.is_over()) return;
  of.failure = cause;
  drop_unread(of);
  report(of, "given up");
  if (told) events_.raise(of, anytls_event_kind::failed);
  end_by_fin(of);
}

void anytls_state::drop_unread(stream& of) {
  const std::size_t before = of.unread.size();
  of.unread.clear(input_memory());
  lending_.erase(of);
  recount_unread(of, before);
}

void anytls_state::drop_output(stream& of) {
  sendable_.erase(of);
  if (!planned_.holds(of)) return drop_output_now(of);
  of.drop_waits = true;
}

/// The frame that has begun is still to be sent to its end.
void anytls_state::drop_output_now(stream& of) {
  const std::size_t kept = begun_.owner == &of ? begun_.payload_left : 0;
  copied_ -= of.unsent.size() - kept;
  of.unsent.truncate(pages_, kept);
  of.first_write = 0;
}

void anytls_state::settle(stream& of) {
  const bool over = of.is_over() || closed_;
  if (!of.retired && over && of.unread.size() == 0 && (of.owned || of.forgotten)) retire(of);
  if (!of.retired || !of.forgotten || planned_.holds(of) || begun_.owner == &of) return;
  events_.withdraw(of);
  if (target_ == &of) target_ = nullptr;
  streams_.erase(of);
}

void anytls_state::retire(stream& of) {
  of.retired = true;
  --live_;
  if (live_ == 0 && !is_client()) idle_since_ = now_;
  leave_timers(of);
  announce_room();
}

// The session.

/// What is said at all was queued before.
void anytls_state::end_session(const close_reason& reason) {
  if (closed_) return;
  closed_ = reason;
  flush_deadline_ = now_ + limit::flush_timeout;
  content_left_ = 0;
  collects_ = false;
  target_ = nullptr;
  authentication_deadline_.reset();
  end_streams();
  if (!listed_) end_list();
  events_.raise(anytls_event_kind::closed);
}

void anytls_state::end_streams() {
  while (stream* const of = unaccepted_.pop_front()) {
    of->forgotten = of->stopped = true;
    drop_unread(*of);
  }
  while (untold_.pop_front() != nullptr) {}
  while (holding_.pop_front() != nullptr) {}
  while (holding_answered_.pop_front() != nullptr) {}
  intrusive_ring<stream, anytls::hold_tag> all;
  streams_.for_each([&all](stream& of) { all.push_back(of); });
  while (stream* const of = all.pop_front()) {
    drop_output(*of);
    leave_timers(*of);
    settle(*of);
  }
}

/// Nothing can be sent any more.
void anytls_state::lose_carrier(const close_reason& reason) {
  const close_reason why = reason;
  carrier_ended_ = true;
  flush_waits_ = false;
  end_session(why);
  if (!listed_) end_list();
}

void anytls_state::out_of_memory() {
  flush_waits_ = false;
  end_session({.origin = origin_kind::local_session,
               .cause = make_error_code(transport::errc::out_of_memory)});
}

bool anytls_state::finished() const noexcept {
  return closed_ && !fallback_ && (carrier_ended_ || !flush_waits_);
}

/// Sessions wait in pools for most of their lives: what one without streams holds for those to come
/// is given back, and taken again by the next stream. No stream has unread bytes, so none are lent.
void anytls_state::release_memory() noexcept {
  if (listed_ || records_.active() || !control_.empty()) return;
  pages_.trim();
  lent_.release_memory();
  plan_.release_memory();
  records_.release_memory();
}

/// The end of the last stream, and its bytes, may be in a packet that is still being sent.
void anytls_state::conclude() {
  if (live_ == 0) release_memory();
  if (closed_ || !draining_ || live_ != 0) return;
  if (!records_.active() && control_.empty() && begun_.is_complete()) close(now_);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
