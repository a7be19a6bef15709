// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <asio/buffer.hpp>
#include <cstddef>
#include <span>

#include "strata/transport/asio_version.hpp"

namespace strata::transport {
inline namespace v0 {

/// At most sixteen buffer descriptors as one value, so that a sequence of any type passes a virtual
/// function. Empty descriptors are left out, unless nothing else is there: then one stays, because
/// an empty list means something else to stream::do_read_some. What does not fit is left to the
/// next operation, as for any short read or write.
template <class Buffer>
class buffer_list {
 public:
  static constexpr std::size_t capacity = 16;

  buffer_list() = default;

  template <class Sequence>
  explicit buffer_list(const Sequence& sequence) {
    const auto end = asio::buffer_sequence_end(sequence);
    for (auto next = asio::buffer_sequence_begin(sequence); next != end && count_ < capacity;
         ++next) {
      const Buffer buffer(*next);
      if (buffer.size() == 0) continue;
      buffers_[count_++] = buffer;
      size_ += buffer.size();
    }
    if (count_ == 0) count_ = 1;
  }

  std::span<const Buffer> span() const noexcept { return {buffers_.data(), count_}; }
  operator std::span<const Buffer>() const noexcept { return span(); }
  /// Bytes in all descriptors together.
  std::size_t size() const noexcept { return size_; }

 private:
  std::array<Buffer, capacity> buffers_{};
  std::size_t count_ = 0;
  std::size_t size_ = 0;
};

}  // namespace v0
}  // namespace strata::transport
