// SPDX-License-Identifier: Apache-2.0
#include "core/stream/send_buffer.hpp"

#include <algorithm>
#include <utility>

namespace strata::quic {
inline namespace v0 {
namespace core {

using transport::bytes;
using transport::mutable_bytes;

void send_buffer::append(page_recycler& pages, bytes data) {
  while (!data.empty()) {
    if (segments_.empty() || !segments_.back().page ||
        segments_.back().size == page_recycler::page_size) {
      segments_.push_back({.offset = end_, .page = pages.take()});
    }
    segment& last = segments_.back();
    const std::size_t size =
        std::min<std::size_t>(data.size(), page_recycler::page_size - last.size);
    transport::copy_bytes(last.page->data() + last.size, data.first(size));
    last.size += size;
    end_ += size;
    unsent_copied_ += size;
    data = data.subspan(size);
  }
}

void send_buffer::append_borrowed(bytes data, std::uint64_t token) {
  segments_.push_back(
      {.offset = end_, .size = data.size(), .borrowed = data.data(), .token = token});
  end_ += data.size();
}

std::size_t send_buffer::index_of(std::uint64_t offset) const noexcept {
  if (offset < segments_.front().end()) return 0;
  std::size_t low = 1;
  std::size_t high = segments_.size();
  if (sending_ < high && segments_[sending_].offset <= offset) low = sending_;
  if (low < high && offset < segments_[low].end()) return low;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (segments_[middle].end() <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

//= RFC 9000 section 2.2
//# The data at a given offset MUST NOT change if it is sent multiple times
void send_buffer::copy_to(std::uint64_t offset, mutable_bytes out) const noexcept {
  if (out.empty()) return;
  for (std::size_t i = index_of(offset);; ++i) {
    const segment& one = segments_[i];
    const std::uint64_t skipped = offset - one.offset;
    const std::size_t size = std::min<std::uint64_t>(one.size - skipped, out.size());
    transport::copy_bytes(out.data(), {one.memory() + skipped, size});
    if (size == out.size()) return;
    offset += size;
    out = out.subspan(size);
  }
}

void send_buffer::on_sent(std::uint64_t offset, std::uint64_t size) noexcept {
  if (offset < sent_end_) return lost_.erase(offset, offset + size);
  while (size != 0) {
    while (segments_[sending_].end() <= sent_end_) ++sending_;
    const segment& one = segments_[sending_];
    const std::uint64_t step = std::min(one.end() - sent_end_, size);
    if (one.page) unsent_copied_ -= step;
    sent_end_ += step;
    size -= step;
  }
}

void send_buffer::on_acked(const release_target& target, std::uint64_t offset, std::uint64_t size) {
  const std::uint64_t end = std::min(offset + size, sent_end_);
  if (end <= acked_end_ || offset >= end) return;
  if (has_lost()) lost_.erase(offset, end);
  if (offset > acked_end_) {
    acked_.insert(offset, end);
    return release_acked_within(target, offset, end);
  }
  acked_end_ = end;
  while (!acked_.empty() && acked_.front().begin <= acked_end_) {
    acked_end_ = std::max(acked_end_, acked_.front().end);
    acked_.pop_front();
  }
  release_acked_front(target);
}

void send_buffer::on_lost(std::uint64_t offset, std::uint64_t size) {
  const std::uint64_t end = std::min(offset + size, sent_end_);
  offset = std::max(offset, acked_end_);
  for (interval missing = acked_.first_missing(offset, end); offset < end && !missing.empty();
       missing = acked_.first_missing(missing.end, end)) {
    lost_.insert(missing.begin, missing.end);
  }
}

bool send_buffer::send_again(std::uint64_t most) {
  const interval oldest = acked_.first_missing(acked_end_, sent_end_);
  if (acked_end_ == sent_end_ || oldest.empty()) return false;
  lost_.insert(oldest.begin, std::min(oldest.end, oldest.begin + most));
  return true;
}

void send_buffer::release(const release_target& target, segment& done, event_kind how) {
  if (done.page) return target.pages.give_back(std::move(done.page));
  if (done.borrowed == nullptr) return;
  done.borrowed = nullptr;
  target.events.push(how, target.stream, done.token);
}

void send_buffer::release_acked_front(const release_target& target) {
  while (!segments_.empty() && segments_.front().end() <= acked_end_) {
    release(target, segments_.front(), event_kind::acknowledged);
    segments_.pop_front();
    if (sending_ != 0) --sending_;
  }
}

void send_buffer::release_acked_within(const release_target& target, std::uint64_t offset,
                                       std::uint64_t end) {
  for (std::size_t i = index_of(offset); i < segments_.size() && segments_[i].offset < end; ++i) {
    segment& one = segments_[i];
    if (acked_.contains(std::max(one.offset, acked_end_), one.end()))
      release(target, one, event_kind::acknowledged);
  }
}

void send_buffer::drop(const release_target& target) {
  for (std::size_t i = 0; i < segments_.size(); ++i)
    release(target, segments_[i], event_kind::abandoned);
  segments_.clear();
  acked_.clear();
  lost_.clear();
  end_ = acked_end_ = sent_end_;
  unsent_copied_ = 0;
  sending_ = 0;
}

void send_buffer::clear() noexcept {
  if (segments_.capacity() > kept_segments) segments_.free_memory();
  acked_.clear();
  lost_.clear();
  end_ = acked_end_ = sent_end_ = 0;
  sending_ = 0;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
