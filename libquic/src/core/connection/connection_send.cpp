// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/connection/connection_state.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/quic/core/version.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

constexpr std::array levels_in_order{encryption_level::initial, encryption_level::handshake,
                                     encryption_level::application};
/// A packet behind another in a datagram is worth its header only with so much room.
constexpr std::size_t min_coalesced_room = 128;
/// A packet this close to full, with more waiting, is filled up, so that the batch goes on with
/// datagrams of one size.
constexpr std::size_t padded_to_segment = 32;

packet_type type_of(encryption_level level) noexcept {
  switch (level) {
    case encryption_level::initial: return packet_type::initial;
    case encryption_level::handshake: return packet_type::handshake;
    default: return packet_type::one_rtt;
  }
}

bool holds(std::span<const sent_frame> frames, sent_frame::kind wanted) noexcept {
  return std::ranges::find(frames, wanted, &sent_frame::what) != frames.end();
}

bool holds_ack_eliciting(std::span<const sent_frame> frames) noexcept {
  return std::ranges::any_of(
      frames, [](const sent_frame& frame) { return frame.what != sent_frame::kind::ack; });
}

}  // namespace

std::uint64_t connection_state::next_packet_number(packet_number_space space) {
  std::uint64_t& next = next_number_[static_cast<std::size_t>(space)];
  if (space == packet_number_space::application && next == next_skip_) {
    // An acknowledgement of a number that was never sent gives an optimistic acknowledger away (RFC
    // 9000 section 21.4).
    ++next;
    next_skip_ = next + 1 + surroundings_.random.below(2 * limits::packet_number_skip_period);
  }
  return next;
}

bool connection_state::packet_numbers_exhausted() const noexcept {
  //= RFC 9000 section 12.3
  //# If the packet number for sending reaches 2<sup>62</sup>-1, the sender MUST close the connection
  //# without sending a CONNECTION_CLOSE frame or any further packets
  // Room is left for the batch that is built next.
  constexpr std::uint64_t last = transport::varint_max - 4 * limits::max_batch_segments;
  return std::ranges::any_of(next_number_, [](std::uint64_t next) { return next >= last; });
}

bool connection_state::level_has_output(encryption_level level) const noexcept {
  if (handshake_.stream(space_of(level)).has_output()) return true;
  if (level != encryption_level::application) return false;
  return streams_.has_output() || handshake_done_pending_ || new_token_pending_ || ping_pending_ ||
         path_.response_pending() || local_ids_.has_output() || peer_ids_.has_output();
}

connection_state::packet_plan connection_state::plan_for(time_point now,
                                                         encryption_level level) const {
  packet_plan plan{.level = level};
  // Before the handshake is complete the client is not authenticated: a server sends no application
  // data yet.
  const bool usable =
      level != encryption_level::application || side_ == role::client || handshake_done_;
  if (!keys_.can_write(level) || !usable) return plan;
  const auto space = static_cast<std::size_t>(space_of(level));
  plan.ack = acks_[space].ack_due(now);
  //= RFC 9002 section 7.5
  //# Probe packets MUST NOT be blocked by the congestion controller.
  plan.probe = probes_[space] != 0;
  //= RFC 9002 section 7
  //# An endpoint MUST NOT send a packet if it would cause bytes_in_flight (see Section B.2) to be
  //# larger than the congestion window
  plan.fresh = level_has_output(level) && budget_ >= max_datagram_size_;
  return plan;
}

bool connection_state::anything_after(time_point now, encryption_level level) const {
  return std::ranges::any_of(levels_in_order, [&](encryption_level later) {
    return later > level && plan_for(now, later).anything();
  });
}

std::uint64_t connection_state::send_budget(time_point now) {
  const std::uint64_t window = recovery_.available_window();
  //= RFC 9002 section 7.7
  //# Senders MUST either use pacing or limit such bursts.
  const std::uint64_t paced = pacer_.allowance(now, pacing_rate());
  return std::min(window, paced);
}

pacer::rate_source connection_state::pacing_rate() const noexcept {
  return {.window = recovery_.congestion_window(),
          .smoothed_rtt = recovery_.rtt().smoothed(),
          .slow_start = recovery_.in_slow_start(),
          .max_datagram_size = max_datagram_size_};
}

std::optional<transmit> connection_state::poll_transmit(time_point now, mutable_bytes out,
                                                        unsigned max_segments) {
  if (phase_ != phase::open) return transmit_close(now, out);
  //= RFC 9001 section 6.1
  //# An endpoint MUST NOT initiate a key update prior to having confirmed the handshake (Section
  //# 4.1.2).
  //= RFC 9001 section 5.3
  //# An endpoint MUST initiate a key update (Section 6) prior to exceeding any limit set for the
  //# AEAD that is in use.
  //= RFC 9001 section 6.6
  //# Endpoints MUST initiate a key update before sending more protected packets than the
  //# confidentiality limit for the selected AEAD permits.
  if (confirmed_ && keys_.update_due() && keys_.initiate_update()) {
    observe(observer::security, [&](observer& who) {
      who.key_updated({subject(now), encryption_level::application, keys_.phase(), "local_update"});
    });
  }
  if (keys_.confidentiality_exhausted() || packet_numbers_exhausted()) {
    //= RFC 9001 section 6.6
    //# If a key update is not possible or integrity limits are reached, the endpoint MUST stop using
    //# the connection and only send stateless resets in response to receiving packets.
    end_silently(now, {.origin = close_reason::origin_kind::local_transport,
                       .code = static_cast<std::uint64_t>(transport_error::aead_limit_reached),
                       .frame_type = 0,
                       .reason = "no more packets may be sealed with these keys"});
    return std::nullopt;
  }
  budget_ = send_budget(now);
  const std::size_t largest = std::min<std::size_t>(max_datagram_size_, out.size());
  const std::size_t end = std::min<std::size_t>(out.size(), limits::max_batch_bytes);
  std::size_t segment = largest;
  std::size_t total = 0;
  unsigned datagrams = 0;
  while (datagrams < max_segments && total + segment <= end) {
    //= RFC 9000 section 8.1
    //# Prior to validating the client address, servers MUST NOT send more than three times as many
    //# bytes as the number of bytes they have received.
    //= RFC 9000 section 8.2.2
    //# an endpoint MUST NOT expand the datagram containing the PATH_RESPONSE if the resulting data
    //# exceeds the anti-amplification limit
    const std::size_t room = std::min<std::uint64_t>(segment, path_.allowance());
    const std::size_t size = build_datagram(now, out.subspan(total, room));
    if (size == 0) break;
    total += size;
    ++datagrams;
    path_.on_sent(size);
    const bool last = size < segment;
    // The first datagram is the size of all that follow; after a shorter one nothing may follow.
    if (datagrams == 1) segment = size;
    if (last) break;
  }
  if (packet_protection* keys = keys_.writer(encryption_level::application))
    surroundings_.scratch.batch.apply(*keys);
  after_transmit(now, total, datagrams);
  if (total == 0) return std::nullopt;
  return transmit{.size = static_cast<std::uint32_t>(total),
                  .segment = static_cast<std::uint16_t>(segment),
                  .mark = transport::ecn::not_ect,
                  //= RFC 9000 section 8.2.2
                  //# A PATH_RESPONSE frame MUST be sent on the network path where the
                  //# PATH_CHALLENGE frame was received.
                  .remote = path_.remote(),
                  .local = path_.local()};
}

void connection_state::after_transmit(time_point now, std::size_t bytes, unsigned datagrams) {
  statistics_.datagrams_sent += datagrams;
  statistics_.bytes_sent += bytes;
  if (datagrams != 0) {
    ++statistics_.batches_sent;
    pacer_.on_sent(now, bytes);
    return;
  }
  const bool waiting = std::ranges::any_of(levels_in_order, [this](encryption_level level) {
    return keys_.can_write(level) && level_has_output(level);
  });
  const bool window_full = recovery_.available_window() < max_datagram_size_;
  recovery_.set_application_limited(!waiting);
  pacing_until_.reset();
  if (waiting && !window_full && path_.allowance() >= max_datagram_size_) {
    pacing_until_ = pacer_.next_send_time(now, pacing_rate());
  }
  if (side_ == role::server)
    recovery_.set_amplification_limited(now, path_.allowance() < max_datagram_size_);
}

//= RFC 9000 section 12.2
//# Senders MUST NOT coalesce QUIC packets with different connection IDs into a single UDP
//# datagram.
std::size_t connection_state::build_datagram(time_point now, mutable_bytes room) {
  std::size_t used = 0;
  needs_padding_ = false;
  for (const encryption_level level : levels_in_order) {
    packet_plan plan = plan_for(now, level);
    //= RFC 9000 section 14.1
    //# a server MUST expand the payload of all UDP datagrams carrying ack-eliciting Initial packets to at
    //# least the smallest allowed maximum datagram size of 1200 bytes.
    // What cannot be expanded so far waits for more bytes from the client.
    if (level == encryption_level::initial && room.size() < limits::min_initial_datagram) {
      plan.fresh = plan.probe = false;
    }
    if (!plan.anything()) continue;
    if (room.size() - used < min_coalesced_room) break;
    used += build_packet(now, plan, room.subspan(used), used);
  }
  return used;
}

connection_state::built_packet connection_state::begin_packet(const packet_plan& plan,
                                                              mutable_bytes room) {
  built_packet built;
  const packet_number_space space = space_of(plan.level);
  built.start = room.data();
  //= RFC 9000 section 12.3
  //# A QUIC endpoint MUST NOT reuse a packet number within the same packet number space in one
  //# connection.
  built.number = next_packet_number(space);
  const std::size_t number_size =
      packet_number_size(built.number, recovery_.largest_acknowledged(space));
  transport::buffer_writer writer(room);
  if (plan.level == encryption_level::application) {
    //= RFC 9000 section 17.4
    //# An endpoint that does not support this feature MUST disable it
    write_short_header(writer, {.destination = peer_ids_.current().bytes(),
                                .key_phase = keys_.write_phase(),
                                .packet_number = built.number,
                                .packet_number_size = number_size});
  } else {
    const long_header_layout layout = write_long_header(
        writer, {.type = type_of(plan.level),
                 .version = version_1,
                 .destination = peer_ids_.current().bytes(),
                 //= RFC 9000 section 17.2.5.2
                 //# The client MUST NOT change the Source Connection ID
                 .source = local_ids_.initial().bytes(),
                 //= RFC 9000 section 8.1.2
                 //# This token MUST be repeated by the client in all Initial packets it sends for
                 //# that connection after it receives the Retry packet.
                 //= RFC 9000 section 17.2.2
                 //# Initial packets sent by the server MUST set the Token Length field to 0
                 .token = plan.level == encryption_level::initial ? bytes(token_) : bytes(),
                 .packet_number = built.number,
                 .packet_number_size = number_size});
    built.length_offset = layout.length_offset;
  }
  built.header_size = writer.size();
  built.number_size = number_size;
  const bool fits =
      writer.ok() && room.size() > built.header_size + aead_tag_size + header_sample_size;
  built.payload_room = fits ? room.size() - built.header_size - aead_tag_size : 0;
  return built;
}

std::size_t connection_state::build_packet(time_point now, const packet_plan& plan,
                                           mutable_bytes room, std::size_t datagram_so_far) {
  built_packet built = begin_packet(plan, room);
  transport::buffer_writer writer({built.start + built.header_size, built.payload_room});
  std::vector<sent_frame>& frames = surroundings_.scratch.frames;
  frames.clear();
  packet_payload payload{writer, frames};
  write_payload(now, plan, payload);
  //= RFC 9000 section 12.4
  //# The payload of a packet that contains frames MUST contain at least one frame
  if (writer.size() == 0) return 0;

  built.ack_eliciting = holds_ack_eliciting(frames);
  built.in_flight = built.ack_eliciting;
  //= RFC 9000 section 8.1
  //# Clients MUST ensure that UDP datagrams containing Initial packets have UDP payloads of at
  //# least 1200 bytes, adding PADDING frames as necessary.
  //= RFC 9000 section 14.1
  //# A client MUST expand the payload of all UDP datagrams carrying Initial packets to at least
  //# the smallest allowed maximum datagram size of 1200 bytes
  //= RFC 9001 section 9.3
  //# the packet containing a ClientHello MUST be padded to a minimum size
  if (plan.level == encryption_level::initial && (side_ == role::client || built.ack_eliciting))
    needs_padding_ = true;
  //= RFC 9000 section 8.2.2
  //# An endpoint MUST expand datagrams that contain a PATH_RESPONSE frame to at least the smallest
  //# allowed maximum datagram size of 1200 bytes.
  if (holds(frames, sent_frame::kind::path_response)) needs_padding_ = true;

  // Header protection samples sixteen bytes from the fourth after the packet number's start (RFC
  // 9001 section 5.4.2).
  const std::size_t least = 4 - built.number_size;
  std::size_t padding = writer.size() < least ? least - writer.size() : 0;
  const std::size_t end = built.header_size + writer.size() + aead_tag_size;
  const bool last = room.size() - end < min_coalesced_room || !anything_after(now, plan.level);
  if (needs_padding_ && last) {
    const std::size_t datagram = datagram_so_far + end;
    if (datagram < limits::min_initial_datagram) padding = limits::min_initial_datagram - datagram;
    needs_padding_ = false;
  }
  const bool more =
      plan.level == encryption_level::application && plan.fresh && streams_.has_output();
  if (more && writer.remaining() <= padded_to_segment) padding = writer.remaining();
  if (padding != 0) {
    writer.zeros(padding);
    built.in_flight = true;
  }
  built.payload_size = writer.size();
  finish_packet(now, plan, built);
  return built.header_size + built.payload_size + aead_tag_size;
}

/// Seals and masks; from here on the packet number is used.
void connection_state::seal_packet(time_point now, const packet_plan& plan,
                                   const built_packet& built) {
  packet_protection& keys = *keys_.writer(plan.level);
  const packet_number_space space = space_of(plan.level);
  const std::size_t size = built.header_size + built.payload_size + aead_tag_size;
  const std::size_t number_offset = built.header_size - built.number_size;
  //= RFC 9000 section 12.3
  //# Subsequent packets sent in the same packet number space MUST increase the packet number by at
  //# least one.
  next_number_[static_cast<std::size_t>(space)] = built.number + 1;
  ++statistics_.packets_sent;
  observe(observer::transport, [&](observer& who) {
    const auto kind = plan.level == encryption_level::initial     ? observed::packet_kind::initial
                      : plan.level == encryption_level::handshake ? observed::packet_kind::handshake
                                                                  : observed::packet_kind::one_rtt;
    who.packet_sent({subject(now),
                     kind,
                     built.number,
                     size,
                     {built.start + built.header_size, built.payload_size}});
  });
  if (plan.level == encryption_level::application) {
    keys.seal(built.number, built.start, built.header_size, built.payload_size);
    //= RFC 9001 section 9.5
    //# construction and protection of packet payloads and packet numbers MUST be free from side
    //# channels
    keys_.on_application_sealed(built.number);
    surroundings_.scratch.batch.add(keys, built.start, number_offset);
    return;
  }
  patch_length(built.start, built.length_offset,
               built.number_size + built.payload_size + aead_tag_size);
  keys.seal(built.number, built.start, built.header_size, built.payload_size);
  const std::byte* sample = built.start + number_offset + 4;
  header_mask mask;
  keys.header_masks({&sample, 1}, {&mask, 1});
  apply_header_mask(built.start, number_offset, built.number_size, mask);
}

void connection_state::finish_packet(time_point now, const packet_plan& plan,
                                     const built_packet& built) {
  seal_packet(now, plan, built);
  const packet_number_space space = space_of(plan.level);
  const std::size_t size = built.header_size + built.payload_size + aead_tag_size;
  recovery_.on_packet_sent(now,
                           {.space = space,
                            .number = built.number,
                            .size = static_cast<std::uint32_t>(size),
                            .ack_eliciting = built.ack_eliciting,
                            .in_flight = built.in_flight},
                           surroundings_.scratch.frames);
  if (built.in_flight) budget_ -= std::min<std::uint64_t>(budget_, size);
  if (built.ack_eliciting) {
    holds_memory_ = true;
    unsigned& probes = probes_[static_cast<std::size_t>(space)];
    if (probes != 0) --probes;
    if (!eliciting_since_received_) last_eliciting_sent_ = now;
    eliciting_since_received_ = true;
  }
  //= RFC 9001 section 4.9.1
  //# Thus, a client MUST discard Initial keys when it first sends a Handshake packet
  //= RFC 9001 section 4.9.1
  //# Endpoints MUST NOT send Initial packets after this point.
  if (side_ == role::client && plan.level == encryption_level::handshake) {
    discard_keys(now, encryption_level::initial);
  }
}

void connection_state::write_payload(time_point now, const packet_plan& plan,
                                     packet_payload& payload) {
  crypto_stream& crypto = handshake_.stream(space_of(plan.level));
  const bool application = plan.level == encryption_level::application;
  write_ack(now, plan.level, payload);
  //= RFC 9000 section 13.2.1
  //# an endpoint MUST NOT send an ack-eliciting frame in all packets that would otherwise be
  //# non-ack-eliciting
  if (!plan.fresh && !plan.probe) return;
  const auto write_all = [&] {
    crypto.write_frames(payload);
    //= RFC 9000 section 12.5
    //# All other frame types MUST only be sent in the application data packet number space.
    if (!application) return;
    write_application_control(payload);
    streams_.write_frames(now, payload);
  };
  write_all();
  if (!plan.probe || holds_ack_eliciting(payload.frames)) return;

  //= RFC 9002 section 6.2.4
  //# When there is no data to send, the sender SHOULD send a PING or other ack-eliciting frame in a
  //# single packet, rearming the PTO timer.
  const bool again = crypto.queue_probe_data() || (application && streams_.queue_probe_data());
  if (again) write_all();
  //= RFC 9002 section 6.2.4
  //# All probe packets sent on a PTO MUST be ack-eliciting.
  //= RFC 9002 section 6.2.2.1
  //# When the PTO fires, the client MUST send a Handshake packet if it has Handshake keys,
  //# otherwise it MUST send an Initial packet in a UDP datagram with a payload of at least 1200
  //# bytes.
  //= RFC 9000 section 8.1
  //# clients MUST send a packet on a Probe Timeout (PTO)
  //= RFC 9000 section 8.1
  //# the client MUST send an Initial packet in a UDP datagram that contains at least 1200 bytes if
  //# it does not have Handshake keys, and otherwise send a Handshake packet
  if (holds_ack_eliciting(payload.frames) || payload.remaining() == 0) return;
  encode(ping_frame{}, payload.writer);
  payload.frames.push_back({.what = sent_frame::kind::ping});
}

void connection_state::write_application_control(packet_payload& payload) {
  //= RFC 9000 section 8.2.2
  //# An endpoint MUST NOT delay transmission of a packet containing a PATH_RESPONSE frame unless
  //# constrained by congestion control.
  if (path_.response_pending()) path_.write_responses(payload);
  if (handshake_done_pending_ && payload.remaining() != 0) {
    encode(handshake_done_frame{}, payload.writer);
    payload.frames.push_back({.what = sent_frame::kind::handshake_done});
    handshake_done_pending_ = false;
  }
  if (new_token_pending_) {
    const std::vector<std::byte> token = surroundings_.tokens.mint_new_token(path_.remote());
    const new_token_frame frame{.token = token};
    if (payload.remaining() >= encoded_size(frame)) {
      encode(frame, payload.writer);
      payload.frames.push_back({.what = sent_frame::kind::new_token});
      new_token_pending_ = false;
    }
  }
  if (ping_pending_ && payload.remaining() != 0) {
    encode(ping_frame{}, payload.writer);
    payload.frames.push_back({.what = sent_frame::kind::ping});
    ping_pending_ = false;
  }
  if (local_ids_.has_output()) local_ids_.write_frames(payload);
  if (peer_ids_.has_output()) peer_ids_.write_frames(payload);
}

void connection_state::write_ack(time_point now, encryption_level level, packet_payload& payload) {
  //= RFC 9000 section 13.2.6
  //# ACK frames MUST only be carried in a packet that has the same packet number space as the
  //# packet being acknowledged
  //= RFC 9000 section 13.2.6
  //# packets that are protected with 1-RTT keys MUST be acknowledged in packets that are also
  //# protected with 1-RTT keys
  //= RFC 9000 section 17.2.3
  //# An acknowledgment for a 1-RTT packet MUST be carried in a 1-RTT packet.
  ack_tracker& acks = acks_[static_cast<std::size_t>(space_of(level))];
  if (!acks.ack_pending()) return;
  const auto delay =
      std::chrono::duration_cast<std::chrono::microseconds>(acks.ack_delay(now)).count();
  //= RFC 9000 section 13.4.1
  //# Even if an endpoint does not set an ECT field in packets it sends, the endpoint MUST provide
  //# feedback about ECN markings it receives, if these are accessible.
  const ecn_counts& counts = acks.counts();
  const bool any_mark = counts.ect0 != 0 || counts.ect1 != 0 || counts.ecn_ce != 0;
  const ack_content content{.ranges = acks.ranges(),
                            .ack_delay = static_cast<std::uint64_t>(delay) >>
                                         transport_parameters::default_ack_delay_exponent,
                            .ecn_counts = any_mark ? std::optional(counts) : std::nullopt};
  if (encode_ack(content, payload.writer) == 0) return;
  payload.frames.push_back(
      {.what = sent_frame::kind::ack, .offset = acks.ranges().front().largest});
  acks.on_ack_sent();
}

std::size_t connection_state::write_close_packet(time_point now, const close_packet& packet,
                                                 mutable_bytes room) {
  const packet_plan plan{.level = packet.level};
  connection_close_frame frame = packet.frame;
  built_packet built = begin_packet(plan, room);
  if (built.payload_room < encoded_size(connection_close_frame{.application = frame.application,
                                                               .error_code = frame.error_code,
                                                               .frame_type = frame.frame_type,
                                                               .reason_phrase = {}}) +
                               2) {
    return 0;
  }
  transport::buffer_writer writer({built.start + built.header_size, built.payload_room});
  while (encoded_size(frame) > writer.remaining()) {
    frame.reason_phrase = frame.reason_phrase.first(frame.reason_phrase.size() / 2);
  }
  encode(frame, writer);
  const std::size_t least = 4 - built.number_size;
  if (writer.size() < least) writer.zeros(least - writer.size());
  if (packet.fills_room) writer.zeros(writer.remaining());
  built.payload_size = writer.size();
  seal_packet(now, plan, built);
  packet_protection& keys = *keys_.writer(packet.level);
  if (packet.level == encryption_level::application) surroundings_.scratch.batch.apply(keys);
  return built.header_size + built.payload_size + aead_tag_size;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
