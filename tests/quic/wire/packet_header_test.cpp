// SPDX-License-Identifier: Apache-2.0
#include "core/wire/packet_header.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "hex.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::quic::core;
using testkit::copy_of;
using testkit::from_hex;
using testkit::to_hex;
using transport::buffer_writer;
using transport::bytes;

namespace {

/// A packet whose header is `header` and whose rest are zeros.
std::vector<std::byte> padded(const std::string& header, std::size_t size) {
  auto packet = from_hex(header);
  packet.resize(size);
  return packet;
}

header_failure failure_of(bytes datagram, std::size_t local_connection_id_size = 8) {
  const auto header = parse_header(datagram, local_connection_id_size);
  REQUIRE_FALSE(header);
  return header.error();
}

void check_truncated_everywhere(const std::vector<std::byte>& packet, std::size_t header_size) {
  for (std::size_t size = 0; size < header_size; ++size) {
    const auto cut = copy_of(bytes(packet).first(size));
    INFO(to_hex(cut));
    CHECK_FALSE(parse_header(cut, 8));
  }
}

}  // namespace

TEST_CASE("packet_header: the client Initial of RFC 9001 appendix A.2", "[quic][wire][header]") {
  const auto packet = padded("c300000001088394c8f03e5157080000449e00000002", 1200);
  const auto header = parse_header(packet, 0).value();
  CHECK(header.type == packet_type::initial);
  CHECK(header.version == 1);
  CHECK(to_hex(header.destination) == "8394c8f03e515708");
  CHECK(header.source.empty());
  CHECK(header.token.empty());
  CHECK(header.packet_number_offset == 18);
  CHECK(header.size == 1200);
  CHECK(packet_number_size_of(header.first_byte) == 4);
  CHECK_FALSE(has_reserved_bits(header.first_byte));
  check_truncated_everywhere(packet, 1200);

  std::vector<std::byte> memory(64);
  buffer_writer writer(memory);
  long_header written;
  const auto destination = from_hex("8394c8f03e515708");
  written.destination = destination;
  written.packet_number = 2;
  written.packet_number_size = 4;
  const auto layout = write_long_header(writer, written);
  patch_length(memory.data(), layout.length_offset, 1182);
  CHECK(to_hex(writer.written()) == "c300000001088394c8f03e5157080000449e00000002");
  CHECK(layout.packet_number_offset == 18);
  CHECK(layout.size == 22);
  CHECK(long_header_size(written) == 22);
}

TEST_CASE("packet_header: the server Initial of RFC 9001 appendix A.3", "[quic][wire][header]") {
  const auto packet = padded("c1000000010008f067a5502a4262b50040750001", 135);
  const auto header = parse_header(packet, 0).value();
  CHECK(header.type == packet_type::initial);
  CHECK(header.destination.empty());
  CHECK(to_hex(header.source) == "f067a5502a4262b5");
  CHECK(header.packet_number_offset == 18);
  CHECK(header.size == 135);
  CHECK(packet_number_size_of(header.first_byte) == 2);
  check_truncated_everywhere(packet, 135);
}

TEST_CASE("packet_header: the short header of RFC 9001 appendix A.5", "[quic][wire][header]") {
  const auto packet = from_hex("4200bff4655e5cd55c41f69080575d7999c25a5bfb");
  const auto header = parse_header(packet, 0).value();
  CHECK(header.type == packet_type::one_rtt);
  CHECK(header.destination.empty());
  CHECK(header.packet_number_offset == 1);
  CHECK(header.size == packet.size());
  CHECK(packet_number_size_of(header.first_byte) == 3);
  CHECK(decode_packet_number(654360563, 0x00bff4, 24) == 654360564);

  std::vector<std::byte> memory(8);
  buffer_writer writer(memory);
  write_short_header(writer,
                     {.destination = {}, .packet_number = 654360564, .packet_number_size = 3});
  CHECK(to_hex(writer.written()) == "4200bff4");
}

TEST_CASE("packet_header: the Retry packet of RFC 9001 appendix A.4", "[quic][wire][header]") {
  const std::string text =
      "ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba";
  const auto packet = from_hex(text);
  const auto retry = parse_retry(packet).value();
  CHECK(retry.version == 1);
  CHECK(retry.destination.empty());
  CHECK(to_hex(retry.source) == "f067a5502a4262b5");
  CHECK(transport::as_text(retry.token) == "token");
  CHECK(to_hex(retry.integrity_tag) == "04a265ba2eff4d829058fb3f0f2496ba");
  CHECK(retry.unused == std::byte{0x0f});
  CHECK(parse_header(packet, 8)->type == packet_type::retry);
  CHECK(parse_header(packet, 8)->size == packet.size());

  std::vector<std::byte> memory(64);
  buffer_writer writer(memory);
  encode_retry(writer, retry);
  CHECK(to_hex(writer.written()) == text);
  auto without_tag = retry;
  without_tag.integrity_tag = {};
  buffer_writer pseudo(memory);
  encode_retry(pseudo, without_tag);
  CHECK(to_hex(pseudo.written()) == text.substr(0, text.size() - 32));
}

TEST_CASE("packet_header: a Retry packet without token, or shorter than its tag, is dropped",
          "[quic][wire][header][Q21][attack]") {
  //= RFC 9000 section 17.2.5.2
  //= type=test
  //# A client MUST discard a Retry packet with a zero-length Retry
  //# Token field.
  const auto packet = from_hex("ff000000010008f067a5502a4262b504a265ba2eff4d829058fb3f0f2496ba");
  CHECK(parse_retry(packet).error() == header_failure::empty_retry_token);
  for (std::size_t size = 0; size < packet.size(); ++size) {
    CHECK(parse_retry(copy_of(bytes(packet).first(size))).error() == header_failure::truncated);
  }
  CHECK(parse_retry(padded("c300000001088394c8f03e5157080000449e00000002", 1200)).error() ==
        header_failure::wrong_type);
}

TEST_CASE("packet_header: packets with a clear fixed bit are dropped",
          "[quic][wire][header][Q56][attack]") {
  //= RFC 9000 section 17.2
  //= type=test
  //# Packets containing a zero value for this bit are not
  //# valid packets in this version and MUST be discarded.
  CHECK(failure_of(padded("8300000001088394c8f03e5157080000449e00000002", 1200)) ==
        header_failure::fixed_bit_clear);
  //= RFC 9000 section 17.3.1
  //= type=test
  //# Packets containing a zero value
  //# for this bit are not valid packets in this version and MUST be discarded.
  for (unsigned first = 0; first < 0x40; ++first) {
    std::vector<std::byte> packet(40);
    packet[0] = static_cast<std::byte>(first);
    CHECK(failure_of(packet) == header_failure::fixed_bit_clear);
  }
}

//= RFC 9000 section 17.2
//# In QUIC version 1, this value MUST NOT exceed 20 bytes.
TEST_CASE("packet_header: version 1 connection IDs have at most 20 bytes",
          "[quic][wire][header][Q56][attack]") {
  //= RFC 9000 section 17.2
  //= type=test
  //# Endpoints that receive a version 1 long header with a value larger than 20
  //# MUST drop the packet.
  for (std::size_t size = 0; size < 256; ++size) {
    const auto octet = static_cast<std::byte>(size);
    const std::string length = to_hex({&octet, 1});
    const std::string id(2 * size, 'd');
    const auto as_destination =
        padded("c000000001" + length + id + "00" + "00" + "4014" + "00", 600);
    const auto as_source =
        padded("e000000001" + std::string("00") + length + id + "4014" + "00", 600);
    for (const auto& packet : {as_destination, as_source}) {
      const auto header = parse_header(packet, 8);
      if (size <= 20) {
        REQUIRE(header);
        CHECK(header->destination.size() + header->source.size() == size);
        CHECK(header->size == header->packet_number_offset + 0x14);
      } else {
        REQUIRE_FALSE(header);
        CHECK(header.error() == header_failure::connection_id_too_long);
      }
    }
  }
}

TEST_CASE("packet_header: of another version the invariant fields are read, up to 255 bytes",
          "[quic][wire][header]") {
  // Fixed bit clear, which another version may give another meaning.
  for (const std::size_t size : {0u, 20u, 21u, 255u}) {
    const auto octet = static_cast<std::byte>(size);
    const auto packet = padded("80 57414954" + to_hex({&octet, 1}) + std::string(2 * size, 'a') +
                                   to_hex({&octet, 1}) + std::string(2 * size, 'b'),
                               1200);
    const auto header = parse_header(packet, 8).value();
    CHECK(header.type == packet_type::unknown_version);
    CHECK(header.version == 0x57414954);
    CHECK(to_hex(header.destination) == std::string(2 * size, 'a'));
    CHECK(to_hex(header.source) == std::string(2 * size, 'b'));
    CHECK(header.token.empty());
    CHECK(header.packet_number_offset == 7 + 2 * size);
    CHECK(header.size == 1200);
    check_truncated_everywhere(packet, 7 + 2 * size);
  }
}

TEST_CASE("packet_header: long header types are told by two bits", "[quic][wire][header]") {
  const std::pair<const char*, packet_type> types[]{
      {"d0", packet_type::zero_rtt}, {"e0", packet_type::handshake}, {"f0", packet_type::retry}};
  for (const auto& [first, type] : types) {
    const auto packet = padded(std::string(first) + "00000001 01aa 01bb 4014", 200);
    const auto header = parse_header(packet, 8).value();
    CHECK(header.type == type);
    CHECK(header.size == (type == packet_type::retry ? 200 : 11 + 0x14));
  }
  for (unsigned bits = 0; bits < 4; ++bits) {
    const auto type = long_packet_type(quic::version_1, bits);
    REQUIRE(type);
    CHECK(long_packet_type_bits(quic::version_1, *type) == bits);
    CHECK_FALSE(long_packet_type(0, bits));
    CHECK_FALSE(long_packet_type(0xff00001d, bits));
  }
}

TEST_CASE("packet_header: coalesced packets follow one another", "[quic][wire][header]") {
  std::vector<std::byte> memory(300);
  const auto destination = from_hex("0102030405060708");
  const auto token = from_hex("deadbeef");
  buffer_writer writer(memory);
  for (const packet_type type :
       {packet_type::initial, packet_type::zero_rtt, packet_type::handshake}) {
    const std::size_t start = writer.size();
    long_header header;
    header.type = type;
    header.destination = destination;
    header.token = token;
    header.packet_number = 0x1234;
    header.packet_number_size = 2;
    const auto layout = write_long_header(writer, header);
    CHECK(layout.size == long_header_size(header));
    writer.zeros(50);
    patch_length(memory.data() + start, layout.length_offset, 52);
  }
  write_short_header(writer, {destination, true, true, 0x56, 1});
  writer.zeros(30);

  bytes rest = writer.written();
  const auto initial = parse_header(rest, 8).value();
  CHECK(initial.type == packet_type::initial);
  CHECK(to_hex(initial.token) == "deadbeef");
  CHECK(to_hex(rest.subspan(initial.packet_number_offset, 2)) == "1234");
  rest = rest.subspan(initial.size);
  const auto early = parse_header(rest, 8).value();
  CHECK(early.type == packet_type::zero_rtt);
  CHECK(early.token.empty());
  rest = rest.subspan(early.size);
  const auto handshake = parse_header(rest, 8).value();
  CHECK(handshake.type == packet_type::handshake);
  rest = rest.subspan(handshake.size);
  const auto short_one = parse_header(rest, 8).value();
  CHECK(short_one.type == packet_type::one_rtt);
  CHECK(spin_bit_of(short_one.first_byte));
  CHECK(key_phase_of(short_one.first_byte));
  CHECK(to_hex(short_one.destination) == "0102030405060708");
  CHECK(short_one.packet_number_offset == 9);
  CHECK(short_one.size == rest.size());
}

TEST_CASE("packet_header: a length beyond the datagram drops it", "[quic][wire][header]") {
  const std::string header = "e000000001 01aa 01bb";
  const auto with_length = [&header](const char* length, std::size_t payload) {
    auto packet = from_hex(header + length);
    packet.resize(packet.size() + payload);
    return packet;
  };
  CHECK(parse_header(with_length("14", 0x13), 8).error() == header_failure::length_beyond_datagram);
  CHECK(parse_header(with_length("14", 0x14), 8)->size == 9 + 1 + 0x14);
  CHECK(parse_header(with_length("14", 0x15), 8)->size == 9 + 1 + 0x14);
  CHECK(parse_header(with_length("ffffffffffffffff", 100), 8).error() ==
        header_failure::length_beyond_datagram);
}

TEST_CASE("packet_header: a token of any length, or beyond the datagram",
          "[quic][wire][header][Q21][attack]") {
  for (std::size_t size = 0; size <= 300; ++size) {
    std::vector<std::byte> memory(400);
    const std::vector<std::byte> token(size, std::byte{0xee});
    buffer_writer writer(memory);
    long_header header;
    header.token = token;
    const auto layout = write_long_header(writer, header);
    patch_length(memory.data(), layout.length_offset, 1);
    const auto packet = copy_of(writer.written());
    const auto parsed = parse_header(packet, 8);
    REQUIRE(parsed);
    CHECK(transport::equal_bytes(parsed->token, token));
    if (size % 50 == 0) check_truncated_everywhere(packet, packet.size());
  }
  CHECK(failure_of(padded("c000000001 00 00 ffffffffffffffff", 100)) == header_failure::truncated);
}

TEST_CASE("packet_header: short headers need their connection ID", "[quic][wire][header]") {
  for (std::size_t local_size = 0; local_size <= 20; ++local_size) {
    std::vector<std::byte> packet(1 + local_size);
    packet[0] = std::byte{0x40};
    CHECK(parse_header(packet, local_size)->destination.size() == local_size);
    CHECK(failure_of(bytes(packet).first(local_size), local_size) == header_failure::truncated);
  }
}

TEST_CASE("packet_header: reserved bits are the two of each header form",
          "[quic][wire][header][Q56][attack]") {
  for (unsigned first = 0; first < 256; ++first) {
    const auto octet = static_cast<std::byte>(first);
    CHECK(has_reserved_bits(octet) == ((first & (first & 0x80 ? 0x0cu : 0x18u)) != 0));
    CHECK(packet_number_size_of(octet) == (first & 3) + 1);
  }
}

//= RFC 9000 section 17.3.1
//# The value included prior to protection MUST be set to 0.
TEST_CASE("packet_header: writers set the reserved bits to zero and fail without room",
          "[quic][wire][header]") {
  //= RFC 9000 section 17.2
  //= type=test
  //# The value included prior to protection MUST be set to 0.
  const auto destination = from_hex("0102");
  for (std::size_t number_size = 1; number_size <= 4; ++number_size) {
    long_header header;
    header.type = packet_type::handshake;
    header.destination = destination;
    header.packet_number = 0xffffffffff;
    header.packet_number_size = number_size;
    for (std::size_t room = 0; room <= long_header_size(header); ++room) {
      std::vector<std::byte> memory(room);
      buffer_writer writer(memory);
      write_long_header(writer, header);
      CHECK(writer.ok() == (room == long_header_size(header)));
      if (writer.ok()) CHECK_FALSE(has_reserved_bits(memory[0]));
    }
    const short_header one_rtt{destination, false, true, 0xffffffffff, number_size};
    for (std::size_t room = 0; room <= short_header_size(one_rtt); ++room) {
      std::vector<std::byte> memory(room);
      buffer_writer writer(memory);
      write_short_header(writer, one_rtt);
      CHECK(writer.ok() == (room == short_header_size(one_rtt)));
      if (writer.ok()) CHECK_FALSE(has_reserved_bits(memory[0]));
    }
  }
}

TEST_CASE("patch_length: two bytes, whatever the value", "[quic][wire][header]") {
  std::vector<std::byte> memory(4);
  patch_length(memory.data(), 1, 0);
  CHECK(to_hex(memory) == "00400000");
  patch_length(memory.data(), 1, 63);
  CHECK(to_hex(memory) == "00403f00");
  patch_length(memory.data(), 1, max_patched_length);
  CHECK(to_hex(memory) == "007fff00");
}

//= RFC 9000 section 17.2.1
//# The Version field of a Version Negotiation packet MUST be set to 0x00000000.
TEST_CASE("version_negotiation: survives a round trip with connection IDs of any length",
          "[quic][wire][header]") {
  const std::uint32_t versions[]{1, 0x6b3343cf, 0x1a2a3a4a};
  for (const std::size_t size : {0u, 8u, 20u, 21u, 255u}) {
    const std::vector<std::byte> destination(size, std::byte{0xd1}), source(size, std::byte{0x5c});
    std::vector<std::byte> memory(7 + 2 * size + 12);
    buffer_writer writer(memory);
    encode_version_negotiation(writer, {std::byte{0x2a}, destination, source, versions});
    REQUIRE(writer.ok());
    CHECK(writer.size() == memory.size());
    CHECK(memory[0] == std::byte{0xea});
    CHECK(parse_header(memory, 8)->type == packet_type::version_negotiation);

    const auto packet = parse_version_negotiation(memory).value();
    CHECK(transport::equal_bytes(packet.destination, destination));
    CHECK(transport::equal_bytes(packet.source, source));
    REQUIRE(packet.size() == 3);
    CHECK(packet[0] == 1);
    CHECK(packet[2] == 0x1a2a3a4a);
    CHECK(packet.contains(0x6b3343cf));
    CHECK_FALSE(packet.contains(2));
  }
}

TEST_CASE("version_negotiation: without a whole version it is ignored", "[quic][wire][header]") {
  //= RFC 8999 section 6
  //= type=test
  //# An endpoint MUST ignore a packet that contains no Supported Version
  //# fields or contains a truncated Supported Version value.
  const std::string start = "80 00000000 01aa 01bb";
  for (std::size_t extra = 0; extra <= 12; ++extra) {
    const auto packet = padded(start, 9 + extra);
    const auto result = parse_version_negotiation(packet);
    if (extra != 0 && extra % 4 == 0) {
      CHECK(result);
    } else {
      CHECK(result.error() == header_failure::no_versions);
    }
  }
  CHECK(parse_version_negotiation(padded("c0 00000001 00 00 00 00", 50)).error() ==
        header_failure::wrong_type);
  CHECK(parse_version_negotiation(padded("40", 50)).error() == header_failure::wrong_type);
}

TEST_CASE("version: reserved versions are 0x?a?a?a?a", "[quic][wire]") {
  CHECK(quic::is_reserved_version(0x0a0a0a0a));
  CHECK(quic::is_reserved_version(0xfafafafa));
  CHECK(quic::is_reserved_version(0x1a2a3a4a));
  CHECK_FALSE(quic::is_reserved_version(0x1a2a3a4b));
  CHECK_FALSE(quic::is_reserved_version(1));
  CHECK(quic::is_supported_version(quic::version_1));
  CHECK_FALSE(quic::is_supported_version(0));
}
