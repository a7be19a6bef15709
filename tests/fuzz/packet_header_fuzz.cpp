// SPDX-License-Identifier: Apache-2.0
// A datagram: the first byte says how long local connection IDs are, the rest is walked packet by
// packet.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/wire/packet_header.hpp"

namespace {

using namespace strata;
using namespace strata::quic::core;
using transport::bytes;

void require(bool condition) {
  if (!condition) std::abort();
}

bool lies_within(bytes part, bytes whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_version_negotiation(bytes datagram) {
  const auto packet = parse_version_negotiation(datagram);
  if (!packet) return;
  std::vector<std::uint32_t> versions;
  for (std::size_t i = 0; i < packet->size(); ++i) {
    versions.push_back((*packet)[i]);
    require(packet->contains(versions.back()));
  }
  std::vector<std::byte> memory(datagram.size());
  transport::buffer_writer writer(memory);
  encode_version_negotiation(writer, {datagram[0], packet->destination, packet->source, versions});
  require(writer.ok() && writer.size() == memory.size());
  require(transport::equal_bytes(bytes(memory).subspan(1), datagram.subspan(1)));
}

void check_retry(bytes datagram) {
  const auto packet = parse_retry(datagram);
  if (!packet) return;
  require(packet->integrity_tag.size() == retry_integrity_tag_size && !packet->token.empty());
  std::vector<std::byte> memory(datagram.size());
  transport::buffer_writer writer(memory);
  encode_retry(writer, *packet);
  require(writer.ok() && transport::equal_bytes(memory, datagram));
}

/// A header written from what was read gives the same fields again.
void check_written(const packet_header& header) {
  long_header fields;
  fields.type = header.type;
  fields.version = header.version;
  fields.destination = header.destination;
  fields.source = header.source;
  fields.token = header.token;
  std::vector<std::byte> memory(long_header_size(fields));
  transport::buffer_writer writer(memory);
  const auto layout = write_long_header(writer, fields);
  require(writer.ok() && layout.size == memory.size());
  patch_length(memory.data(), layout.length_offset, 1);
  const auto again = parse_header(memory, 0);
  require(again.has_value() && again->type == header.type);
  require(transport::equal_bytes(again->destination, header.destination));
  require(transport::equal_bytes(again->source, header.source));
  require(transport::equal_bytes(again->token, header.token));
}

void check_packet(const packet_header& header, bytes packet) {
  require(header.size <= packet.size() && header.size > 0);
  require(header.packet_number_offset > 0 && header.packet_number_offset <= header.size);
  require(lies_within(header.destination, packet) && lies_within(header.source, packet) &&
          lies_within(header.token, packet));
  switch (header.type) {
    case packet_type::initial:
    case packet_type::zero_rtt:
    case packet_type::handshake: check_written(header); [[fallthrough]];
    case packet_type::retry:
      require(header.destination.size() <= quic::connection_id::max_size);
      require(header.source.size() <= quic::connection_id::max_size);
      break;
    case packet_type::one_rtt: require(header.size == packet.size()); break;
    case packet_type::version_negotiation:
    case packet_type::unknown_version: require(header.size == packet.size()); break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t local_size = input[0] % (quic::connection_id::max_size + 1);
  bytes rest = std::as_bytes(std::span(input + 1, size - 1));
  while (!rest.empty()) {
    check_version_negotiation(rest);
    check_retry(rest);
    const auto header = parse_header(rest, local_size);
    if (!header) break;
    check_packet(*header, rest);
    rest = rest.subspan(header->size);
  }
  return 0;
}
