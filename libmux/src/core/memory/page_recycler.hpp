// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "strata/transport/core/bytes.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// 4 KiB for stream bytes, of which [begin, end) are in use. Pages know the next one themselves, so
/// that a chain of them needs no memory of its own.
struct page {
  static constexpr std::size_t capacity = 4096 - sizeof(void*) - 2 * sizeof(std::uint32_t);

  page* next = nullptr;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::byte content[capacity];

  transport::bytes used() const noexcept { return {content + begin, end - begin}; }
};
static_assert(sizeof(page) == 4096);

/// Pages of one session, reused last-in first-out while they are warm in the cache.
class page_recycler {
 public:
  explicit page_recycler(std::size_t most_kept) noexcept : most_kept_(most_kept) {}
  page_recycler(const page_recycler&) = delete;
  page_recycler& operator=(const page_recycler&) = delete;
  ~page_recycler() { trim(); }

  /// Throws std::bad_alloc.
  page* take() {
    if (free_ == nullptr) return new page;
    page* const top = free_;
    free_ = top->next;
    --kept_;
    top->next = nullptr;
    top->begin = top->end = 0;
    return top;
  }
  void give_back(page* used) noexcept {
    if (kept_ == most_kept_) {
      delete used;
      return;
    }
    used->next = free_;
    free_ = used;
    ++kept_;
  }
  /// Frees what is kept.
  void trim() noexcept {
    while (free_ != nullptr) {
      page* const top = free_;
      free_ = top->next;
      delete top;
    }
    kept_ = 0;
  }
  std::size_t kept() const noexcept { return kept_; }

 private:
  page* free_ = nullptr;
  std::size_t kept_ = 0;
  std::size_t most_kept_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
