// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/sent_packets.hpp"

#include <algorithm>
#include <cassert>

namespace strata::quic {
inline namespace v0 {
namespace core {

namespace {
// An idle connection should cost little; sixteen packets hold a handshake.
constexpr std::size_t smallest_ring = 16;
}  // namespace

bool contains(std::span<const ack_range> ranges, std::uint64_t number) noexcept {
  const auto at = std::partition_point(ranges.begin(), ranges.end(), [&](const ack_range& range) {
    return range.smallest > number;
  });
  return at != ranges.end() && number <= at->largest;
}

void sent_packets::skip_to(std::uint64_t number) {
  assert(number > next_);
  while (next_ < number) skip(next_);
}

void sent_packets::skip(std::uint64_t number) {
  skipped_[skipped_count_++ % skipped_.size()] = number;
  if (empty()) {
    first_ = next_ = number + 1;
    return;
  }
  if (size() == ring_.size()) grow_packets();
  record gap;
  gap.is = state::never_sent;
  gap.first_frame = frame_next_;
  ring_[next_ & mask_] = gap;
  ++next_;
}

void sent_packets::grow_packets() {
  std::vector<record> larger(std::max(smallest_ring, ring_.size() * 2));
  const std::uint64_t mask = larger.size() - 1;
  for (std::uint64_t n = first_; n != next_; ++n) larger[n & mask] = ring_[n & mask_];
  ring_ = std::move(larger);
  mask_ = mask;
}

void sent_packets::grow_frames(std::size_t needed) {
  std::size_t size = std::max(smallest_ring, frames_.size());
  while (size < needed) size *= 2;
  std::vector<sent_frame> larger(size);
  for (std::uint32_t n = frame_first_; n != frame_next_; ++n) {
    larger[n & (size - 1)] = frames_[n & frame_mask_];
  }
  frames_ = std::move(larger);
  frame_mask_ = static_cast<std::uint32_t>(size - 1);
}

void sent_packets::trim() noexcept {
  while (first_ != next_ && at(first_).is != state::outstanding) ++first_;
  frame_first_ = first_ != next_ ? at(first_).first_frame : frame_next_;
}

void sent_packets::clear() noexcept {
  first_ = next_;
  frame_first_ = frame_next_;
  release_memory();
}

void sent_packets::release_memory() noexcept {
  if (!empty()) return;
  // An assignment of {} would keep the memory.
  ring_ = std::vector<record>();
  frames_ = std::vector<sent_frame>();
  mask_ = 0;
  frame_mask_ = 0;
}

bool sent_packets::never_sent_in(std::span<const ack_range> ranges) const noexcept {
  if (skipped_count_ == 0) return false;
  return std::any_of(skipped_.begin(), skipped_.end(), [&](std::uint64_t number) {
    return number != none && contains(ranges, number);
  });
}

void sent_packets::remember_lost(std::uint64_t number) noexcept {
  if (lost_count_ == lost_.size()) {
    std::copy(lost_.begin() + 1, lost_.end(), lost_.begin());
    --lost_count_;
  }
  lost_[lost_count_++] = number;
}

unsigned sent_packets::take_spuriously_lost(std::span<const ack_range> ranges) noexcept {
  const auto begin = lost_.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(lost_count_);
  const auto kept =
      std::remove_if(begin, end, [&](std::uint64_t number) { return contains(ranges, number); });
  const auto taken = static_cast<unsigned>(end - kept);
  lost_count_ -= taken;
  return taken;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
