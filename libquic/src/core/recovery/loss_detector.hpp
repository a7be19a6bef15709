// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/recovery/ack_tracker.hpp"
#include "core/recovery/congestion_controller.hpp"
#include "core/recovery/persistent_congestion.hpp"
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
  std::uint32_t size = 0;  ///< Bytes of the packet in its datagram, padding included.
  bool ack_eliciting = false;
  bool in_flight = false;   ///< Counts against the window: ack-eliciting, or holds PADDING.
  bool ecn_marked = false;  ///< Its datagram leaves with ECT(0).
  bool mtu_probe = false;   ///< Its loss is no sign of congestion (RFC 9000 section 14.4).
};

/// The content of an ACK frame.
struct ack_received {
  packet_number_space space = packet_number_space::initial;
  std::span<const ack_range> ranges;  ///< Newest first, as decoded; not empty.
  transport::duration ack_delay{};    ///< Decoded with the peer's exponent; not yet limited.
};

/// What the owner must do when the loss detection timer has fired.
struct probe_request {
  packet_number_space space = packet_number_space::initial;
  unsigned packets = 0;  ///< Ack-eliciting packets to send regardless of the window; zero: none.
};

/// What the last call settled, in numbers.
struct settled_packets {
  std::uint64_t acknowledged = 0;
  std::uint64_t acknowledged_ecn_marked = 0;
  std::uint64_t lost = 0;
  std::uint64_t lost_ecn_marked = 0;
  bool largest_increased = false;  ///< The ACK went beyond all before it.
  /// When the newest packet acknowledged was sent; on_ecn_congestion() wants it.
  transport::time_point newest_acknowledged_sent{};
};

/// Loss detection and the congestion state of one path, by the pseudo-code of RFC 9002 appendices A
/// and B, over three packet number spaces.
class loss_detector {
 public:
  struct config {
    role side = role::client;
    transport::duration initial_rtt = std::chrono::milliseconds(333);
    std::uint64_t max_datagram_size = 1200;
    congestion_algorithm algorithm = congestion_algorithm::cubic;
  };
  explicit loss_detector(const config&);

  /// Numbers of a space only rise; one left out counts as never sent.
  void on_packet_sent(transport::time_point now, const packet_sent&,
                      std::span<const sent_frame> frames);
  /// PROTOCOL_VIOLATION when it acknowledges a number that was never sent (RFC 9000 section 13.1;
  /// optimistic ACK attacks). Afterwards acked_frames() and lost_frames() hold what this ACK
  /// settled.
  std::expected<void, protocol_failure> on_ack_received(transport::time_point now,
                                                        const ack_received&);
  /// The loss detection timer: lost_frames() holds what it declared lost; the answer says what to
  /// probe. Nothing happens before next_timeout().
  probe_request on_timeout(transport::time_point now);
  std::optional<transport::time_point> next_timeout() const noexcept;

  /// Valid until the next call that is not const. All are of the space of that call.
  std::span<const sent_frame> acked_frames() const noexcept { return acked_frames_; }
  std::span<const sent_frame> lost_frames() const noexcept { return lost_frames_; }
  packet_number_space lost_space() const noexcept { return lost_space_; }
  std::uint64_t packets_lost_by_last_call() const noexcept { return settled_.lost; }
  /// Their numbers, in lost_space().
  std::span<const std::uint64_t> lost_packet_numbers() const noexcept { return lost_numbers_; }
  const settled_packets& settled() const noexcept { return settled_; }

  /// The keys of a space are gone: its packets leave bytes in flight, and nobody waits for them
  /// (RFC 9002 section 6.4).
  void discard_space(transport::time_point now, packet_number_space);
  /// Packets that a Retry made void: frames of all unacknowledged packets become lost_frames() of
  /// the space, without being a sign of congestion. With 0-RTT packets out, call it again for their
  /// space.
  void on_retry(transport::time_point now,
                packet_number_space space = packet_number_space::initial);
  /// The same for the 0-RTT packets when the server has rejected them (RFC 9002 section 6.4).
  void on_early_data_rejected(transport::time_point now);
  /// The connection moved to another path: its window and round trip begin anew, and what is in
  /// flight on the old one no longer counts (RFC 9000 section 9.4).
  void on_path_changed(transport::time_point now, const config&);
  /// Facts about the handshake and the peer that the timer depends on (RFC 9002 section 6.2.2).
  void on_handshake_keys(transport::time_point now);  ///< This side has Handshake keys.
  void on_handshake_confirmed(transport::time_point now);
  void on_peer_completed_address_validation(transport::time_point now);
  void set_peer_max_ack_delay(transport::duration);
  /// A server at its anti-amplification limit must not arm the timer (RFC 9002 section 6.2.2.1).
  /// When it is lifted the timer may be due at once.
  void set_amplification_limited(transport::time_point now, bool limited);
  /// Nothing else is to be sent: the window was not the limit (RFC 9002 section 7.8).
  void set_application_limited(bool limited) noexcept { application_limited_ = limited; }
  void set_max_datagram_size(std::uint64_t);
  void on_ecn_congestion(transport::time_point now, transport::time_point sent_time);
  /// Long idle: gives back what only a transfer needs.
  void release_memory() noexcept;

  std::uint64_t bytes_in_flight() const noexcept { return bytes_in_flight_; }
  std::uint64_t congestion_window() const noexcept { return controller_->window(); }
  /// Bytes the window leaves; zero when it is full.
  std::uint64_t available_window() const noexcept;
  bool in_slow_start() const noexcept { return controller_->in_slow_start(); }
  std::uint64_t max_datagram_size() const noexcept { return max_datagram_size_; }
  const rtt_estimator& rtt() const noexcept { return rtt_; }
  unsigned probe_timeout_count() const noexcept { return probe_timeout_count_; }
  /// The probe timeout of a space as it stands, without backoff (RFC 9002 section 6.2.1): closing,
  /// draining and key discard are timed by it.
  transport::duration probe_timeout(packet_number_space) const noexcept;
  std::optional<std::uint64_t> largest_acknowledged(packet_number_space) const noexcept;
  bool ack_eliciting_in_flight(packet_number_space) const noexcept;
  std::uint64_t packets_lost() const noexcept { return packets_lost_; }  ///< In total.
  /// Of those, how many were acknowledged later after all, as far as that was noticed.
  std::uint64_t packets_spuriously_lost() const noexcept { return packets_spuriously_lost_; }
  std::string_view algorithm_name() const noexcept { return controller_->name(); }
  std::uint64_t slow_start_threshold() const noexcept {
    return controller_->slow_start_threshold();
  }

 private:
  struct space_state {
    sent_packets packets;
    std::optional<std::uint64_t> largest_acknowledged;
    std::optional<transport::time_point> loss_time;
    transport::time_point last_ack_eliciting{};
    transport::time_point probe_fired_at = transport::time_point::min();
    transport::time_point newest_acknowledged_sent = transport::time_point::min();
    std::uint64_t ack_eliciting_in_flight = 0;
    bool discarded = false;
  };
  struct deadline {
    transport::time_point time;
    packet_number_space space = packet_number_space::initial;
    bool probe_for_nothing = false;  // The anti-deadlock probe of a client.
  };
  struct lost_batch {
    std::uint64_t bytes = 0;
    transport::time_point newest_sent{};
    bool congestion = false;
  };

  space_state& at(packet_number_space s) { return spaces_[static_cast<std::size_t>(s)]; }
  const space_state& at(packet_number_space s) const {
    return spaces_[static_cast<std::size_t>(s)];
  }
  void begin_call(packet_number_space) noexcept;
  bool acknowledge(std::span<const ack_range>, space_state&, acknowledged_batch&);
  bool acknowledge_range(const ack_range&, space_state&, acknowledged_batch&);
  bool sample_rtt(transport::time_point now, const ack_received&, const sent_packets::record&);
  void report_acknowledged(transport::time_point now, packet_number_space, acknowledged_batch&);
  lost_batch detect_lost(transport::time_point now, packet_number_space);
  lost_batch drop_oldest(packet_number_space);
  void declare_lost(std::uint64_t number, packet_number_space, lost_batch&);
  void report_lost(transport::time_point now, const lost_batch&);
  void leave_flight(const sent_packets::record&, space_state&) noexcept;
  void void_packets(transport::time_point now, packet_number_space);
  transport::time_point newest_acknowledged_elsewhere(packet_number_space) const noexcept;

  std::optional<deadline> earliest_loss() const noexcept;
  std::optional<deadline> earliest_probe() const noexcept;
  std::optional<packet_number_space> overfull_space() const noexcept;

  std::array<space_state, packet_number_space_count> spaces_;
  rtt_estimator rtt_;
  std::unique_ptr<congestion_controller> controller_;
  persistent_congestion persistent_;
  std::uint64_t bytes_in_flight_ = 0;
  std::uint64_t max_datagram_size_;
  std::uint64_t packets_lost_ = 0;
  std::uint64_t packets_spuriously_lost_ = 0;
  transport::duration peer_max_ack_delay_{};
  std::optional<transport::time_point> first_rtt_sample_;
  transport::time_point timer_set_at_ = transport::time_point::min();  // "now" of what last set it.
  transport::time_point recovery_start_{};  // While an ACK is gone through.
  // When the last probe timer fired, until an ack-eliciting packet is sent.
  transport::time_point probe_fired_at_ = transport::time_point::min();
  unsigned probe_timeout_count_ = 0;
  bool client_;
  bool handshake_keys_ = false;
  bool handshake_confirmed_ = false;
  bool peer_completed_address_validation_;
  bool amplification_limited_ = false;
  bool application_limited_ = false;

  std::vector<sent_frame> acked_frames_;
  std::vector<sent_frame> lost_frames_;
  std::vector<std::uint64_t> lost_numbers_;
  packet_number_space lost_space_ = packet_number_space::initial;
  settled_packets settled_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
