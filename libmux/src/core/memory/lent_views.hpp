// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "strata/mux/core/limits.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// Stream bytes that are still where the carrier put them: one pool for all streams of a session,
/// each stream a chain in it, all gone with release_input(). Input of tiny frames would make it
/// larger than the input, so it is bounded.
class lent_views {
 public:
  static constexpr std::uint32_t none = UINT32_MAX;

  struct view {
    transport::bytes left;
    std::uint32_t next;
  };

  bool full() const noexcept { return count_ == limits::max_lent_views; }
  /// Not when full(). Throws std::bad_alloc.
  std::uint32_t add(transport::bytes lent) {
    if (!views_) views_ = std::make_unique<view[]>(limits::max_lent_views);
    views_[count_] = {lent, none};
    return count_++;
  }
  view& operator[](std::uint32_t index) noexcept { return views_[index]; }
  const view& operator[](std::uint32_t index) const noexcept { return views_[index]; }
  void clear() noexcept { count_ = 0; }
  /// Nothing is lent, and nothing will be for a while.
  void release_memory() noexcept {
    clear();
    views_.reset();
  }

 private:
  std::unique_ptr<view[]> views_;
  std::uint32_t count_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
