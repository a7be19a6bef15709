// SPDX-License-Identifier: Apache-2.0
#include "core/memory/receive_queue.hpp"

#include <algorithm>

namespace strata::mux {
inline namespace v0 {
namespace core {

using transport::bytes;

void receive_queue::append(memory from, bytes added) {
  if (from.lent.full()) {
    settle(from);
    held_.append(from.pages, added);
  } else {
    const std::uint32_t index = from.lent.add(added);
    if (has_lent()) {
      from.lent[last_lent_].next = index;
    } else {
      first_lent_ = index;
    }
    last_lent_ = index;
  }
  size_ += added.size();
}

bytes receive_queue::front(const lent_views& lent) const noexcept {
  if (!held_.empty()) return held_.front();
  return has_lent() ? lent[first_lent_].left : bytes();
}

std::size_t receive_queue::gather(const lent_views& lent, std::span<bytes> pieces) const noexcept {
  std::size_t used = 0;
  for (const page* at = held_.first(); at != nullptr && used < pieces.size(); at = at->next)
    pieces[used++] = at->used();
  if (!has_lent()) return used;
  for (std::uint32_t at = first_lent_; at != lent_views::none && used < pieces.size();
       at = lent[at].next)
    pieces[used++] = lent[at].left;
  return used;
}

std::size_t receive_queue::read(memory from,
                                std::span<const transport::mutable_bytes> pieces) noexcept {
  std::size_t total = 0;
  for (transport::mutable_bytes piece : pieces) {
    while (!piece.empty() && size_ != 0) {
      const bytes next = front(from.lent);
      const std::size_t size = std::min(next.size(), piece.size());
      transport::copy_bytes(piece.data(), next.first(size));
      consume(from, size);
      piece = piece.subspan(size);
      total += size;
    }
  }
  return total;
}

void receive_queue::consume(memory from, std::size_t size) noexcept {
  size_ -= size;
  const std::size_t held = std::min(size, held_.size());
  if (held != 0) held_.consume(from.pages, held);
  for (size -= held; size != 0;) {
    lent_views::view& one = from.lent[first_lent_];
    const std::size_t here = std::min(size, one.left.size());
    one.left = one.left.subspan(here);
    size -= here;
    if (one.left.empty()) first_lent_ = one.next;
  }
}

void receive_queue::settle(memory from) {
  while (has_lent()) {
    lent_views::view& one = from.lent[first_lent_];
    held_.append(from.pages, one.left);
    first_lent_ = one.next;
  }
}

void receive_queue::drop_lent(memory from) noexcept {
  for (; has_lent(); first_lent_ = from.lent[first_lent_].next)
    size_ -= from.lent[first_lent_].left.size();
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
