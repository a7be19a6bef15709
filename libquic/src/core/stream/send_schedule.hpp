// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "core/stream/intrusive_ring.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

struct schedule_tag {};

/// A stream as the schedule sees it.
struct scheduled : ring_link<schedule_tag> {
  enum class place : std::uint8_t {
    none,    ///< Has nothing to send.
    resend,  ///< Lost bytes or a bare end: needs no credit of the connection.
    fresh,   ///< Bytes never sent before.
  };
  place in = place::none;
  std::uint8_t urgency = default_urgency;
  bool incremental = true;

  static constexpr std::uint8_t default_urgency = 3;
  static constexpr std::uint8_t lowest_urgency = 7;
};

/// Which stream sends next, in constant time: the lowest urgency number first (RFC 9218 section 4),
/// of one urgency what was lost before what is new. Incremental streams of one urgency take turns,
/// packet by packet. One that is not incremental keeps its turn until its end is sent, as long as
/// it has something to send; between the two kinds packets alternate.
class send_schedule {
 public:
  /// Where a stream belongs now; staying there costs nothing.
  void move(scheduled& one, scheduled::place to) noexcept {
    if (one.in == to) return;
    if (one.in != scheduled::place::none) unlink(one);
    one.in = to;
    if (to != scheduled::place::none) link(one);
  }
  void prioritize(scheduled& one, std::uint8_t urgency, bool incremental) noexcept;
  /// The stream will send nothing more but what is lost: another one that is not incremental may
  /// take its turn.
  void release_turn(scheduled& one) noexcept;
  bool has_fresh() const noexcept { return has_fresh_ != 0; }
  /// Nobody's turn: nullptr. Streams with only fresh bytes are left out without credit.
  scheduled* next(bool credit) const noexcept;
  /// A packet's worth of `one`, which next() gave, was sent, before its place changed.
  void served(scheduled& one) noexcept;

 private:
  using ring = intrusive_ring<schedule_tag>;
  static constexpr std::size_t urgencies = scheduled::lowest_urgency + 1;
  struct level {
    ring in_turns;
    ring in_order;
  };

  ring& ring_of(const scheduled& one) noexcept {
    if (one.in == scheduled::place::resend) return resend_[one.urgency];
    return one.incremental ? fresh_[one.urgency].in_turns : fresh_[one.urgency].in_order;
  }
  static std::uint8_t bit(std::uint8_t urgency) noexcept {
    return static_cast<std::uint8_t>(1u << urgency);
  }
  bool any_at(scheduled::place in, std::uint8_t urgency) const noexcept {
    if (in == scheduled::place::resend) return !resend_[urgency].empty();
    return !fresh_[urgency].in_turns.empty() || !fresh_[urgency].in_order.empty();
  }
  void link(scheduled& one) noexcept;
  void unlink(scheduled& one) noexcept;

  std::array<ring, urgencies> resend_{};
  std::array<level, urgencies> fresh_{};
  std::array<scheduled*, urgencies>
      holder_{};  ///< Whose turn it is until it has ended, of those not incremental.
  // A bit per urgency:
  std::uint8_t has_resend_ = 0;
  std::uint8_t has_fresh_ = 0;
  std::uint8_t order_next_ = 0;  ///< The next packet is for the stream that is not incremental.
};

inline scheduled* send_schedule::next(bool credit) const noexcept {
  const unsigned any = static_cast<unsigned>(has_resend_) | (credit ? has_fresh_ : 0u);
  if (any == 0) return nullptr;
  const auto urgency = static_cast<std::uint8_t>(std::countr_zero(any));
  if ((has_resend_ & bit(urgency)) != 0) return static_cast<scheduled*>(resend_[urgency].first());
  const level& own = fresh_[urgency];
  const bool order =
      own.in_turns.empty() || (!own.in_order.empty() && (order_next_ & bit(urgency)) != 0);
  return static_cast<scheduled*>(order ? own.in_order.first() : own.in_turns.first());
}

inline void send_schedule::served(scheduled& one) noexcept {
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
