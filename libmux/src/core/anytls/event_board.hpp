// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>
#include <utility>

#include "core/anytls/stream.hpp"
#include "core/memory/intrusive_ring.hpp"
#include "strata/mux/core/anytls_session.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core::anytls {

/// The events that wait, as marks on what they are about: so there are never more than the streams
/// have kinds, and none allocates. Streams take turns; those of one stream come in the order of
/// anytls_event_kind.
class event_board {
 public:
  using kind_type = anytls_event_kind;

  void raise(kind_type kind) noexcept {
    session_ = static_cast<std::uint16_t>(session_ | bit(kind));
  }
  void raise(stream& of, kind_type kind) noexcept {
    if (of.events == 0) ring_.push_back(of);
    of.events = static_cast<std::uint16_t>(of.events | bit(kind));
  }
  void withdraw(stream& of) noexcept {
    of.events = 0;
    ring_.erase(of);
  }
  void withdraw(stream& of, kind_type kind) noexcept {
    of.events = static_cast<std::uint16_t>(of.events & ~bit(kind));
    if (of.events == 0) ring_.erase(of);
  }

  /// `closed` comes after all others.
  bool poll(anytls_event& out) noexcept {
    if ((session_ & ~bit(kind_type::closed)) != 0) {
      out = {take_lowest(session_), 0};
      return true;
    }
    if (stream* const of = ring_.pop_front()) {
      out = {take_lowest(of->events), of->id};
      if (of->events != 0) ring_.push_back(*of);
      return true;
    }
    if (session_ == 0) return false;
    session_ = 0;
    out = {kind_type::closed, 0};
    return true;
  }

 private:
  static std::uint16_t bit(kind_type kind) noexcept {
    return static_cast<std::uint16_t>(1u << std::to_underlying(kind));
  }
  static kind_type take_lowest(std::uint16_t& kinds) noexcept {
    const auto lowest = static_cast<kind_type>(std::countr_zero(kinds));
    kinds = static_cast<std::uint16_t>(kinds & (kinds - 1));
    return lowest;
  }

  intrusive_ring<stream, event_tag> ring_;
  std::uint16_t session_ = 0;
};

}  // namespace core::anytls
}  // namespace v0
}  // namespace strata::mux
