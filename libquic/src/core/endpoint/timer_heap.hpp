// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "strata/transport/core/clock.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// One deadline per connection slot, the earliest on top: a binary heap that knows where each slot
/// stands.
class timer_heap {
 public:
  std::optional<transport::time_point> earliest() const noexcept {
    return heap_.empty() ? std::nullopt : std::optional(heap_.front().deadline);
  }
  std::uint32_t earliest_slot() const noexcept { return heap_.front().slot; }

  void set(std::uint32_t slot, transport::time_point deadline) {
    if (slot >= places_.size()) places_.resize(slot + 1, absent);
    if (places_[slot] == absent) {
      places_[slot] = heap_.size();
      heap_.push_back({deadline, slot});
      rise(heap_.size() - 1);
      return;
    }
    const std::size_t place = places_[slot];
    const bool sooner = deadline < heap_[place].deadline;
    heap_[place].deadline = deadline;
    sooner ? rise(place) : sink(place);
  }
  void remove(std::uint32_t slot) noexcept {
    if (slot >= places_.size() || places_[slot] == absent) return;
    const std::size_t place = places_[slot];
    places_[slot] = absent;
    const entry last = heap_.back();
    heap_.pop_back();
    if (place == heap_.size()) return;
    put(place, last);
    rise(place);
    sink(places_[last.slot]);
  }

 private:
  struct entry {
    transport::time_point deadline;
    std::uint32_t slot;
  };
  static constexpr std::size_t absent = SIZE_MAX;

  void put(std::size_t place, const entry& value) noexcept {
    heap_[place] = value;
    places_[value.slot] = place;
  }
  void rise(std::size_t place) noexcept {
    const entry moving = heap_[place];
    while (place != 0 && moving.deadline < heap_[(place - 1) / 2].deadline) {
      put(place, heap_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    put(place, moving);
  }
  void sink(std::size_t place) noexcept {
    const entry moving = heap_[place];
    for (;;) {
      std::size_t child = 2 * place + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && heap_[child + 1].deadline < heap_[child].deadline) ++child;
      if (!(heap_[child].deadline < moving.deadline)) break;
      put(place, heap_[child]);
      place = child;
    }
    put(place, moving);
  }

  std::vector<entry> heap_;
  std::vector<std::size_t> places_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
