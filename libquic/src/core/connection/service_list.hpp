// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace strata::quic {
inline namespace v0 {
namespace core {

/// The connections, by slot, that may have events, output or a new deadline since the endpoint last
/// looked. Each is in it at most once.
class service_list {
 public:
  void touch(std::uint32_t slot) {
    if (slot >= listed_.size()) listed_.resize(slot + 1);
    if (listed_[slot]) return;
    listed_[slot] = true;
    slots_.push_back(slot);
  }
  bool empty() const noexcept { return first_ == slots_.size(); }
  std::uint32_t front() const noexcept { return slots_[first_]; }
  void pop() noexcept {
    listed_[slots_[first_++]] = false;
    if (first_ == slots_.size()) slots_.clear(), first_ = 0;
  }
  /// Puts the first one last, so that connections take turns.
  void rotate() {
    const std::uint32_t slot = front();
    pop();
    touch(slot);
  }
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (std::size_t i = first_; i < slots_.size(); ++i) visit(slots_[i]);
  }

 private:
  std::vector<std::uint32_t> slots_;
  std::vector<bool> listed_;
  std::size_t first_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
