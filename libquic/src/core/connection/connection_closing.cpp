// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "core/connection/connection_state.hpp"
#include "strata/quic/core/limits.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
//= RFC 9000 section 10.3
//# An endpoint that wishes to communicate a fatal connection error MUST use a CONNECTION_CLOSE
//# frame if it is able.
//= RFC 9000 section 11.1
//# Errors that result in the connection being unusable, such as an obvious violation of protocol
//# semantics or corruption of state that affects an entire connection, MUST be signaled using a
//# CONNECTION_CLOSE frame (Section 19.19).
void connection_state::fail(time_point now, const protocol_failure& failure) {
  if (phase_ != phase::open) return;
  enter_closing(
      now,
      {.origin = close_reason::origin_kind::local_transport,
       .code = static_cast<std::uint64_t>(failure.code),
       .frame_type = failure.frame_type,
       .reason = std::string(std::string_view(failure.reason).substr(0, limits::max_reason_size))});
}

transport::duration connection_state::close_period() const {
  //= RFC 9000 section 10.2
  //# The closing and draining connection states exist to ensure that connections close cleanly and that
  //# delayed or reordered packets are properly discarded. These states SHOULD persist for at least three
  //# times the current PTO interval as defined in [QUIC-RECOVERY].
  return 3 * recovery_.probe_timeout(packet_number_space::application);
}

void connection_state::report_closed(time_point now, close_reason reason) {
  closing_.set(std::move(reason));
  streams_.on_connection_closed();
  events_.push(event_kind::closed);
  observe(observer::connectivity,
          [&](observer& who) { who.connection_closed({subject(now), *closing_.reason()}); });
  if (!handshake_flush_pending_) release_after_end(now);
  touch();
}

/// Only keys, connection IDs and the reason are needed from here on: what ends must not weigh for
/// three probe timeouts as much as what lives (RFC 9000 section 10.2).
void connection_state::release_after_end(time_point now) {
  undecryptable_.clear();
  undecryptable_.shrink_to_fit();
  release_tls();
  for (const auto space : {packet_number_space::initial, packet_number_space::handshake,
                           packet_number_space::application}) {
    handshake_.stream(space).discard();
    recovery_.discard_space(now, space);
  }
  release_memory(now);
}

void connection_state::enter_closing(time_point now, close_reason reason) {
  // A client that is done with its connection as soon as it is ready still owes its Finished: the
  // server would never learn who was there.
  handshake_flush_pending_ = side_ == role::client && handshake_done_ &&
                             handshake_.stream(packet_number_space::handshake).has_output();
  phase_ = phase::closing;
  over_at_ = now + close_period();
  closing_.request_packet();
  report_closed(now, std::move(reason));
}

void connection_state::enter_draining(time_point now, close_reason reason) {
  phase_ = phase::draining;
  over_at_ = now + close_period();
  report_closed(now, std::move(reason));
}

void connection_state::end_silently(time_point now, close_reason reason) {
  phase_ = phase::over;
  report_closed(now, std::move(reason));
}

void connection_state::on_peer_close(time_point now, const connection_close_frame& frame) {
  const std::string_view text = transport::as_text(frame.reason_phrase);
  enter_draining(now, {.origin = frame.application ? close_reason::origin_kind::peer_application
                                                   : close_reason::origin_kind::peer_transport,
                       .code = frame.error_code,
                       .frame_type = frame.frame_type,
                       .reason = std::string(text.substr(0, limits::max_reason_size))});
}

void connection_state::on_stateless_reset(time_point now) {
  //= RFC 9000 section 10.3.1
  //# If the last 16 bytes of the datagram are identical in value to a stateless reset token, the endpoint
  //# MUST enter the draining period and not send any further packets on this connection.
  if (phase_ != phase::open) return;
  enter_draining(now, {.origin = close_reason::origin_kind::stateless_reset,
                       .code = 0,
                       .frame_type = 0,
                       .reason = {}});
}

void connection_state::on_network_failure(time_point now, std::error_code why) {
  if (phase_ != phase::open) return;
  end_silently(now, {.origin = close_reason::origin_kind::network,
                     .code = 0,
                     .frame_type = 0,
                     .reason = why.message()});
}

/// The packets of one datagram that tell the peer: in every level whose keys there are, because it
/// cannot be known which of them the peer has (RFC 9000 section 10.2.3).
std::optional<transmit> connection_state::transmit_close(time_point now, mutable_bytes out) {
  if (phase_ == phase::closing && std::exchange(handshake_flush_pending_, false)) {
    const std::size_t size = flush_handshake(now, out);
    release_after_end(now);
    if (size != 0) return count_sent(size);
  }
  //= RFC 9000 section 10.2.2
  //# While otherwise identical to the closing state, an endpoint in the draining state MUST NOT
  //# send any packets.
  //= RFC 9000 section 10.2.2
  //# An endpoint MUST NOT send further packets.
  if (phase_ != phase::closing || !closing_.packet_pending()) return std::nullopt;
  //= RFC 9000 section 10.2.1
  //# An endpoint in the closing state MUST either discard packets received from an unvalidated
  //# address or limit the cumulative size of packets it sends to an unvalidated address to three
  //# times the size of packets it receives from that address.
  const std::size_t room =
      std::min<std::uint64_t>({out.size(), max_datagram_size_, path_.allowance()});
  const auto usable = [this](encryption_level level) {
    const bool early = level == encryption_level::application && side_ == role::server &&
                       !handshake_done_ && keys_.can_write(encryption_level::handshake);
    //= RFC 9000 section 10.2.3
    //# After the handshake is confirmed (see Section 4.1.2 of [QUIC-TLS]), an endpoint MUST send any
    //# CONNECTION_CLOSE frames in a 1-RTT packet.
    return keys_.can_write(level) && !early;
  };
  //= RFC 9000 section 14.1
  //# A client MUST expand the payload of all UDP datagrams carrying Initial packets to at least the
  //# smallest allowed maximum datagram size of 1200 bytes
  const bool expand = side_ == role::client && usable(encryption_level::initial);
  const auto last = usable(encryption_level::application) ? encryption_level::application
                    : usable(encryption_level::handshake) ? encryption_level::handshake
                                                          : encryption_level::initial;
  std::size_t size = 0;
  for (const auto level :
       {encryption_level::initial, encryption_level::handshake, encryption_level::application}) {
    if (!usable(level)) continue;
    const close_packet packet{level, close_frame(level), expand && level == last};
    size += write_close_packet(now, packet, out.subspan(size, room - size));
  }
  closing_.on_packet_sent(size);
  if (size == 0) return std::nullopt;
  return count_sent(size);
}

std::size_t connection_state::flush_handshake(time_point now, mutable_bytes out) {
  const packet_plan plan{.level = encryption_level::handshake, .fresh = true};
  const auto room = std::min<std::uint64_t>(out.size(), max_datagram_size_);
  return build_packet(now, plan, out.first(static_cast<std::size_t>(room)), 0);
}

transmit connection_state::count_sent(std::size_t size) {
  path_.on_sent(size);
  statistics_.bytes_sent += size;
  ++statistics_.datagrams_sent;
  ++statistics_.batches_sent;
  return transmit{.size = static_cast<std::uint32_t>(size),
                  .segment = static_cast<std::uint16_t>(size),
                  .mark = transport::ecn::not_ect,
                  .remote = path_.remote(),
                  .local = path_.local()};
}

connection_close_frame connection_state::close_frame(encryption_level level) const {
  const close_reason& reason = *closing_.reason();
  const bool application = reason.origin == close_reason::origin_kind::local_application;
  //= RFC 9000 section 10.2.3
  //# A CONNECTION_CLOSE of type 0x1d MUST be replaced by a CONNECTION_CLOSE of type 0x1c when sending the
  //# frame in Initial or Handshake packets.
  //= RFC 9000 section 10.2.3
  //# Endpoints MUST clear the value of the Reason Phrase field
  // What it says of the application is not yet protected.
  if (application && level != encryption_level::application) {
    return {.application = false,
            .error_code = static_cast<std::uint64_t>(transport_error::application_error),
            .frame_type = 0,
            .reason_phrase = {}};
  }
  return {.application = application,
          .error_code = reason.code,
          .frame_type = reason.frame_type,
          .reason_phrase = transport::as_bytes(reason.reason)};
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
