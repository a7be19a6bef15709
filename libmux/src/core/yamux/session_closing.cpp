// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <new>
#include <utility>

#include "core/yamux/yamux_state.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

using origin_kind = close_reason::origin_kind;

void yamux_state::receive_end(time_point now) {
  advance_clock(now);
  const bool cut = payload_left_ != 0 || header_held_ != 0;
  fail_carrier({.origin = origin_kind::carrier,
                .cause = make_error_code(cut ? transport::errc::truncated
                                             : transport::errc::closed_by_peer)});
}

void yamux_state::carrier_lost(std::error_code cause) {
  fail_carrier({.origin = origin_kind::carrier, .cause = cause});
}

void yamux_state::go_away() {
  going_away_ = true;
  while (stream* const of = unaccepted_.pop_front()) {
    of->forgotten = true;
    drop_unread(*of);
    end_by_reset(*of);
  }
  conclude();
}

void yamux_state::close(time_point now, go_away_code code) {
  advance_clock(now);
  close_by_application(code);
}

void yamux_state::close_by_application(go_away_code code) {
  end_session({.origin = origin_kind::local_application,
               .code = std::to_underlying(code),
               .cause = make_error_code(transport::errc::closed)},
              true);
}

void yamux_state::ping() {
  reports_pong_ = true;
  keep_alive_.request();
}

void yamux_state::advance_clock(time_point now) noexcept {
  now_ = std::max(now_, now);
  if (std::exchange(clock_known_, true)) return;
  keep_alive_.start(now_);
  // Deadlines that commands have set before: none of them knew the time.
  flush_deadline_ = now_ + limits::yamux::flush_timeout;
  stream* of = closing_.first();
  for (std::size_t left = closing_.size(); left != 0; --left, of = closing_.after(*of))
    of->close_deadline = now_ + config_.close_timeout;
}

std::optional<time_point> yamux_state::next_timeout() const {
  if (!clock_known_) return std::nullopt;
  if (closed_) return finished() ? std::nullopt : std::optional(flush_deadline_);
  std::optional<time_point> next;
  const auto consider = [&next](std::optional<time_point> when) {
    if (when && (!next || *when < *next)) next = when;
  };
  if (wants_input()) consider(keep_alive_.next_timeout());
  if (!opening_.empty()) consider(opening_.first()->deadline);
  if (!closing_.empty()) consider(closing_.first()->close_deadline);
  return next;
}

bool yamux_state::finished() const noexcept {
  return closed_ && (carrier_ended_ || (!go_away_waits_ && begun_.is_complete()));
}

void yamux_state::handle_timeout(time_point now) {
  advance_clock(now);
  if (closed_) {
    if (now_ >= flush_deadline_) fail_carrier(*closed_);
    return;
  }
  // What was not read from the carrier cannot have been heard.
  if (std::exchange(was_deaf_, !wants_input()) && wants_input()) keep_alive_.on_input(now_);
  if (wants_input() && !keep_alive_.handle_timeout(now_)) {
    return fail_carrier(
        {.origin = origin_kind::timed_out, .cause = make_error_code(errc::keep_alive_expired)});
  }
  if (keep_alive_.is_probing()) pages_.trim();
  expire_streams();
  conclude();
}

void yamux_state::expire_streams() {
  while (!opening_.empty() && opening_.first()->deadline <= now_)
    fail_stream(*opening_.first(), transport::errc::timed_out);
  while (!closing_.empty() && closing_.first()->close_deadline <= now_) {
    stream& of = *closing_.pop_front();
    of.write_reset = true;
    end_by_reset(of);
  }
}

/// Each direction as far as it has not ended. RST ends both at once: so after this side's end only
/// reading stops, or what was written would be lost.
void yamux_state::give_up(stream& of, std::uint32_t code) {
  events_.withdraw(of, event_kind::writable);
  events_.withdraw(of, event_kind::written);
  if (closed_) return;
  if (of.can_write()) {
    of.write_reset = true;
    of.reset_code = code;
    if (of.reads_on()) stop_reading(of);
    end_by_reset(of);
  } else if (of.reads_on()) {
    stop_reading(of);
  }
}

void yamux_state::stop_reading(stream& of) {
  of.stopped = true;
  events_.withdraw(of, event_kind::readable);
  const std::size_t dropped = of.unread.size();
  drop_unread(of);
  on_consumed(of, dropped);
  settle(of);
}

void yamux_state::let_go(stream& of) {
  events_.withdraw(of);
  give_up(of, 0);
  of.forgotten = of.stopped = true;
  drop_unread(of);
  if (!of.is_over() && !of.rst_waits && !closed_ && config_.close_timeout.count() != 0) {
    of.close_deadline = now_ + config_.close_timeout;
    closing_.push_back(of);
  }
  settle(of);
}

/// The peer is told by RST, unless it never heard of the stream (see update_control()).
void yamux_state::end_by_reset(stream& of) {
  of.rst_waits = !closed_;
  opening_.erase(of);
  drop_output(of);
  update_control(of);
  settle(of);
}

void yamux_state::fail_stream(stream& of, std::error_code cause) {
  const bool told_read = of.reads_on() && !of.stopped;
  const bool told_write = of.can_write() || of.unsent.size() != 0;
  of.failure = cause;
  of.reset_code = 0;
  if (!of.forgotten && told_read) events_.raise(of, event_kind::read_reset);
  if (!of.forgotten && told_write) events_.raise(of, event_kind::write_stopped);
  end_by_reset(of);
}

void yamux_state::drop_unread(stream& of) {
  unread_ -= of.unread.size();
  of.unread.clear(input_memory());
  lending_.erase(of);
}

void yamux_state::drop_output(stream& of) {
  sendable_.erase(of);
  if (!planned_.holds(of)) return drop_output_now(of);
  of.drop_waits = true;
}

void yamux_state::drop_output_now(stream& of) {
  const std::size_t before = of.unsent.copied();
  const bool begun = begun_.owner == &of;
  if (begun) begun_.owner = nullptr;
  try {
    if (begun) of.unsent.move_front(output_memory(), begun_.payload_left, orphaned_);
    of.unsent.clear(output_memory());
  } catch (const std::bad_alloc&) {
    // The frame that has begun cannot be ended without those bytes; conclude() does the rest.
    of.unsent.clear(output_memory());
    carrier_ended_ = true;
  }
  recount_copied(of, before);
}

void yamux_state::settle(stream& of) {
  const bool over = of.is_over() || closed_;
  if (!of.retired && over && of.unread.size() == 0 && (of.owned || of.forgotten)) retire(of);
  if (!of.retired || !of.forgotten || planned_.holds(of)) return;
  events_.withdraw(of);
  control_.erase(of);
  if (target_ == &of) target_ = nullptr;
  if (begun_.owner == &of) begun_.owner = nullptr;
  streams_.erase(of);
}

void yamux_state::retire(stream& of) {
  of.retired = true;
  --live_;
  if (!of.opened_here) --incoming_;
  if (of.opened_here && !of.acknowledged) --unacked_;
  growth_.release(of.receiving.grown());
  opening_.erase(of);
  closing_.erase(of);
  update_control(of);
  announce_room();
}

void yamux_state::end_session(const close_reason& reason, bool says_go_away) {
  if (closed_) return;
  closed_ = reason;
  go_away_waits_ = says_go_away && !carrier_ended_;
  flush_deadline_ = now_ + limits::yamux::flush_timeout;
  payload_left_ = 0;
  target_ = nullptr;
  pongs_.clear();
  refusals_.clear();
  end_streams();
  events_.raise(event_kind::closed);
}

void yamux_state::end_streams() {
  // What the peer had sent before it went can still be accepted and read; who closes here wants
  // nothing more.
  const bool by_us = closed_->origin == origin_kind::local_application ||
                     closed_->origin == origin_kind::local_session;
  while (stream* const of = by_us ? unaccepted_.pop_front() : nullptr) {
    of->forgotten = true;
    drop_unread(*of);
  }
  while (control_.pop_front() != nullptr) {}
  intrusive_ring<stream, control_tag> all;
  streams_.for_each([&all](stream& of) { all.push_back(of); });
  while (stream* const of = all.pop_front()) {
    drop_output(*of);
    opening_.erase(*of);
    closing_.erase(*of);
    settle(*of);
  }
}

void yamux_state::fail_session(errc why, go_away_code code) {
  end_session({.origin = origin_kind::local_session,
               .code = std::to_underlying(code),
               .cause = make_error_code(why)},
              true);
}

/// Nothing can be sent any more.
void yamux_state::fail_carrier(const close_reason& reason) {
  carrier_ended_ = true;
  go_away_waits_ = false;
  end_plan();
  begun_ = {};
  orphaned_.clear(pages_);
  end_session(close_reason(reason), false);
}

void yamux_state::out_of_memory() {
  end_session({.origin = origin_kind::local_session,
               .code = std::to_underlying(go_away_code::internal_error),
               .cause = make_error_code(transport::errc::out_of_memory)},
              true);
}

void yamux_state::conclude() {
  if (closed_) return;
  if (carrier_ended_) {
    fail_carrier({.origin = origin_kind::local_session,
                  .cause = make_error_code(transport::errc::out_of_memory)});
  } else if (going_away_ && live_ == 0) {
    close_by_application(go_away_code::normal);
  }
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
