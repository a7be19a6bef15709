// SPDX-License-Identifier: Apache-2.0
#include "core/yamux/keep_alive.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "strata/mux/core/limits.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

void keep_alive::ask() {
  if (state_ != ping_state::none) return;
  std::array<std::byte, sizeof value_> drawn{};
  random_->fill(drawn);
  std::memcpy(&value_, drawn.data(), sizeof value_);
  state_ = ping_state::waiting;
}

void keep_alive::give_up_stale(time_point now, duration age) noexcept {
  if (state_ == ping_state::under_way && now - sent_ >= age) state_ = ping_state::none;
}

void keep_alive::on_payload(time_point now) {
  const bool known = smoothed_rtt_.count() != 0;
  if (known && now - measured_ < limits::yamux::rtt_interval) return;
  give_up_stale(now, limits::yamux::rtt_interval);
  ask();
}

std::optional<keep_alive::duration> keep_alive::on_pong(time_point now,
                                                        std::uint32_t value) noexcept {
  if (state_ != ping_state::under_way || value != value_) return std::nullopt;
  state_ = ping_state::none;
  const duration rtt = std::max(now - sent_, duration(1));
  smoothed_rtt_ = smoothed_rtt_.count() == 0 ? rtt : smoothed_rtt_ - smoothed_rtt_ / 8 + rtt / 8;
  measured_ = now;
  return rtt;
}

std::optional<keep_alive::time_point> keep_alive::next_timeout() const noexcept {
  if (interval_.count() == 0 || !last_input_) return std::nullopt;
  return probing_ ? probe_begun_ + timeout_ : *last_input_ + interval_;
}

bool keep_alive::handle_timeout(time_point now) {
  const auto due = next_timeout();
  if (!due || now < *due) return true;
  if (probing_) return false;
  probing_ = true;
  probe_begun_ = now;
  give_up_stale(now, timeout_);
  ask();
  return true;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
