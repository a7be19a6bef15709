// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/connection/outgoing_batch.hpp"
#include "core/crypto/key_schedule.hpp"
#include "core/endpoint/endpoint_state.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/quic/core/version.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

/// The Destination Connection ID, which stands at the same place in every version (RFC 8999);
/// nothing in a stump.
std::optional<bytes> destination_of(bytes datagram) {
  if (datagram.empty()) return std::nullopt;
  if (!is_long_header(datagram[0])) {
    if (datagram.size() < 1 + local_connection_ids::id_size) return std::nullopt;
    return datagram.subspan(1, local_connection_ids::id_size);
  }
  transport::buffer_reader reader(datagram.subspan(1));
  reader.skip(4);
  const bytes destination = reader.take(reader.u8());
  return reader.ok() ? std::optional(destination) : std::nullopt;
}

/// Whether the packet was really sealed for the Destination Connection ID it names. Anybody can do
/// that, but noise cannot, and costs no more than this look at a copy.
bool is_sealed_initial(bytes datagram, const packet_header& header, packet_protection& keys) {
  const std::size_t number_offset = header.packet_number_offset;
  constexpr std::size_t sample_distance = 4;
  if (header.size < number_offset + sample_distance + header_sample_size) return false;
  const bytes original = datagram.first(header.size);
  std::vector<std::byte> packet(original.begin(), original.end());
  const std::byte* sample = packet.data() + number_offset + sample_distance;
  header_mask mask;
  keys.header_masks({&sample, 1}, {&mask, 1});
  const std::byte first = packet[0] ^ (mask[0] & std::byte{0x0f});
  const std::size_t number_size = packet_number_size_of(first);
  apply_header_mask(packet.data(), number_offset, number_size, mask);
  transport::buffer_reader reader(bytes(packet).subspan(number_offset, number_size));
  const std::uint64_t number = reader.fixed(number_size);
  const mutable_bytes whole(packet);
  const std::size_t header_size = number_offset + number_size;
  return keys.open(number, whole.first(header_size), whole.subspan(header_size));
}

}  // namespace

std::size_t endpoint::state::receive_run(time_point now, const datagram_batch& batch,
                                         std::size_t offset) {
  const mutable_bytes rest = batch.payload.subspan(offset);
  const mutable_bytes first = rest.first(std::min<std::size_t>(batch.stride, rest.size()));
  const auto destination = destination_of(first);
  const bool routable = destination && destination->size() <= connection_id::max_size;
  const auto place = routable ? router.find(connection_id(*destination)) : std::nullopt;
  if (!place) {
    ++statistics.datagrams_received;
    receive_unrouted(now, batch, first);
    return first.size();
  }
  // Packets of one connection come in runs: a look-up serves them all.
  std::size_t size = first.size();
  while (!is_long_header(first[0]) && size < rest.size()) {
    const bytes next = rest.subspan(size, std::min<std::size_t>(batch.stride, rest.size() - size));
    if (is_long_header(next[0])) break;
    const auto following = destination_of(next);
    if (!following || !transport::equal_bytes(*following, *destination)) break;
    size += next.size();
  }
  statistics.datagrams_received += (size + batch.stride - 1) / batch.stride;
  slot& target = slots[*place];
  target.connection->receive(
      now, {rest.first(size), batch.stride, batch.mark, batch.remote, batch.local});
  note_handshake(target);
  if (received_since_release.empty() || received_since_release.back() != *place) {
    received_since_release.push_back(*place);
  }
  return size;
}

void endpoint::state::receive_unrouted(time_point now, const datagram_batch& batch,
                                       bytes datagram) {
  //= RFC 9000 section 10.3
  //# endpoints MUST treat any packet ending in a valid stateless reset token as a Stateless Reset,
  //# as other QUIC versions might allow the use of a long header.
  if (receive_reset(now, datagram)) return;
  const stateless_responder::addresses from{batch.remote, batch.local};
  //= RFC 9000 section 5.2.2
  //# Servers MUST drop incoming packets under all other circumstances.
  //= RFC 9000 section 6.1
  //# An endpoint MUST NOT send a Version Negotiation packet in response to receiving a Version
  //# Negotiation packet.
  const auto header = parse_header(datagram, local_connection_ids::id_size);
  if (header && header->type == packet_type::unknown_version) {
    //= RFC 9000 section 17.2.1
    //# A server MUST NOT send more than one Version Negotiation packet in response to a single UDP
    //# datagram.
    //= RFC 9000 section 5.2.2
    //# Servers MUST drop smaller packets that specify unsupported versions.
    const bool large_enough = datagram.size() >= limits::min_initial_datagram;
    if (config.accept_incoming && large_enough) return responder.negotiate_version(from, *header);
  } else if (header && header->type == packet_type::initial) {
    if (config.accept_incoming) return receive_initial(batch, datagram, *header);
  } else if (header && header->type == packet_type::one_rtt) {
    ++statistics.datagrams_dropped;
    //= RFC 9000 section 11
    //# A stateless reset MUST NOT be used by an endpoint that has the state necessary to send a
    //# frame on the connection.
    return responder.reset(now, from, header->destination, datagram.size());
  }
  ++statistics.datagrams_dropped;
}

bool endpoint::state::receive_reset(time_point now, bytes datagram) {
  const auto place = router.find_reset(datagram);
  if (!place) return false;
  slots[*place].connection->on_stateless_reset(now);
  return true;
}

void endpoint::state::receive_initial(const datagram_batch& batch, bytes datagram,
                                      const packet_header& header) {
  const stateless_responder::addresses from{batch.remote, batch.local};
  //= RFC 9000 section 14.1
  //# A server MUST discard an Initial packet that is carried in a UDP datagram with a payload that is
  //# smaller than the smallest allowed maximum datagram size of 1200 bytes.
  //= RFC 9000 section 7.2
  //# This Destination Connection ID MUST be at least 8 bytes in length.
  constexpr std::size_t least_id = 8;
  const connection_id destination(header.destination);
  if (datagram.size() < limits::min_initial_datagram || destination.size() < least_id) {
    ++statistics.datagrams_dropped;
    return;
  }
  if (incoming.append(destination, batch.remote, datagram)) return;
  auto keys = derive_initial_protection(destination, tls.null_protection());
  if (!keys || !is_sealed_initial(datagram, header, keys->client)) {
    ++statistics.datagrams_dropped;
    return;
  }

  incoming_attempts::attempt attempt{.visible = {batch.remote, batch.local, false},
                                     .destination = destination,
                                     .source = connection_id(header.source),
                                     .original_destination = destination,
                                     .retry_source = std::nullopt,
                                     .keys = std::move(*keys),
                                     .mark = batch.mark,
                                     .datagrams = {},
                                     .bytes = 0};
  if (!header.token.empty()) {
    bool looks_like_retry = false;
    //= RFC 9000 section 8.1.3
    //# When a server receives an Initial packet with an address validation token, it MUST attempt
    //# to validate the token
    const auto token = tokens.check(header.token, batch.remote, looks_like_retry);
    const bool of_retry = token && token->kind == address_token::purpose::retry;
    //= RFC 9000 section 8.1.3
    //# If the token is invalid, then the server SHOULD proceed as if the client did not have a validated
    //# address
    // but a Retry token that is no good would send the client round in circles: it is told
    // (section 8.1.2).
    if ((!token && looks_like_retry) || (of_retry && !(token->retry_source == destination))) {
      return responder.close(from, header, transport_error::invalid_token);
    }
    //= RFC 9000 section 8.1.4
    //# If the client IP address has changed, the server MUST adhere to the anti-amplification
    //# limit.
    attempt.visible.address_validated = token.has_value();
    if (of_retry) {
      attempt.original_destination = token->original_destination;
      attempt.retry_source = token->retry_source;
    }
  }
  attempt.datagrams.emplace_back(datagram.begin(), datagram.end());
  attempt.bytes = datagram.size();
  if (const auto number = incoming.add(std::move(attempt))) {
    events.push(event_kind::incoming, 0, *number);
  } else {
    ++statistics.incoming_dropped;
  }
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
