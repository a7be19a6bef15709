// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/recovery/ack_tracker.hpp"
#include "core/recovery/congestion_controller.hpp"
#include "core/recovery/rtt_estimator.hpp"
#include "core/recovery/sent_frame.hpp"
#include "core/recovery/sent_packets.hpp"
#include "strata/quic/core/encryption_level.hpp"
#include "strata/quic/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// A packet that has just been sealed.
struct packet_sent {
  packet_number_space space = packet_number_space::initial;
  std::uint64_t number = 0;
  std::uint32_t size = 0;           ///< Bytes of the packet in its datagram, padding included.
  bool ack_eliciting = false;
  bool in_flight = false;           ///< Counts against the congestion window: ack-eliciting, or holds PADDING.
};

/// The content of an ACK frame.
struct ack_received {
  packet_number_space space = packet_number_space::initial;
  std::span<const ack_range> ranges;            ///< Newest first, as decoded; not empty.
  transport::duration ack_delay{};              ///< Decoded with the peer's exponent; not yet limited.
};

/// What the owner must do when the loss detection timer has fired.
struct probe_request {
  packet_number_space space = packet_number_space::initial;
  unsigned packets = 0;  ///< Ack-eliciting packets to send regardless of the congestion window; zero: none.
};

/// Loss detection and the congestion state of one path, by the pseudo-code of RFC 9002 appendices A and B, over three packet
/// number spaces.
class loss_detector {
 public:
  struct config {
    role side = role::client;
    transport::duration initial_rtt = std::chrono::milliseconds(333);
    std::uint64_t max_datagram_size = 1200;
    congestion_algorithm algorithm = congestion_algorithm::cubic;
  };
  explicit loss_detector(const config&);

  void on_packet_sent(transport::time_point now, const packet_sent&, std::span<const sent_frame> frames);
  /// PROTOCOL_VIOLATION when it acknowledges a number that was never sent (RFC 9000 section 13.1; optimistic ACK attacks).
  /// Afterwards acked_frames() and lost_frames() hold what this ACK settled.
  std::expected<void, protocol_failure> on_ack_received(transport::time_point now, const ack_received&);
  /// The loss detection timer: lost_frames() holds what it declared lost; the answer says what to probe.
  probe_request on_timeout(transport::time_point now);
  std::optional<transport::time_point> next_timeout() const noexcept;

  /// Valid until the next call that is not const. All are of the space of that call.
  std::span<const sent_frame> acked_frames() const noexcept;
  std::span<const sent_frame> lost_frames() const noexcept;
  packet_number_space lost_space() const noexcept;
  std::uint64_t packets_lost_by_last_call() const noexcept;

  /// The keys of a space are gone: its packets leave bytes in flight, and nobody waits for them (RFC 9002 section 6.4).
  void discard_space(transport::time_point now, packet_number_space);
  /// Packets that a Retry made void: frames of all unacknowledged packets become lost_frames() of the space, without being a
  /// sign of congestion.
  void on_retry(transport::time_point now);
  /// Facts about the handshake and the peer that the timer depends on (RFC 9002 section 6.2.2).
  void on_handshake_keys(transport::time_point now);       ///< This side has Handshake keys.
  void on_handshake_confirmed(transport::time_point now);
  void on_peer_completed_address_validation(transport::time_point now);
  void set_peer_max_ack_delay(transport::duration);
  /// A server at its anti-amplification limit must not arm the timer (RFC 9002 section 6.2.2.1).
  void set_amplification_limited(transport::time_point now, bool limited);
  /// Nothing else is to be sent: the window was not the limit (RFC 9002 section 7.8).
  void set_application_limited(bool limited) noexcept;
  void on_ecn_congestion(transport::time_point now, transport::time_point sent_time);

  std::uint64_t bytes_in_flight() const noexcept;
  std::uint64_t congestion_window() const noexcept;
  /// Bytes the window leaves; zero when it is full.
  std::uint64_t available_window() const noexcept;
  bool in_slow_start() const noexcept;
  std::uint64_t max_datagram_size() const noexcept;
  const rtt_estimator& rtt() const noexcept;
  unsigned probe_timeout_count() const noexcept;
  /// The probe timeout of a space as it stands, without backoff (RFC 9002 section 6.2.1): closing, draining and key
  /// discard are timed by it.
  transport::duration probe_timeout(packet_number_space) const noexcept;
  std::optional<std::uint64_t> largest_acknowledged(packet_number_space) const noexcept;
  bool ack_eliciting_in_flight(packet_number_space) const noexcept;
  std::uint64_t packets_lost() const noexcept;              ///< In total.
  std::string_view algorithm_name() const noexcept;
  std::uint64_t slow_start_threshold() const noexcept;

 private:
  // The author of loss_detector.cpp chooses the members.
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
