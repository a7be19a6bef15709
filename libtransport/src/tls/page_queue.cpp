// SPDX-License-Identifier: Apache-2.0
#include "tls/page_queue.hpp"

#include <algorithm>

namespace strata::transport {
inline namespace v0 {

void page_queue::append(bytes input) {
  const std::size_t room = pages_.empty() ? 0 : page_store::page_size - pages_.back().end;
  const std::size_t rest = input.size() - std::min(input.size(), room);
  const std::size_t wanted = (rest + page_store::page_size - 1) / page_store::page_size;
  pages_.reserve(pages_.size() + wanted);
  const std::size_t before = pages_.size();
  try {
    for (std::size_t i = 0; i < wanted; ++i) pages_.push_back({.memory = store_.take()});
  } catch (...) {
    pages_.resize(before);
    throw;
  }
  for (std::size_t i = before == 0 ? 0 : before - 1; !input.empty(); ++i) {
    filled_page& each = pages_[i];
    const bytes part = input.first(std::min(input.size(), page_store::page_size - each.end));
    copy_bytes(each.memory->data() + each.end, part);
    each.end += part.size();
    size_ += part.size();
    input = input.subspan(part.size());
  }
}

bytes page_queue::front() const noexcept {
  if (pages_.empty()) return {};
  const filled_page& first = pages_.front();
  return bytes(*first.memory).subspan(first.begin, first.end - first.begin);
}

std::byte page_queue::at(std::size_t offset) const noexcept {
  for (const filled_page& each : pages_) {
    const std::size_t here = each.end - each.begin;
    if (offset < here) return (*each.memory)[each.begin + offset];
    offset -= here;
  }
  return {};
}

void page_queue::consume(std::size_t count) noexcept {
  size_ -= count;
  std::size_t emptied = 0;
  while (count != 0) {
    filled_page& first = pages_[emptied];
    const std::size_t here = std::min(count, first.end - first.begin);
    first.begin += here;
    count -= here;
    if (first.begin != first.end) break;
    store_.give_back(std::move(first.memory));
    ++emptied;
  }
  pages_.erase(pages_.begin(), pages_.begin() + static_cast<std::ptrdiff_t>(emptied));
}

std::size_t page_queue::gather(std::span<bytes> pieces) const noexcept {
  const std::size_t count = std::min(pieces.size(), pages_.size());
  for (std::size_t i = 0; i < count; ++i) {
    const filled_page& each = pages_[i];
    pieces[i] = bytes(*each.memory).subspan(each.begin, each.end - each.begin);
  }
  return count;
}

void page_queue::clear() noexcept {
  for (filled_page& each : pages_) store_.give_back(std::move(each.memory));
  pages_.clear();
  size_ = 0;
}

void page_queue::release_memory() noexcept {
  if (pages_.empty()) std::vector<filled_page>().swap(pages_);
}

}  // namespace v0
}  // namespace strata::transport
