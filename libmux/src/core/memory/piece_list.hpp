// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "strata/transport/core/bytes.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// The caller's gather list while it is filled. Pieces that follow each other in memory become one.
class piece_list {
 public:
  explicit piece_list(std::span<transport::bytes> out) noexcept : out_(out) {}

  std::size_t used() const noexcept { return used_; }
  std::size_t room() const noexcept { return out_.size() - used_; }
  /// All bytes in it.
  std::size_t size() const noexcept { return size_; }

  /// False when there is no room. `added` is not empty.
  bool add(transport::bytes added) noexcept {
    if (used_ != 0 && end_of_last() == added.data()) {
      transport::bytes& last = out_[used_ - 1];
      last = {last.data(), last.size() + added.size()};
    } else {
      if (room() == 0) return false;
      out_[used_++] = added;
    }
    size_ += added.size();
    return true;
  }

 private:
  const std::byte* end_of_last() const noexcept {
    return out_[used_ - 1].data() + out_[used_ - 1].size();
  }

  std::span<transport::bytes> out_;
  std::size_t used_ = 0;
  std::size_t size_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
