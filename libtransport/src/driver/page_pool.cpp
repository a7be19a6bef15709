// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/driver/page_pool.hpp"

#include <utility>
#include <vector>

namespace strata::transport {
inline namespace v0 {
namespace detail {

class page_stack {
 public:
  page_stack(std::size_t page_size, std::size_t kept) : page_size_(page_size), kept_(kept) {
    free_.reserve(kept);
  }

  std::byte* take() {
    if (free_.empty()) return new std::byte[page_size_];
    std::byte* const memory = free_.back().release();
    free_.pop_back();
    return memory;
  }

  void give_back(std::byte* memory) noexcept {
    std::unique_ptr<std::byte[]> owned(memory);
    if (free_.size() < kept_) free_.push_back(std::move(owned));  // within what was reserved
  }

  std::size_t page_size() const noexcept { return page_size_; }
  std::size_t free_pages() const noexcept { return free_.size(); }

 private:
  std::size_t page_size_;
  std::size_t kept_;
  std::vector<std::unique_ptr<std::byte[]>> free_;
};

}  // namespace detail

page::page(std::shared_ptr<detail::page_stack> pool, std::byte* memory, std::size_t size) noexcept
    : pool_(std::move(pool)), memory_(memory), size_(size) {}

page::page(page&& other) noexcept
    : pool_(std::move(other.pool_)),
      memory_(std::exchange(other.memory_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

page& page::operator=(page&& other) noexcept {
  page taken(std::move(other));
  std::swap(pool_, taken.pool_);
  std::swap(memory_, taken.memory_);
  std::swap(size_, taken.size_);
  return *this;
}

page::~page() {
  if (memory_ != nullptr) pool_->give_back(memory_);
}

page_pool::page_pool(std::size_t page_size, std::size_t kept)
    : pool_(std::make_shared<detail::page_stack>(page_size, kept)) {}

page page_pool::borrow() { return page(pool_, pool_->take(), pool_->page_size()); }
std::size_t page_pool::page_size() const noexcept { return pool_->page_size(); }
std::size_t page_pool::free_pages() const noexcept { return pool_->free_pages(); }

}  // namespace v0
}  // namespace strata::transport
