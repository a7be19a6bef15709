// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/connection/request_stream.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

/// The open request streams by id: open addressing over recycled slots, so a request in steady
/// state allocates nothing. Pointers to a stream hold until it is erased.
class request_table {
 public:
  request_stream* find(std::uint64_t id) noexcept;
  /// `id` must not be there.
  request_stream& insert(std::uint64_t id);
  void erase(request_stream& stream) noexcept;

  std::size_t size() const noexcept { return open_; }
  /// The index-th slot, or null when it is free; there are slot_count().
  request_stream* slot(std::size_t index) noexcept {
    return slots_[index] && used_[index] ? slots_[index].get() : nullptr;
  }
  std::size_t slot_count() const noexcept { return slots_.size(); }

 private:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  std::size_t home_of(std::uint64_t id) const noexcept {
    return static_cast<std::size_t>((id >> 2) * 0x9e3779b97f4a7c15 >> 32) & (buckets_.size() - 1);
  }
  std::uint32_t take_slot(std::uint64_t id);
  void rebuild(std::size_t size);

  std::vector<std::unique_ptr<request_stream>> slots_;
  std::vector<bool> used_;
  std::vector<std::uint32_t> free_;   // slots not in use, the warmest last
  std::vector<std::uint32_t> empty_;  // numbers whose slot was given back
  std::vector<std::uint32_t>
      buckets_;  // slot numbers; the size is zero or a power of two, at most half of it used
  std::size_t open_ = 0;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
