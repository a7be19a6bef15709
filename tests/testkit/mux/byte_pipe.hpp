// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::testkit {

/// One direction of a byte stream as TCP gives it: so many bytes are taken, and come out later, in
/// order, in any pieces.
class byte_pipe {
 public:
  using time_point = transport::time_point;

  std::size_t capacity = 64 * 1024;
  transport::duration delay{};
  double bytes_per_second = 0;  ///< Zero: no time passes between the first byte and the last.
  bool stalled = false;         ///< Nothing comes out.
  bool ended = false;           ///< Nothing will come in any more.

  /// How many bytes from the front of `pieces` it takes.
  std::size_t take(time_point now, std::span<const transport::bytes> pieces, std::size_t most);
  /// Up to `most` bytes that have arrived.
  std::vector<std::byte> give(time_point now, std::size_t most);
  bool has_arrived(time_point now) const {
    return !stalled && !chunks_.empty() && chunks_.front().arrives <= now;
  }
  bool empty() const { return chunks_.empty(); }
  /// When the next bytes come out; only when not empty().
  time_point next_arrival() const { return chunks_.front().arrives; }
  void clear() {
    chunks_.clear();
    held_ = 0;
  }

 private:
  struct chunk {
    time_point arrives;
    std::vector<std::byte> content;
  };

  time_point line_free_{};  ///< When the last byte that was taken has left.
  std::deque<chunk> chunks_;
  std::size_t held_ = 0;
};

}  // namespace strata::testkit
