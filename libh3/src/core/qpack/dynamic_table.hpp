// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "strata/h3/core/known_field.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core::qpack {

/// The dynamic table (RFC 9204 section 3.2): entries in the order of insertion, the oldest evicted
/// first. Text and entries lie in two rings that grow when the capacity first needs it, never with
/// an insertion.
class dynamic_table {
 public:
  struct entry {
    std::string_view name;
    std::string_view value;
    known_field id;
  };

  static constexpr std::size_t entry_overhead = 32;

  std::size_t capacity() const noexcept { return capacity_; }
  std::size_t size() const noexcept { return size_; }
  /// Insertions since the beginning; the newest entry has this absolute index less one.
  std::uint64_t insert_count() const noexcept { return inserted_; }
  std::uint64_t evicted_count() const noexcept { return inserted_ - live_; }

  /// Evicts what does not fit any more. The caller has checked the limit.
  void set_capacity(std::size_t capacity);

  /// False, and nothing changed, when the entry is larger than the capacity. `name` and `value` may
  /// be those of an entry of this table, even of one that this insertion evicts.
  bool insert(std::string_view name, std::string_view value, known_field id) noexcept;

  /// Nothing for what was evicted or has not come yet. The views die with the next insertion.
  std::optional<entry> at(std::uint64_t absolute_index) const noexcept {
    if (absolute_index >= inserted_ || absolute_index < evicted_count()) return std::nullopt;
    const stored_entry& stored = entries_[absolute_index & (entries_.size() - 1)];
    const char* text = text_.data() + stored.offset;
    return entry{{text, stored.name_size}, {text + stored.name_size, stored.value_size}, stored.id};
  }

 private:
  struct stored_entry {
    std::uint32_t offset;
    std::uint32_t name_size;
    std::uint32_t value_size;
    known_field id;
  };

  void evict_until(std::size_t size) noexcept;
  void grow(std::size_t capacity);

  std::vector<stored_entry> entries_;  // a ring by absolute index; its size is a power of two
  std::vector<char> text_;             // twice the capacity, so that an entry never wraps
  std::size_t text_head_ = 0;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
  std::size_t live_ = 0;
  std::uint64_t inserted_ = 0;
};

}  // namespace core::qpack
}  // namespace v0
}  // namespace strata::h3
