// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace strata::quic {
inline namespace v0 {
namespace core {

/// What an element of an intrusive_ring<Tag> has in itself. The tag tells apart the rings that one
/// object is in.
template <class Tag>
struct ring_link {
  ring_link* before = nullptr;
  ring_link* after = nullptr;

  bool is_linked() const noexcept { return after != nullptr; }
};

/// A circle of elements that carry their own links: entering, leaving and turning allocate nothing
/// and take constant time. It owns nothing; an element leaves before it is destroyed.
template <class Tag>
class intrusive_ring {
 public:
  using link = ring_link<Tag>;

  bool empty() const noexcept { return first_ == nullptr; }
  link* first() const noexcept { return first_; }
  void push_back(link& added) noexcept {
    if (first_ == nullptr) {
      first_ = added.before = added.after = &added;
      return;
    }
    added.after = first_;
    added.before = first_->before;
    added.before->after = &added;
    first_->before = &added;
  }
  void push_front(link& added) noexcept {
    push_back(added);
    first_ = &added;
  }
  /// The first one becomes the last.
  void turn() noexcept { first_ = first_->after; }
  void erase(link& gone) noexcept {
    if (gone.after == &gone) {
      first_ = nullptr;
    } else {
      gone.before->after = gone.after;
      gone.after->before = gone.before;
      if (first_ == &gone) first_ = gone.after;
    }
    gone.before = gone.after = nullptr;
  }

 private:
  link* first_ = nullptr;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
