// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "strata/transport/core/clock.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// What the peer allows this side to send, on a stream or on the connection (RFC 9000 section 4.1).
/// Bytes count when they are sent for the first time.
class send_limit {
 public:
  explicit send_limit(std::uint64_t limit = 0) noexcept : limit_(limit) {}

  std::uint64_t limit() const noexcept { return limit_; }
  std::uint64_t used() const noexcept { return used_; }
  std::uint64_t available() const noexcept { return limit_ - used_; }
  /// False when that is no increase.
  bool raise(std::uint64_t limit) noexcept {
    //= RFC 9000 section 4.1
    //# A sender MUST ignore any MAX_STREAM_DATA or MAX_DATA frames that do not increase
    //# flow control limits.
    //= RFC 9000 section 13.3
    //# A receiver MUST accept packets containing an outdated frame, such as a MAX_DATA frame
    //# carrying a smaller maximum data value than one found in an older packet.
    if (limit <= limit_) return false;
    limit_ = limit;
    return true;
  }
  /// `bytes` <= available().
  void use(std::uint64_t bytes) noexcept { used_ += bytes; }

  /// There is more to send, but no credit, and the peer has not been told at this limit.
  bool blocked_due() const noexcept { return available() == 0 && told_ != limit_; }
  void blocked_sent() noexcept { told_ = limit_; }
  /// The frame that told the peer about `limit` is lost: it is repeated if this is still the limit.
  void blocked_lost(std::uint64_t limit) noexcept {
    if (told_ == limit) told_ = untold;
  }

 private:
  static constexpr std::uint64_t untold = UINT64_MAX;

  std::uint64_t limit_;
  std::uint64_t used_ = 0;
  std::uint64_t told_ = untold;  ///< The limit of the last blocked frame.
};

/// What this side allows the peer to send, on a stream or on the connection. A new limit is due
/// once half of the window has been consumed; when that took less than two round trips, the window
/// is what holds the peer back, and doubles. Sums stop at 2^62 - 1, so windows may be as large as
/// that.
class receive_window {
 public:
  receive_window() = default;
  /// `window` is announced already. It never grows past `maximum`, and never shrinks.
  receive_window(std::uint64_t window, std::uint64_t maximum) noexcept;

  /// What has been announced.
  std::uint64_t limit() const noexcept { return limit_; }
  std::uint64_t window() const noexcept { return window_; }
  std::uint64_t consumed() const noexcept { return consumed_; }
  /// The peer has begun to send: the first measurement starts here.
  void start(transport::time_point now) noexcept {
    if (epoch_ == not_started) epoch_ = now;
  }
  /// The application has taken, or nobody will ever take, so many more bytes. True when the window
  /// has doubled.
  bool consume(transport::time_point now, transport::duration smoothed_rtt,
               std::uint64_t bytes) noexcept;
  /// For the connection's window to keep ahead of a stream's.
  void grow_to(std::uint64_t window) noexcept;

  bool update_due() const noexcept { return due_; }
  std::uint64_t next_limit() const noexcept;
  /// next_limit() was announced.
  void announced() noexcept {
    limit_ = next_limit();
    due_ = false;
  }
  /// The frame that announced `limit` is lost; only the newest one matters.
  void announcement_lost(std::uint64_t limit) noexcept { due_ = due_ || limit == limit_; }

 private:
  static constexpr transport::time_point not_started = transport::time_point::min();

  std::uint64_t limit_ = 0;
  std::uint64_t consumed_ = 0;
  std::uint64_t window_ = 0;
  std::uint64_t maximum_ = 0;
  transport::time_point epoch_ = not_started;
  bool due_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
