// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/random.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// The one ping that may be under way, and what it is for: the round trip, which windows grow by,
/// and proof that the peer lives. Any byte of the peer proves that as well, since an answer may be
/// stuck behind data. Values are random, so that nobody can answer a ping before it is sent and
/// make the round trip look short.
class keep_alive {
 public:
  using duration = transport::duration;
  using time_point = transport::time_point;

  /// An `interval` of zero: never.
  keep_alive(duration interval, duration timeout, transport::random_source& random) noexcept
      : interval_(interval), timeout_(timeout), random_(&random) {}

  void start(time_point now) noexcept { last_input_ = now; }
  /// Anything came from the peer, or this side was not listening until now.
  void on_input(time_point now) noexcept {
    last_input_ = now;
    probing_ = false;
  }
  /// Stream bytes came: a round trip that is not known, or long ago measured, is of use now.
  void on_payload(time_point now);
  void request() { ask(); }

  /// A ping that waits to be sent.
  std::optional<std::uint32_t> waiting() const noexcept {
    return state_ == ping_state::waiting ? std::optional(value_) : std::nullopt;
  }
  void on_sent(time_point now) noexcept {
    state_ = ping_state::under_way;
    sent_ = now;
  }
  /// The round trip; nothing when the answer is to no ping of ours.
  std::optional<duration> on_pong(time_point now, std::uint32_t value) noexcept;
  /// The peer was silent, and is being asked.
  bool is_probing() const noexcept { return probing_; }
  /// Zero: not known.
  duration smoothed_rtt() const noexcept { return smoothed_rtt_; }

  std::optional<time_point> next_timeout() const noexcept;
  /// False: the peer is dead.
  bool handle_timeout(time_point now);

 private:
  enum class ping_state : std::uint8_t { none, waiting, under_way };
  void ask();
  /// Some peers drop pings when they are busy: one that was lost must not keep us from asking
  /// again.
  void give_up_stale(time_point now, duration age) noexcept;

  duration interval_;
  duration timeout_;
  transport::random_source* random_;
  std::optional<time_point> last_input_;
  time_point probe_begun_{};
  time_point sent_{};
  time_point measured_{};
  duration smoothed_rtt_{};
  std::uint32_t value_ = 0;
  ping_state state_ = ping_state::none;
  bool probing_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
