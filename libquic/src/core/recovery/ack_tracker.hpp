// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "core/wire/ack_range.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/datagram.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Which packets of one packet number space have arrived, and when that must be acknowledged
/// (RFC 9000 section 13.2). Acknowledgements are decided once per received batch: the owner asks
/// ack_due() after it has fed the whole batch.
class ack_tracker {
 public:
  /// `max_ack_delay` is this side's; zero in the Initial and Handshake spaces, which are
  /// acknowledged at once.
  explicit ack_tracker(transport::duration max_ack_delay) : max_ack_delay_(max_ack_delay) {}

  /// True when the packet number was seen already, or is so old that it cannot be told: drop the
  /// packet (RFC 9000 section 12.3).
  bool is_duplicate(std::uint64_t packet_number) const noexcept {
    if (range_count_ != 0 && packet_number > ranges_[0].largest) return false;
    return is_known(packet_number);
  }
  /// A packet that was authentic and not a duplicate.
  void on_packet_received(transport::time_point now, std::uint64_t packet_number,
                          bool ack_eliciting, transport::ecn mark) noexcept;

  /// The largest packet number received; nothing before the first.
  std::optional<std::uint64_t> largest() const noexcept { return largest_; }
  /// Something must be acknowledged now.
  bool ack_due(transport::time_point now) const noexcept;
  /// Something ack-eliciting has not been acknowledged yet: worth adding to a packet that leaves
  /// anyway.
  bool ack_pending() const noexcept;
  /// When ack_due() turns true by itself; nothing when it is true already or nothing waits.
  std::optional<transport::time_point> next_timeout() const noexcept;

  /// Newest first; what an ACK frame says.
  std::span<const ack_range> ranges() const noexcept;
  const ecn_counts& counts() const noexcept;
  /// Time since the largest was received (RFC 9000 section 13.2.5).
  transport::duration ack_delay(transport::time_point now) const noexcept;
  /// An ACK frame with these ranges was put into a packet.
  void on_ack_sent() noexcept;
  /// The peer has acknowledged a packet whose ACK frame went up to `largest_acknowledged`: ranges
  /// up to it need not be repeated (RFC 9000 section 13.2.4). The largest number itself always
  /// stays.
  void on_ack_acknowledged(std::uint64_t largest_acknowledged) noexcept;

 private:
  /// Puts the number into the ranges and answers where it went; nothing when it was too old to be
  /// kept.
  std::optional<std::size_t> insert(std::uint64_t packet_number) noexcept;
  bool is_known(std::uint64_t packet_number) const noexcept;
  void drop_below(std::uint64_t packet_number) noexcept;
  void count(transport::ecn mark) noexcept;
  bool reveals_gap(std::uint64_t packet_number, std::size_t range) const noexcept;

  transport::duration max_ack_delay_;
  std::array<ack_range, limits::max_ack_ranges> ranges_;  // Newest first.
  std::size_t range_count_ = 0;
  std::uint64_t floor_ = 0;  // Below it nothing is known any more: everything is a duplicate.
  std::optional<std::uint64_t> largest_;
  std::optional<std::uint64_t> largest_ack_eliciting_;
  transport::time_point largest_received_at_{};
  ecn_counts counts_;
  transport::time_point deadline_{};
  std::uint32_t waiting_ = 0;  // Ack-eliciting packets not acknowledged yet; saturates.
  bool immediate_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
