// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "strata/quic/core/limits.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// The in-order stream bytes of one received batch that are still where the packets were decrypted:
/// one pool for all streams of a connection, each stream a chain in it, all gone with the batch. A
/// batch of tiny frames would make the pool larger than the batch, so it is bounded: what comes
/// when it is full is copied.
class lent_views {
 public:
  static constexpr std::uint32_t none = UINT32_MAX;

  struct view {
    std::uint64_t offset = 0;  ///< In the stream.
    const std::byte* from = nullptr;
    std::uint32_t size = 0;
    std::uint32_t next = none;

    std::uint64_t end() const noexcept { return offset + size; }
  };

  bool full() const noexcept { return views_.size() >= limits::max_lent_views; }
  /// Not when full(). `lent` comes out of a packet, so its size fits.
  std::uint32_t add(std::uint64_t offset, transport::bytes lent) {
    views_.push_back({offset, lent.data(), static_cast<std::uint32_t>(lent.size()), none});
    return static_cast<std::uint32_t>(views_.size() - 1);
  }
  view& operator[](std::uint32_t index) noexcept { return views_[index]; }
  const view& operator[](std::uint32_t index) const noexcept { return views_[index]; }
  void clear() noexcept { views_.clear(); }
  void shrink() { views_.shrink_to_fit(); }

 private:
  std::vector<view> views_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
