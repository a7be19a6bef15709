// SPDX-License-Identifier: Apache-2.0
#include "core/connection/request_table.hpp"

#include "strata/h3/core/limits.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

request_stream* request_table::find(std::uint64_t id) noexcept {
  if (open_ == 0) return nullptr;
  for (std::size_t at = home_of(id); buckets_[at] != none; at = (at + 1) & (buckets_.size() - 1))
    if (slots_[buckets_[at]]->id == id) return slots_[buckets_[at]].get();
  return nullptr;
}

request_stream& request_table::insert(std::uint64_t id) {
  if (2 * (open_ + 1) > buckets_.size()) rebuild(buckets_.empty() ? 8 : 2 * buckets_.size());
  const std::uint32_t number = take_slot(id);
  std::size_t at = home_of(id);
  while (buckets_[at] != none) at = (at + 1) & (buckets_.size() - 1);
  buckets_[at] = number;
  ++open_;
  return *slots_[number];
}

std::uint32_t request_table::take_slot(std::uint64_t id) {
  if (free_.empty() && empty_.empty()) {
    empty_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
    used_.push_back(false);
    free_.reserve(slots_.size());  // so that erase() never allocates
    empty_.reserve(slots_.size());
  }
  std::vector<std::uint32_t>& source = free_.empty() ? empty_ : free_;
  const std::uint32_t number = source.back();
  source.pop_back();
  if (slots_[number] == nullptr) slots_[number] = std::make_unique<request_stream>();
  slots_[number]->clear(id);
  used_[number] = true;
  return number;
}

void request_table::erase(request_stream& stream) noexcept {
  const std::size_t mask = buckets_.size() - 1;
  std::size_t at = home_of(stream.id);
  while (slots_[buckets_[at]].get() != &stream) at = (at + 1) & mask;
  const std::uint32_t number = buckets_[at];
  // Close the gap: whoever sits after it and could sit nearer to home moves up, or a search would
  // stop short.
  for (std::size_t next = (at + 1) & mask; buckets_[next] != none; next = (next + 1) & mask) {
    const std::size_t home = home_of(slots_[buckets_[next]]->id);
    if (((next - home) & mask) < ((next - at) & mask)) continue;
    buckets_[at] = buckets_[next];
    at = next;
  }
  buckets_[at] = none;
  used_[number] = false;
  --open_;
  if (free_.size() < limits::max_pooled_requests) return free_.push_back(number);
  slots_[number].reset();
  empty_.push_back(number);
}

void request_table::rebuild(std::size_t size) {
  std::vector<std::uint32_t> old(size, none);
  old.swap(buckets_);
  for (const std::uint32_t number : old) {
    if (number == none) continue;
    std::size_t at = home_of(slots_[number]->id);
    while (buckets_[at] != none) at = (at + 1) & (buckets_.size() - 1);
    buckets_[at] = number;
  }
}

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
