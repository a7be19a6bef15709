// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>
#include <utility>

#include "core/memory/intrusive_ring.hpp"
#include "core/yamux/stream.hpp"
#include "strata/mux/core/event.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// The events that wait, as marks on what they are about: so there are never more than the streams
/// have kinds, and none allocates. Streams take turns; those of one stream come in the order of
/// event_kind.
class event_board {
 public:
  void raise(event_kind kind, std::uint64_t value = 0) noexcept {
    session_ = static_cast<std::uint16_t>(session_ | bit(kind));
    if (kind == event_kind::pong) round_trip_ = value;
  }
  void raise(stream& of, event_kind kind) noexcept {
    if (of.events == 0) ring_.push_back(of);
    of.events = static_cast<std::uint16_t>(of.events | bit(kind));
  }
  bool waits(const stream& of, event_kind kind) const noexcept {
    return (of.events & bit(kind)) != 0;
  }
  /// What an event would tell is known, or is so no more: a stale one, and then another, would come
  /// behind a command after which there is to be one.
  void withdraw(event_kind kind) noexcept { clear(session_, kind); }
  void withdraw(stream& of, event_kind kind) noexcept {
    if (!waits(of, kind)) return;
    clear(of.events, kind);
    if (of.events == 0) ring_.erase(of);
  }
  void withdraw(stream& of) noexcept {
    of.events = 0;
    ring_.erase(of);
  }

  /// `closed` comes after all others.
  bool poll(event& out) noexcept {
    const auto first = static_cast<std::uint16_t>(session_ & ~bit(event_kind::closed));
    if (first != 0) {
      const event_kind kind = take_lowest(session_);
      out = {kind, 0, kind == event_kind::pong ? round_trip_ : 0};
      return true;
    }
    if (stream* const of = ring_.pop_front()) {
      const event_kind kind = take_lowest(of->events);
      const bool has_code = kind == event_kind::read_reset || kind == event_kind::write_stopped;
      out = {kind, of->id, has_code ? of->reset_code : 0};
      if (of->events != 0) ring_.push_back(*of);
      return true;
    }
    if (session_ == 0) return false;
    session_ = 0;
    out = {event_kind::closed, 0, 0};
    return true;
  }

 private:
  static std::uint16_t bit(event_kind kind) noexcept {
    return static_cast<std::uint16_t>(1u << std::to_underlying(kind));
  }
  static void clear(std::uint16_t& kinds, event_kind kind) noexcept {
    kinds = static_cast<std::uint16_t>(kinds & ~bit(kind));
  }
  static event_kind take_lowest(std::uint16_t& kinds) noexcept {
    const auto lowest = static_cast<event_kind>(std::countr_zero(kinds));
    kinds = static_cast<std::uint16_t>(kinds & (kinds - 1));
    return lowest;
  }

  intrusive_ring<stream, event_tag> ring_;
  std::uint64_t round_trip_ = 0;
  std::uint16_t session_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
