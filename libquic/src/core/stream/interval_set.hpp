// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Stream offsets begin .. end - 1.
struct interval {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  bool empty() const noexcept { return begin >= end; }
  std::uint64_t size() const noexcept { return empty() ? 0 : end - begin; }
  friend bool operator==(const interval&, const interval&) = default;
};

/// Offsets as sorted intervals that neither overlap nor touch. Two live in place; more take memory
/// that clear() keeps as long as it is little. It bounds nothing itself: whoever lets a peer choose
/// the intervals looks at size().
class interval_set {
 public:
  interval_set() = default;
  interval_set(const interval_set&) = delete;
  interval_set& operator=(const interval_set&) = delete;

  bool empty() const noexcept { return size_ == 0; }
  /// How many intervals.
  std::size_t size() const noexcept { return size_; }
  std::span<const interval> intervals() const noexcept { return {items(), size_}; }
  const interval& front() const noexcept { return items()[0]; }
  const interval& back() const noexcept { return items()[size_ - 1]; }

  void insert(std::uint64_t begin, std::uint64_t end);
  void erase(std::uint64_t begin, std::uint64_t end);
  void pop_front() noexcept { remove(0, 1); }
  void clear() noexcept;

  /// All of begin .. end - 1 is in the set.
  bool contains(std::uint64_t begin, std::uint64_t end) const noexcept;
  /// The first part of begin .. end - 1 that is not in the set; empty when there is none.
  interval first_missing(std::uint64_t begin, std::uint64_t end) const noexcept;

 private:
  static constexpr std::uint32_t in_place = 2;
  static constexpr std::uint32_t kept_capacity = 32;

  interval* items() noexcept { return more_ ? more_.get() : few_.data(); }
  const interval* items() const noexcept { return more_ ? more_.get() : few_.data(); }
  /// Index of the first interval that ends after `offset`.
  std::uint32_t first_ending_after(std::uint64_t offset) const noexcept;
  void add(std::uint32_t index, interval added);
  void remove(std::uint32_t from, std::uint32_t to) noexcept;

  std::array<interval, in_place> few_{};
  std::unique_ptr<interval[]> more_;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = in_place;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
