// SPDX-License-Identifier: Apache-2.0
#include "core/wire/packet_header.hpp"

#include <cassert>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/varint.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

using transport::buffer_reader;
using transport::buffer_writer;
using transport::bytes;
using parsed_header = std::expected<packet_header, header_failure>;

constexpr std::byte long_form{0x80};
constexpr std::byte fixed_bit{0x40};
constexpr std::size_t patched_length_size = 2;

bool has_fixed_bit(std::byte first) noexcept { return (first & fixed_bit) != std::byte{}; }

std::byte octet(unsigned value) noexcept { return static_cast<std::byte>(value); }

parsed_header parse_short_header(bytes datagram, std::size_t local_connection_id_size) noexcept {
  //= RFC 9000 section 17.3.1
  //# Packets containing a zero value
  //# for this bit are not valid packets in this version and MUST be discarded.
  if (!has_fixed_bit(datagram[0])) return std::unexpected(header_failure::fixed_bit_clear);
  if (datagram.size() <= local_connection_id_size)
    return std::unexpected(header_failure::truncated);
  packet_header header;
  header.first_byte = datagram[0];
  header.destination = datagram.subspan(1, local_connection_id_size);
  header.packet_number_offset = 1 + local_connection_id_size;
  header.size = datagram.size();
  return header;
}

/// The part that RFC 8999 fixes for all versions, type and size excepted.
packet_header read_invariant_fields(buffer_reader& reader) noexcept {
  packet_header header;
  header.first_byte = std::byte{reader.u8()};
  header.version = reader.u32();
  header.destination = reader.take(reader.u8());
  header.source = reader.take(reader.u8());
  return header;
}

parsed_header finish_retry(packet_header& header, bytes rest) noexcept {
  if (rest.size() < retry_integrity_tag_size) return std::unexpected(header_failure::truncated);
  header.token = rest.first(rest.size() - retry_integrity_tag_size);
  header.packet_number_offset += header.token.size();
  return header;
}

parsed_header finish_protected(packet_header& header, bytes datagram) noexcept {
  buffer_reader reader(datagram.subspan(header.packet_number_offset));
  if (header.type == packet_type::initial) header.token = reader.take_varint_prefixed();
  const std::uint64_t length = reader.varint();
  if (!reader.ok()) return std::unexpected(header_failure::truncated);
  if (length > reader.remaining()) return std::unexpected(header_failure::length_beyond_datagram);
  header.packet_number_offset = datagram.size() - reader.remaining();
  header.size = header.packet_number_offset + static_cast<std::size_t>(length);
  return header;
}

parsed_header parse_long_header(bytes datagram) noexcept {
  buffer_reader reader(datagram);
  packet_header header = read_invariant_fields(reader);
  if (!reader.ok()) return std::unexpected(header_failure::truncated);
  header.packet_number_offset = datagram.size() - reader.remaining();
  header.size = datagram.size();
  const auto type =
      long_packet_type(header.version, std::to_integer<unsigned>(header.first_byte) >> 4 & 3);
  if (!type) {
    // Neither the fixed bit nor the 20 byte limit holds here: whoever answers with Version
    // Negotiation echoes what came.
    header.type = header.version == version_negotiation_version ? packet_type::version_negotiation
                                                                : packet_type::unknown_version;
    return header;
  }
  header.type = *type;
  //= RFC 9000 section 17.2
  //# Packets containing a zero value for this bit are not
  //# valid packets in this version and MUST be discarded.
  if (!has_fixed_bit(header.first_byte)) return std::unexpected(header_failure::fixed_bit_clear);
  //= RFC 9000 section 17.2
  //# Endpoints that receive a version 1 long header with a value larger than 20
  //# MUST drop the packet.
  //= RFC 9000 section 17.2
  //# In QUIC version 1, this value MUST NOT exceed 20 bytes.
  if (header.destination.size() > connection_id::max_size ||
      header.source.size() > connection_id::max_size) {
    return std::unexpected(header_failure::connection_id_too_long);
  }
  if (*type == packet_type::retry) return finish_retry(header, reader.rest());
  return finish_protected(header, datagram);
}

void put_connection_ids(buffer_writer& writer, bytes destination, bytes source) noexcept {
  assert(destination.size() <= 255 && source.size() <= 255);
  writer.u8(static_cast<std::uint8_t>(destination.size()));
  writer.put(destination);
  writer.u8(static_cast<std::uint8_t>(source.size()));
  writer.put(source);
}

/// The low bits of the first byte of a packet with a number; the reserved bits stay zero.
unsigned packet_number_size_bits(std::size_t size) noexcept {
  assert(size >= 1 && size <= 4);
  return static_cast<unsigned>(size - 1) & 3;
}

}  // namespace

parsed_header parse_header(bytes datagram, std::size_t local_connection_id_size) noexcept {
  if (datagram.empty()) return std::unexpected(header_failure::truncated);
  if (is_long_header(datagram[0])) return parse_long_header(datagram);
  return parse_short_header(datagram, local_connection_id_size);
}

std::optional<packet_type> long_packet_type(std::uint32_t version, unsigned type_bits) noexcept {
  if (version != version_1) return std::nullopt;
  switch (type_bits & 3) {
    case 0: return packet_type::initial;
    case 1: return packet_type::zero_rtt;
    case 2: return packet_type::handshake;
    default: return packet_type::retry;
  }
}

unsigned long_packet_type_bits(std::uint32_t version, packet_type type) noexcept {
  unsigned bits = 0;
  while (bits < 3 && long_packet_type(version, bits) != type) ++bits;
  assert(long_packet_type(version, bits) == type);
  return bits;
}

std::size_t long_header_size(const long_header& header) noexcept {
  const std::size_t token_field =
      header.type == packet_type::initial
          ? transport::varint_size(header.token.size()) + header.token.size()
          : 0;
  return 1 + 4 + 1 + header.destination.size() + 1 + header.source.size() + token_field +
         patched_length_size + header.packet_number_size;
}

long_header_layout write_long_header(buffer_writer& writer, const long_header& header) noexcept {
  const std::size_t start = writer.size();
  const unsigned type_bits = long_packet_type_bits(header.version, header.type);
  //= RFC 9000 section 17.2
  //# The value included prior to protection MUST be set to 0.
  writer.u8(static_cast<std::uint8_t>(0xc0u | type_bits << 4 |
                                      packet_number_size_bits(header.packet_number_size)));
  writer.u32(header.version);
  put_connection_ids(writer, header.destination, header.source);
  if (header.type == packet_type::initial) writer.put_varint_prefixed(header.token);
  long_header_layout layout;
  layout.length_offset = writer.size() - start;
  writer.varint(0, patched_length_size);
  layout.packet_number_offset = writer.size() - start;
  writer.fixed(header.packet_number, header.packet_number_size);
  layout.size = writer.size() - start;
  return layout;
}

void patch_length(std::byte* packet_start, std::size_t length_offset, std::size_t value) noexcept {
  assert(value <= max_patched_length);
  transport::encode_varint(value, patched_length_size, packet_start + length_offset);
}

void write_short_header(buffer_writer& writer, const short_header& header) noexcept {
  //= RFC 9000 section 17.3.1
  //# The value included prior to protection MUST be set to 0.
  writer.u8(static_cast<std::uint8_t>(0x40u | (header.spin ? 0x20u : 0u) |
                                      (header.key_phase ? 0x04u : 0u) |
                                      packet_number_size_bits(header.packet_number_size)));
  writer.put(header.destination);
  writer.fixed(header.packet_number, header.packet_number_size);
}

std::uint32_t version_negotiation_packet::operator[](std::size_t index) const noexcept {
  return buffer_reader(supported_versions.subspan(4 * index)).u32();
}

bool version_negotiation_packet::contains(std::uint32_t version) const noexcept {
  for (buffer_reader reader(supported_versions); !reader.empty();) {
    if (reader.u32() == version) return true;
  }
  return false;
}

std::expected<version_negotiation_packet, header_failure> parse_version_negotiation(
    bytes datagram) noexcept {
  const auto header = parse_header(datagram, 0);
  if (!header) return std::unexpected(header.error());
  if (header->type != packet_type::version_negotiation)
    return std::unexpected(header_failure::wrong_type);
  const bytes versions = datagram.subspan(header->packet_number_offset);
  //= RFC 8999 section 6
  //# An endpoint MUST ignore a packet that contains no Supported Version
  //# fields or contains a truncated Supported Version value.
  if (versions.empty() || versions.size() % 4 != 0)
    return std::unexpected(header_failure::no_versions);
  return version_negotiation_packet{header->destination, header->source, versions};
}

void encode_version_negotiation(buffer_writer& writer,
                                const version_negotiation_content& content) noexcept {
  //= RFC 9000 section 17.2.1
  //# Where QUIC might be multiplexed with other protocols (see [RFC7983]), servers SHOULD set the
  //# most significant bit of this field (0x40) to 1 so that Version Negotiation packets appear to
  //# have the Fixed Bit field.
  writer.u8(std::to_integer<std::uint8_t>(content.first_byte_random | long_form | fixed_bit));
  //= RFC 9000 section 17.2.1
  //# The Version field of a Version Negotiation packet MUST be set to 0x00000000.
  writer.u32(version_negotiation_version);
  put_connection_ids(writer, content.destination, content.source);
  for (const std::uint32_t version : content.supported_versions) writer.u32(version);
}

std::expected<retry_packet, header_failure> parse_retry(bytes datagram) noexcept {
  const auto header = parse_header(datagram, 0);
  if (!header) return std::unexpected(header.error());
  if (header->type != packet_type::retry) return std::unexpected(header_failure::wrong_type);
  //= RFC 9000 section 17.2.5.2
  //# A client MUST discard a Retry packet with a zero-length Retry
  //# Token field.
  if (header->token.empty()) return std::unexpected(header_failure::empty_retry_token);
  retry_packet packet;
  packet.version = header->version;
  //= RFC 9000 section 17.2.5
  //# a client MUST ignore these bits
  packet.unused = header->first_byte & std::byte{0x0f};
  packet.destination = header->destination;
  packet.source = header->source;
  packet.token = header->token;
  packet.integrity_tag = datagram.subspan(header->packet_number_offset);
  return packet;
}

void encode_retry(buffer_writer& writer, const retry_packet& packet) noexcept {
  const unsigned type_bits = long_packet_type_bits(packet.version, packet_type::retry);
  writer.u8(std::to_integer<std::uint8_t>(long_form | fixed_bit | octet(type_bits << 4) |
                                          (packet.unused & std::byte{0x0f})));
  writer.u32(packet.version);
  put_connection_ids(writer, packet.destination, packet.source);
  writer.put(packet.token);
  writer.put(packet.integrity_tag);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
