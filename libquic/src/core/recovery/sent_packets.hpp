// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/recovery/ack_tracker.hpp"
#include "core/recovery/sent_frame.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// The packets of one packet number space that were sent and are not settled yet, and the frames in
/// them: two rings of a power of two that grow by doubling. The window first()..next()-1 is
/// contiguous; its front is always an outstanding packet.
class sent_packets {
 public:
  enum class state : std::uint8_t { outstanding, acknowledged, lost, never_sent };

  struct record {
    transport::time_point sent_time{};
    std::uint32_t size = 0;
    std::uint32_t first_frame =
        0;  ///< Counts on through all frames; its low bits are the place in the ring.
    std::uint16_t frame_count = 0;
    state is = state::outstanding;
    bool ack_eliciting = false;
    bool in_flight = false;
    bool ecn_marked = false;
    bool mtu_probe = false;     ///< Its loss says nothing about congestion (RFC 9000 section 14.4).
    bool earlier_path = false;  ///< Sent on a path that is no longer used: no RTT sample.
  };
  static_assert(sizeof(record) == 24);

  std::uint64_t first() const noexcept { return first_; }
  std::uint64_t next() const noexcept { return next_; }
  std::uint64_t size() const noexcept { return next_ - first_; }
  bool empty() const noexcept { return first_ == next_; }
  /// A number in first()..next()-1.
  record& at(std::uint64_t number) noexcept { return ring_[number & mask_]; }
  const record& at(std::uint64_t number) const noexcept { return ring_[number & mask_]; }

  /// `number` >= next(); numbers left out count as never sent.
  void push(std::uint64_t number, const record& packet, std::span<const sent_frame> frames) {
    if (number != next_) skip_to(number);
    if (size() == ring_.size()) grow_packets();
    const std::uint32_t held = frame_next_ - frame_first_;
    if (held + frames.size() > frames_.size()) grow_frames(held + frames.size());
    // Field by field: a copy of what was written just now in smaller pieces would wait for those
    // stores.
    record& place = ring_[next_++ & mask_];
    place.sent_time = packet.sent_time;
    place.size = packet.size;
    place.first_frame = frame_next_;
    place.frame_count = static_cast<std::uint16_t>(frames.size());
    place.is = packet.is;
    place.ack_eliciting = packet.ack_eliciting;
    place.in_flight = packet.in_flight;
    place.ecn_marked = packet.ecn_marked;
    place.mtu_probe = packet.mtu_probe;
    place.earlier_path = packet.earlier_path;
    for (const sent_frame& frame : frames) frames_[frame_next_++ & frame_mask_] = frame;
  }
  void append_frames(const record& packet, std::vector<sent_frame>& out) const {
    const std::uint32_t end = packet.first_frame + packet.frame_count;
    for (std::uint32_t n = packet.first_frame; n != end; ++n)
      out.push_back(frames_[n & frame_mask_]);
  }
  /// Gives up what is settled at the front. Call it after changing states.
  void trim() noexcept;
  /// Settles everything and gives the memory back; next() stays.
  void clear() noexcept;
  /// Gives the memory back if nothing is outstanding.
  void release_memory() noexcept;

  /// One of the numbers left out lately is in the ranges (newest first).
  bool never_sent_in(std::span<const ack_range> ranges) const noexcept;
  void remember_lost(std::uint64_t number) noexcept;
  /// How many of the packets declared lost lately are in the ranges; they are forgotten with that.
  unsigned take_spuriously_lost(std::span<const ack_range> ranges) noexcept;

 private:
  static constexpr std::uint64_t none = ~std::uint64_t{0};

  void skip_to(std::uint64_t number);
  void skip(std::uint64_t number);
  void grow_packets();
  void grow_frames(std::size_t needed);

  std::vector<record> ring_;
  std::vector<sent_frame> frames_;
  std::uint64_t mask_ = 0;
  std::uint32_t frame_mask_ = 0;
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
  std::uint32_t frame_first_ = 0;
  std::uint32_t frame_next_ = 0;
  // The window forgets what is settled, but a number that was never sent must be noticed for
  // longer, and late acknowledgements of lost packets are counted.
  std::array<std::uint64_t, 8> skipped_ = {none, none, none, none, none, none, none, none};
  std::uint64_t skipped_count_ = 0;
  std::array<std::uint64_t, 16> lost_{};
  std::size_t lost_count_ = 0;
};

/// Whether the ranges (newest first) hold the number.
bool contains(std::span<const ack_range> ranges, std::uint64_t number) noexcept;

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
