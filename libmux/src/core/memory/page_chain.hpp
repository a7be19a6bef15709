// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "core/memory/page_recycler.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// Bytes in pages, first in, first out. It must be empty when it is destroyed, because pages go
/// back to their recycler.
class page_chain {
 public:
  page_chain() = default;
  page_chain(const page_chain&) = delete;
  page_chain& operator=(const page_chain&) = delete;

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  const page* first() const noexcept { return first_; }
  /// The first bytes in one piece.
  transport::bytes front() const noexcept {
    return first_ == nullptr ? transport::bytes() : first_->used();
  }

  /// All of it, or it throws std::bad_alloc and nothing has changed.
  void append(page_recycler& pages, transport::bytes added);
  /// `size` <= size().
  void consume(page_recycler& pages, std::size_t size) noexcept;
  /// Drops all but the first `size` bytes, which stay where they are. `size` <= size().
  void truncate(page_recycler& pages, std::size_t size) noexcept;
  void clear(page_recycler& pages) noexcept { consume(pages, size_); }
  /// The other's pages come behind those that are here.
  void splice(page_chain& other) noexcept;

 private:
  void reserve(page_recycler& pages, std::size_t size, page*& reserved);

  page* first_ = nullptr;
  page* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
