// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/yamux/stream.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// The streams of a session by their IDs. Finding is a multiplication and, nearly always, one
/// probe; the multiplier is random, so that a peer cannot choose IDs that fall together. Freed
/// objects are used again.
class stream_table {
 public:
  explicit stream_table(std::uint32_t random) noexcept : multiplier_(random | 1) {}
  stream_table(const stream_table&) = delete;
  stream_table& operator=(const stream_table&) = delete;
  ~stream_table();

  std::size_t size() const noexcept { return size_; }
  stream* find(std::uint32_t id) const noexcept {
    if (last_ != nullptr && last_->id == id) return last_;
    return find_slot(id);
  }
  /// `id` is not in the table. Throws std::bad_alloc, and nothing has changed.
  stream& insert(std::uint32_t id);
  /// It is in no ring, and holds no bytes, any more.
  void erase(stream& gone) noexcept;

  /// The call must not change the table.
  template <class Call>
  void for_each(Call&& call) {
    for (stream* const one : slots_)
      if (one != nullptr) call(*one);
  }

 private:
  std::size_t slot_of(std::uint32_t id) const noexcept { return (id * multiplier_) >> shift_; }
  stream* find_slot(std::uint32_t id) const noexcept;
  void place(stream& one) noexcept;
  void grow();

  std::vector<stream*> slots_;  // A power of two of them, at most half in use.
  std::vector<stream*> free_;
  mutable stream* last_ = nullptr;
  std::size_t size_ = 0;
  std::uint32_t multiplier_;
  unsigned shift_ = 32;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
