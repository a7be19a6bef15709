// SPDX-License-Identifier: Apache-2.0
#include "core/stream/reassembly_buffer.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace strata::quic {
inline namespace v0 {
namespace core {

using transport::bytes;

reassembly_buffer::outcome reassembly_buffer::insert(memory from, std::uint64_t offset,
                                                     bytes data) {
  const std::uint64_t end = offset + data.size();
  if (end <= contiguous_end_) return outcome::nothing_new;
  if (offset > contiguous_end_) {
    if (data.empty()) return outcome::nothing_new;
    for (interval missing = beyond_.first_missing(offset, end); !missing.empty();
         missing = beyond_.first_missing(missing.end, end)) {
      store(from.pages, missing.begin, data.subspan(missing.begin - offset, missing.size()));
    }
    beyond_.insert(offset, end);
    return beyond_.size() > limits::max_reassembly_gaps ? outcome::too_many_gaps
                                                        : outcome::nothing_new;
  }
  while (end > contiguous_end_) {
    const std::uint64_t stop = beyond_.empty() ? end : std::min(end, beyond_.front().begin);
    extend(from, data.subspan(contiguous_end_ - offset, stop - contiguous_end_));
    join_beyond();
  }
  return outcome::readable;
}

//= RFC 9000 section 2.2
//# Endpoints MUST be able to deliver stream data to an application as an ordered byte stream.
/// `data` follows contiguous_end_ directly, and none of it has arrived before.
void reassembly_buffer::extend(memory from, bytes data) {
  if (from.lent.full()) {
    store(from.pages, contiguous_end_, data);
  } else {
    const std::uint32_t added = from.lent.add(contiguous_end_, data);
    if (has_lent()) {
      from.lent[last_lent_].next = added;
    } else {
      first_lent_ = added;
    }
    last_lent_ = added;
  }
  contiguous_end_ += data.size();
}

void reassembly_buffer::join_beyond() noexcept {
  if (beyond_.empty() || beyond_.front().begin != contiguous_end_) return;
  contiguous_end_ = beyond_.front().end;
  beyond_.pop_front();
}

bytes reassembly_buffer::front(const lent_views& lent) const noexcept {
  std::uint64_t stop = contiguous_end_;
  if (has_lent()) {
    const lent_views::view& first = lent[first_lent_];
    if (first.offset <= read_offset_) {
      const std::uint64_t taken = read_offset_ - first.offset;
      return {first.from + taken, static_cast<std::size_t>(first.size - taken)};
    }
    stop = first.offset;
  }
  if (read_offset_ == stop) return {};
  const std::uint64_t within = read_offset_ % page_recycler::page_size;
  const std::uint64_t size = std::min(stop - read_offset_, page_recycler::page_size - within);
  const held_page& first = held_[first_held_];
  assert(first.number == read_offset_ / page_recycler::page_size);
  return {first.bytes->data() + within, static_cast<std::size_t>(size)};
}

void reassembly_buffer::consume(memory from, std::uint64_t size) noexcept {
  assert(size <= contiguous_end_ - read_offset_);
  read_offset_ += size;
  while (has_lent() && from.lent[first_lent_].end() <= read_offset_)
    first_lent_ = from.lent[first_lent_].next;
  release_read_pages(from.pages);
}

void reassembly_buffer::settle(memory from) {
  for (; has_lent(); first_lent_ = from.lent[first_lent_].next) {
    const lent_views::view& one = from.lent[first_lent_];
    const std::uint64_t taken = std::max(read_offset_, one.offset) - one.offset;
    store(from.pages, one.offset + taken,
          bytes{one.from, one.size}.subspan(static_cast<std::size_t>(taken)));
  }
}

void reassembly_buffer::clear(page_recycler& pages) noexcept {
  for (std::size_t i = first_held_; i < held_.size(); ++i)
    pages.give_back(std::move(held_[i].bytes));
  held_.clear();
  if (held_.capacity() > kept_entries) held_.shrink_to_fit();
  first_held_ = 0;
  beyond_.clear();
  read_offset_ = contiguous_end_ = 0;
  first_lent_ = lent_views::none;
}

void reassembly_buffer::store(page_recycler& pages, std::uint64_t offset, bytes data) {
  while (!data.empty()) {
    const std::size_t within = offset % page_recycler::page_size;
    const std::size_t size = std::min(data.size(), page_recycler::page_size - within);
    held_page& page = page_at(pages, offset / page_recycler::page_size);
    transport::copy_bytes(page.bytes->data() + within, data.first(size));
    offset += size;
    data = data.subspan(size);
  }
}

reassembly_buffer::held_page& reassembly_buffer::page_at(page_recycler& pages,
                                                         std::uint64_t number) {
  // A peer may leave pages out but seldom does: look where the page is when there are none missing.
  if (first_held_ < held_.size() && number >= held_[first_held_].number) {
    const std::uint64_t guess = first_held_ + (number - held_[first_held_].number);
    if (guess < held_.size() && held_[guess].number == number) return held_[guess];
  }
  const std::size_t position = position_of(number);
  if (position < held_.size() && held_[position].number == number) return held_[position];
  std::unique_ptr<page_recycler::page> fresh = pages.take();
  const auto place = held_.begin() + static_cast<std::ptrdiff_t>(position);
  return *held_.insert(place, held_page{number, std::move(fresh)});
}

std::size_t reassembly_buffer::position_of(std::uint64_t number) const noexcept {
  const auto from = held_.begin() + static_cast<std::ptrdiff_t>(first_held_);
  const auto found = std::lower_bound(
      from, held_.end(), number,
      [](const held_page& one, std::uint64_t value) { return one.number < value; });
  return static_cast<std::size_t>(found - held_.begin());
}

void reassembly_buffer::release_read_pages(page_recycler& pages) noexcept {
  if (held_.empty()) return;
  const bool nothing_left = read_offset_ == contiguous_end_ && beyond_.empty();
  while (first_held_ < held_.size() &&
         (nothing_left || held_[first_held_].number < read_offset_ / page_recycler::page_size)) {
    pages.give_back(std::move(held_[first_held_++].bytes));
  }
  if (2 * first_held_ >= held_.size()) {
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(first_held_));
    first_held_ = 0;
  }
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
