// SPDX-License-Identifier: Apache-2.0
#include "core/qpack/dynamic_table.hpp"

#include <bit>
#include <cstring>

namespace strata::h3 {
inline namespace v0 {
namespace core::qpack {

void dynamic_table::set_capacity(std::size_t capacity) {
  evict_until(capacity);
  if (text_.size() < 2 * capacity) grow(capacity);
  capacity_ = capacity;
}

void dynamic_table::evict_until(std::size_t size) noexcept {
  while (size_ > size) {
    const stored_entry& oldest = entries_[evicted_count() & (entries_.size() - 1)];
    size_ -= oldest.name_size + oldest.value_size + entry_overhead;
    --live_;
  }
}

/// A raised capacity moves what is live to larger rings: text of an old, smaller ring must not be
/// indexed as the new one.
void dynamic_table::grow(std::size_t capacity) {
  std::vector<char> text(2 * capacity);
  std::vector<stored_entry> entries(std::bit_ceil(capacity / entry_overhead + 1));
  std::size_t head = 0;
  for (std::uint64_t index = evicted_count(); index < inserted_; ++index) {
    stored_entry moved = entries_[index & (entries_.size() - 1)];
    const std::size_t length = moved.name_size + moved.value_size;
    if (length != 0) std::memcpy(text.data() + head, text_.data() + moved.offset, length);
    moved.offset = static_cast<std::uint32_t>(head);
    entries[index & (entries.size() - 1)] = moved;
    head += length;
  }
  text_ = std::move(text);
  entries_ = std::move(entries);
  text_head_ = head;
}

bool dynamic_table::insert(std::string_view name, std::string_view value, known_field id) noexcept {
  const std::size_t length = name.size() + value.size();
  if (length + entry_overhead > capacity_) return false;
  //= RFC 9204 section 3.2.2
  //# Before a new entry is added to the dynamic table, entries are evicted from the
  //# end of the dynamic table until the size of the dynamic table is less than or
  //# equal to (table capacity - size of new entry).
  evict_until(capacity_ - length - entry_overhead);

  // The ring is twice the capacity and the live text at most the capacity, so neither place
  // overlaps live text. It may overlap an entry evicted just now that `name` or `value` point into:
  // memmove, and a source inside the ring lies behind its new place or, after wrapping, ahead of
  // it, so moving the name first spoils no value.
  if (text_head_ + length > text_.size()) text_head_ = 0;
  char* out = text_.data() + text_head_;
  if (!name.empty()) std::memmove(out, name.data(), name.size());
  if (!value.empty()) std::memmove(out + name.size(), value.data(), value.size());
  entries_[inserted_ & (entries_.size() - 1)] = {
      .offset = static_cast<std::uint32_t>(text_head_),
      .name_size = static_cast<std::uint32_t>(name.size()),
      .value_size = static_cast<std::uint32_t>(value.size()),
      .id = id};
  text_head_ += length;
  size_ += length + entry_overhead;
  ++live_;
  ++inserted_;
  return true;
}

}  // namespace core::qpack
}  // namespace v0
}  // namespace strata::h3
