// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>

#include "core/connection/connection_state.hpp"
#include "core/crypto/key_schedule.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/quic/core/version.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

/// Where header protection takes its sample: four bytes after the start of the packet number,
/// whatever its size (RFC 9001 section 5.4.2).
constexpr std::size_t sample_distance = 4;

std::optional<encryption_level> level_of(packet_type type) {
  switch (type) {
    case packet_type::initial: return encryption_level::initial;
    case packet_type::handshake: return encryption_level::handshake;
    case packet_type::one_rtt: return encryption_level::application;
    default: return std::nullopt;
  }
}

observed::packet_kind kind_of(packet_type type) {
  switch (type) {
    case packet_type::initial: return observed::packet_kind::initial;
    case packet_type::zero_rtt: return observed::packet_kind::zero_rtt;
    case packet_type::handshake: return observed::packet_kind::handshake;
    case packet_type::retry: return observed::packet_kind::retry;
    case packet_type::version_negotiation: return observed::packet_kind::version_negotiation;
    case packet_type::one_rtt: return observed::packet_kind::one_rtt;
    case packet_type::unknown_version: break;
  }
  return observed::packet_kind::unknown;
}

}  // namespace

struct connection_state::opened_packet {
  std::uint64_t number = 0;
  std::byte first_byte{};
  mutable_bytes payload;
};

std::size_t connection_state::masks_for_batch(const input& datagrams) {
  packet_protection* keys = keys_.reader(encryption_level::application);
  const std::size_t number_offset = 1 + local_connection_ids::id_size;
  if (keys == nullptr) return 0;
  std::size_t count = 0;
  for (std::size_t offset = 0; offset < datagrams.payload.size(); offset += datagrams.stride) {
    const mutable_bytes datagram = datagrams.payload.subspan(offset);
    const bool fits = datagram.size() >= number_offset + sample_distance + header_sample_size;
    if (!fits || is_long_header(datagram[0]) || count == surroundings_.scratch.samples.size())
      break;
    surroundings_.scratch.samples[count++] = datagram.data() + number_offset + sample_distance;
  }
  workspace& scratch = surroundings_.scratch;
  keys->header_masks(std::span(scratch.samples).first(count),
                     std::span(scratch.masks).first(count));
  return count;
}

void connection_state::receive(time_point now, const input& datagrams) {
  touch();
  //= RFC 9000 section 9
  //# the endpoint MUST either drop the incoming packets on that path without generating a
  //# Stateless Reset
  //= RFC 9000 section 9
  //# If a client receives packets from an unknown server address, the client MUST discard these
  //# packets.
  //= RFC 9000 section 10.2.1
  //# An endpoint in the closing state MUST either discard packets received from an unvalidated
  //# address
  // Migration is not offered (disable_active_migration): packets of another address may be an
  // attacker's copies, and RFC 9000 section 9 lets us drop them.
  if (datagrams.remote != path_.remote()) {
    return drop(now, nullptr, datagrams.payload.size(), "unexpected_source_address");
  }
  if (path_.local() != datagrams.local) path_.set_local(datagrams.local);

  const std::size_t masked = masks_for_batch(datagrams);
  std::size_t index = 0;
  for (std::size_t offset = 0; offset < datagrams.payload.size();
       offset += datagrams.stride, ++index) {
    const std::size_t size =
        std::min<std::size_t>(datagrams.stride, datagrams.payload.size() - offset);
    const header_mask* mask = index < masked ? &surroundings_.scratch.masks[index] : nullptr;
    receive_datagram(now, datagrams.payload.subspan(offset, size), datagrams.mark, mask);
  }
  recovery_.set_amplification_limited(now, side_ == role::server && path_.allowance() == 0);
}

void connection_state::receive_datagram(time_point now, mutable_bytes datagram, transport::ecn mark,
                                        const header_mask* mask) {
  ++statistics_.datagrams_received;
  statistics_.bytes_received += datagram.size();
  //= RFC 9000 section 8.1
  //# servers MUST count all of the payload bytes received in datagrams that are uniquely
  //# attributed to a single connection
  path_.on_received(datagram.size());
  if (phase_ == phase::closing) return closing_.on_packet_received(datagram.size());
  if (phase_ != phase::open) return;
  arrival from{.mark = mark, .mask = mask, .datagram_size = datagram.size(), .destination = {}};
  const std::uint64_t received = statistics_.packets_received;
  //= RFC 9000 section 12.2
  //# Receivers MUST be able to process coalesced packets.
  //= RFC 9000 section 12.2
  //# The receiver of coalesced QUIC packets MUST individually process each QUIC packet and
  //# separately acknowledge them, as if they were received as the payload of different UDP
  //# datagrams.
  //= RFC 9000 section 12.2
  //# the receiver MAY either discard or buffer the packet for later processing and MUST attempt to
  //# process the remaining packets
  while (!datagram.empty() && phase_ == phase::open) {
    const std::size_t size = receive_first_packet(now, datagram, from);
    //= RFC 9000 section 10.3.1
    //# the comparison MUST be performed when the first packet in an incoming datagram either cannot
    //# be associated with a connection or cannot be decrypted.
    const bool first = datagram.size() == from.datagram_size;
    if (first && statistics_.packets_received == received &&
        surroundings_.router.find_reset(datagram) == handle_.slot) {
      return on_stateless_reset(now);
    }
    if (size == 0) return;
    datagram = datagram.subspan(size);
    from.mask = nullptr;
  }
}

/// Why a packet may not stand in the datagram it came in; nullptr when it may.
const char* connection_state::unfit_for_datagram(const packet_header& header,
                                                 arrival& from) const noexcept {
  //= RFC 9000 section 12.2
  //# Receivers SHOULD ignore any subsequent packets with a different Destination Connection ID than the
  //# first packet in the datagram.
  if (from.destination.empty()) from.destination = header.destination;
  if (!transport::equal_bytes(from.destination, header.destination)) return "unknown_connection_id";
  if (header.type != packet_type::initial) return nullptr;
  //= RFC 9000 section 14.1
  //# A server MUST discard an Initial packet that is carried in a UDP datagram with a payload that is
  //# smaller than the smallest allowed maximum datagram size of 1200 bytes.
  //= RFC 9000 section 14
  //# an endpoint MUST NOT close a connection when it receives a datagram that does not meet size
  //# constraints
  if (side_ == role::server && from.datagram_size < limits::min_initial_datagram) return "invalid";
  //= RFC 9000 section 17.2.2
  //# clients that receive an Initial packet with a non-zero Token Length field MUST either discard the
  //# packet or generate a connection error of type PROTOCOL_VIOLATION.
  if (side_ == role::client && !header.token.empty()) return "invalid";
  return nullptr;
}

/// Size of the packet, or zero when the rest of the datagram cannot be read.
std::size_t connection_state::receive_first_packet(time_point now, mutable_bytes datagram,
                                                   arrival& from) {
  const auto header = parse_header(datagram, local_connection_ids::id_size);
  if (!header) {
    drop(now, nullptr, datagram.size(), "header_parse_error");
    return 0;
  }
  switch (header->type) {
    case packet_type::version_negotiation: receive_version_negotiation(now, datagram); return 0;
    case packet_type::retry: receive_retry(now, datagram); return 0;
    case packet_type::unknown_version:
      //= RFC 9000 section 5.2.1
      //# If a client receives a packet that uses a different version than it initially selected,
      //# it MUST discard that packet.
      drop(now, &*header, datagram.size(), "unexpected_version");
      return 0;
    default: break;
  }
  if (const char* unfit = unfit_for_datagram(*header, from)) {
    drop(now, &*header, header->size, unfit);
  } else {
    receive_protected(now, {*header, datagram.first(header->size), from.mark, from.mask});
  }
  return header->size;
}

/// After the first authentic packet of the handshake the peer's Source Connection ID is fixed.
bool connection_state::is_expected_source(const packet_header& header) const noexcept {
  //= RFC 9000 section 7.2
  //# Once a client has received a valid Initial packet from the server, it MUST discard any subsequent
  //# packet it receives on that connection with a different Source Connection ID.
  //= RFC 9000 section 7.2
  //# if subsequent Initial packets include a different Source Connection ID, they MUST be
  //# discarded
  return header.type == packet_type::one_rtt || !peer_source_known_ ||
         peer_initial_source_ == header.source;
}

void connection_state::receive_protected(time_point now, const received_packet& packet) {
  const auto level = level_of(packet.header.type);
  //= RFC 9001 section 5.6
  //# A client MUST NOT attempt to decrypt 0-RTT packets it receives and instead MUST discard them.
  if (!level) return drop(now, &packet.header, packet.whole.size(), "unsupported_packet");
  if (!is_expected_source(packet.header)) {
    return drop(now, &packet.header, packet.whole.size(), "unknown_connection_id");
  }
  //= RFC 9001 section 5.7
  //# Endpoints in either role MUST NOT decrypt 1-RTT packets from their peer prior to completing
  //# the handshake.
  const bool too_early =
      //= RFC 9001 section 5.7
      //# A server MUST NOT process incoming 1-RTT protected packets before the TLS handshake is
      //# complete.
      side_ == role::server && *level == encryption_level::application && !handshake_done_;
  //= RFC 9001 section 5.7
  //# Even if it has 1-RTT secrets, a client MUST NOT process incoming 1-RTT protected packets
  //# before the TLS handshake is complete.
  if (!keys_.can_read(*level) || too_early) {
    const bool keys_may_come = *level != encryption_level::initial && !confirmed_;
    if (keys_may_come) keep_undecryptable(packet.whole, packet.mark);
    return drop(now, &packet.header, packet.whole.size(), "key_unavailable");
  }
  opened_packet opened;
  if (!open_packet(now, packet, *level, opened)) return;
  if (phase_ == phase::open) on_authentic(now, packet, *level, opened);
}

//= RFC 9001 section 9.5
//# the entire process of header protection removal, packet number recovery, and packet protection
//# removal MUST be applied together without timing and other side channels
bool connection_state::open_packet(time_point now, const received_packet& packet,
                                   encryption_level level, opened_packet& out) {
  const std::size_t number_offset = packet.header.packet_number_offset;
  //= RFC 9001 section 5.4.2
  //# An endpoint MUST discard packets that are not long enough to contain a complete sample.
  if (packet.whole.size() < number_offset + sample_distance + header_sample_size) {
    drop(now, &packet.header, packet.whole.size(), "payload_too_short");
    return false;
  }
  packet_protection& keys = *keys_.reader(level);
  header_mask mask;
  if (packet.mask != nullptr) {
    mask = *packet.mask;
  } else {
    const std::byte* sample = packet.whole.data() + number_offset + sample_distance;
    keys.header_masks({&sample, 1}, {&mask, 1});
  }
  std::byte* const start = packet.whole.data();
  const std::byte first =
      start[0] ^ (mask[0] & (is_long_header(start[0]) ? std::byte{0x0f} : std::byte{0x1f}));
  const std::size_t number_size = packet_number_size_of(first);
  apply_header_mask(start, number_offset, number_size, mask);

  transport::buffer_reader reader(packet.whole.subspan(number_offset, number_size));
  const std::uint64_t truncated = reader.fixed(number_size);
  const auto largest = acks_[static_cast<std::size_t>(space_of(level))].largest();
  out.number = decode_packet_number(largest, truncated, static_cast<unsigned>(8 * number_size));
  out.first_byte = first;
  const std::size_t header_size = number_offset + number_size;
  const mutable_bytes ciphertext = packet.whole.subspan(header_size);
  if (ciphertext.size() < aead_tag_size) {
    drop(now, &packet.header, packet.whole.size(), "payload_too_short");
    return false;
  }
  out.payload = ciphertext.first(ciphertext.size() - aead_tag_size);

  bool authentic = false;
  if (level == encryption_level::application) {
    const auto result = keys_.open_application(
        now, {out.number, key_phase_of(first), packet.whole.first(header_size), ciphertext},
        3 * recovery_.probe_timeout(packet_number_space::application));
    if (!result) return fail(now, result.error()), false;
    authentic = *result != packet_keys::opened::forged;
    if (*result == packet_keys::opened::updated) {
      observe(observer::security, [&](observer& who) {
        for (const role sender : {opposite(side_), side_})
          who.key_updated({subject(now), sender, level, keys_.phase(), "remote_update"});
      });
    }
  } else {
    authentic = keys.open(out.number, packet.whole.first(header_size), ciphertext);
  }
  if (authentic) return true;

  drop(now, &packet.header, packet.whole.size(), "decryption_failure");
  if (auto counted = keys_.on_forged(); !counted) fail(now, counted.error());
  return false;
}

void connection_state::on_authentic(time_point now, const received_packet& packet,
                                    encryption_level level, const opened_packet& opened) {
  ack_tracker& acks = acks_[static_cast<std::size_t>(space_of(level))];
  //= RFC 9000 section 12.3
  //# A receiver MUST discard a newly unprotected packet unless it is certain that it has not
  //# processed another packet with the same packet number from the same packet number space.
  //= RFC 9000 section 12.3
  //# Duplicate suppression MUST happen after removing packet protection for the reasons described
  //# in Section 9.5 of [QUIC-TLS].
  // Only now, so that a forged duplicate takes the same time as any other forgery.
  if (acks.is_duplicate(opened.number))
    return drop(now, &packet.header, packet.whole.size(), "duplicate");
  ++statistics_.packets_received;
  packet_processed_ = true;
  //= RFC 9000 section 17.2
  //# An endpoint MUST treat receipt of a packet that has a non-zero value for these bits after removing
  //# both packet and header protection as a connection error of type PROTOCOL_VIOLATION.
  //= RFC 9000 section 17.3.1
  //# An endpoint MUST treat receipt of a packet that has a non-zero value for these bits, after
  //# removing both packet and header protection, as a connection error of type PROTOCOL_VIOLATION.
  if (has_reserved_bits(opened.first_byte)) {
    return fail(now, {transport_error::protocol_violation, 0, "reserved header bits are set"});
  }
  if (side_ == role::client && !peer_source_known_ && level == encryption_level::initial) {
    peer_initial_source_ = connection_id(packet.header.source);
    peer_source_known_ = true;
    //= RFC 9000 section 7.2
    //# A client MUST change the Destination Connection ID it uses for sending packets in response
    //# to only the first received Initial or Retry packet.
    peer_ids_.set_initial(peer_initial_source_);
  }
  observe(observer::transport, [&](observer& who) {
    who.packet_received({subject(now), kind_of(packet.header.type), opened.number,
                         packet.whole.size(), opened.payload});
  });
  last_received_ = now;
  holds_memory_ = true;
  eliciting_since_received_ = false;
  if (side_ == role::server && level == encryption_level::handshake) {
    // The client has our Handshake keys, so it received what was sent to its address (RFC 9000
    // section 8.1), and Initial keys are of no more use (RFC 9001 section 4.9.1).
    path_.set_validated();
    recovery_.on_peer_completed_address_validation(now);
    //= RFC 9001 section 4.9.1
    //# a server MUST discard Initial keys when it first successfully processes a Handshake packet
    discard_keys(now, encryption_level::initial);
  }
  const bytes payload = opened.payload;
  //= RFC 9000 section 12.4
  //# An endpoint MUST treat receipt of a packet containing no frames as a connection error of type
  //# PROTOCOL_VIOLATION.
  if (payload.empty())
    return fail(now, {transport_error::protocol_violation, 0, "packet without frames"});
  const std::uint64_t eliciting_before = frames_eliciting_;
  current_destination_ = packet.header.destination;
  //= RFC 9000 section 5.2
  //# An endpoint MUST generate a connection error if processing the contents of these packets
  //# prior to discovering an error, or fully revert any changes made during that processing.
  if (auto done = receive_frames(now, level, payload); !done) return fail(now, done.error());
  if (phase_ != phase::open) return;
  //= RFC 9000 section 13.1
  //# A packet MUST NOT be acknowledged until packet protection has been successfully removed and
  //# all frames contained in the packet have been processed.
  acks.on_packet_received(now, opened.number, frames_eliciting_ != eliciting_before, packet.mark);
  if (auto done = after_handshake_progress(now); !done) return fail(now, done.error());
}

void connection_state::receive_version_negotiation(time_point now, bytes packet) {
  const auto parsed = parse_version_negotiation(packet);
  //= RFC 9000 section 6.2
  //# A client MUST discard any Version Negotiation packet if it has received and successfully processed
  //# any other packet, including an earlier Version Negotiation packet.
  const bool wanted = parsed && side_ == role::client && !packet_processed_ && !retry_source_;
  if (!wanted || parsed->source.size() != original_destination_.size() ||
      !(original_destination_ == parsed->source) ||
      !(local_ids_.initial() == parsed->destination)) {
    return drop(now, nullptr, packet.size(), "unexpected_packet");
  }
  //= RFC 9000 section 6.2
  //# A client MUST discard a Version Negotiation packet that lists the QUIC version selected by the
  //# client.
  if (parsed->contains(version_1)) return drop(now, nullptr, packet.size(), "invalid");
  //= RFC 9000 section 6.2
  //# A client that supports only this version of QUIC MUST abandon the current connection attempt
  //# if it receives a Version Negotiation packet, with the following two exceptions.
  end_silently(now, {.origin = close_reason::origin_kind::version_negotiation,
                     .code = 0,
                     .frame_type = 0,
                     .reason = "the server speaks no QUIC version of ours"});
}

void connection_state::receive_retry(time_point now, bytes packet) {
  const auto retry = parse_retry(packet);
  //= RFC 9000 section 17.2.5.2
  //# A client MUST accept and process at most one Retry packet for each connection attempt.
  //= RFC 9000 section 17.2.5.2
  //# After the client has received and processed an Initial or Retry packet from the server, it
  //# MUST discard any subsequent Retry packets that it receives.
  const bool wanted = retry && side_ == role::client && !packet_processed_ && !retry_source_ &&
                      local_ids_.initial() == retry->destination;
  //= RFC 9000 section 17.2.5.2
  //# A client MUST discard a Retry packet with a zero-length Retry Token field.
  if (!wanted || retry->token.empty() || retry->token.size() > limits::max_token_size ||
      //= RFC 9000 section 17.2.5.1
      //# A client MUST discard a Retry packet that contains a Source Connection ID field that is
      //# identical to the Destination Connection ID field of its Initial packet.
      original_destination_ == retry->source) {
    return drop(now, nullptr, packet.size(), "unexpected_packet");
  }
  const auto expected =
      retry_integrity_tag(original_destination_, packet.first(packet.size() - aead_tag_size));
  //= RFC 9000 section 17.2.5.2
  //# Clients MUST discard Retry packets that have a Retry Integrity Tag that cannot be validated
  if (!expected || !transport::equal_bytes(*expected, retry->integrity_tag)) {
    return drop(now, nullptr, packet.size(), "decryption_failure");
  }
  auto keys =
      derive_initial_protection(connection_id(retry->source), surroundings_.tls.null_protection());
  if (!keys) return fail(now, {transport_error::internal_error, 0, "key derivation failed"});
  keys_.set_initial(std::move(keys->server), std::move(keys->client));
  //= RFC 9000 section 17.2.5.1
  //# The client MUST use the value from the Source Connection ID field of the Retry packet in the
  //# Destination Connection ID field of subsequent packets that it sends.
  retry_source_ = connection_id(retry->source);
  peer_ids_.set_initial(*retry_source_);
  //= RFC 9000 section 8.1.3
  //# The client MUST NOT use the token provided in a Retry for future connections.
  //= RFC 9000 section 8.1.3
  //# a token obtained in a Retry packet MUST be used immediately during the connection attempt
  token_.assign(retry->token.begin(), retry->token.end());
  //= RFC 9000 section 17.2.5.3
  //# A client MUST use the same cryptographic handshake message it included in this packet.
  //= RFC 9000 section 17.2.5.3
  //# A client MUST NOT reset the packet number for any packet number space after processing a
  //# Retry packet.
  // Packet numbers go on (section 17.2.5.3); what was sent is sent again.
  recovery_.on_retry(now);
  settle_lost(now);
}

void connection_state::keep_undecryptable(mutable_bytes packet, transport::ecn mark) {
  std::size_t bytes_kept = packet.size();
  for (const kept_packet& kept : undecryptable_) bytes_kept += kept.packet.size();
  if (undecryptable_.size() == limits::max_undecryptable_packets ||
      bytes_kept > limits::max_undecryptable_bytes)
    return;
  undecryptable_.push_back({{packet.begin(), packet.end()}, mark});
}

/// Packets that overtook the ones with their keys. Those that still cannot be read go back into the
/// list.
void connection_state::replay_undecryptable(time_point now) {
  std::vector<kept_packet> waiting;
  waiting.swap(undecryptable_);
  for (kept_packet& kept : waiting) {
    if (phase_ != phase::open) break;
    arrival from{.mark = kept.mark, .mask = nullptr, .datagram_size = 0, .destination = {}};
    receive_first_packet(now, kept.packet, from);
  }
  // Streams lend their bytes until release_input().
  std::ranges::move(waiting, std::back_inserter(replayed_));
}

void connection_state::drop(time_point now, const packet_header* header, std::size_t size,
                            std::string_view trigger) {
  ++statistics_.packets_dropped;
  observe(observer::transport, [&](observer& who) {
    const auto kind = header != nullptr ? kind_of(header->type) : observed::packet_kind::unknown;
    who.packet_dropped({subject(now), kind, size, trigger});
  });
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
