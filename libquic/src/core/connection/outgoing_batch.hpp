// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>

#include "core/crypto/packet_protection.hpp"
#include "strata/quic/core/limits.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// The 1-RTT packets of one poll_transmit() that are sealed but not yet masked: header protection
/// of a whole batch costs one call of the cipher (2.7 ns a packet instead of 16).
class outgoing_batch {
 public:
  /// `packet` is sealed, its packet number at `number_offset`.
  void add(packet_protection& keys, std::byte* packet, std::size_t number_offset) noexcept {
    if (count_ == packets_.size()) apply(keys);
    packets_[count_] = packet;
    samples_[count_] = packet + number_offset + 4;
    number_offset_ = number_offset;
    ++count_;
  }
  /// Masks what was added; the offsets of a batch are all the same, because its Destination
  /// Connection ID is.
  void apply(packet_protection& keys) noexcept;
  bool empty() const noexcept { return count_ == 0; }

 private:
  std::array<std::byte*, limits::max_batch_segments> packets_{};
  std::array<const std::byte*, limits::max_batch_segments> samples_{};
  std::array<header_mask, limits::max_batch_segments> masks_{};
  std::size_t number_offset_ = 0;
  std::size_t count_ = 0;
};

/// Masks, or with the same mask unmasks, first byte and packet number of a packet whose Packet
/// Number field has `size` bytes (RFC 9001 section 5.4.1).
inline void apply_header_mask(std::byte* packet, std::size_t number_offset, std::size_t size,
                              const header_mask& mask) noexcept {
  const bool is_long = (packet[0] & std::byte{0x80}) != std::byte{};
  packet[0] ^= mask[0] & (is_long ? std::byte{0x0f} : std::byte{0x1f});
  for (std::size_t i = 0; i < size; ++i) packet[number_offset + i] ^= mask[1 + i];
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
