// SPDX-License-Identifier: Apache-2.0
#include "core/yamux/stream_table.hpp"

#include <bit>
#include <memory>
#include <new>
#include <utility>

#include "strata/mux/core/limits.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

stream_table::~stream_table() {
  for (stream* const one : slots_) delete one;
  for (stream* const one : free_) delete one;
}

stream* stream_table::find_slot(std::uint32_t id) const noexcept {
  if (slots_.empty()) return nullptr;
  for (std::size_t i = slot_of(id);; i = (i + 1) & (slots_.size() - 1)) {
    stream* const one = slots_[i];
    if (one == nullptr) return nullptr;
    if (one->id == id) return last_ = one;
  }
}

void stream_table::place(stream& one) noexcept {
  std::size_t i = slot_of(one.id);
  while (slots_[i] != nullptr) i = (i + 1) & (slots_.size() - 1);
  slots_[i] = &one;
}

void stream_table::grow() {
  std::vector<stream*> larger(slots_.empty() ? 16 : 2 * slots_.size());
  free_.reserve(limits::yamux::kept_streams);
  slots_.swap(larger);
  shift_ = 32 - static_cast<unsigned>(std::countr_zero(slots_.size()));
  for (stream* const one : larger)
    if (one != nullptr) place(*one);
}

stream& stream_table::insert(std::uint32_t id) {
  if (2 * (size_ + 1) > slots_.size()) grow();
  stream* one = nullptr;
  if (free_.empty()) {
    one = new stream;
  } else {
    one = free_.back();
    free_.pop_back();
  }
  one->id = id;
  place(*one);
  ++size_;
  return *one;
}

void stream_table::erase(stream& gone) noexcept {
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
  if (last_ == &gone) last_ = nullptr;
  --size_;
  if (free_.size() == limits::yamux::kept_streams) {
    delete &gone;
  } else {
    std::destroy_at(&gone);
    free_.push_back(std::construct_at(&gone));
  }
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
