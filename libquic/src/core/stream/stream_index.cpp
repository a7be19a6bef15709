// SPDX-License-Identifier: Apache-2.0
#include "core/stream/stream_index.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace strata::quic {
inline namespace v0 {
namespace core {

void stream_index::resize_window(std::uint64_t needed) {
  const std::uint64_t size = needed == 0 ? 0 : std::bit_ceil(std::max<std::uint64_t>(needed, 8));
  std::vector<std::uint32_t> other(size, closed);
  for (std::uint64_t number = base_; number < opened_; ++number)
    other[number & (size - 1)] = entry(number);
  window_ = std::move(other);
}

void stream_index::open_to(std::uint64_t count) {
  if (count <= opened_) return;
  if (count - base_ > window_.size()) resize_window(count - base_);
  live_ += static_cast<std::uint32_t>(count - opened_);
  while (opened_ < count) entry(opened_++) = idle;
}

stream_index::straggler* stream_index::find_straggler(std::uint64_t number) noexcept {
  const auto found = std::lower_bound(
      stragglers_.begin(), stragglers_.end(), number,
      [](const straggler& one, std::uint64_t value) { return one.number < value; });
  return found != stragglers_.end() && found->number == number ? &*found : nullptr;
}

std::uint32_t stream_index::find(std::uint64_t number) const noexcept {
  if (number >= base_) return entry(number);
  const straggler* found = const_cast<stream_index*>(this)->find_straggler(number);
  return found != nullptr ? found->slot : closed;
}

void stream_index::place(std::uint64_t number, std::uint32_t slot) noexcept {
  if (number >= base_) {
    entry(number) = slot;
  } else if (straggler* found = find_straggler(number)) {
    found->slot = slot;
  }
}

void stream_index::close(std::uint64_t number) {
  if (number >= base_) {
    entry(number) = closed;
    --live_;
    return advance_window();
  }
  straggler* found = find_straggler(number);
  if (found == nullptr || found->slot == closed) return;
  found->slot = closed;
  if (2 * std::size_t{++swept_} <= stragglers_.size()) return;
  std::erase_if(stragglers_, [](const straggler& one) { return one.slot == closed; });
  swept_ = 0;
}

void stream_index::advance_window() {
  while (base_ < opened_) {
    const std::uint32_t first = entry(base_);
    if (first != closed) {
      if (span() <= std::max<std::uint64_t>(small_window, 4 * std::uint64_t{live_})) return;
      stragglers_.push_back({base_, first});
      --live_;
    }
    ++base_;
  }
}

std::size_t stream_index::memory() const noexcept {
  return window_.capacity() * sizeof(std::uint32_t) + stragglers_.capacity() * sizeof(straggler);
}

void stream_index::shrink() {
  resize_window(span());
  stragglers_.shrink_to_fit();
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
