// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/message_queue.hpp"

#include <algorithm>

namespace strata::transport {
inline namespace v0 {
namespace websocket {

void message_queue::add(bytes lent, mask_key key, websocket_kind kind) {
  lent_.push_back({lent.data(), lent.size(), key, kind, false});
  size_ += lent.size();
}

void message_queue::end_message(websocket_kind kind) {
  ++ends_;
  if (!lent_.empty() && !lent_.back().end) {
    lent_.back().end = true;
  } else {
    lent_.push_back({nullptr, 0, 0, kind, true});
  }
}

void message_queue::keep() {
  for (; !lent_.empty(); lent_.pop_front()) keep(lent_.front());
}

void message_queue::keep(const segment& lent) {
  kept_.append({lent.first, lent.size}, lent.key);
  if (!borders_) return;
  // What has no end yet can only be the same message: messages do not interleave.
  if (segments_.empty() || segments_.back().end) {
    segments_.push_back({nullptr, lent.size, 0, lent.kind, lent.end});
  } else {
    segments_.back().size += lent.size;
    segments_.back().end = lent.end;
  }
}

void message_queue::clear() noexcept {
  while (!segments_.empty()) segments_.pop_front();
  while (!lent_.empty()) lent_.pop_front();
  kept_.consume(kept_.size());
  size_ = ends_ = 0;
}

std::size_t message_queue::read(mutable_bytes out) noexcept {
  std::size_t copied = kept_.read(out);
  while (copied < out.size() && !lent_.empty()) {
    copied += take(lent_.front(), out.subspan(copied));
    if (lent_.front().size == 0) lent_.pop_front();
  }
  size_ -= copied;
  return copied;
}

bytes message_queue::peek() {
  if (kept_.empty() && !lent_.empty()) {
    if (lent_.front().key == 0) return {lent_.front().first, lent_.front().size};
    keep(lent_.pop_front());
  }
  return kept_.front();
}

void message_queue::consume(std::size_t size) noexcept {
  size_ -= size;
  if (!kept_.empty()) return kept_.consume(size);
  segment& lent = lent_.front();
  lent.first += size;
  lent.size -= size;
  if (lent.size == 0) lent_.pop_front();
}

message_queue::segment* message_queue::first_segment() noexcept {
  if (!segments_.empty()) return &segments_.front();
  return lent_.empty() ? nullptr : &lent_.front();
}

void message_queue::pop_segment() noexcept {
  if (!segments_.empty()) {
    segments_.pop_front();
  } else {
    lent_.pop_front();
  }
}

std::size_t message_queue::take(segment& from, mutable_bytes out) noexcept {
  const std::size_t size = std::min(from.size, out.size());
  if (from.first == nullptr) {
    kept_.read(out.first(size));
  } else {
    from.key = apply_mask(out.data(), {from.first, size}, from.key);
    from.first += size;
  }
  from.size -= size;
  return size;
}

std::optional<websocket_part> message_queue::read_part(mutable_bytes out) noexcept {
  if (empty()) return std::nullopt;
  websocket_part part;
  for (segment* from = first_segment(); from != nullptr; from = first_segment()) {
    part.kind = from->kind;
    part.size += take(*from, out.subspan(part.size));
    if (from->size != 0) break;
    part.end = from->end;
    pop_segment();
    if (!part.end) continue;
    --ends_;
    break;
  }
  size_ -= part.size;
  return part;
}

void message_queue::release_spare_memory() noexcept {
  kept_.release_spare_memory();
  segments_.shrink();
  lent_.shrink();
}

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
