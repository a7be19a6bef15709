// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>

namespace strata::mux {
inline namespace v0 {
namespace core {

/// First in, first out, of at most Capacity values, with a look at any.
template <class Value, std::size_t Capacity>
class ring_buffer {
 public:
  std::size_t size() const noexcept { return count_; }
  bool full() const noexcept { return count_ == Capacity; }
  const Value& operator[](std::size_t index) const noexcept {
    return values_[(first_ + index) % Capacity];
  }
  /// Not when full().
  void push_back(const Value& added) noexcept { values_[(first_ + count_++) % Capacity] = added; }
  void pop_front() noexcept {
    first_ = (first_ + 1) % Capacity;
    --count_;
  }
  void clear() noexcept { count_ = 0; }

 private:
  std::array<Value, Capacity> values_{};
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
