// SPDX-License-Identifier: Apache-2.0
#include "core/recovery/ack_tracker.hpp"

#include <algorithm>
#include <limits>

#include "core/recovery/saturating_time.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

bool ack_tracker::is_known(std::uint64_t packet_number) const noexcept {
  if (packet_number < floor_) return true;
  const auto end = ranges_.begin() + static_cast<std::ptrdiff_t>(range_count_);
  const auto at = std::partition_point(
      ranges_.begin(), end, [&](const ack_range& range) { return range.smallest > packet_number; });
  return at != end && packet_number <= at->largest;
}

std::optional<std::size_t> ack_tracker::insert(std::uint64_t packet_number) noexcept {
  // In order: the newest range grows by one.
  if (range_count_ != 0 && packet_number == ranges_[0].largest + 1) {
    ranges_[0].largest = packet_number;
    return 0;
  }
  // `at` is the newest range that lies wholly below the number.
  std::size_t at = 0;
  while (at < range_count_ && ranges_[at].largest > packet_number) ++at;
  const bool joins_newer = at > 0 && ranges_[at - 1].smallest == packet_number + 1;
  const bool joins_older = at < range_count_ && ranges_[at].largest + 1 == packet_number;
  const auto begin = ranges_.begin();
  if (joins_newer && joins_older) {
    ranges_[at - 1].smallest = ranges_[at].smallest;
    std::copy(begin + static_cast<std::ptrdiff_t>(at + 1),
              begin + static_cast<std::ptrdiff_t>(range_count_),
              begin + static_cast<std::ptrdiff_t>(at));
    --range_count_;
    return at - 1;
  }
  if (joins_newer) {
    ranges_[at - 1].smallest = packet_number;
    return at - 1;
  }
  if (joins_older) {
    ranges_[at].largest = packet_number;
    return at;
  }
  if (range_count_ == ranges_.size()) {
    //= RFC 9000 section 13.2.3
    //# A receiver MUST retain an ACK Range unless it can ensure that it will not
    //# subsequently accept packets with numbers in that range.
    if (at == range_count_) {
      floor_ = packet_number + 1;
      return std::nullopt;
    }
    floor_ = ranges_[--range_count_].largest + 1;
  }
  std::copy_backward(begin + static_cast<std::ptrdiff_t>(at),
                     begin + static_cast<std::ptrdiff_t>(range_count_),
                     begin + static_cast<std::ptrdiff_t>(range_count_ + 1));
  ranges_[at] = {packet_number, packet_number};
  ++range_count_;
  return at;
}

bool ack_tracker::reveals_gap(std::uint64_t packet_number, std::size_t range) const noexcept {
  if (!largest_ack_eliciting_) return false;
  if (packet_number < *largest_ack_eliciting_) return true;
  // What lies below the floor has been settled with the peer and is no gap.
  return ranges_[range].smallest > std::max(*largest_ack_eliciting_ + 1, floor_);
}

void ack_tracker::count(transport::ecn mark) noexcept {
  switch (mark) {
    case transport::ecn::ect0: ++counts_.ect0; break;
    case transport::ecn::ect1: ++counts_.ect1; break;
    case transport::ecn::ce: ++counts_.ecn_ce; break;
    case transport::ecn::not_ect: break;
  }
}

void ack_tracker::on_packet_received(transport::time_point now, std::uint64_t packet_number,
                                     bool ack_eliciting, transport::ecn mark) noexcept {
  if (is_duplicate(packet_number)) return;
  count(mark);
  const std::optional<std::size_t> range = insert(packet_number);
  if (!largest_ || packet_number > *largest_) {
    largest_ = packet_number;
    largest_received_at_ = now;
  }
  //= RFC 9000 section 13.2.1
  //# An endpoint MUST NOT send a non-ack-eliciting packet in response to a
  //# non-ack-eliciting packet, even if there are packet gaps that precede the
  //# received packet.
  if (!ack_eliciting) return;
  // A number that could not be kept cannot be acknowledged; its sender will take it for lost.
  if (!range) return;

  //= RFC 9000 section 13.2.1
  //# ack-eliciting packets MUST be acknowledged at least once within the maximum delay an endpoint
  //# communicated using the max_ack_delay transport parameter
  if (waiting_ == 0) deadline_ = saturating_add(now, max_ack_delay_);
  if (waiting_ != std::numeric_limits<std::uint32_t>::max()) ++waiting_;
  //= RFC 9000 section 13.2.1
  //# An endpoint MUST acknowledge all ack-eliciting Initial and Handshake packets
  //# immediately and all ack-eliciting 0-RTT and 1-RTT packets within its advertised
  //# max_ack_delay, with the following exception.
  if (max_ack_delay_ <= transport::duration::zero()) immediate_ = true;
  //= RFC 9000 section 13.2.2
  //# A receiver SHOULD send an ACK frame after receiving at least two ack-eliciting
  //# packets.
  if (waiting_ >= 2) immediate_ = true;
  //= RFC 9000 section 13.2.1
  //# Similarly, packets marked with the ECN Congestion Experienced (CE) codepoint in
  //# the IP header SHOULD be acknowledged immediately, to reduce the peer's response
  //# time to congestion events.
  if (mark == transport::ecn::ce) immediate_ = true;
  //= RFC 9000 section 13.2.1
  //# In order to assist loss detection at the sender, an endpoint SHOULD generate
  //# and send an ACK frame without delay when it receives an ack-eliciting packet
  if (reveals_gap(packet_number, *range)) immediate_ = true;
  if (!largest_ack_eliciting_ || packet_number > *largest_ack_eliciting_) {
    largest_ack_eliciting_ = packet_number;
  }
}

bool ack_tracker::ack_due(transport::time_point now) const noexcept {
  return waiting_ != 0 && (immediate_ || now >= deadline_);
}

bool ack_tracker::ack_pending() const noexcept { return waiting_ != 0; }

std::optional<transport::time_point> ack_tracker::next_timeout() const noexcept {
  if (waiting_ == 0 || immediate_) return std::nullopt;
  return deadline_;
}

std::span<const ack_range> ack_tracker::ranges() const noexcept {
  return std::span(ranges_).first(range_count_);
}

const ecn_counts& ack_tracker::counts() const noexcept { return counts_; }

transport::duration ack_tracker::ack_delay(transport::time_point now) const noexcept {
  //= RFC 9000 section 13.2.5
  //# An endpoint MUST NOT include delays that it does not control when populating the ACK Delay
  //# field in an ACK frame.
  return largest_ ? elapsed(largest_received_at_, now) : transport::duration::zero();
}

//= RFC 9000 section 13.2.1
//# an endpoint MUST NOT send more than one such packet in response to receiving an ack-eliciting
//# packet
void ack_tracker::on_ack_sent() noexcept {
  waiting_ = 0;
  immediate_ = false;
}

void ack_tracker::drop_below(std::uint64_t packet_number) noexcept {
  floor_ = std::max(floor_, packet_number);
  while (range_count_ != 0 && ranges_[range_count_ - 1].largest < floor_) --range_count_;
  if (range_count_ != 0) {
    ack_range& oldest = ranges_[range_count_ - 1];
    oldest.smallest = std::max(oldest.smallest, floor_);
  }
}

void ack_tracker::on_ack_acknowledged(std::uint64_t largest_acknowledged) noexcept {
  if (!largest_ || *largest_ == 0) return;
  //= RFC 9000 section 13.2.3
  //# Receivers can discard all ACK Ranges, but they MUST retain the largest packet number that has
  //# been successfully processed, as that is used to recover packet numbers from subsequent
  //# packets; see Section 17.1.
  drop_below(std::min(largest_acknowledged, *largest_ - 1) + 1);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
