// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/connection/connection_state.hpp"
#include "strata/quic/core/limits.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

packet_type packet_type_of(encryption_level level) noexcept {
  switch (level) {
    case encryption_level::initial: return packet_type::initial;
    case encryption_level::early_data: return packet_type::zero_rtt;
    case encryption_level::handshake: return packet_type::handshake;
    case encryption_level::application: break;
  }
  return packet_type::one_rtt;
}

std::unexpected<protocol_failure> violation(std::uint64_t frame_type, const char* reason) {
  return std::unexpected(protocol_failure{transport_error::protocol_violation, frame_type, reason});
}

}  // namespace

/// One frame of a packet, by its kind.
struct connection_state::frame_handler {
  connection_state& self;
  time_point now;
  encryption_level level;

  outcome operator()(const padding_frame&) const { return {}; }
  outcome operator()(const ping_frame&) const { return {}; }
  outcome operator()(const ack_frame& frame) const { return self.on_ack(now, level, frame); }
  outcome operator()(const crypto_frame& frame) const { return self.on_crypto(now, level, frame); }
  outcome operator()(const stream_frame& frame) const { return self.streams_.on(now, frame); }
  outcome operator()(const reset_stream_frame& frame) const { return self.streams_.on(now, frame); }
  outcome operator()(const stop_sending_frame& frame) const { return self.streams_.on(frame); }
  outcome operator()(const max_data_frame& frame) const { return self.streams_.on(frame); }
  outcome operator()(const max_stream_data_frame& frame) const { return self.streams_.on(frame); }
  outcome operator()(const max_streams_frame& frame) const { return self.streams_.on(frame); }
  outcome operator()(const data_blocked_frame& frame) const { return self.streams_.on(frame); }
  outcome operator()(const stream_data_blocked_frame& frame) const {
    return self.streams_.on(frame);
  }
  outcome operator()(const streams_blocked_frame& frame) const { return self.streams_.on(frame); }
  outcome operator()(const new_connection_id_frame& frame) const {
    return self.peer_ids_.on(frame);
  }
  outcome operator()(const retire_connection_id_frame& frame) const {
    return self.local_ids_.on_retired(frame.sequence_number,
                                      connection_id(self.current_destination_));
  }
  outcome operator()(const path_challenge_frame& frame) const {
    self.path_.on_challenge(frame.data);
    return {};
  }
  // No challenge of ours is under way: RFC 9000 section 19.18 lets a stray response be an error or
  // nothing.
  outcome operator()(const path_response_frame&) const { return {}; }
  outcome operator()(const new_token_frame&) const {
    //= RFC 9000 section 19.7
    //# A server MUST treat receipt of a NEW_TOKEN frame as a connection error of type PROTOCOL_VIOLATION.
    if (self.side_ == role::server)
      return violation(frame_type::new_token, "NEW_TOKEN from a client");
    return {};
  }
  outcome operator()(const connection_close_frame& frame) const {
    self.on_peer_close(now, frame);
    return {};
  }
  outcome operator()(const handshake_done_frame&) const {
    //= RFC 9000 section 19.20
    //# A server MUST treat receipt of a HANDSHAKE_DONE frame as a connection error of type
    //# PROTOCOL_VIOLATION.
    if (self.side_ == role::server)
      return violation(frame_type::handshake_done, "HANDSHAKE_DONE from a client");
    self.confirm_handshake(now);
    return {};
  }
};

connection_state::outcome connection_state::receive_frames(time_point now, encryption_level level,
                                                           bytes payload) {
  transport::buffer_reader reader(payload);
  const packet_type packet = packet_type_of(level);
  while (!reader.empty() && phase_ == phase::open) {
    const auto frame = decode_frame(reader);
    if (!frame) return std::unexpected(frame.error());
    const std::uint64_t type = type_of(*frame);
    //= RFC 9000 section 12.4
    //# An endpoint MUST treat receipt of a frame in a packet type that is not permitted as a connection
    //# error of type PROTOCOL_VIOLATION.
    if (!is_allowed(type, packet))
      return violation(type, "frame not allowed in this type of packet");
    if (is_ack_eliciting(type)) ++frames_eliciting_;
    if (auto done = std::visit(frame_handler{*this, now, level}, *frame); !done) return done;
  }
  return {};
}

connection_state::outcome connection_state::on_ack(time_point now, encryption_level level,
                                                   const ack_frame& frame) {
  std::vector<ack_range>& ranges = surroundings_.scratch.ack_ranges;
  ranges.clear();
  frame.for_each_range([&ranges](std::uint64_t smallest, std::uint64_t largest) {
    ranges.push_back({smallest, largest});
    return ranges.size() < limits::max_received_ack_ranges;
  });
  const packet_number_space space = space_of(level);
  transport::duration delay{};
  if (space == packet_number_space::application) {
    // The exponent is at most 20 and the delay below 2^62: bounded before it is shifted, or it
    // would overflow.
    const std::uint64_t raw = std::min<std::uint64_t>(frame.ack_delay, std::uint64_t{1} << 24);
    delay = std::chrono::microseconds(raw << peer_parameters_.ack_delay_exponent);
  }
  if (auto done = recovery_.on_ack_received(now, {space, ranges, delay}); !done) return done;
  settle_acked(space);
  settle_lost(now);
  if (space == packet_number_space::application)
    keys_.on_application_acknowledged(frame.largest_acknowledged);
  if (side_ == role::client && level == encryption_level::handshake) {
    recovery_.on_peer_completed_address_validation(now);
  }
  streams_.set_rtt(recovery_.rtt().smoothed());
  observe(observer::recovery, [&](observer& who) {
    const rtt_estimator& rtt = recovery_.rtt();
    who.recovery_metrics_updated({.about = subject(now),
                                  .smoothed_rtt = rtt.smoothed(),
                                  .minimum_rtt = rtt.minimum(),
                                  .latest_rtt = rtt.latest(),
                                  .rtt_variance = rtt.variation(),
                                  .congestion_window = recovery_.congestion_window(),
                                  .bytes_in_flight = recovery_.bytes_in_flight(),
                                  .slow_start_threshold = recovery_.slow_start_threshold(),
                                  .probe_timeout_count = recovery_.probe_timeout_count()});
  });
  return {};
}

void connection_state::settle_acked(packet_number_space space) {
  using kind = sent_frame::kind;
  for (const sent_frame& frame : recovery_.acked_frames()) {
    switch (frame.what) {
      case kind::ack:
        acks_[static_cast<std::size_t>(space)].on_ack_acknowledged(frame.offset);
        break;
      case kind::crypto: handshake_.stream(space).on_acked(frame); break;
      case kind::retire_connection_id: peer_ids_.on_acked(frame.offset); break;
      case kind::new_connection_id:
      case kind::path_challenge:
      case kind::path_response:
      case kind::new_token:
      case kind::handshake_done:
      case kind::ping: break;
      default: streams_.on_acked(frame); break;
    }
  }
}

void connection_state::settle_lost(time_point now) {
  using kind = sent_frame::kind;
  const packet_number_space space = recovery_.lost_space();
  for (const sent_frame& frame : recovery_.lost_frames()) {
    switch (frame.what) {
      case kind::crypto: handshake_.stream(space).on_lost(frame); break;
      case kind::new_connection_id: local_ids_.on_lost(frame.offset); break;
      case kind::retire_connection_id: peer_ids_.on_lost(frame.offset); break;
      case kind::handshake_done: handshake_done_pending_ = true; break;
      case kind::new_token: new_token_pending_ = true; break;
      // What these say is renewed or repeated by other means (RFC 9000 section 13.3).
      case kind::ack:
      case kind::path_challenge:
      case kind::path_response:
      case kind::ping: break;
      default: streams_.on_lost(frame); break;
    }
  }
  observe(observer::recovery, [&](observer& who) {
    const auto kind_of_space =
        space == packet_number_space::initial     ? observed::packet_kind::initial
        : space == packet_number_space::handshake ? observed::packet_kind::handshake
                                                  : observed::packet_kind::one_rtt;
    for (const std::uint64_t number : recovery_.lost_packet_numbers()) {
      who.packet_lost({subject(now), kind_of_space, number});
    }
  });
}

connection_state::outcome connection_state::on_crypto(time_point now, encryption_level level,
                                                      const crypto_frame& frame) {
  if (auto done = handshake_.on(level, frame); !done) return done;
  if (level == encryption_level::application && confirmed_) {
    release_tls_at_ = now + 3 * recovery_.probe_timeout(packet_number_space::application);
  }
  return {};
}

/// What TLS has brought forth since the last packet: keys first, then what they make readable.
connection_state::outcome connection_state::after_handshake_progress(time_point now) {
  if (confirmed_ && !handshake_.has_session()) return {};
  if (auto done = take_peer_parameters(now); !done) return done;
  if (auto done = install_secrets(now); !done) return done;
  if (!handshake_done_ && handshake_.complete()) {
    //= RFC 9001 section 8.2
    //# endpoints that receive ClientHello or EncryptedExtensions messages without the
    //# quic_transport_parameters extension MUST close the connection with an error of type 0x016d
    constexpr std::uint8_t alert_missing_extension = 109;
    if (!parameters_known_) {
      return std::unexpected(protocol_failure{crypto_alert(alert_missing_extension),
                                              frame_type::crypto,
                                              "the peer sent no QUIC transport parameters"});
    }
    on_handshake_complete(now);
  }
  if (!undecryptable_.empty()) replay_undecryptable(now);
  return {};
}

connection_state::outcome connection_state::take_peer_parameters(time_point now) {
  const auto encoded = handshake_.take_peer_parameters();
  if (!encoded) return {};
  const auto peer = decode_transport_parameters(*encoded, opposite(side_));
  if (!peer) return std::unexpected(peer.error());
  handshake_connection_ids seen{.peer_initial_source = peer_initial_source_};
  if (side_ == role::client) {
    seen.original_destination = original_destination_;
    seen.retry_source = retry_source_;
  }
  if (auto verified = verify_connection_ids(*peer, opposite(side_), seen); !verified)
    return verified;
  set_peer_parameters(*peer);
  observe(observer::transport,
          [&](observer& who) { who.parameters_set({subject(now), false, *peer}); });
  return {};
}

connection_state::outcome connection_state::install_secrets(time_point now) {
  traffic_secret secret;
  while (handshake_.poll_secret(secret)) {
    if (secret.level == encryption_level::early_data) continue;
    if (auto done = keys_.install(secret); !done) {
      return std::unexpected(
          protocol_failure{transport_error::internal_error, 0, "key derivation failed"});
    }
    if (secret.level == encryption_level::handshake) recovery_.on_handshake_keys(now);
    observe(observer::security, [&](observer& who) {
      who.key_updated({subject(now), secret.level, std::nullopt, "tls"});
    });
  }
  return {};
}

void connection_state::on_handshake_complete(time_point now) {
  handshake_done_ = true;
  statistics_.handshake_time = now - started_;
  events_.push(event_kind::ready);
  observe(observer::connectivity, [&](observer& who) {
    who.connection_state_updated({subject(now), "handshake_complete"});
  });
  local_ids_.issue(peer_parameters_.active_connection_id_limit);
  if (side_ == role::server) {
    //= RFC 9001 section 4.1.2
    //# In this document, the TLS handshake is considered confirmed at the server when the handshake
    //# completes. The server MUST send a HANDSHAKE_DONE frame as soon as the handshake is complete.
    handshake_done_pending_ = true;
    new_token_pending_ = issue_new_tokens_;
    local_ids_.drop_provisional();
    confirm_handshake(now);
  }
}

void connection_state::confirm_handshake(time_point now) {
  if (confirmed_) return;
  confirmed_ = true;
  recovery_.on_handshake_confirmed(now);
  //= RFC 9001 section 4.9.2
  //# An endpoint MUST discard its Handshake keys when the TLS handshake is confirmed (Section 4.1.2).
  discard_keys(now, encryption_level::initial);
  discard_keys(now, encryption_level::handshake);
  path_.set_validated();
  events_.push(event_kind::confirmed);
  observe(observer::connectivity, [&](observer& who) {
    who.connection_state_updated({subject(now), "handshake_confirmed"});
  });
  // The last tickets may be on their way to a client; a server has none to wait for.
  release_tls_at_ = now + 3 * recovery_.probe_timeout(packet_number_space::application);
}

void connection_state::release_tls() noexcept {
  release_tls_at_.reset();
  handshake_.free_session(side_ == role::server);
}

void connection_state::discard_keys(time_point now, encryption_level level) {
  if (!keys_.can_read(level) && !keys_.can_write(level)) return;
  keys_.discard(level);
  const packet_number_space space = space_of(level);
  recovery_.discard_space(now, space);
  handshake_.stream(space).discard();
  probes_[static_cast<std::size_t>(space)] = 0;
  observe(observer::security, [&](observer& who) { who.key_discarded({subject(now), level}); });
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
