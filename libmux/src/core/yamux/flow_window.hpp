// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "strata/mux/core/limits.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// What this side may still send on a stream (yamux spec, Flow Control).
class send_window {
 public:
  std::uint32_t credit() const noexcept { return credit_; }
  /// False when the window would pass 32 bits, which no honest peer's does; a sum that wraps would
  /// stop the stream for ever, or break a peer that checks it (CVE-2026-31814).
  bool add(std::uint32_t delta) noexcept {
    if (delta > std::numeric_limits<std::uint32_t>::max() - credit_) return false;
    credit_ += delta;
    return true;
  }
  /// `size` <= credit().
  void take(std::uint32_t size) noexcept { credit_ -= size; }

 private:
  std::uint32_t credit_ = limits::yamux::initial_window;
};

/// By how much the windows of a session together may still grow. At most half of what is left is
/// given at a time: the first stream to grow does not take everything from the others.
class window_growth {
 public:
  explicit window_growth(std::uint64_t most) noexcept : left_(most) {}
  bool reserve(std::uint64_t size) noexcept {
    if (size > left_ / 2) return false;
    left_ -= size;
    return true;
  }
  /// As much of `size` as there is for one, if that is `least` at least; else nothing.
  std::uint32_t reserve_some(std::uint32_t size, std::uint32_t least) noexcept {
    const auto given = static_cast<std::uint32_t>(std::min<std::uint64_t>(size, left_ / 2));
    if (given < least) return 0;
    left_ -= given;
    return given;
  }
  void release(std::uint64_t size) noexcept { left_ += size; }
  std::uint64_t left() const noexcept { return left_; }

 private:
  std::uint64_t left_;
};

/// What the peer may still send on a stream, and how that grows. At any time credit + unread +
/// unannounced bytes are the size of the window. Nothing is given back before it is read: else a
/// slow reader would be no back pressure.
class receive_window {
 public:
  std::uint32_t credit() const noexcept { return credit_; }
  std::uint32_t size() const noexcept { return size_; }
  /// Read and not yet given back to the peer.
  std::uint32_t unannounced() const noexcept { return unannounced_; }
  bool update_due() const noexcept {
    return unannounced_ >= std::min(size_ / 2, limits::yamux::window_step);
  }

  /// False when the peer sends more than it may.
  bool receive(std::uint32_t size) noexcept {
    if (size > credit_) return false;
    credit_ -= size;
    return true;
  }
  void consumed(std::uint32_t size) noexcept {
    unannounced_ += size;
    epoch_consumed_ += size;
  }
  void announced(std::uint32_t delta) noexcept {
    unannounced_ -= delta;
    credit_ += delta;
  }
  void grow(std::uint32_t extra) noexcept {
    size_ += extra;
    unannounced_ += extra;
  }
  /// Doubles the window when half of it was read in less than a round trip: then it is what holds
  /// the stream up, since a window of two round trips' worth takes longer. When the session has no
  /// such room left, half as much will do. `rtt` zero: not known.
  void tune(transport::time_point now, transport::duration rtt, std::uint32_t most,
            window_growth& growth) noexcept {
    if (epoch_consumed_ < size_ / 2) return;
    const bool fast = epoch_begun_ && rtt.count() != 0 && now - epoch_ < rtt;
    const std::uint32_t extra = size_ >= most ? 0 : std::min(size_, most - size_);
    if (fast && extra != 0) grow(growth.reserve_some(extra, std::min(extra, size_ / 2)));
    epoch_begun_ = true;
    epoch_ = now;
    epoch_consumed_ = 0;
  }
  /// What of the session's growth this stream has.
  std::uint32_t grown() const noexcept { return size_ - limits::yamux::initial_window; }

 private:
  std::uint32_t size_ = limits::yamux::initial_window;
  std::uint32_t credit_ = limits::yamux::initial_window;
  std::uint32_t unannounced_ = 0;
  std::uint32_t epoch_consumed_ = 0;
  bool epoch_begun_ = false;
  transport::time_point epoch_{};
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
