// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Where the streams of one type are, by their number (stream id / 4), which is counted up from
/// zero. The numbers in use are a window over all that were ever opened, so finding one is an array
/// access. A stream that outlives many that were opened after it is moved out of the window into a
/// short sorted list: memory follows the number of streams that are not closed, not how many there
/// were since the oldest of them.
class stream_index {
 public:
  static constexpr std::uint32_t closed = UINT32_MAX;
  static constexpr std::uint32_t idle =
      UINT32_MAX - 1;  ///< Opened, but nothing is kept for it yet.

  /// Numbers below have been opened.
  std::uint64_t opened() const noexcept { return opened_; }
  /// Opens all numbers below `count`: they are idle.
  void open_to(std::uint64_t count);
  /// The place, `idle` or `closed` of a number below opened().
  std::uint32_t find(std::uint64_t number) const noexcept;
  /// Of a number that is not closed.
  void place(std::uint64_t number, std::uint32_t slot) noexcept;
  void close(std::uint64_t number);
  /// Bytes on the heap.
  std::size_t memory() const noexcept;
  /// Gives back memory that is not in use.
  void shrink();

 private:
  struct straggler {
    std::uint64_t number;
    std::uint32_t slot;
  };
  static constexpr std::uint64_t small_window = 64;

  std::uint64_t span() const noexcept { return opened_ - base_; }
  std::uint32_t& entry(std::uint64_t number) noexcept {
    return window_[number & (window_.size() - 1)];
  }
  std::uint32_t entry(std::uint64_t number) const noexcept {
    return window_[number & (window_.size() - 1)];
  }
  straggler* find_straggler(std::uint64_t number) noexcept;
  void advance_window();
  void resize_window(std::uint64_t needed);

  std::vector<std::uint32_t>
      window_;  ///< Of numbers base_ .. opened_ - 1; its size is a power of two, or zero.
  std::vector<straggler> stragglers_;  ///< Below base_, by number; closed ones are swept out later.
  std::uint64_t base_ = 0;
  std::uint64_t opened_ = 0;
  std::uint32_t live_ = 0;   ///< Not closed, in the window.
  std::uint32_t swept_ = 0;  ///< Stragglers that are closed.
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
