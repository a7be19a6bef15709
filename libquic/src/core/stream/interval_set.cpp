// SPDX-License-Identifier: Apache-2.0
#include "core/stream/interval_set.hpp"

#include <algorithm>
#include <utility>

namespace strata::quic {
inline namespace v0 {
namespace core {

std::uint32_t interval_set::first_ending_after(std::uint64_t offset) const noexcept {
  const interval* first = items();
  const auto found =
      std::upper_bound(first, first + size_, offset,
                       [](std::uint64_t value, const interval& one) { return value < one.end; });
  return static_cast<std::uint32_t>(found - first);
}

void interval_set::add(std::uint32_t index, interval added) {
  if (size_ == capacity_) {
    auto larger = std::make_unique<interval[]>(2 * std::size_t{capacity_});
    std::copy_n(items(), size_, larger.get());
    more_ = std::move(larger);
    capacity_ *= 2;
  }
  interval* all = items();
  std::copy_backward(all + index, all + size_, all + size_ + 1);
  all[index] = added;
  ++size_;
}

void interval_set::remove(std::uint32_t from, std::uint32_t to) noexcept {
  interval* all = items();
  std::copy(all + to, all + size_, all + from);
  size_ -= to - from;
}

void interval_set::insert(std::uint64_t begin, std::uint64_t end) {
  if (begin >= end) return;
  interval* all = items();
  // Nearly always the newest interval grows or a newer one follows.
  if (size_ == 0 || begin > all[size_ - 1].end) return add(size_, {begin, end});
  if (begin >= all[size_ - 1].begin) {
    all[size_ - 1].end = std::max(all[size_ - 1].end, end);
    return;
  }
  // What touches is joined too, so look for intervals that end at `begin` or later.
  const std::uint32_t from = begin == 0 ? 0 : first_ending_after(begin - 1);
  if (all[from].begin > end) return add(from, {begin, end});
  std::uint32_t to = from + 1;
  while (to < size_ && all[to].begin <= end) ++to;
  all[from].begin = std::min(all[from].begin, begin);
  all[from].end = std::max(all[to - 1].end, end);
  remove(from + 1, to);
}

void interval_set::erase(std::uint64_t begin, std::uint64_t end) {
  if (begin >= end || size_ == 0) return;
  std::uint32_t from = first_ending_after(begin);
  interval* all = items();
  if (from == size_ || all[from].begin >= end) return;
  if (all[from].begin < begin) {
    const std::uint64_t rest = all[from].end;
    all[from].end = begin;
    if (rest > end) return add(from + 1, {end, rest});
    ++from;
  }
  std::uint32_t to = from;
  while (to < size_ && all[to].end <= end) ++to;
  if (to < size_ && all[to].begin < end) all[to].begin = end;
  remove(from, to);
}

void interval_set::clear() noexcept {
  size_ = 0;
  if (capacity_ <= kept_capacity) return;
  more_.reset();
  capacity_ = in_place;
}

bool interval_set::contains(std::uint64_t begin, std::uint64_t end) const noexcept {
  return begin >= end || first_missing(begin, end).empty();
}

interval interval_set::first_missing(std::uint64_t begin, std::uint64_t end) const noexcept {
  std::uint32_t next = first_ending_after(begin);
  const interval* all = items();
  if (next < size_ && all[next].begin <= begin) begin = all[next++].end;
  if (begin >= end) return {end, end};
  return {begin, next < size_ ? std::min(end, all[next].begin) : end};
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
