// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <vector>

#include "strata/quic/core/event.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// First in, first out, in a ring that grows by doubling and is reused: the queue of one
/// connection. Who pushes keeps the rule that an edge is in it at most once.
class event_queue {
 public:
  bool empty() const noexcept { return count_ == 0; }
  std::size_t size() const noexcept { return count_; }

  void push(event_kind kind, std::uint64_t stream = 0, std::uint64_t value = 0) {
    if (count_ == ring_.size()) grow();
    ring_[(first_ + count_++) & (ring_.size() - 1)] = event{kind, {}, stream, value};
  }
  bool pop(event& out) noexcept {
    if (count_ == 0) return false;
    out = ring_[first_];
    first_ = (first_ + 1) & (ring_.size() - 1);
    --count_;
    return true;
  }
  /// Gives the memory back when nothing waits.
  void shrink() noexcept {
    if (count_ != 0) return;
    ring_ = std::vector<event>();  // An assignment of {} would keep the memory.
    first_ = 0;
  }

 private:
  void grow() {
    std::vector<event> larger(ring_.empty() ? 8 : 2 * ring_.size());
    for (std::size_t i = 0; i < count_; ++i) larger[i] = ring_[(first_ + i) & (ring_.size() - 1)];
    ring_ = std::move(larger);
    first_ = 0;
  }

  std::vector<event> ring_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
