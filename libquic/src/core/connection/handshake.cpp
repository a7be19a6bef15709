// SPDX-License-Identifier: Apache-2.0
#include "core/connection/handshake.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

constexpr std::uint8_t alert_unexpected_message = 10;

encryption_level level_of(packet_number_space space) {
  switch (space) {
    case packet_number_space::initial: return encryption_level::initial;
    case packet_number_space::handshake: return encryption_level::handshake;
    case packet_number_space::application: break;
  }
  return encryption_level::application;
}

}  // namespace

std::expected<void, protocol_failure> handshake::start(std::unique_ptr<tls_session> session) {
  session_ = std::move(session);
  session_->start();
  return pump();
}

std::expected<void, protocol_failure> handshake::on(encryption_level level,
                                                    const crypto_frame& frame) {
  crypto_stream& stream = streams_[static_cast<std::size_t>(space_of(level))];
  if (auto kept = stream.on(frame); !kept) return kept;
  const bytes input = stream.readable();
  if (input.empty()) return {};
  if (!session_) {
    //= RFC 9001 section 6
    //# Endpoints MUST treat the receipt of a TLS KeyUpdate message as a connection error of type 0x010a,
    //# equivalent to a fatal TLS alert of unexpected_message; see Section 4.8.
    // The session is freed only when no message of the peer would be legal but tickets for a
    // client, and those are wanted no more.
    if (expects_nothing_) {
      return std::unexpected(protocol_failure{crypto_alert(alert_unexpected_message),
                                              frame_type::crypto,
                                              "TLS message after the handshake"});
    }
    //= RFC 9000 section 7.5
    //# Packets containing discarded CRYPTO frames MUST be acknowledged because the packet has been
    //# received and processed by the transport even though the CRYPTO frame was discarded.
    stream.consume(input.size());
    return {};
  }
  session_->receive(level_of(space_of(level)), input);
  stream.consume(input.size());
  return pump();
}

std::expected<void, protocol_failure> handshake::pump() {
  encryption_level level = encryption_level::initial;
  output_.clear();
  //= RFC 9001 section 4
  //# If QUIC needs to retransmit that data, it MUST use the same keys even if TLS has already
  //# updated to newer keys
  //= RFC 9001 section 4.9
  //# If packets from a lower encryption level contain CRYPTO frames, frames that retransmit that
  //# data MUST be sent at the same encryption level.
  //= RFC 9001 section 4.9
  //# new data MUST be sent at the highest currently available encryption level
  while (session_->take_output(level, output_)) {
    streams_[static_cast<std::size_t>(space_of(level))].append(output_);
    output_.clear();
  }
  //= RFC 9001 section 4.8
  //# a QUIC endpoint MUST treat any alert from TLS as if it were at the "fatal" level
  if (const tls_failure* failed = session_->failure()) {
    const auto code = failed->protocol_violation ? transport_error::protocol_violation
                                                 : crypto_alert(failed->alert);
    summary_.ech = session_->summary().ech;
    return std::unexpected(protocol_failure{code, frame_type::crypto, failed->reason.c_str()});
  }
  if (!complete_ && session_->handshake_complete()) {
    complete_ = true;
    summary_ = session_->summary();
  }
  return {};
}

std::optional<bytes> handshake::take_peer_parameters() {
  if (parameters_taken_ || !session_) return std::nullopt;
  auto parameters = session_->peer_transport_parameters();
  parameters_taken_ = parameters.has_value();
  return parameters;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
