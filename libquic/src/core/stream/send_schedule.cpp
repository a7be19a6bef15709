// SPDX-License-Identifier: Apache-2.0
#include "core/stream/send_schedule.hpp"

#include <algorithm>
#include <bit>

namespace strata::quic {
inline namespace v0 {
namespace core {

void send_schedule::link(scheduled& one) noexcept {
  ring& own = ring_of(one);
  if (!one.incremental && holder_[one.urgency] == &one) {
    own.push_front(one);
  } else {
    own.push_back(one);
  }
  occupied_[row(one.in)] |= static_cast<std::uint8_t>(1u << one.urgency);
}

void send_schedule::unlink(scheduled& one) noexcept {
  ring_of(one).erase(one);
  const level& own = levels_[row(one.in)][one.urgency];
  if (own.in_turns.empty() && own.in_order.empty()) {
    occupied_[row(one.in)] &= static_cast<std::uint8_t>(~(1u << one.urgency));
  }
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
  const unsigned resend = occupied_[0];
  const unsigned any = resend | (credit ? occupied_[1] : 0u);
  if (any == 0) return nullptr;
  const unsigned urgency = static_cast<unsigned>(std::countr_zero(any));
  const level& own = levels_[(resend >> urgency & 1u) != 0 ? 0 : 1][urgency];
  const bool order_next = (static_cast<unsigned>(order_next_) >> urgency & 1u) != 0;
  const bool order = own.in_turns.empty() || (!own.in_order.empty() && order_next);
  return static_cast<scheduled*>(order ? own.in_order.first() : own.in_turns.first());
}

void send_schedule::served(scheduled& one) noexcept {
  const auto bit = static_cast<std::uint8_t>(1u << one.urgency);
  if (one.incremental) {
    ring_of(one).turn();
    order_next_ |= bit;
    return;
  }
  order_next_ &= static_cast<std::uint8_t>(~bit);
  if (one.in == scheduled::place::fresh && holder_[one.urgency] == nullptr) holder_[one.urgency] = &one;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
