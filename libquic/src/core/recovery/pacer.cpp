// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/pacer.hpp"

#include <algorithm>

#include "core/recovery/recovery_constants.hpp"
#include "core/recovery/saturating_time.hpp"
#include "strata/quic/core/limits.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

namespace {

__extension__ using wide = unsigned __int128;

// What may go within this time goes at once: a timer costs more than such a delay is worth.
constexpr transport::duration slack = std::chrono::microseconds(250);
// A wake-up should be worth this much sending time, and an idle sender may save up twice that. One
// batch of 64 KiB is a millisecond at 524 Mbit/s; above that whole batches leave as fast as the
// rate asks for them.
constexpr std::int64_t quantum_ns = 1'000'000;
constexpr std::int64_t burst_ns = 2'000'000;
constexpr std::uint64_t largest_burst = limits::max_batch_bytes;
// 10 Gbit/s. A batch then lasts 52 us, less than a timer can be trusted with.
constexpr std::uint64_t unpaced_bytes_per_us = 1250;

/// Bytes per time as a fraction, so that neither a slow path nor a fast one is rounded.
struct rate {
  std::uint64_t bytes;
  std::uint64_t nanoseconds;

  explicit rate(const pacer::rate_source& source) noexcept
      : bytes(std::clamp<std::uint64_t>(source.window, 1, largest_window) *
              (source.slow_start ? 8 : 5)),
        nanoseconds(4 * static_cast<std::uint64_t>(std::clamp<std::int64_t>(
                            source.smoothed_rtt.count(), 0, std::int64_t{1} << 60))) {}

  bool unpaced() const noexcept {
    return wide{bytes} * 1000 >= wide{nanoseconds} * unpaced_bytes_per_us;
  }
  std::uint64_t bytes_in(transport::duration time) const noexcept {
    const wide product = wide{bytes} * static_cast<std::uint64_t>(time.count()) / nanoseconds;
    return static_cast<std::uint64_t>(std::min<wide>(product, largest_window));
  }
  /// Rounded up: after it the bytes are there.
  transport::duration time_for(std::uint64_t count) const noexcept {
    const wide time = (wide{count} * nanoseconds + bytes - 1) / bytes;
    return transport::duration(
        static_cast<std::int64_t>(std::min<wide>(time, std::int64_t{1} << 62)));
  }
};

/// What idle time saves up: 2 ms of the rate, but ten datagrams (the burst that RFC 9002
/// section 7.7 allows anyway) on slow paths, one batch on fast ones, and two datagrams where ten
/// exceed a batch.
std::int64_t burst(const rate& r, std::uint64_t datagram) noexcept {
  const std::uint64_t least =
      std::max(std::min(initial_window_datagrams * datagram, largest_burst), 2 * datagram);
  const std::uint64_t bytes = std::min(r.bytes_in(transport::duration(burst_ns)), largest_burst);
  return static_cast<std::int64_t>(std::max(least, bytes));
}

/// What is worth waking up for: 1 ms of the rate. Single datagrams would cost a system call each,
/// so never less than two.
std::int64_t quantum(const rate& r, std::uint64_t datagram) noexcept {
  const std::uint64_t bytes = std::min(r.bytes_in(transport::duration(quantum_ns)), largest_burst);
  return static_cast<std::int64_t>(std::max(2 * datagram, bytes));
}

std::uint64_t datagram_of(const pacer::rate_source& source) noexcept {
  return std::clamp<std::uint64_t>(source.max_datagram_size, 1, largest_burst);
}

}  // namespace

std::uint64_t pacer::allowance(transport::time_point now, const rate_source& source) noexcept {
  const rate r(source);
  const std::uint64_t datagram = datagram_of(source);
  if (r.unpaced()) {
    started_ = false;
    return unlimited;
  }
  const std::int64_t full = burst(r, datagram);
  if (!started_) {
    started_ = true;
    credit_ = full;
    filled_at_ = now;
  }
  const std::uint64_t added = r.bytes_in(elapsed(filled_at_, now));
  if (now < filled_at_) filled_at_ = now;
  credit_ += static_cast<std::int64_t>(added);
  if (credit_ >= full) {
    credit_ = full;
    filled_at_ = now;
  } else if (added != 0) {
    // Only the time of whole bytes is used up, so that asking often loses nothing.
    filled_at_ = std::min(now, saturating_add(filled_at_, r.time_for(added)));
  }
  const std::int64_t allowed = credit_ + static_cast<std::int64_t>(r.bytes_in(slack));
  if (allowed < quantum(r, datagram)) return 0;
  return static_cast<std::uint64_t>(std::min(allowed, full));
}

void pacer::on_sent(transport::time_point, std::uint64_t bytes) noexcept {
  if (!started_) return;
  // The debt ends at one batch: what had to leave at once must not silence the sender for long.
  constexpr auto deepest = static_cast<std::int64_t>(largest_burst);
  credit_ =
      std::max(credit_ - static_cast<std::int64_t>(std::min(bytes, 2 * largest_burst)), -deepest);
}

transport::time_point pacer::next_send_time(transport::time_point now,
                                            const rate_source& source) const noexcept {
  const rate r(source);
  if (r.unpaced() || !started_) return now;
  const std::int64_t wanted =
      quantum(r, datagram_of(source)) - static_cast<std::int64_t>(r.bytes_in(slack)) - credit_;
  if (wanted <= 0) return now;
  const transport::duration wait = r.time_for(static_cast<std::uint64_t>(wanted));
  return std::max(now, saturating_add(std::min(filled_at_, now), wait));
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
