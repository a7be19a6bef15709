// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "strata/mux/core/limits.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// Which stream IDs the peer has used, as far back as limits::yamux::remembered_ids. IDs may come
/// out of order: Go peers open from several threads, and rust-yamux takes an ID when the stream is
/// made but names it with the first frame, which may be much later. So an ID below those that are
/// remembered passes as new.
class recent_ids {
 public:
  /// False when it was used before.
  bool use(std::uint32_t id) noexcept {
    const std::uint32_t number = id / 2;
    if (any_ && number + count <= newest_) return true;
    if (!any_ || number > newest_) forget_up_to(number);
    std::uint64_t& word = words_[number % count / 64];
    const std::uint64_t bit = std::uint64_t{1} << (number % 64);
    if ((word & bit) != 0) return false;
    word |= bit;
    return true;
  }
  /// Nothing so high has been used.
  bool is_beyond(std::uint32_t id) const noexcept { return !any_ || id / 2 > newest_; }

 private:
  static constexpr std::uint32_t count = limits::yamux::remembered_ids;

  void forget_up_to(std::uint32_t number) noexcept {
    if (!any_ || number - newest_ >= count) {
      words_.fill(0);
    } else {
      for (std::uint32_t gone = newest_ + 1; gone <= number; ++gone)
        words_[gone % count / 64] &= ~(std::uint64_t{1} << (gone % 64));
    }
    newest_ = number;
    any_ = true;
  }

  std::array<std::uint64_t, count / 64> words_{};
  std::uint32_t newest_ = 0;
  bool any_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
