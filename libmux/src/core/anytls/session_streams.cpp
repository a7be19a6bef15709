// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <new>

#include "core/anytls/anytls_state.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

namespace limit = limits::anytls;

result<std::uint32_t> anytls_state::open() {
  if (closed_) return std::unexpected(closed_->cause);
  if (!is_client()) return std::unexpected(make_error_code(transport::errc::invalid_argument));
  if (draining_) return std::unexpected(make_error_code(transport::errc::refused));
  if (last_id_ == std::numeric_limits<std::uint32_t>::max())
    return std::unexpected(make_error_code(transport::errc::limit_exceeded));
  if (live_ >= config_.max_streams) {
    awaits_streams_available_ = true;
    return std::unexpected(make_error_code(transport::errc::limit_exceeded));
  }
  try {
    stream& of = streams_.insert(last_id_ + 1);
    ++last_id_;
    of.owned = of.syn_waits = true;
    untold_.push_back(of);
    ++live_;
    ++statistics_.streams_opened;
    return of.id;
  } catch (const std::bad_alloc&) {
    return std::unexpected(make_error_code(transport::errc::out_of_memory));
  }
}

std::optional<std::uint32_t> anytls_state::accept() {
  stream* const of = unaccepted_.pop_front();
  if (of == nullptr) {
    awaits_stream_opened_ = true;
    return std::nullopt;
  }
  of->owned = true;
  ++statistics_.streams_accepted;
  if (of->unread.size() != 0 || of->is_over()) announce_readable(*of);
  return of->id;
}

anytls_state::stream* anytls_state::find_owned(std::uint32_t id) const noexcept {
  stream* const of = streams_.find(id);
  return of != nullptr && of->owned && !of->forgotten ? of : nullptr;
}

result<void> anytls_state::may_write(const stream* of) const noexcept {
  if (of == nullptr || of->given_up)
    return std::unexpected(make_error_code(transport::errc::closed));
  if (of->fin_asked) return std::unexpected(make_error_code(transport::errc::write_finished));
  if (of->failure) return std::unexpected(of->failure);
  if (of->is_over()) return std::unexpected(make_error_code(transport::errc::write_stopped));
  if (closed_) return std::unexpected(closed_->cause);
  return {};
}

/// How many unsent bytes a stream may have: at most half of what the session has left comes on top
/// of its own, so that later ones find room; and each has a little in any case.
std::size_t anytls_state::watermark(const stream& of) const noexcept {
  const std::size_t left = config_.max_unsent - std::min(config_.max_unsent, copied_);
  return std::clamp(of.unsent.size() + left / 2, limit::min_watermark, config_.write_watermark);
}

result<std::size_t> anytls_state::write(std::uint32_t id, std::span<const bytes> pieces) {
  stream* const of = find_owned(id);
  if (const auto may = may_write(of); !may) return std::unexpected(may.error());
  const std::size_t before = of->unsent.size();
  const std::size_t most = watermark(*of);
  try {
    for (const bytes piece : pieces) {
      const std::size_t room = most - std::min(most, of->unsent.size());
      const std::size_t size = std::min(room, piece.size());
      of->unsent.append(pages_, piece.first(size));
      if (size == piece.size()) continue;
      of->awaits_writable = true;
      break;
    }
  } catch (const std::bad_alloc&) {
    if (of->unsent.size() == before)
      return std::unexpected(make_error_code(transport::errc::out_of_memory));
    of->awaits_writable = true;
  }
  const std::size_t taken = of->unsent.size() - before;
  copied_ += taken;
  if (taken != 0) of->answered = false;
  if (taken != 0 && !of->has_written) {
    of->has_written = true;
    of->first_write = taken;
    report(*of, {});
  }
  update_output(*of);
  return taken;
}

std::error_code anytls_state::read_error(stream& of) {
  if (of.stopped) return transport::errc::closed;
  if (of.failure) return of.failure;
  if (of.is_over()) return of.cut_short ? transport::errc::timed_out : transport::errc::eof;
  if (closed_) return closed_->cause;
  of.awaits_readable = true;
  return transport::errc::would_block;
}

result<std::size_t> anytls_state::read(std::uint32_t id, std::span<const mutable_bytes> pieces) {
  stream* const of = find_owned(id);
  if (of == nullptr) return std::unexpected(make_error_code(transport::errc::closed));
  if (of->unread.size() == 0) return std::unexpected(read_error(*of));
  const std::size_t before = of->unread.size();
  const std::size_t total = of->unread.read(input_memory(), pieces);
  after_read(*of, before);
  return total;
}

result<std::size_t> anytls_state::peek(std::uint32_t id, std::span<bytes> pieces, bool& end) {
  stream* const of = find_owned(id);
  end = false;
  if (of == nullptr) return std::unexpected(make_error_code(transport::errc::closed));
  if (of->unread.size() != 0) return of->unread.gather(lent_, pieces);
  const std::error_code error = read_error(*of);
  if (error != transport::errc::eof) return std::unexpected(error);
  end = true;
  return 0;
}

void anytls_state::consume(std::uint32_t id, std::size_t size) {
  stream* const of = find_owned(id);
  if (of == nullptr || size == 0) return;
  const std::size_t before = of->unread.size();
  of->unread.consume(input_memory(), std::min(size, before));
  after_read(*of, before);
}

void anytls_state::after_read(stream& of, std::size_t before) {
  recount_unread(of, before);
  settle(of);
  conclude();
}

/// Its unread bytes have changed; there were `before` of them.
void anytls_state::recount_unread(stream& of, std::size_t before) noexcept {
  unread_ += of.unread.size();
  unread_ -= before;
  const bool is_over_limit = of.unread.size() > config_.max_unread;
  if (is_over_limit == of.over_limit) return;
  of.over_limit = is_over_limit;
  is_over_limit ? ++over_limit_ : --over_limit_;
}

void anytls_state::update_output(stream& of) {
  const bool wanted = !closed_ && of.has_output();
  if (wanted == sendable_.holds(of)) return;
  wanted ? sendable_.push_back(of) : sendable_.erase(of);
}

void anytls_state::announce_readable(stream& of) {
  if (!of.owned || of.stopped || !of.awaits_readable) return;
  of.awaits_readable = false;
  events_.raise(of, anytls_event_kind::readable);
}

void anytls_state::announce_room() {
  if (!awaits_streams_available_ || closed_ || draining_ || live_ >= config_.max_streams) return;
  awaits_streams_available_ = false;
  events_.raise(anytls_event_kind::streams_available);
}

/// Tells a client of version 2 what became of the stream; only the first time counts. One that
/// hears nothing ends the whole session after a while, even if the stream has ended (A12).
void anytls_state::report(stream& of, std::string_view refusal) {
  if (is_client() || of.reported) return;
  of.reported = true;
  unreported_.erase(of);
  if (version_ < 2 || closed_ || of.is_over()) return;
  queue_control(command::synack, of.id, transport::as_bytes(refusal.substr(0, limit::max_refusal)));
}

void anytls_state::acknowledge(std::uint32_t id) {
  if (stream* const of = find_owned(id)) report(*of, {});
}

void anytls_state::refuse(std::uint32_t id, std::string_view why) {
  stream* const of = find_owned(id);
  if (of == nullptr || is_client()) return;
  report(*of, why.empty() ? "refused" : why);
  give_up(*of);
  conclude();
}

std::error_code anytls_state::failure(std::uint32_t id) const {
  const stream* const of = find_owned(id);
  return of == nullptr ? std::error_code() : of->failure;
}

std::string_view anytls_state::refusal(std::uint32_t id) const {
  const stream* const of = find_owned(id);
  return of == nullptr ? std::string_view() : std::string_view(of->refusal);
}

/// The time that the server has to answer begins. `was_silent`: now the peer is told of the stream.
void anytls_state::start_opening(stream& of, bool was_silent) {
  if (config_.synack_timeout.count() != 0) {
    of.opening_deadline = now_ + config_.synack_timeout;
    opening_.push_back(of);
  }
  if (was_silent) silent_.push_back(of);
}

result<void> anytls_state::finish(std::uint32_t id, time_point now) {
  advance_clock(now);
  stream* const of = find_owned(id);
  if (of != nullptr && of->fin_asked) return {};
  if (const auto may = may_write(of); !may) return may;
  of->fin_asked = true;
  of->awaits_writable = false;
  report(*of, {});
  if (!is_client()) {
    of->fin_due = true;
  } else {
    hold_end(*of);
  }
  update_output(*of);
  return {};
}

/// The end waits for the peer's, from now on; or the wait begins anew.
void anytls_state::hold_end(stream& of) {
  stop_holding(of);
  const auto patience = of.answered ? config_.answered_hold : config_.finish_hold;
  if (patience.count() == 0) return;
  of.hold_deadline = now_ + patience;
  (of.answered ? holding_answered_ : holding_).push_back(of);
}

void anytls_state::stop_holding(stream& of) noexcept {
  (of.answered ? holding_answered_ : holding_).erase(of);
}

void anytls_state::reset(std::uint32_t id) {
  if (stream* const of = find_owned(id)) give_up(*of);
  conclude();
}

void anytls_state::forget(std::uint32_t id) {
  stream* const of = find_owned(id);
  if (of == nullptr) return;
  events_.withdraw(*of);
  give_up(*of);
  drop_unread(*of);
  of->stopped = of->forgotten = true;
  settle(*of);
  conclude();
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
