// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/connection/connection_state.hpp"
#include "strata/quic/core/limits.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

void earlier(std::optional<time_point>& earliest, const std::optional<time_point>& candidate) {
  if (candidate && (!earliest || *candidate < *earliest)) earliest = candidate;
}

bool reached(const std::optional<time_point>& deadline, time_point now) {
  return deadline && *deadline <= now;
}

}  // namespace

std::optional<time_point> connection_state::idle_deadline() const {
  if (idle_timeout_.count() == 0) return std::nullopt;
  //= RFC 9000 section 10.1
  //# To avoid excessively small idle timeout periods, endpoints MUST increase the idle timeout period to
  //# be at least three times the current Probe Timeout (PTO).
  const transport::duration least = 3 * recovery_.probe_timeout(packet_number_space::application);
  const transport::duration period = std::max<transport::duration>(idle_timeout_, least);
  return std::max(last_received_,
                  eliciting_since_received_ ? last_eliciting_sent_ : last_received_) +
         period;
}

std::optional<time_point> connection_state::keep_alive_deadline() const {
  if (config_.keep_alive.count() == 0 || !handshake_done_ || ping_pending_) return std::nullopt;
  return std::max(last_received_, last_eliciting_sent_) + config_.keep_alive;
}

std::optional<time_point> connection_state::handshake_deadline() const {
  if (handshake_done_ || config_.handshake_timeout.count() == 0) return std::nullopt;
  return started_ + config_.handshake_timeout;
}

std::optional<time_point> connection_state::memory_deadline() const {
  if (!holds_memory_ || recovery_.bytes_in_flight() != 0) return std::nullopt;
  return std::max(last_received_, last_eliciting_sent_) + limits::memory_kept_when_idle;
}

std::optional<time_point> connection_state::next_timeout() const {
  if (phase_ == phase::over) return std::nullopt;
  if (phase_ != phase::open) return over_at_;
  std::optional<time_point> earliest = recovery_.next_timeout();
  earlier(earliest,
          acks_[static_cast<std::size_t>(packet_number_space::application)].next_timeout());
  earlier(earliest, idle_deadline());
  earlier(earliest, keep_alive_deadline());
  earlier(earliest, handshake_deadline());
  earlier(earliest, release_tls_at_);
  earlier(earliest, memory_deadline());
  earlier(earliest, pacing_until_);
  return earliest;
}

void connection_state::handle_timeout(time_point now) {
  touch();
  if (phase_ == phase::closing || phase_ == phase::draining) {
    if (reached(over_at_, now)) phase_ = phase::over;
    return;
  }
  if (phase_ == phase::over) return;
  if (reached(handshake_deadline(), now)) {
    return end_silently(now, {.origin = close_reason::origin_kind::handshake_timeout,
                              .code = 0,
                              .frame_type = 0,
                              .reason = {}});
  }
  if (reached(idle_deadline(), now)) {
    return end_silently(now, {.origin = close_reason::origin_kind::idle_timeout,
                              .code = 0,
                              .frame_type = 0,
                              .reason = {}});
  }
  if (reached(recovery_.next_timeout(), now)) {
    const probe_request request = recovery_.on_timeout(now);
    settle_lost(now);
    if (request.packets != 0) {
      probes_[static_cast<std::size_t>(request.space)] = request.packets;
      ++statistics_.probe_timeouts;
    }
  }
  if (reached(keep_alive_deadline(), now)) ping_pending_ = true;
  if (reached(release_tls_at_, now)) release_tls();
  if (reached(memory_deadline(), now)) release_memory(now);
  if (reached(pacing_until_, now)) pacing_until_.reset();
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
