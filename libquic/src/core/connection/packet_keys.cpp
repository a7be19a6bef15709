// SPDX-License-Identifier: Apache-2.0
#include "core/connection/packet_keys.hpp"

#include <algorithm>
#include <utility>

#include "core/crypto/key_schedule.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

namespace {

protocol_failure derivation_failed() {
  return {transport_error::internal_error, 0, "key derivation failed"};
}

}  // namespace

void packet_keys::set_initial(packet_protection read, packet_protection write) {
  level_of(encryption_level::initial) = {std::move(read), std::move(write)};
}

result<void> packet_keys::install(const traffic_secret& secret) {
  auto keys = packet_protection::from_secret(secret.cipher, secret.view());
  if (!keys) return std::unexpected(keys.error());
  const bool reads = secret.way == traffic_secret::direction::read;
  pair& level = level_of(secret.level);
  (reads ? level.read : level.write) = std::move(*keys);
  if (secret.level != encryption_level::application) return {};

  if (reads) {
    forged_.limit(level.read.integrity_limit());
    const auto next = next_phase_secret(secret);
    if (!next) return std::unexpected(make_error_code(transport::errc::tls_failed));
    next_read_secret_ = *next;
  } else {
    write_secret_ = secret;
    confidentiality_limit_ = level.write.confidentiality_limit();
    update_after_ = std::min(update_after_, confidentiality_limit_ / 2);
  }
  return {};
}

void packet_keys::discard(encryption_level level) { level_of(level) = {}; }

bool packet_keys::prepare_next_read() {
  if (next_read_) return true;
  const packet_protection& current = level_of(encryption_level::application).read;
  auto keys = current.next_phase(next_read_secret_.view());
  if (!keys) return false;
  next_read_ = std::move(*keys);
  return true;
}

bool packet_keys::rotate_read() {
  const auto secret = next_phase_secret(next_read_secret_);
  if (!secret) return false;
  next_read_secret_ = *secret;
  previous_read_ =
      std::exchange(level_of(encryption_level::application).read, std::move(next_read_));
  next_read_ = {};
  ++read_phase_;
  return true;
}

void packet_keys::drop_previous_read(transport::time_point now) noexcept {
  //= RFC 9001 section 6.1
  //# An endpoint MUST retain old keys until it has successfully unprotected a packet sent using
  //# the new keys.
  if (!previous_until_ || now < *previous_until_) return;
  previous_read_ = {};
  previous_until_.reset();
}

void packet_keys::release_memory(transport::time_point now) noexcept {
  drop_previous_read(now);
  next_read_ = {};
}

//= RFC 9001 section 6.4
//# Packets with higher packet numbers MUST be protected with either the same or newer packet
//# protection keys than packets with lower packet numbers.
bool packet_keys::rotate_write() {
  const auto secret = next_phase_secret(write_secret_);
  if (!secret) return false;
  packet_protection& write = level_of(encryption_level::application).write;
  auto keys = write.next_phase(secret->view());
  if (!keys) return false;
  write = std::move(*keys);
  write_secret_ = *secret;
  ++write_phase_;
  first_sealed_in_phase_.reset();
  phase_acknowledged_ = false;
  sealed_in_phase_ = 0;
  return true;
}

std::expected<packet_keys::opened, protocol_failure> packet_keys::open_application(
    transport::time_point now, const protected_packet& packet,
    transport::duration keep_previous_for) {
  //= RFC 9001 section 6.1
  //# An endpoint MUST retain old keys until it has successfully unprotected a packet sent using
  //# the new keys.
  drop_previous_read(now);
  // For every packet, not for those that ask for it, so that time does not tell which did (RFC 9001
  // section 9.5).
  if (!prepare_next_read()) return std::unexpected(derivation_failed());
  packet_protection& current = level_of(encryption_level::application).read;
  if (packet.key_phase == ((read_phase_ & 1) != 0)) {
    //= RFC 9001 section 5.5
    //# it MUST discard all packets in the same packet number space with higher packet numbers if
    //# they cannot be successfully unprotected
    if (!current.open(packet.number, packet.header, packet.ciphertext)) return opened::forged;
    first_read_in_phase_ = std::min(first_read_in_phase_, packet.number);
    return opened::yes;
  }
  // A lower number is of the phase before, whose keys are kept for a while so that reordering costs
  // nothing (RFC 9001 section 6.5).
  if (packet.number < first_read_in_phase_) {
    const bool authentic =
        previous_read_ && previous_read_.open(packet.number, packet.header, packet.ciphertext);
    return authentic ? opened::yes : opened::forged;
  }
  //= RFC 9001 section 5.5
  //# Similarly, a packet that appears to trigger a key update but cannot be unprotected
  //# successfully MUST be discarded.
  //= RFC 9001 section 6.3
  //# Endpoints responding to an apparent key update MUST NOT generate a timing side-channel signal
  //# that might indicate that the Key Phase bit was invalid
  //= RFC 9001 section 6.3
  //# endpoints MUST be able to retain two sets of packet protection keys for receiving packets:
  //# the current and the next
  if (!next_read_.open(packet.number, packet.header, packet.ciphertext)) return opened::forged;

  //= RFC 9001 section 6.2
  //# An endpoint MAY treat such consecutive key updates as a connection error of type KEY_UPDATE_ERROR.
  if (read_phase_ > 0 && write_phase_ == read_phase_ && !first_sealed_in_phase_) {
    return std::unexpected(protocol_failure{transport_error::key_update_error, 0,
                                            "second key update before an answer"});
  }
  if (!rotate_read()) return std::unexpected(derivation_failed());
  previous_until_ = now + keep_previous_for;
  first_read_in_phase_ = packet.number;
  //= RFC 9001 section 6.2
  //# The endpoint MUST update its send keys to the corresponding key phase in response, as described in
  //# Section 6.1.
  //= RFC 9001 section 6.2
  //# Sending keys MUST be updated before sending an acknowledgment for the packet that was
  //# received with updated keys.
  const bool follow = write_phase_ < read_phase_;
  if (follow && !rotate_write()) return std::unexpected(derivation_failed());
  return opened::updated;
}

void packet_keys::on_application_sealed(std::uint64_t packet_number) noexcept {
  if (!first_sealed_in_phase_) first_sealed_in_phase_ = packet_number;
  //= RFC 9001 section 6.6
  //# Endpoints MUST count the number of encrypted packets for each set of keys.
  ++sealed_in_phase_;
}

void packet_keys::on_application_acknowledged(std::uint64_t largest) noexcept {
  if (first_sealed_in_phase_ && largest >= *first_sealed_in_phase_) phase_acknowledged_ = true;
}

bool packet_keys::initiate_update() {
  //= RFC 9001 section 6.1
  //# An endpoint MUST NOT initiate a subsequent key update unless it has received an acknowledgment for
  //# a packet that was sent protected with keys from the current key phase.
  if (!phase_acknowledged_ || write_phase_ != read_phase_) return false;
  return rotate_write();
}

std::expected<void, protocol_failure> packet_keys::on_forged() {
  //= RFC 9001 section 6.6
  //# If the total number of received packets that fail authentication within the connection, across all
  //# keys, exceeds the integrity limit for the selected AEAD, the endpoint MUST immediately close the
  //# connection with a connection error of type AEAD_LIMIT_REACHED and not process any more packets.
  //= RFC 9001 section 6.6
  //# endpoints MUST count the number of received packets that fail authentication during the
  //# lifetime of a connection
  if (forged_.add()) return {};
  return std::unexpected(
      protocol_failure{transport_error::aead_limit_reached, 0, "too many forged packets"});
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
