// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace strata::transport {
inline namespace v0 {
namespace websocket {

/// First in, first out, with a look at any element: a ring that grows by doubling and is reused.
template <class Element>
class ring_queue {
 public:
  bool empty() const noexcept { return count_ == 0; }
  std::size_t size() const noexcept { return count_; }
  Element& operator[](std::size_t index) noexcept {
    return ring_[(first_ + index) & (ring_.size() - 1)];
  }
  const Element& operator[](std::size_t index) const noexcept {
    return ring_[(first_ + index) & (ring_.size() - 1)];
  }
  Element& front() noexcept { return (*this)[0]; }
  Element& back() noexcept { return (*this)[count_ - 1]; }

  void push_back(Element added) {
    if (count_ == ring_.size()) grow();
    ++count_;
    back() = std::move(added);
  }
  Element pop_front() noexcept {
    Element taken = std::move(front());
    first_ = (first_ + 1) & (ring_.size() - 1);
    --count_;
    return taken;
  }
  Element pop_back() noexcept {
    Element taken = std::move(back());
    --count_;
    return taken;
  }
  /// Gives memory back that a burst made it take; nothing while it holds something.
  void shrink() noexcept {
    if (!empty()) return;
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

  std::vector<Element> ring_;  // its size is a power of two, or zero
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
