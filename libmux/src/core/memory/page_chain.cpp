// SPDX-License-Identifier: Apache-2.0
#include "core/memory/page_chain.hpp"

#include <algorithm>
#include <new>

namespace strata::mux {
inline namespace v0 {
namespace core {

using transport::bytes;

void page_chain::reserve(page_recycler& pages, std::size_t size, page*& reserved) {
  const std::size_t room = last_ == nullptr ? 0 : page::capacity - last_->end;
  for (std::size_t held = room; held < size; held += page::capacity) {
    page* const one = pages.take();
    one->next = reserved;
    reserved = one;
  }
}

void page_chain::append(page_recycler& pages, bytes added) {
  page* reserved = nullptr;
  try {
    reserve(pages, added.size(), reserved);
  } catch (const std::bad_alloc&) {
    while (reserved != nullptr) {
      page* const one = reserved;
      reserved = one->next;
      pages.give_back(one);
    }
    throw;
  }
  size_ += added.size();
  while (!added.empty()) {
    if (last_ == nullptr || last_->end == page::capacity) {
      page* const one = reserved;
      reserved = one->next;
      one->next = nullptr;
      (last_ == nullptr ? first_ : last_->next) = one;
      last_ = one;
    }
    const std::size_t size = std::min(added.size(), page::capacity - last_->end);
    transport::copy_bytes(last_->content + last_->end, added.first(size));
    last_->end += static_cast<std::uint32_t>(size);
    added = added.subspan(size);
  }
}

void page_chain::consume(page_recycler& pages, std::size_t size) noexcept {
  size_ -= size;
  while (first_ != nullptr) {
    const std::size_t here = std::min<std::size_t>(size, first_->end - first_->begin);
    first_->begin += static_cast<std::uint32_t>(here);
    size -= here;
    if (first_->begin != first_->end) return;
    page* const done = first_;
    first_ = done->next;
    pages.give_back(done);
  }
  last_ = nullptr;
}

void page_chain::truncate(page_recycler& pages, std::size_t size) noexcept {
  if (size == 0) return clear(pages);
  size_ = size;
  page* last = first_;
  for (; last->used().size() < size; last = last->next) size -= last->used().size();
  last->end = last->begin + static_cast<std::uint32_t>(size);
  while (page* const gone = last->next) {
    last->next = gone->next;
    pages.give_back(gone);
  }
  last_ = last;
}

void page_chain::splice(page_chain& other) noexcept {
  if (other.first_ == nullptr) return;
  (last_ == nullptr ? first_ : last_->next) = other.first_;
  last_ = other.last_;
  size_ += other.size_;
  other.first_ = other.last_ = nullptr;
  other.size_ = 0;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
