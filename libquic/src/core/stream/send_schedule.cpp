// SPDX-License-Identifier: Apache-2.0
#include "core/stream/send_schedule.hpp"

#include <algorithm>

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
  (one.in == scheduled::place::resend ? has_resend_ : has_fresh_) |= bit(one.urgency);
}

void send_schedule::unlink(scheduled& one) noexcept {
  ring_of(one).erase(one);
  if (any_at(one.in, one.urgency)) return;
  (one.in == scheduled::place::resend ? has_resend_ : has_fresh_) &=
      static_cast<std::uint8_t>(~bit(one.urgency));
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

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
