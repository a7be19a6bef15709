// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "core/wire/packet_type.hpp"
#include "strata/quic/core/connection_id.hpp"
#include "strata/quic/core/version.hpp"
#include "strata/transport/core/buffer_writer.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// Why a packet, and with it the rest of its datagram, is dropped without an answer.
enum class header_failure : std::uint8_t {
  truncated,               ///< The datagram ends within the header.
  fixed_bit_clear,         ///< Not QUIC version 1 (section 17.2, 17.3.1).
  connection_id_too_long,  ///< More than 20 bytes in a version of ours.
  length_beyond_datagram,  ///< The Length field promises more than arrived.
  wrong_type,              ///< A parser for one type of packet was given another one.
  empty_retry_token,       ///< A Retry packet that gives no token (section 17.2.5.2).
  no_versions,  ///< Version Negotiation with no, or half a, version (RFC 8999 section 6).
};

/// What stands in a packet's header before anything is decrypted; views into the datagram.
struct packet_header {
  packet_type type = packet_type::one_rtt;
  std::byte first_byte{};  ///< Its low bits still protected: 4 of a long header, 5 of a short one.
  std::uint32_t version = 0;  ///< Zero in short headers and in Version Negotiation.
  transport::bytes
      destination;          ///< At most 20 bytes in types that are ours; up to 255 in the others.
  transport::bytes source;  ///< Empty in short headers.
  transport::bytes token;   ///< Of Initial and Retry packets.
  /// From the packet's start to the Packet Number; in types without one, to what follows the fields
  /// above.
  std::size_t packet_number_offset = 0;
  /// The whole packet within the datagram, payload included: the next coalesced packet starts here.
  std::size_t size = 0;
};

/// Reads the header of the packet at the front of `datagram` (what is left of it, when packets are
/// coalesced). Short headers don't say how long their connection ID is: `local_connection_id_size`
/// does. Of a long header with an unsupported version only what RFC 8999 fixes is read, and size is
/// all that is left. Room for a header protection sample is not checked here.
std::expected<packet_header, header_failure> parse_header(
    transport::bytes datagram, std::size_t local_connection_id_size) noexcept;

/// The packet type that the two type bits of a long header mean in a version; nullopt in versions
/// that are not ours.
std::optional<packet_type> long_packet_type(std::uint32_t version, unsigned type_bits) noexcept;
/// The two type bits of a long packet type in a supported version.
unsigned long_packet_type_bits(std::uint32_t version, packet_type type) noexcept;

// The first byte once header protection is removed.

constexpr bool is_long_header(std::byte first) noexcept {
  return (first & std::byte{0x80}) != std::byte{};
}
/// Bytes of the Packet Number field: 1 to 4.
constexpr std::size_t packet_number_size_of(std::byte first) noexcept {
  return std::to_integer<std::size_t>(first & std::byte{0x03}) + 1;
}
/// A PROTOCOL_VIOLATION, but only when the packet's payload has been authenticated (RFC 9001
/// section 9.5).
constexpr bool has_reserved_bits(std::byte first) noexcept {
  return (first & (is_long_header(first) ? std::byte{0x0c} : std::byte{0x18})) != std::byte{};
}
//= RFC 9000 section 17.4
//# When the spin bit is disabled, endpoints MAY set the spin bit to any value and MUST ignore any
//# incoming value.
/// Of a short header.
constexpr bool key_phase_of(std::byte first) noexcept {
  return (first & std::byte{0x04}) != std::byte{};
}
/// Of a short header; never protected.
constexpr bool spin_bit_of(std::byte first) noexcept {
  return (first & std::byte{0x20}) != std::byte{};
}

// Packet numbers.

/// The full packet number nearest to the one expected (RFC 9000 appendix A.3). `largest_received`
/// is the largest number authenticated in the space, none before the first; `bits` is 8, 16, 24
/// or 32.
constexpr std::uint64_t decode_packet_number(std::optional<std::uint64_t> largest_received,
                                             std::uint64_t truncated, unsigned bits) noexcept {
  const std::uint64_t expected = largest_received ? *largest_received + 1 : 0;
  const std::uint64_t window = std::uint64_t{1} << bits;
  const std::uint64_t candidate = (expected & ~(window - 1)) | truncated;
  constexpr std::uint64_t end = std::uint64_t{1} << 62;
  // Written without subtraction: `expected` may be less than half a window.
  if (candidate + window / 2 <= expected && candidate < end - window) return candidate + window;
  // The appendix leaves out the second reason, and may name a number that no packet has.
  if ((candidate > expected + window / 2 || candidate >= end) && candidate >= window) {
    return candidate - window;
  }
  return candidate;
}

/// Bytes, 1 to 4, that let every peer decode `full` while numbers after `largest_acked` (none
/// before the first acknowledgment) may be missing. With 2^31 packets or more unacknowledged no
/// size suffices, and 4 is returned.
constexpr std::size_t packet_number_size(std::uint64_t full,
                                         std::optional<std::uint64_t> largest_acked) noexcept {
  //= RFC 9000 section 17.1
  //# Prior to receiving an acknowledgment for a packet number space, the full packet number MUST
  //# be included
  const std::uint64_t unacknowledged = largest_acked ? full - *largest_acked : full + 1;
  //= RFC 9000 section 17.1
  //# After an acknowledgment is received for a packet number space, the sender MUST
  //# use a packet number size able to represent more than twice as large a range as
  //# the difference between the largest acknowledged packet number and the packet
  //# number being sent.
  if (unacknowledged < (1u << 7)) return 1;
  if (unacknowledged < (1u << 15)) return 2;
  if (unacknowledged < (1u << 23)) return 3;
  return 4;
}

// Writers. All write the unprotected header; a header that does not fit makes the writer fail.

struct long_header {
  packet_type type = packet_type::initial;  ///< initial, zero_rtt or handshake.
  std::uint32_t version = version_1;
  transport::bytes destination;
  transport::bytes source;
  transport::bytes token;  ///< Only in Initial packets.
  std::uint64_t packet_number = 0;
  std::size_t packet_number_size = 1;
};

/// Where things are in a long header that was written, from the packet's start.
struct long_header_layout {
  std::size_t length_offset = 0;  ///< Of the Length field: always two bytes, for patch_length.
  std::size_t packet_number_offset = 0;
  std::size_t size = 0;  ///< Of the header, packet number included.
};

std::size_t long_header_size(const long_header& header) noexcept;
/// Appends to what the writer already holds, so that packets coalesce; the Length is left zero.
long_header_layout write_long_header(transport::buffer_writer& writer,
                                     const long_header& header) noexcept;

/// The largest value the two-byte Length field holds.
inline constexpr std::size_t max_patched_length = (1u << 14) - 1;
/// Fills in the Length: the size of packet number, payload and authentication tag, at most
/// max_patched_length.
void patch_length(std::byte* packet_start, std::size_t length_offset, std::size_t value) noexcept;

struct short_header {
  transport::bytes destination;
  bool spin = false;
  bool key_phase = false;
  std::uint64_t packet_number = 0;
  std::size_t packet_number_size = 1;
};

constexpr std::size_t short_header_size(const short_header& header) noexcept {
  return 1 + header.destination.size() + header.packet_number_size;
}
void write_short_header(transport::buffer_writer& writer, const short_header& header) noexcept;

// Packets that are all header.

/// A Version Negotiation packet; the connection IDs may be of any length up to 255 (RFC 8999
/// section 6).
struct version_negotiation_packet {
  transport::bytes destination;
  transport::bytes source;
  //= RFC 9000 section 17.2.1
  //# Clients MUST ignore the value of this field.
  //= RFC 8999 section 6
  //# MUST be ignored on receipt
  transport::bytes supported_versions;  ///< Four bytes each, at least one.

  std::size_t size() const noexcept { return supported_versions.size() / 4; }
  std::uint32_t operator[](std::size_t index) const noexcept;
  bool contains(std::uint32_t version) const noexcept;
};

std::expected<version_negotiation_packet, header_failure> parse_version_negotiation(
    transport::bytes datagram) noexcept;

struct version_negotiation_content {
  std::byte first_byte_random{};  ///< Unpredictable; the two upper bits are set by the encoder.
  transport::bytes destination;   ///< Source of the packet that is answered.
  transport::bytes source;        ///< Destination of the packet that is answered.
  std::span<const std::uint32_t> supported_versions;
};

void encode_version_negotiation(transport::buffer_writer& writer,
                                const version_negotiation_content& content) noexcept;

inline constexpr std::size_t retry_integrity_tag_size = 16;

struct retry_packet {
  std::uint32_t version = version_1;
  std::byte unused{};  ///< Low four bits of the first byte: any value.
  transport::bytes destination;
  transport::bytes source;
  transport::bytes token;
  transport::bytes integrity_tag;  ///< 16 bytes; nothing here has verified them.
};

std::expected<retry_packet, header_failure> parse_retry(transport::bytes datagram) noexcept;
/// With an empty tag everything else is written: that, behind the original Destination Connection
/// ID, is what the tag is computed over (RFC 9001 section 5.8).
void encode_retry(transport::buffer_writer& writer, const retry_packet& packet) noexcept;

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
