// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/recovery/rtt_estimator.hpp"
#include "strata/quic/core/config.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// What one ACK frame newly acknowledged, summed up: controllers are asked once per ACK frame, not
/// per packet.
struct acknowledged_batch {
  std::uint64_t bytes = 0;                  ///< Of packets in flight.
  std::uint64_t bytes_out_of_recovery = 0;  ///< Of those, sent after recovery_start().
  transport::time_point newest_sent{};      ///< When the newest of them was sent.
  // Rounds are counted by these two. They only compare: the space is in the topmost bits, so that
  // they never go back.
  std::uint64_t largest_packet_number = 0;
  std::uint64_t next_packet_number = 0;  ///< The number the next packet will get.
  std::uint64_t bytes_in_flight_before = 0;
  bool application_limited = false;  ///< It must not grow (RFC 9002 section 7.8).
  bool rtt_sampled = false;          ///< rtt_estimator::latest() comes from this ACK.
};

struct congestion_event {
  transport::time_point newest_lost_sent{};  ///< One reduction per round trip is decided by it.
  std::uint64_t lost_bytes = 0;
  bool persistent = false;  ///< Persistent congestion (RFC 9002 section 7.6).
  bool ecn = false;         ///< CE marks instead of loss.
};

/// Decides how many bytes may be in flight (RFC 9002 section 7). bytes_in_flight itself is counted
/// by the loss detector.
class congestion_controller {
 public:
  virtual ~congestion_controller() = default;
  /// A packet leaves after nothing was in flight: time since the last acknowledgement was idle.
  virtual void on_sent(transport::time_point now, std::uint64_t bytes_in_flight) = 0;
  virtual void on_acknowledged(transport::time_point now, const acknowledged_batch&,
                               const rtt_estimator&) = 0;
  virtual void on_congestion(transport::time_point now, const congestion_event&) = 0;
  /// The datagram size of the path changed: windows are multiples of it.
  virtual void on_datagram_size(std::uint64_t max_datagram_size) = 0;
  virtual std::uint64_t window() const noexcept = 0;  ///< Bytes; at least two datagrams.
  virtual std::uint64_t slow_start_threshold() const noexcept = 0;
  /// Packets sent up to this time belong to the recovery period; time_point::min() outside of one.
  virtual transport::time_point recovery_start() const noexcept = 0;
  virtual bool in_slow_start() const noexcept { return window() < slow_start_threshold(); }
  virtual std::string_view name() const noexcept = 0;
};

std::unique_ptr<congestion_controller> make_congestion_controller(congestion_algorithm,
                                                                  std::uint64_t max_datagram_size);

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
