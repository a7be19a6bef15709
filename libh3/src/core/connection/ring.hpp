// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace strata::h3 {
inline namespace v0 {
namespace core {

/// A first-in first-out queue whose memory is used again; it grows, and never shrinks.
template <class Value>
class ring {
 public:
  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  const Value& front() const noexcept { return slots_[first_]; }

  void push(Value value) {
    if (size_ == slots_.size()) grow();
    slots_[(first_ + size_) & (slots_.size() - 1)] = std::move(value);
    ++size_;
  }
  Value pop() noexcept {
    Value value = std::move(slots_[first_]);
    first_ = (first_ + 1) & (slots_.size() - 1);
    --size_;
    return value;
  }

 private:
  void grow() {
    std::vector<Value> larger(slots_.empty() ? 8 : 2 * slots_.size());
    for (std::size_t i = 0; i < size_; ++i)
      larger[i] = std::move(slots_[(first_ + i) & (slots_.size() - 1)]);
    slots_ = std::move(larger);
    first_ = 0;
  }

  std::vector<Value> slots_;  // its size is zero or a power of two
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
