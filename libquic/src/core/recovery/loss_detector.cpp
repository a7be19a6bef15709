// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/loss_detector.hpp"

#include <algorithm>

#include "core/recovery/recovery_constants.hpp"
#include "core/recovery/saturating_time.hpp"
#include "strata/quic/core/limits.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

namespace {

constexpr std::uint64_t ack_frame_type = 0x02;

/// Packet numbers of several spaces in one order: rounds of a controller go on from the handshake
/// into the application space.
constexpr std::uint64_t ordinal(packet_number_space space, std::uint64_t number) noexcept {
  return static_cast<std::uint64_t>(space) << 62 | number;
}

}  // namespace

loss_detector::loss_detector(const config& c)
    : rtt_(c.initial_rtt),
      controller_(make_congestion_controller(c.algorithm, c.max_datagram_size)),
      max_datagram_size_(c.max_datagram_size),
      client_(c.side == role::client),
      peer_completed_address_validation_(c.side == role::server) {}

void loss_detector::begin_call(packet_number_space space) noexcept {
  acked_frames_.clear();
  lost_frames_.clear();
  lost_numbers_.clear();
  lost_space_ = space;
  settled_ = {};
}

void loss_detector::on_packet_sent(transport::time_point now, const packet_sent& sent,
                                   std::span<const sent_frame> frames) {
  space_state& s = at(sent.space);
  if (s.discarded) return;
  sent_packets::record record;
  record.sent_time = now;
  record.size = sent.size;
  record.ack_eliciting = sent.ack_eliciting;
  record.in_flight = sent.in_flight;
  record.ecn_marked = sent.ecn_marked;
  record.mtu_probe = sent.mtu_probe;
  s.packets.push(sent.number, record, frames);

  if (sent.in_flight) {
    if (bytes_in_flight_ == 0) controller_->on_sent(now, sent.size);
    //= RFC 9002 section 7.5
    //# A sender MUST however count these packets as being additionally in flight
    bytes_in_flight_ += sent.size;
    timer_set_at_ = now;
  }
  if (sent.ack_eliciting) {
    s.last_ack_eliciting = now;
    ++s.ack_eliciting_in_flight;
    s.probe_fired_at = probe_fired_at_ = transport::time_point::min();
  }
  // ACK-only packets need never be acknowledged. A peer that only sends would make this side
  // remember all of them.
  while (s.packets.size() > limits::max_tracked_ack_only) {
    sent_packets::record& oldest = s.packets.at(s.packets.first());
    if (oldest.in_flight || oldest.ack_eliciting) break;
    oldest.is = sent_packets::state::lost;
    s.packets.trim();
  }
}

void loss_detector::leave_flight(const sent_packets::record& packet, space_state& s) noexcept {
  if (packet.in_flight) bytes_in_flight_ -= packet.size;
  if (packet.ack_eliciting) --s.ack_eliciting_in_flight;
}

bool loss_detector::acknowledge_range(const ack_range& range, space_state& s,
                                      acknowledged_batch& batch) {
  // In local variables, which stay in registers: this loop is what an acknowledged packet costs.
  const transport::time_point recovery_start = recovery_start_;
  std::uint64_t acknowledged = 0;
  std::uint64_t marked = 0;
  std::uint64_t bytes = 0;
  std::uint64_t bytes_out_of_recovery = 0;
  std::uint64_t ack_eliciting = 0;
  transport::time_point newest_sent = batch.newest_sent;
  bool sent = true;
  const std::uint64_t last = std::min(range.largest, s.packets.next() - 1);
  for (std::uint64_t n = std::max(range.smallest, s.packets.first()); n <= last; ++n) {
    sent_packets::record& packet = s.packets.at(n);
    if (packet.is != sent_packets::state::outstanding) {
      if (packet.is != sent_packets::state::never_sent) continue;
      sent = false;
      break;
    }
    packet.is = sent_packets::state::acknowledged;
    if (packet.in_flight) {
      bytes += packet.size;
      if (packet.sent_time > recovery_start) bytes_out_of_recovery += packet.size;
    }
    newest_sent = std::max(newest_sent, packet.sent_time);
    ++acknowledged;
    ack_eliciting += packet.ack_eliciting;
    marked += packet.ecn_marked;
    persistent_.on_acknowledged(packet.sent_time);
    s.packets.append_frames(packet, acked_frames_);
  }
  bytes_in_flight_ -= bytes;
  s.ack_eliciting_in_flight -= ack_eliciting;
  settled_.acknowledged += acknowledged;
  settled_.acknowledged_ecn_marked += marked;
  batch.bytes += bytes;
  batch.bytes_out_of_recovery += bytes_out_of_recovery;
  batch.newest_sent = newest_sent;
  return sent;
}

bool loss_detector::acknowledge(std::span<const ack_range> ranges, space_state& s,
                                acknowledged_batch& batch) {
  recovery_start_ = controller_->recovery_start();
  // The ranges that reach into the window are the first ones. They are gone through from the
  // oldest, so that frames come in the order they were sent in.
  const auto end = std::partition_point(ranges.begin(), ranges.end(), [&](const ack_range& range) {
    return range.largest >= s.packets.first();
  });
  for (auto range = end; range != ranges.begin();) {
    if (!acknowledge_range(*--range, s, batch)) return false;
  }
  return true;
}

bool loss_detector::sample_rtt(transport::time_point now, const ack_received& ack,
                               const sent_packets::record& largest) {
  // A clock that was set back yields no sample.
  if (largest.earlier_path || now < largest.sent_time) return false;
  //= RFC 9002 section 5.3
  //# MUST use the lesser of the acknowledgment delay and the peer's max_ack_delay
  //# after the handshake is confirmed; and
  transport::duration ack_delay = std::max(ack.ack_delay, transport::duration::zero());
  if (handshake_confirmed_) ack_delay = std::min(ack_delay, peer_max_ack_delay_);
  // Initial packets are acknowledged at once: what their ACKs claim is not needed.
  if (ack.space == packet_number_space::initial) ack_delay = transport::duration::zero();
  rtt_.update(elapsed(largest.sent_time, now), ack_delay);
  if (!first_rtt_sample_) first_rtt_sample_ = now;
  return true;
}

std::expected<void, protocol_failure> loss_detector::on_ack_received(transport::time_point now,
                                                                     const ack_received& ack) {
  begin_call(ack.space);
  space_state& s = at(ack.space);
  if (s.discarded || ack.ranges.empty()) return {};
  const auto ranges =
      ack.ranges.first(std::min(ack.ranges.size(), limits::max_received_ack_ranges));
  const std::uint64_t largest = ranges.front().largest;
  //= RFC 9000 section 13.1
  //# An endpoint SHOULD treat receipt of an acknowledgment for a packet it did not
  //# send as a connection error of type PROTOCOL_VIOLATION, if it is able to detect
  //# the condition.
  const std::unexpected violation(
      protocol_failure{.code = transport_error::protocol_violation,
                       .frame_type = ack_frame_type,
                       .reason = "acknowledgment of a packet that was never sent"});
  if (largest >= s.packets.next() || s.packets.never_sent_in(ranges)) return violation;

  const bool largest_is_new =
      largest >= s.packets.first() && s.packets.at(largest).is == sent_packets::state::outstanding;
  const sent_packets::record newest =
      largest_is_new ? s.packets.at(largest) : sent_packets::record{};
  settled_.largest_increased = !s.largest_acknowledged || largest > *s.largest_acknowledged;
  if (settled_.largest_increased) s.largest_acknowledged = largest;

  packets_spuriously_lost_ += s.packets.take_spuriously_lost(ranges);
  acknowledged_batch batch;
  batch.newest_sent = transport::time_point::min();
  batch.bytes_in_flight_before = bytes_in_flight_;
  const std::uint64_t eliciting_before = s.ack_eliciting_in_flight;
  if (!acknowledge(ranges, s, batch)) {
    s.packets.trim();
    return violation;
  }
  if (settled_.acknowledged == 0) return {};
  settled_.newest_acknowledged_sent = batch.newest_sent;
  s.newest_acknowledged_sent = std::max(s.newest_acknowledged_sent, batch.newest_sent);

  //= RFC 9002 section 5.1
  //# An RTT sample MUST NOT be generated on receiving an ACK frame that does not
  //# newly acknowledge at least one ack-eliciting packet.
  batch.rtt_sampled = largest_is_new && s.ack_eliciting_in_flight != eliciting_before &&
                      sample_rtt(now, ack, newest);
  report_lost(now, detect_lost(now, ack.space));
  report_acknowledged(now, ack.space, batch);

  if (ack.space == packet_number_space::handshake) peer_completed_address_validation_ = true;
  //= RFC 9002 section 6.2.1
  //# That is, a client does not reset the PTO backoff factor on
  //# receiving acknowledgments in Initial packets.
  if (peer_completed_address_validation_) probe_timeout_count_ = 0;
  timer_set_at_ = now;
  return {};
}

void loss_detector::report_acknowledged(transport::time_point now, packet_number_space space,
                                        acknowledged_batch& batch) {
  if (batch.bytes == 0) return;
  // Appendix A.7 looks at losses before acknowledgements: they may have begun a recovery period, to
  // which all of these packets then belong, or ended it by persistent congestion.
  const transport::time_point recovery_start = controller_->recovery_start();
  if (batch.newest_sent <= recovery_start) batch.bytes_out_of_recovery = 0;
  if (recovery_start == transport::time_point::min()) batch.bytes_out_of_recovery = batch.bytes;
  const space_state& s = at(space);
  batch.largest_packet_number = ordinal(space, *s.largest_acknowledged);
  batch.next_packet_number = ordinal(space, s.packets.next());
  batch.application_limited =
      application_limited_ &&
      batch.bytes_in_flight_before + max_datagram_size_ <= controller_->window();
  controller_->on_acknowledged(now, batch, rtt_);
}

transport::time_point loss_detector::newest_acknowledged_elsewhere(
    packet_number_space space) const noexcept {
  transport::time_point newest = transport::time_point::min();
  for (const space_state& other : spaces_) {
    if (&other != &at(space)) newest = std::max(newest, other.newest_acknowledged_sent);
  }
  return newest;
}

void loss_detector::declare_lost(std::uint64_t number, packet_number_space space,
                                 lost_batch& batch) {
  space_state& s = at(space);
  sent_packets::record& packet = s.packets.at(number);
  packet.is = sent_packets::state::lost;
  leave_flight(packet, s);
  s.packets.append_frames(packet, lost_frames_);
  s.packets.remember_lost(number);
  lost_numbers_.push_back(number);
  ++settled_.lost;
  ++packets_lost_;
  settled_.lost_ecn_marked += packet.ecn_marked;
  if (!packet.in_flight || packet.mtu_probe) return;
  //= RFC 9002 section 7.4
  //# Endpoints MUST NOT ignore the loss of packets that were sent after the earliest acknowledged
  //# packet in a given packet number space.
  batch.congestion = true;
  batch.bytes += packet.size;
  batch.newest_sent = std::max(batch.newest_sent, packet.sent_time);
  //= RFC 9002 section 7.6.2
  //# These two packets MUST be ack-eliciting, since a receiver is required to
  //# acknowledge only ack-eliciting packets within its maximum acknowledgment delay;
  if (packet.ack_eliciting && first_rtt_sample_ && packet.sent_time > *first_rtt_sample_) {
    persistent_.on_lost(packet.sent_time, newest_acknowledged_elsewhere(space));
  }
}

loss_detector::lost_batch loss_detector::detect_lost(transport::time_point now,
                                                     packet_number_space space) {
  space_state& s = at(space);
  s.packets.trim();
  s.loss_time.reset();
  lost_batch batch{.newest_sent = transport::time_point::min()};
  if (!s.largest_acknowledged) return batch;
  const std::uint64_t largest = *s.largest_acknowledged;
  //= RFC 9002 section 6.1.2
  //# To avoid declaring packets as lost too early, this
  //# time threshold MUST be set to at least the local timer granularity, as
  //# indicated by the kGranularity constant.
  const transport::duration rtt = std::max(rtt_.latest(), rtt_.smoothed());
  const transport::duration delay = std::max(saturating_add(rtt, rtt / 8), granularity);
  const transport::time_point lost_if_sent_by = saturating_add(now, -delay);

  for (std::uint64_t n = s.packets.first(); n < s.packets.next() && n <= largest; ++n) {
    const sent_packets::record& packet = s.packets.at(n);
    if (packet.is == sent_packets::state::acknowledged) {
      persistent_.on_acknowledged(packet.sent_time);
    }
    if (packet.is != sent_packets::state::outstanding) continue;
    if (packet.sent_time <= lost_if_sent_by || largest - n >= packet_threshold) {
      declare_lost(n, space, batch);
      continue;
    }
    const transport::time_point when = saturating_add(packet.sent_time, delay);
    if (!s.loss_time || when < *s.loss_time) s.loss_time = when;
  }
  s.packets.trim();
  return batch;
}

loss_detector::lost_batch loss_detector::drop_oldest(packet_number_space space) {
  sent_packets& packets = at(space).packets;
  lost_batch batch{.newest_sent = transport::time_point::min()};
  while (packets.size() > limits::max_tracked_packets) {
    declare_lost(packets.first(), space, batch);
    packets.trim();
  }
  return batch;
}

void loss_detector::report_lost(transport::time_point now, const lost_batch& lost) {
  //= RFC 9000 section 13.3
  //# Upon detecting losses, a sender MUST take appropriate congestion control action.
  if (!lost.congestion) return;
  const transport::duration duration =
      saturating_multiply(saturating_add(rtt_.probe_timeout_base(), peer_max_ack_delay_),
                          persistent_congestion_threshold);
  const bool persistent = persistent_.length() > duration;
  controller_->on_congestion(
      now,
      {.newest_lost_sent = lost.newest_sent, .lost_bytes = lost.bytes, .persistent = persistent});
  if (!persistent) return;
  //= RFC 9002 section 5.2
  //# Endpoints SHOULD set the min_rtt to the newest RTT sample after persistent
  //# congestion is established.
  rtt_.forget_minimum();
  persistent_.reset();
}

std::optional<loss_detector::deadline> loss_detector::earliest_loss() const noexcept {
  std::optional<deadline> earliest;
  for (std::size_t i = 0; i != spaces_.size(); ++i) {
    const auto& time = spaces_[i].loss_time;
    if (time && (!earliest || *time < earliest->time)) {
      earliest = deadline{.time = *time, .space = static_cast<packet_number_space>(i)};
    }
  }
  return earliest;
}

std::optional<loss_detector::deadline> loss_detector::earliest_probe() const noexcept {
  //= RFC 9002 section 6.2.2.1
  //# If no additional data can be
  //# sent, the server's PTO timer MUST NOT be armed until datagrams have been
  //# received from the client because packets sent on PTO count against the
  //# anti-amplification limit.
  if (amplification_limited_) return std::nullopt;
  const std::int64_t backoff = std::int64_t{1} << std::min(probe_timeout_count_, 62u);
  // A probe that could not be sent must not make the timer fire again and again in the past.
  const transport::time_point not_before = probe_fired_at_ == transport::time_point::min()
                                               ? probe_fired_at_
                                               : saturating_add(probe_fired_at_, granularity);
  std::optional<deadline> earliest;
  for (std::size_t i = 0; i != spaces_.size(); ++i) {
    const auto space = static_cast<packet_number_space>(i);
    const space_state& s = spaces_[i];
    if (s.ack_eliciting_in_flight == 0) continue;
    //= RFC 9002 section 6.2.1
    //# An endpoint MUST NOT set its PTO timer for the Application Data packet number
    //# space until the handshake is confirmed.
    if (space == packet_number_space::application && !handshake_confirmed_) continue;
    const transport::time_point from = std::max(s.last_ack_eliciting, s.probe_fired_at);
    const transport::time_point time = std::max(
        saturating_add(from, saturating_multiply(probe_timeout(space), backoff)), not_before);
    //= RFC 9002 section 6.2.1
    //# When ack-eliciting packets in multiple packet number spaces are in flight, the
    //# timer MUST be set to the earlier value of the Initial and Handshake packet
    //# number spaces.
    if (!earliest || time < earliest->time) earliest = deadline{.time = time, .space = space};
  }
  if (earliest || peer_completed_address_validation_) return earliest;
  if (timer_set_at_ == transport::time_point::min()) return std::nullopt;  // Nothing has happened.
  //= RFC 9002 section 6.2.2.1
  //# That is, the client MUST set the PTO timer if the client has not received an acknowledgment
  //# for any of its Handshake packets and the handshake is not confirmed (see Section 4.1.2 of
  //# [QUIC-TLS]), even if there are no packets in flight.
  // 0-RTT packets in flight have no timer before confirmation, so they do not stand in its way
  // either.
  const transport::duration wait = saturating_multiply(rtt_.probe_timeout_base(), backoff);
  return deadline{
      .time = std::max(saturating_add(timer_set_at_, wait), not_before),
      .space = handshake_keys_ ? packet_number_space::handshake : packet_number_space::initial,
      .probe_for_nothing = true};
}

std::optional<packet_number_space> loss_detector::overfull_space() const noexcept {
  for (std::size_t i = 0; i != spaces_.size(); ++i) {
    if (spaces_[i].packets.size() > limits::max_tracked_packets) {
      return static_cast<packet_number_space>(i);
    }
  }
  return std::nullopt;
}

std::optional<transport::time_point> loss_detector::next_timeout() const noexcept {
  if (overfull_space()) return timer_set_at_;
  //= RFC 9002 section 6.2.1
  //# The PTO timer MUST NOT be set if a timer is set for time threshold loss detection; see Section
  //# 6.1.2.
  if (const auto loss = earliest_loss()) return loss->time;
  if (const auto probe = earliest_probe()) return probe->time;
  return std::nullopt;
}

probe_request loss_detector::on_timeout(transport::time_point now) {
  begin_call(packet_number_space::initial);
  if (const auto space = overfull_space()) {
    lost_space_ = *space;
    report_lost(now, drop_oldest(*space));
    return {.space = *space};
  }
  if (const auto loss = earliest_loss()) {
    if (now < loss->time) return {};
    lost_space_ = loss->space;
    report_lost(now, detect_lost(now, loss->space));
    timer_set_at_ = now;
    return {.space = loss->space};
  }
  const auto probe = earliest_probe();
  if (!probe || now < probe->time) return {};
  lost_space_ = probe->space;
  //= RFC 9002 section 6.2.1
  //# When a PTO timer expires, the PTO backoff MUST be increased, resulting in the
  //# PTO period being set to twice its current value.
  if (probe_timeout_count_ != 62) ++probe_timeout_count_;
  at(probe->space).probe_fired_at = now;
  probe_fired_at_ = now;
  timer_set_at_ = now;
  //= RFC 9002 section 6.2
  //# A PTO timer expiration event does not indicate packet loss and MUST NOT cause
  //# prior unacknowledged packets to be marked as lost.
  //= RFC 9002 section 6.2.4
  //# When a PTO timer expires, a sender MUST send at least one ack-eliciting packet
  //# in the packet number space as a probe.
  return {.space = probe->space, .packets = probe->probe_for_nothing ? 1u : 2u};
}

void loss_detector::discard_space(transport::time_point now, packet_number_space space) {
  begin_call(space);
  space_state& s = at(space);
  if (s.discarded) return;
  //= RFC 9002 section 6.4
  //# The sender MUST discard all recovery state associated with those packets
  //# and MUST remove them from the count of bytes in flight.
  for (std::uint64_t n = s.packets.first(); n != s.packets.next(); ++n) {
    const sent_packets::record& packet = s.packets.at(n);
    if (packet.is == sent_packets::state::outstanding) leave_flight(packet, s);
  }
  s.packets.clear();
  //= RFC 9002 section 6.2.2
  //# When Initial or Handshake keys are discarded, the PTO and loss
  //# detection timers MUST be reset, because discarding keys indicates
  //# forward progress and the loss detection timer might have been set for
  //# a now-discarded packet number space.
  s.loss_time.reset();
  s.discarded = true;
  probe_timeout_count_ = 0;
  timer_set_at_ = now;
}

void loss_detector::void_packets(transport::time_point now, packet_number_space space) {
  begin_call(space);
  space_state& s = at(space);
  for (std::uint64_t n = s.packets.first(); n != s.packets.next(); ++n) {
    sent_packets::record& packet = s.packets.at(n);
    if (packet.is != sent_packets::state::outstanding) continue;
    packet.is = sent_packets::state::lost;
    leave_flight(packet, s);
    s.packets.append_frames(packet, lost_frames_);
  }
  s.packets.trim();
  s.loss_time.reset();
  timer_set_at_ = now;
}

void loss_detector::on_retry(transport::time_point now, packet_number_space space) {
  // RFC 9002 section 6.3: loss recovery begins anew. Nothing was acknowledged before a Retry, so
  // the window and the round trip still have their initial values.
  void_packets(now, space);
  probe_timeout_count_ = 0;
}

void loss_detector::on_early_data_rejected(transport::time_point now) {
  void_packets(now, packet_number_space::application);
}

void loss_detector::on_path_changed(transport::time_point now, const config& c) {
  begin_call(packet_number_space::application);
  //= RFC 9000 section 9.4
  //# On confirming a peer's ownership of its new address, an endpoint MUST
  //# immediately reset the congestion controller and round-trip time estimator for
  //# the new path to initial values
  max_datagram_size_ = c.max_datagram_size;
  rtt_ = rtt_estimator(c.initial_rtt);
  controller_ = make_congestion_controller(c.algorithm, c.max_datagram_size);
  first_rtt_sample_.reset();
  persistent_.reset();
  probe_timeout_count_ = 0;
  timer_set_at_ = now;
  //= RFC 9000 section 9.4
  //# Packets sent on the old path MUST NOT contribute to
  //# congestion control or RTT estimation for the new path.
  for (space_state& s : spaces_) {
    for (std::uint64_t n = s.packets.first(); n != s.packets.next(); ++n) {
      s.packets.at(n).earlier_path = true;
      s.packets.at(n).in_flight = false;
    }
  }
  bytes_in_flight_ = 0;
}

void loss_detector::on_handshake_keys(transport::time_point now) {
  handshake_keys_ = true;
  timer_set_at_ = now;
}

void loss_detector::on_handshake_confirmed(transport::time_point now) {
  handshake_confirmed_ = true;
  peer_completed_address_validation_ = true;
  timer_set_at_ = now;
}

void loss_detector::on_peer_completed_address_validation(transport::time_point now) {
  peer_completed_address_validation_ = true;
  timer_set_at_ = now;
}

void loss_detector::set_peer_max_ack_delay(transport::duration delay) {
  peer_max_ack_delay_ = std::max(delay, transport::duration::zero());
}

void loss_detector::set_amplification_limited(transport::time_point, bool limited) {
  // The timer is a function of the state, so lifting the limit arms it, possibly in the past
  // (appendix A.6).
  amplification_limited_ = limited && !client_;
}

void loss_detector::set_max_datagram_size(std::uint64_t size) {
  max_datagram_size_ = size;
  controller_->on_datagram_size(size);
}

void loss_detector::on_ecn_congestion(transport::time_point now, transport::time_point sent_time) {
  controller_->on_congestion(now, {.newest_lost_sent = sent_time, .ecn = true});
}

void loss_detector::release_memory() noexcept {
  // What is left when nothing is in flight are acknowledgements, which nobody need acknowledge.
  for (space_state& s : spaces_) {
    if (bytes_in_flight_ == 0) s.packets.clear();
  }
  begin_call(packet_number_space::application);
  acked_frames_.shrink_to_fit();
  lost_frames_.shrink_to_fit();
  lost_numbers_.shrink_to_fit();
}

std::uint64_t loss_detector::available_window() const noexcept {
  const std::uint64_t window = controller_->window();
  return window > bytes_in_flight_ ? window - bytes_in_flight_ : 0;
}

transport::duration loss_detector::probe_timeout(packet_number_space space) const noexcept {
  // The peer does not delay acknowledgements of Initial and Handshake packets.
  return space == packet_number_space::application
             ? saturating_add(rtt_.probe_timeout_base(), peer_max_ack_delay_)
             : rtt_.probe_timeout_base();
}

std::optional<std::uint64_t> loss_detector::largest_acknowledged(
    packet_number_space space) const noexcept {
  return at(space).largest_acknowledged;
}

bool loss_detector::ack_eliciting_in_flight(packet_number_space space) const noexcept {
  return at(space).ack_eliciting_in_flight != 0;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
