// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "strata/mux/core/limits.hpp"
#include "strata/transport/core/random.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// The streams of a session by their IDs. Finding is a multiplication and, nearly always, one
/// probe; the multiplier is random, so that a peer cannot choose IDs that fall together. Freed
/// objects are used again.
template <class Stream>
class stream_table {
 public:
  static std::uint32_t draw_multiplier(transport::random_source& random) {
    return static_cast<std::uint32_t>(random.below(std::uint64_t{1} << 32));
  }
  explicit stream_table(std::uint32_t random) noexcept : multiplier_(random | 1) {}
  stream_table(const stream_table&) = delete;
  stream_table& operator=(const stream_table&) = delete;
  ~stream_table() {
    for (Stream* const one : slots_) delete one;
    for (Stream* const one : free_) delete one;
  }

  std::size_t size() const noexcept { return size_; }
  Stream* find(std::uint32_t id) const noexcept {
    if (last_ != nullptr && last_->id == id) return last_;
    return find_slot(id);
  }
  /// `id` is not in the table. Throws std::bad_alloc, and nothing has changed.
  Stream& insert(std::uint32_t id) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    Stream* one = nullptr;
    if (free_.empty()) {
      one = new Stream;
    } else {
      one = free_.back();
      free_.pop_back();
    }
    one->id = id;
    place(*one);
    ++size_;
    return *one;
  }
  /// It is in no ring, and holds no bytes, any more.
  void erase(Stream& gone) noexcept {
    close_gap(gone);
    if (last_ == &gone) last_ = nullptr;
    --size_;
    if (free_.size() == limits::kept_streams) {
      delete &gone;
    } else {
      std::destroy_at(&gone);
      free_.push_back(std::construct_at(&gone));
    }
  }

  /// The call must not change the table.
  template <class Call>
  void for_each(Call&& call) {
    for (Stream* const one : slots_)
      if (one != nullptr) call(*one);
  }

 private:
  std::size_t slot_of(std::uint32_t id) const noexcept { return (id * multiplier_) >> shift_; }
  Stream* find_slot(std::uint32_t id) const noexcept {
    if (slots_.empty()) return nullptr;
    for (std::size_t i = slot_of(id);; i = (i + 1) & (slots_.size() - 1)) {
      Stream* const one = slots_[i];
      if (one == nullptr) return nullptr;
      if (one->id == id) return last_ = one;
    }
  }
  void place(Stream& one) noexcept {
    std::size_t i = slot_of(one.id);
    while (slots_[i] != nullptr) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = &one;
  }
  void grow() {
    std::vector<Stream*> larger(slots_.empty() ? 16 : 2 * slots_.size());
    free_.reserve(limits::kept_streams);
    slots_.swap(larger);
    shift_ = 32 - static_cast<unsigned>(std::countr_zero(slots_.size()));
    for (Stream* const one : larger)
      if (one != nullptr) place(*one);
  }
  void close_gap(Stream& gone) noexcept {
    std::size_t hole = slot_of(gone.id);
    while (slots_[hole] != &gone) hole = (hole + 1) & (slots_.size() - 1);
    // Those behind it that would not be found over the hole move up.
    for (std::size_t i = hole;;) {
      i = (i + 1) & (slots_.size() - 1);
      if (slots_[i] == nullptr) break;
      const std::size_t home = slot_of(slots_[i]->id);
      if (((i - home) & (slots_.size() - 1)) < ((i - hole) & (slots_.size() - 1))) continue;
      slots_[hole] = std::exchange(slots_[i], nullptr);
      hole = i;
    }
    slots_[hole] = nullptr;
  }

  std::vector<Stream*> slots_;  // A power of two of them, at most half in use.
  std::vector<Stream*> free_;
  mutable Stream* last_ = nullptr;
  std::size_t size_ = 0;
  std::uint32_t multiplier_;
  unsigned shift_ = 32;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
