// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

namespace detail {
class page_stack;
}

/// A borrowed buffer; goes back to its pool when destroyed. It may outlive the pool object.
class STRATA_TRANSPORT_API page {
 public:
  page() = default;
  page(page&& other) noexcept;
  page& operator=(page&& other) noexcept;
  ~page();

  explicit operator bool() const noexcept { return memory_ != nullptr; }
  /// The whole buffer; what it holds at first is unspecified.
  mutable_bytes span() const noexcept { return {memory_, size_}; }

 private:
  friend class page_pool;
  page(std::shared_ptr<detail::page_stack> pool, std::byte* memory, std::size_t size) noexcept;

  std::shared_ptr<detail::page_stack> pool_;
  std::byte* memory_ = nullptr;
  std::size_t size_ = 0;
};

/// Buffers of one size for one serial executor. The one given back last is borrowed first, because
/// it is still in the cache; beyond `kept` free ones memory goes back to the system, so that a
/// burst is not paid for ever.
class STRATA_TRANSPORT_API page_pool {
 public:
  static constexpr std::size_t default_page_size = 16 * 1024;
  static constexpr std::size_t default_kept = 64;

  explicit page_pool(std::size_t page_size = default_page_size, std::size_t kept = default_kept);

  /// Throws std::bad_alloc when there is no memory.
  page borrow();
  std::size_t page_size() const noexcept;
  /// Free buffers held for the next borrowers.
  std::size_t free_pages() const noexcept;

 private:
  std::shared_ptr<detail::page_stack> pool_;
};

}  // namespace v0
}  // namespace strata::transport
