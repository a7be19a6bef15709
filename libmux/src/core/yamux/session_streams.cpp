// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <new>

#include "core/yamux/yamux_state.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

result<std::uint32_t> yamux_state::open() {
  if (closed_) return std::unexpected(closed_->cause);
  if (going_away_ || peer_goes_away_)
    return std::unexpected(make_error_code(transport::errc::refused));
  if (next_id_ == 0) return std::unexpected(make_error_code(transport::errc::limit_exceeded));
  if (unacked_ >= config_.ack_backlog || live_ >= config_.max_streams) {
    awaits_streams_available_ = true;
    events_.withdraw(event_kind::streams_available);
    return std::unexpected(make_error_code(transport::errc::limit_exceeded));
  }
  try {
    stream& of = streams_.insert(next_id_);
    next_id_ = next_id_ > std::numeric_limits<std::uint32_t>::max() - 2 ? 0 : next_id_ + 2;
    of.opened_here = of.owned = of.syn_waits = true;
    ++live_;
    ++unacked_;
    ++statistics_.streams_opened;
    widen(of);
    update_control(of);
    return of.id;
  } catch (const std::bad_alloc&) {
    return std::unexpected(make_error_code(transport::errc::out_of_memory));
  }
}

std::optional<std::uint32_t> yamux_state::accept() {
  stream* const of = unaccepted_.pop_front();
  if (of == nullptr) {
    awaits_stream_opened_ = true;
    events_.withdraw(event_kind::stream_opened);
    return std::nullopt;
  }
  of->owned = true;
  ++statistics_.streams_accepted;
  if (closed_) {
    settle(*of);
    return of->id;
  }
  of->ack_waits = true;
  widen(*of);
  update_control(*of);
  if (of->unread.size() != 0 || of->fin_received) announce_readable(*of);
  return of->id;
}

/// More than the initial window, if the configuration wants that and the session has it.
void yamux_state::widen(stream& of) {
  const std::uint32_t extra = config_.initial_window - limits::yamux::initial_window;
  if (extra != 0 && growth_.reserve(extra)) of.receiving.grow(extra);
}

stream* yamux_state::find_owned(std::uint32_t id) const noexcept {
  stream* const of = streams_.find(id);
  return of != nullptr && of->owned && !of->forgotten ? of : nullptr;
}

result<void> yamux_state::may_write(const stream* of) const noexcept {
  if (of == nullptr || of->write_reset)
    return std::unexpected(make_error_code(transport::errc::closed));
  if (of->fin_waits) return std::unexpected(make_error_code(transport::errc::write_finished));
  if (of->reset_received) return std::unexpected(make_error_code(transport::errc::stream_reset));
  if (of->failure) return std::unexpected(of->failure);
  if (closed_) return std::unexpected(closed_->cause);
  return {};
}

/// How many copied bytes a stream may have: at most half of what the session has left comes on top
/// of its own, so that later ones find room; and each has a little in any case.
std::size_t yamux_state::watermark(const stream& of) const noexcept {
  const std::size_t left = config_.max_unsent - std::min(config_.max_unsent, copied_);
  return std::clamp(of.unsent.copied() + left / 2, limits::yamux::min_watermark,
                    config_.write_watermark);
}

void yamux_state::recount_copied(const stream& of, std::size_t before) noexcept {
  copied_ += of.unsent.copied();
  copied_ -= before;
}

result<std::size_t> yamux_state::write(std::uint32_t id, std::span<const bytes> pieces) {
  stream* const of = find_owned(id);
  if (const auto may = may_write(of); !may) return std::unexpected(may.error());
  if (of->unsent.lending())
    return std::unexpected(make_error_code(transport::errc::invalid_argument));
  const std::size_t before = of->unsent.copied();
  const std::size_t most = watermark(*of);
  std::size_t taken = 0;
  bool all = true;
  try {
    for (const bytes piece : pieces) {
      const std::size_t room = most - std::min(most, of->unsent.copied());
      const std::size_t size = std::min(room, piece.size());
      if (size != 0) of->unsent.append(output_memory(), piece.first(size));
      taken += size;
      all = size == piece.size();
      if (!all) break;
    }
  } catch (const std::bad_alloc&) {
    if (taken == 0) return std::unexpected(make_error_code(transport::errc::out_of_memory));
    all = false;
  }
  if (!all) await_writable(*of);
  recount_copied(*of, before);
  update_output(*of);
  return taken;
}

void yamux_state::await_writable(stream& of) {
  of.awaits_writable = true;
  events_.withdraw(of, event_kind::writable);
}

result<std::size_t> yamux_state::lend(std::uint32_t id, std::span<const bytes> pieces) {
  stream* const of = find_owned(id);
  if (const auto may = may_write(of); !may) return std::unexpected(may.error());
  if (of->unsent.lending())
    return std::unexpected(make_error_code(transport::errc::invalid_argument));
  try {
    const std::size_t size = of->unsent.lend(output_memory(), pieces);
    of->lent = size;
    update_output(*of);
    return size;
  } catch (const std::bad_alloc&) {
    return std::unexpected(make_error_code(transport::errc::out_of_memory));
  }
}

std::size_t yamux_state::revoke(std::uint32_t id) {
  stream* const of = find_owned(id);
  if (of == nullptr) return 0;
  if (events_.waits(*of, event_kind::written)) {
    events_.withdraw(*of, event_kind::written);
    return of->lent;
  }
  if (!of->unsent.lending()) return 0;
  end_plan();
  const std::size_t before = of->unsent.copied();
  const std::size_t committed = begun_.owner == of ? begun_.payload_left : 0;
  std::size_t size = 0;
  try {
    size = of->unsent.revoke(output_memory(), committed);
  } catch (const std::bad_alloc&) {
    // The frame that has begun cannot be ended without those bytes.
    size = of->unsent.run_taken();
    fail_carrier({.origin = close_reason::origin_kind::local_session,
                  .cause = make_error_code(transport::errc::out_of_memory)});
    return size;
  }
  recount_copied(*of, before);
  update_output(*of);
  update_control(*of);
  return size;
}

std::error_code yamux_state::read_error(stream& of) {
  if (of.stopped) return transport::errc::closed;
  if (of.fin_received) return transport::errc::eof;
  if (of.reset_received) return transport::errc::stream_reset;
  if (of.failure) return of.failure;
  if (closed_) return closed_->cause;
  of.awaits_readable = true;
  events_.withdraw(of, event_kind::readable);
  return transport::errc::would_block;
}

result<std::size_t> yamux_state::read(std::uint32_t id, std::span<const mutable_bytes> pieces) {
  stream* const of = find_owned(id);
  if (of == nullptr) return std::unexpected(make_error_code(transport::errc::closed));
  if (of->unread.size() == 0) return std::unexpected(read_error(*of));
  const std::size_t total = of->unread.read(input_memory(), pieces);
  after_read(*of, total);
  return total;
}

result<std::size_t> yamux_state::peek(std::uint32_t id, std::span<bytes> pieces, bool& end) {
  stream* const of = find_owned(id);
  end = false;
  if (of == nullptr) return std::unexpected(make_error_code(transport::errc::closed));
  if (of->unread.size() != 0) return of->unread.gather(lent_, pieces);
  const std::error_code error = read_error(*of);
  if (error != transport::errc::eof) return std::unexpected(error);
  end = true;
  return 0;
}

void yamux_state::consume(std::uint32_t id, std::size_t size) {
  stream* const of = find_owned(id);
  if (of == nullptr || size == 0) return;
  size = std::min(size, of->unread.size());
  of->unread.consume(input_memory(), size);
  after_read(*of, size);
}

void yamux_state::after_read(stream& of, std::size_t size) {
  unread_ -= size;
  on_consumed(of, size);
  settle(of);
  conclude();
}

void yamux_state::on_consumed(stream& of, std::size_t size) {
  if (!of.reads_on() || of.retired) return;
  of.receiving.consumed(static_cast<std::uint32_t>(size));
  of.receiving.tune(now_, keep_alive_.smoothed_rtt(), config_.max_window, growth_);
  update_control(of);
}

void yamux_state::update_output(stream& of) {
  const bool wanted = !closed_ && of.has_output();
  if (wanted == sendable_.holds(of)) return;
  wanted ? sendable_.push_back(of) : sendable_.erase(of);
}

void yamux_state::update_control(stream& of) {
  if (of.rst_waits && of.syn_waits && !planned_.holds(of)) {
    of.rst_waits = of.syn_waits = false;  // Nobody has heard of it.
    of.rst_sent = true;
  }
  const bool wanted = !closed_ && of.has_control();
  if (wanted == control_.holds(of)) return;
  wanted ? control_.push_back(of) : control_.erase(of);
}

void yamux_state::announce_readable(stream& of) {
  if (!of.owned || of.stopped || !of.awaits_readable) return;
  of.awaits_readable = false;
  events_.raise(of, event_kind::readable);
}

void yamux_state::announce_room() {
  if (!awaits_streams_available_ || closed_ || going_away_ || peer_goes_away_) return;
  if (unacked_ >= config_.ack_backlog || live_ >= config_.max_streams) return;
  awaits_streams_available_ = false;
  events_.raise(event_kind::streams_available);
}

yamux_statistics yamux_state::statistics() const noexcept {
  yamux_statistics now = statistics_;
  now.streams_open = live_;
  now.unread = unread_;
  now.window_growth_left = growth_.left();
  now.smoothed_rtt = keep_alive_.smoothed_rtt();
  return now;
}

result<void> yamux_state::finish(std::uint32_t id) {
  stream* const of = find_owned(id);
  if (of != nullptr && of->fin_waits) return {};
  if (const auto may = may_write(of); !may) return may;
  if (of->unsent.lending())
    return std::unexpected(make_error_code(transport::errc::invalid_argument));
  of->fin_waits = true;
  update_output(*of);
  return {};
}

void yamux_state::reset(std::uint32_t id, std::uint32_t code) {
  if (stream* const of = find_owned(id)) give_up(*of, code);
  conclude();
}

void yamux_state::stop(std::uint32_t id) {
  stream* const of = find_owned(id);
  if (of != nullptr && (of->reads_on() || of->unread.size() != 0)) stop_reading(*of);
  conclude();
}

void yamux_state::forget(std::uint32_t id) {
  if (stream* const of = find_owned(id)) let_go(*of);
  conclude();
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
