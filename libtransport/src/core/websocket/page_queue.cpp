// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/page_queue.hpp"

#include <algorithm>

namespace strata::transport {
inline namespace v0 {
namespace websocket {

mask_key page_queue::append(bytes added, mask_key key) {
  while (!added.empty()) {
    const std::size_t end = first_ + size_;
    if (end == pages_.size() * page_size) add_page();
    const std::size_t room = page_size - end % page_size;
    const bytes piece = added.first(std::min(room, added.size()));
    key = apply_mask(pages_.back()->data() + end % page_size, piece, key);
    size_ += piece.size();
    added = added.subspan(piece.size());
  }
  return key;
}

void page_queue::add_page() {
  if (spare_.empty()) {
    // So that giving it back, which must not fail, needs no memory.
    spare_.reserve(pages_.size() + 1);
    pages_.push_back(std::make_unique_for_overwrite<page>());
  } else {
    pages_.push_back(std::move(spare_.back()));
    spare_.pop_back();
  }
}

std::size_t page_queue::read(mutable_bytes out) noexcept {
  std::size_t copied = 0;
  while (copied < out.size() && !empty()) {
    const bytes piece = front().first(std::min(front().size(), out.size() - copied));
    copy_bytes(out.data() + copied, piece);
    copied += piece.size();
    consume(piece.size());
  }
  return copied;
}

bytes page_queue::front() const noexcept {
  if (empty()) return {};
  return {pages_[0]->data() + first_, std::min(size_, page_size - first_)};
}

std::byte page_queue::at(std::size_t offset) const noexcept {
  const std::size_t place = first_ + offset;
  return (*pages_[place / page_size])[place % page_size];
}

std::size_t page_queue::gather(std::size_t offset, std::size_t most,
                               std::span<bytes> pieces) const noexcept {
  std::size_t filled = 0;
  std::size_t left = std::min(most, size_ - offset);
  for (std::size_t place = first_ + offset; left != 0 && filled < pieces.size(); ++filled) {
    const std::size_t size = std::min(left, page_size - place % page_size);
    pieces[filled] = {pages_[place / page_size]->data() + place % page_size, size};
    place += size;
    left -= size;
  }
  return filled;
}

void page_queue::consume(std::size_t size) noexcept {
  first_ += size;
  size_ -= size;
  for (; first_ >= page_size; first_ -= page_size) spare_.push_back(pages_.pop_front());
  if (size_ == 0) {
    drop_back(pages_.size());
    first_ = 0;
  }
}

void page_queue::truncate(std::size_t size) noexcept {
  if (size >= size_) return;
  size_ = size;
  drop_back(pages_.size() - (first_ + size_ + page_size - 1) / page_size);
  if (size_ == 0) consume(0);
}

void page_queue::drop_back(std::size_t pages) noexcept {
  for (; pages != 0; --pages) spare_.push_back(pages_.pop_back());
}

void page_queue::release_spare_memory() noexcept { spare_.clear(); }

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
