// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace strata::mux {
inline namespace v0 {
namespace core {

/// What an element of an intrusive_ring<Element, Tag> inherits; the tag tells apart the rings that
/// one object is in.
template <class Tag>
struct ring_link {
  ring_link* before = nullptr;
  ring_link* after = nullptr;
};

/// A circle of elements that carry their own links: entering and leaving allocate nothing and take
/// constant time. It owns nothing; an element leaves before it is destroyed.
template <class Element, class Tag>
class intrusive_ring {
  using link = ring_link<Tag>;

 public:
  static bool holds(const Element& one) noexcept {
    return static_cast<const link&>(one).after != nullptr;
  }
  /// Around the circle: after the last comes the first.
  static Element* after(Element& one) noexcept {
    return static_cast<Element*>(static_cast<link&>(one).after);
  }

  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return size_; }
  Element* first() const noexcept { return static_cast<Element*>(first_); }

  void push_back(Element& added) noexcept {
    link& one = added;
    if (first_ == nullptr) {
      first_ = one.before = one.after = &one;
    } else {
      one.after = first_;
      one.before = first_->before;
      one.before->after = &one;
      first_->before = &one;
    }
    ++size_;
  }
  /// Nothing happens to one that is not in the ring.
  void erase(Element& gone) noexcept {
    link& one = gone;
    if (one.after == nullptr) return;
    if (one.after == &one) {
      first_ = nullptr;
    } else {
      one.before->after = one.after;
      one.after->before = one.before;
      if (first_ == &one) first_ = one.after;
    }
    one.before = one.after = nullptr;
    --size_;
  }
  Element* pop_front() noexcept {
    Element* const one = first();
    if (one != nullptr) erase(*one);
    return one;
  }

 private:
  link* first_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
