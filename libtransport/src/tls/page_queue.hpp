// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "strata/transport/core/bytes.hpp"

namespace strata::transport {
inline namespace v0 {

/// Pages of memory for the connections of one serial executor, reused last-in first-out, while they
/// are still warm in the cache. It keeps at most `kept` free ones; the rest go back to the
/// allocator. Outlives the connections that use it.
class page_store {
 public:
  static constexpr std::size_t page_size = 16 * 1024;
  using page = std::array<std::byte, page_size>;

  explicit page_store(std::size_t kept = 16) : kept_(kept) { free_.reserve(kept); }

  /// Throws std::bad_alloc when there is no memory.
  std::unique_ptr<page> take() {
    if (free_.empty()) return std::make_unique_for_overwrite<page>();
    std::unique_ptr<page> top = std::move(free_.back());
    free_.pop_back();
    return top;
  }
  void give_back(std::unique_ptr<page> used) noexcept {
    if (used && free_.size() < kept_) free_.push_back(std::move(used));
  }
  std::size_t free_pages() const noexcept { return free_.size(); }

 private:
  std::vector<std::unique_ptr<page>> free_;
  std::size_t kept_;
};

/// Bytes in order, in pages; empty it holds none.
class page_queue {
 public:
  explicit page_queue(page_store& store) : store_(store) {}
  page_queue(const page_queue&) = delete;
  page_queue& operator=(const page_queue&) = delete;
  ~page_queue() { clear(); }

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  /// All or nothing; throws std::bad_alloc when there is no memory.
  void append(bytes input);
  /// The first bytes that lie together.
  bytes front() const noexcept;
  /// The byte at `offset` < size().
  std::byte at(std::size_t offset) const noexcept;
  void consume(std::size_t count) noexcept;
  /// Fills `pieces` from the front; how many it filled.
  std::size_t gather(std::span<bytes> pieces) const noexcept;
  void clear() noexcept;
  /// Gives the memory of the list itself back too.
  void release_memory() noexcept;

 private:
  struct filled_page {
    std::unique_ptr<page_store::page> memory;
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  page_store& store_;
  std::vector<filled_page> pages_;
  std::size_t size_ = 0;
};

}  // namespace v0
}  // namespace strata::transport
