// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace strata::quic {
inline namespace v0 {
namespace core {

/// First in, first out, with a look at any element: a ring that grows by doubling and is reused.
template <class Element>
class ring_queue {
 public:
  bool empty() const noexcept { return count_ == 0; }
  std::size_t size() const noexcept { return count_; }
  std::size_t capacity() const noexcept { return ring_.size(); }
  Element& operator[](std::size_t index) noexcept {
    return ring_[(first_ + index) & (ring_.size() - 1)];
  }
  const Element& operator[](std::size_t index) const noexcept {
    return ring_[(first_ + index) & (ring_.size() - 1)];
  }
  Element& front() noexcept { return (*this)[0]; }
  const Element& front() const noexcept { return (*this)[0]; }
  Element& back() noexcept { return (*this)[count_ - 1]; }
  const Element& back() const noexcept { return (*this)[count_ - 1]; }

  Element& push_back(Element added) {
    if (count_ == ring_.size()) grow();
    ++count_;
    return back() = std::move(added);
  }
  void pop_front() noexcept {
    first_ = (first_ + 1) & (ring_.size() - 1);
    --count_;
  }
  void clear() noexcept { first_ = count_ = 0; }
  /// Only when empty.
  void free_memory() noexcept {
    ring_ = std::vector<Element>();
    first_ = 0;
  }

 private:
  void grow() {
    std::vector<Element> larger(ring_.empty() ? 4 : 2 * ring_.size());
    for (std::size_t i = 0; i < count_; ++i) larger[i] = std::move((*this)[i]);
    ring_ = std::move(larger);
    first_ = 0;
  }

  std::vector<Element> ring_;  // Its size is a power of two, or zero.
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
