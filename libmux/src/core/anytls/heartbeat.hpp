// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "strata/mux/core/limits.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core::anytls {

/// Whether the peer lives: it is asked when it was silent, and any byte of it is an answer. A peer
/// that reads no more because one of its applications does not is not dead, only held up: the
/// request is behind the bytes of a stream. That can be only when many of them were sent since it
/// was last heard of; then it has more time.
class heartbeat {
 public:
  using duration = transport::duration;
  using time_point = transport::time_point;
  enum class verdict : std::uint8_t { alive, dead };
  /// A peer's sockets hold at least so many bytes before it stops reading.
  static constexpr std::uint64_t stall_bytes = 64 * 1024;

  /// Zero: never asks; never gives up.
  heartbeat(duration interval, duration timeout) noexcept
      : interval_(interval), timeout_(timeout) {}

  /// The session has begun; later calls change nothing.
  void start(time_point now) noexcept {
    if (!last_input_) last_input_ = now;
  }
  /// Both ends speak version 2; before, nobody is asked.
  void enable() noexcept { enabled_ = true; }
  /// Anything came from the peer, or this side was not listening until now.
  void on_input(time_point now) noexcept {
    last_input_ = now;
    asked_.reset();
    wanted_ = false;
    sent_since_ = 0;
  }
  void on_payload_sent(std::uint64_t size) noexcept { sent_since_ += size; }

  /// Asks now, unless that is under way.
  void ask(time_point now) noexcept {
    if (!enabled_ || asked_) return;
    asked_ = now;
    wanted_ = true;
  }
  /// True when a request is to be sent, which is thereby done.
  bool take_request() noexcept {
    if (!wanted_) return false;
    wanted_ = false;
    awaited_ = true;
    return true;
  }
  bool is_asking() const noexcept { return asked_.has_value(); }
  /// False: nobody asked.
  bool on_response() noexcept {
    const bool asked = awaited_;
    awaited_ = false;
    return asked;
  }

  std::optional<time_point> next_timeout() const noexcept {
    if (!enabled_ || !last_input_) return std::nullopt;
    if (asked_) return timeout_.count() == 0 ? std::nullopt : std::optional(*asked_ + patience());
    return interval_.count() == 0 ? std::nullopt : std::optional(*last_input_ + interval_);
  }
  verdict handle_timeout(time_point now) noexcept {
    const auto due = next_timeout();
    if (!due || now < *due) return verdict::alive;
    if (asked_) return verdict::dead;
    ask(now);
    return verdict::alive;
  }

 private:
  /// A request that could not even leave is behind our own bytes.
  duration patience() const noexcept {
    const duration stalled = limits::anytls::stall_timeout;
    return (wanted_ || sent_since_ >= stall_bytes) && stalled > timeout_ ? stalled : timeout_;
  }

  duration interval_;
  duration timeout_;
  std::optional<time_point> last_input_;
  std::optional<time_point> asked_;
  std::uint64_t sent_since_ = 0;
  bool enabled_ = false;
  bool wanted_ = false;
  bool awaited_ = false;
};

}  // namespace core::anytls
}  // namespace v0
}  // namespace strata::mux
