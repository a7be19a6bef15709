// SPDX-License-Identifier: Apache-2.0
#include "core/stream/send_schedule.hpp"

#include <algorithm>
#include <bit>

namespace strata::quic {
inline namespace v0 {
namespace core {

namespace {
std::uint8_t bit(std::uint8_t urgency) noexcept { return static_cast<std::uint8_t>(1u << urgency); }
}  // namespace

bool send_schedule::any_at(scheduled::place in, std::uint8_t urgency) const noexcept {
  if (in == scheduled::place::resend) return !resend_[urgency].empty();
  return !fresh_[urgency].in_turns.empty() || !fresh_[urgency].in_order.empty();
}

void send_schedule::link(scheduled& one) noexcept {
  ring& own = ring_of(one);
  if (!one.incremental && holder_[one.urgency] == &one) {
    own.push_front(one);
  } else {
    own.push_back(one);
  }
  (one.in == scheduled::place::resend ? has_resend_ : has_fresh_) |= bit(one.urgency);
}

void send_schedule::unlink(scheduled& one) noexcept {
  ring_of(one).erase(one);
  if (any_at(one.in, one.urgency)) return;
  (one.in == scheduled::place::resend ? has_resend_ : has_fresh_) &=
      static_cast<std::uint8_t>(~bit(one.urgency));
}

void send_schedule::move(scheduled& one, scheduled::place to) noexcept {
  if (one.in == to) return;
  if (one.in != scheduled::place::none) unlink(one);
  one.in = to;
  if (to != scheduled::place::none) link(one);
}

void send_schedule::prioritize(scheduled& one, std::uint8_t urgency, bool incremental) noexcept {
  const scheduled::place in = one.in;
  move(one, scheduled::place::none);
  release_turn(one);
  one.urgency = std::min(urgency, scheduled::lowest_urgency);
  one.incremental = incremental;
  move(one, in);
}

void send_schedule::release_turn(scheduled& one) noexcept {
  if (holder_[one.urgency] == &one) holder_[one.urgency] = nullptr;
}

scheduled* send_schedule::next(bool credit) const noexcept {
  const unsigned any = static_cast<unsigned>(has_resend_) | (credit ? has_fresh_ : 0u);
  if (any == 0) return nullptr;
  const auto urgency = static_cast<std::uint8_t>(std::countr_zero(any));
  if ((has_resend_ & bit(urgency)) != 0) return static_cast<scheduled*>(resend_[urgency].first());
  const level& own = fresh_[urgency];
  const bool order =
      own.in_turns.empty() || (!own.in_order.empty() && (order_next_ & bit(urgency)) != 0);
  return static_cast<scheduled*>(order ? own.in_order.first() : own.in_turns.first());
}

void send_schedule::served(scheduled& one) noexcept {
  if (one.incremental) ring_of(one).turn();
  if (one.in != scheduled::place::fresh) return;
  if (one.incremental) {
    order_next_ |= bit(one.urgency);
    return;
  }
  order_next_ &= static_cast<std::uint8_t>(~bit(one.urgency));
  if (holder_[one.urgency] == nullptr) holder_[one.urgency] = &one;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
