// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Fixed pages of memory for stream bytes, shared by the connections of an endpoint and reused
/// last-in first-out, while they are still warm in the cache. It keeps at most `kept` free pages;
/// the rest go back to the allocator.
class page_recycler {
 public:
  static constexpr std::size_t page_size = 4096;
  using page = std::array<std::byte, page_size>;

  explicit page_recycler(std::size_t kept = 4096) : kept_(kept) { free_.reserve(kept); }

  std::unique_ptr<page> take() {
    if (free_.empty()) return std::make_unique_for_overwrite<page>();
    std::unique_ptr<page> top = std::move(free_.back());
    free_.pop_back();
    return top;
  }
  void give_back(std::unique_ptr<page> used) noexcept {
    if (used && free_.size() < kept_) free_.push_back(std::move(used));
  }

 private:
  std::vector<std::unique_ptr<page>> free_;
  std::size_t kept_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
