// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>

#include "core/crypto/packet_protection.hpp"
#include "strata/quic/core/encryption_level.hpp"
#include "strata/quic/core/error.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Packets that failed authentication, across all keys of a connection (RFC 9001 section 6.6).
class forgery_count {
 public:
  void limit(std::uint64_t most) noexcept { most_ = most; }
  /// One more; false when it is more than the AEAD bears.
  bool add() noexcept { return ++seen_ <= most_; }

 private:
  std::uint64_t seen_ = 0;
  std::uint64_t most_ = UINT64_MAX;
};

/// The keys of a connection: per level and direction while they are needed, and for 1-RTT packets
/// the key phases of RFC 9001 section 6: the one before for packets that were delayed, and the one
/// after, derived ahead so that the first packet of an update takes no longer than any other.
class packet_keys {
 public:
  /// Packets sealed in one key phase before update_due(); less where the cipher's limit is near.
  void set_update_after(std::uint64_t packets) noexcept { update_after_ = packets; }
  void set_initial(packet_protection read, packet_protection write);
  /// A secret from the handshake. The failure is the TLS library's.
  result<void> install(const traffic_secret& secret);
  void discard(encryption_level level);

  packet_protection* reader(encryption_level level) noexcept {
    return present(level_of(level).read);
  }
  packet_protection* writer(encryption_level level) noexcept {
    return present(level_of(level).write);
  }
  bool can_read(encryption_level level) const noexcept {
    return static_cast<bool>(level_of(level).read);
  }
  bool can_write(encryption_level level) const noexcept {
    return static_cast<bool>(level_of(level).write);
  }

  enum class opened : std::uint8_t { yes, forged, updated };
  struct protected_packet {
    std::uint64_t number = 0;
    bool key_phase = false;
    bytes header;
    mutable_bytes ciphertext;
  };
  /// Opens a 1-RTT packet with the keys its number and Key Phase bit ask for. `updated` means that
  /// the peer began a new key phase with it, which this side's packets follow from now on.
  std::expected<opened, protocol_failure> open_application(transport::time_point now,
                                                           const protected_packet& packet,
                                                           transport::duration keep_previous_for);

  /// The Key Phase bit of what is sealed now.
  bool write_phase() const noexcept { return (write_phase_ & 1) != 0; }
  std::uint64_t phase() const noexcept { return write_phase_; }
  void on_application_sealed(std::uint64_t packet_number) noexcept;
  void on_application_acknowledged(std::uint64_t largest) noexcept;
  /// True when so many packets were sealed with these keys that the next phase should begin (RFC
  /// 9001 section 6.6).
  bool update_due() const noexcept { return sealed_in_phase_ >= update_after_; }
  /// Begins a new key phase; false when the peer has not acknowledged the present one yet
  /// (section 6.1).
  bool initiate_update();
  /// Forged packets that were seen; AEAD_LIMIT_REACHED when there were too many (section 6.6).
  std::expected<void, protocol_failure> on_forged();
  /// Long idle: gives back what can be made again.
  void release_memory(transport::time_point now) noexcept;
  bool confidentiality_exhausted() const noexcept {
    //= RFC 9001 section 6.6
    //# If the total number of encrypted packets with the same key exceeds the confidentiality
    //# limit for the selected AEAD, the endpoint MUST stop using those keys.
    return sealed_in_phase_ >= confidentiality_limit_;
  }

 private:
  struct pair {
    packet_protection read;
    packet_protection write;
  };
  pair& level_of(encryption_level level) noexcept {
    return levels_[static_cast<std::size_t>(level)];
  }
  const pair& level_of(encryption_level level) const noexcept {
    return levels_[static_cast<std::size_t>(level)];
  }
  static packet_protection* present(packet_protection& keys) noexcept {
    return keys ? &keys : nullptr;
  }
  bool prepare_next_read();
  bool rotate_read();
  bool rotate_write();
  void drop_previous_read(transport::time_point now) noexcept;

  std::array<pair, encryption_level_count> levels_;
  traffic_secret next_read_secret_;  ///< Of the phase after the present one.
  traffic_secret write_secret_;      ///< Of the present phase.
  packet_protection next_read_;      ///< Made when the first packet since release_memory() comes.
  packet_protection previous_read_;
  std::optional<transport::time_point> previous_until_;
  std::uint64_t read_phase_ = 0;
  std::uint64_t write_phase_ = 0;
  std::uint64_t first_read_in_phase_ = 0;
  std::optional<std::uint64_t> first_sealed_in_phase_;
  bool phase_acknowledged_ = false;
  std::uint64_t sealed_in_phase_ = 0;
  std::uint64_t update_after_ = UINT64_MAX;
  std::uint64_t confidentiality_limit_ = UINT64_MAX;
  forgery_count forged_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
