// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/connection/connection_state.hpp"
#include "core/frame/settings_frame.hpp"
#include "strata/transport/core/buffer_reader.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

/// Takes everything: what critical streams carry must never wait for flow control, and the rest
/// means nothing.
void connection_state::receive_peer_stream(std::uint64_t stream_id, bytes input, bool fin) {
  peer_stream* stream = find_or_accept_peer_stream(stream_id);
  if (stream == nullptr) return;
  if (stream->kind == peer_stream::kind_type::untyped) {
    if (stream->type.read(input)) {
      if (!claim_type(*stream, fin)) return;
    } else if (!fin) {
      return;
    }
  }
  switch (stream->kind) {
    case peer_stream::kind_type::untyped: break;
    case peer_stream::kind_type::control: receive_control(input); break;
    case peer_stream::kind_type::qpack_encoder:
      if (!decoder_.receive(input))
        return close(error_code::qpack_encoder_stream_error, "invalid encoder instruction");
      decode_unblocked();
      break;
    case peer_stream::kind_type::qpack_decoder:
      if (!encoder_.receive(input))
        return close(error_code::qpack_decoder_stream_error, "invalid decoder instruction");
      break;
  }
  if (fin) forget_peer_stream(stream_id);
}

/// The stream, or null: it is not the peer's, or over, or beyond the limit (then the connection is
/// closed). Opening one opens those below it, as in QUIC.
peer_stream* connection_state::find_or_accept_peer_stream(std::uint64_t stream_id) {
  if (((stream_id & 1) != 0) == is_server()) return nullptr;
  if (stream_id >= next_peer_stream_id_) {
    const std::uint64_t opened = (stream_id - next_peer_stream_id_) / 4 + 1;
    if (opened > limits::max_peer_unidirectional_streams - peer_streams_.size()) {
      close(error_code::excessive_load, "too many unidirectional streams");
      return nullptr;
    }
    for (; next_peer_stream_id_ <= stream_id; next_peer_stream_id_ += 4)
      peer_streams_.push_back({.id = next_peer_stream_id_});
  }
  const auto found = std::find_if(peer_streams_.begin(), peer_streams_.end(),
                                  [&](const peer_stream& each) { return each.id == stream_id; });
  return found == peer_streams_.end() ? nullptr : &*found;
}

/// The stream's type has come. False: the stream is of no use and forgotten, or the connection is
/// closed.
bool connection_state::claim_type(peer_stream& stream, bool fin) {
  switch (static_cast<stream_type>(stream.type.value())) {
    case stream_type::control: return claim_critical(stream, peer_stream::kind_type::control);
    case stream_type::qpack_encoder:
      return claim_critical(stream, peer_stream::kind_type::qpack_encoder);
    case stream_type::qpack_decoder:
      return claim_critical(stream, peer_stream::kind_type::qpack_decoder);
    case stream_type::push:
      //= RFC 9114 section 6.2.2
      //# Only servers can push; if a server receives a client-initiated push stream, this
      //# MUST be treated as a connection error of type H3_STREAM_CREATION_ERROR.
      //= RFC 9114 section 4.6
      //# A client MUST
      //# treat receipt of a push stream as a connection error of type H3_ID_ERROR
      //# when no MAX_PUSH_ID frame has been sent or when the stream
      //# references a push ID that is greater than the maximum push ID.
      close(is_server() ? error_code::stream_creation_error : error_code::id_error, "push stream");
      return false;
  }
  //= RFC 9114 section 6.2
  //# Recipients of unknown stream types MUST either abort reading of the
  //# stream or discard incoming data without further processing.
  //= RFC 9114 section 6.2
  //# The recipient MUST NOT consider unknown stream types to be a connection error of any kind.
  //= RFC 9114 section 6.2.3
  //# Endpoints MUST NOT consider these streams to have any meaning upon receipt.
  //= RFC 9114 section 9
  //# Implementations MUST discard data or abort reading on unidirectional streams that have
  //# unknown or unsupported types.
  if (!fin)
    commands_.push({.kind = transport_command::kind_type::stop,
                    .stream_id = stream.id,
                    .code = static_cast<std::uint64_t>(error_code::stream_creation_error)});
  forget_peer_stream(stream.id);
  return false;
}

/// A critical stream exists once in the life of a connection: what counts is whether one was ever
/// opened, not whether it still lives.
bool connection_state::claim_critical(peer_stream& stream, peer_stream::kind_type kind) {
  const auto bit = static_cast<std::uint8_t>(1u << static_cast<unsigned>(kind));
  if ((critical_seen_ & bit) != 0) {
    //= RFC 9114 section 6.2.1
    //# Only one control
    //# stream per peer is permitted; receipt of a second stream claiming to be a
    //# control stream MUST be treated as a connection error of type
    //# H3_STREAM_CREATION_ERROR.
    //= RFC 9204 section 4.2
    //# Receipt
    //# of a second instance of either stream type MUST be treated as a connection error
    //# of type H3_STREAM_CREATION_ERROR.
    close(error_code::stream_creation_error, "second critical stream of one type");
    return false;
  }
  //= RFC 9204 section 4.2
  //# An endpoint MUST allow its peer to create an encoder stream and a decoder stream even if the
  //# connection's settings prevent their use.
  critical_seen_ = static_cast<std::uint8_t>(critical_seen_ | bit);
  stream.kind = kind;
  return true;
}

/// The stream ended, was reset, or is of no use.
void connection_state::forget_peer_stream(std::uint64_t stream_id) {
  const peer_stream* stream = find_or_accept_peer_stream(stream_id);
  if (stream == nullptr) return;
  //= RFC 9114 section 6.2
  //# A receiver MUST tolerate unidirectional streams being closed or reset prior to the reception
  //# of the unidirectional stream header.
  if (stream->kind != peer_stream::kind_type::untyped) {
    //= RFC 9114 section 6.2.1
    //# If either
    //# control stream is closed at any point, this MUST be treated as a connection
    //# error of type H3_CLOSED_CRITICAL_STREAM.
    //= RFC 9204 section 4.2
    //# Closure of either
    //# unidirectional stream type MUST be treated as a connection error of type
    //# H3_CLOSED_CRITICAL_STREAM.
    return close(error_code::closed_critical_stream, "a critical stream ended");
  }
  std::erase_if(peer_streams_, [&](const peer_stream& each) { return each.id == stream_id; });
  charge();
}

void connection_state::receive_control(bytes input) {
  while (!closed_) {
    if (!control_frames_.in_payload()) {
      const std::size_t before = input.size();
      const bool whole = control_frames_.read_header(input);
      if (!budget_.add_overhead(before - input.size()))
        return close(error_code::excessive_load, "hardly anything but framing");
      if (!whole) return;
      begin_control_frame();
      if (closed_) return;
    }
    const bytes piece = control_frames_.payload_of(input);
    input = input.subspan(piece.size());
    if (!control_skips_)
      control_payload_.insert(control_payload_.end(), piece.begin(), piece.end());
    if (!budget_.add_overhead(piece.size()))
      return close(error_code::excessive_load, "hardly anything but framing");
    control_frames_.took(piece.size());
    if (control_frames_.in_payload()) return;
    if (!control_skips_) run_control_frame();
  }
}

void connection_state::begin_control_frame() {
  const std::uint64_t type = control_frames_.type();
  const bool is_settings = type == static_cast<std::uint64_t>(frame_type::settings);
  //= RFC 9114 section 6.2.1
  //# If
  //# the first frame of the control stream is any other frame type, this MUST be
  //# treated as a connection error of type H3_MISSING_SETTINGS.
  if (!settings_seen_ && !is_settings)
    return close(error_code::missing_settings, "the first frame is not SETTINGS");
  //= RFC 9114 section 7.2.4
  //# If
  //# an endpoint receives a second SETTINGS frame on the control stream, the endpoint
  //# MUST respond with a connection error of type H3_FRAME_UNEXPECTED.
  if (settings_seen_ && is_settings) return close(error_code::frame_unexpected, "second SETTINGS");
  const frame_rule rule = rule_for_frame(type, frame_stream::control, config_.role);
  if (rule.verdict == frame_rule::verdict_type::refuse)
    return close(rule.error, "frame that does not belong on the control stream");
  if (control_frames_.remaining() > rule.max_length)
    return close(is_settings ? error_code::excessive_load : error_code::frame_error,
                 "control frame too long");
  control_skips_ = rule.verdict == frame_rule::verdict_type::skip;
  settings_seen_ = true;
  if (!is_settings) charge();
}

void connection_state::run_control_frame() {
  const auto type = static_cast<frame_type>(control_frames_.type());
  if (type == frame_type::settings) {
    run_settings();
  } else {
    //= RFC 9114 section 7.1
    //# A frame payload that contains additional bytes after the
    //# identified fields or a frame payload that terminates before the end of the
    //# identified fields MUST be treated as a connection error of type
    //# H3_FRAME_ERROR.
    transport::buffer_reader reader(control_payload_);
    const std::uint64_t id = reader.varint();
    //= RFC 9114 section 7.1
    //# redundant length encodings MUST be verified to be self-consistent
    //= RFC 9114 section 10.8
    //# An implementation MUST ensure that the length of a frame exactly matches the length of the
    //# fields it contains.
    if (!reader.ok() || !reader.empty())
      return close(error_code::frame_error, "control frame of the wrong size");
    run_identifier_frame(type, id);
  }
  control_payload_.clear();
}

void connection_state::run_settings() {
  const auto parsed = parse_settings(control_payload_);
  if (!parsed) return close(parsed.error(), "invalid SETTINGS");
  peer_settings_ = *parsed;
  if (is_server())
    peer_settings_.enable_connect_protocol =
        false;  // RFC 9220 section 3: it says something from servers only
  control_payload_.shrink_to_fit();
  tell(event_kind::settings, 0);
}

void connection_state::run_identifier_frame(frame_type type, std::uint64_t id) {
  switch (type) {
    case frame_type::goaway: return run_goaway(id);
    case frame_type::max_push_id:
      //= RFC 9114 section 7.2.7
      //# receipt of a MAX_PUSH_ID
      //# frame that contains a smaller value than previously received MUST be treated as
      //# a connection error of type H3_ID_ERROR.
      if (peer_max_push_id_ && id < *peer_max_push_id_)
        return close(error_code::id_error, "MAX_PUSH_ID lowered");
      peer_max_push_id_ = id;
      return;
    default:
      //= RFC 9114 section 7.2.3
      //# If a CANCEL_PUSH frame is received that references a push ID
      //# greater than currently allowed on the connection, this MUST be treated as a
      //# connection error of type H3_ID_ERROR.
      //= RFC 9114 section 7.2.3
      //# If a
      //# server receives a CANCEL_PUSH frame for a push ID that has not yet been
      //# mentioned by a PUSH_PROMISE frame, this MUST be treated as a connection error of
      //# type H3_ID_ERROR.
      return close(error_code::id_error, "CANCEL_PUSH of what was never promised");
  }
}

void connection_state::run_goaway(std::uint64_t id) {
  //= RFC 9114 section 7.2.6
  //# A client MUST treat receipt of a
  //# GOAWAY frame containing a stream ID of any other type as a connection error of
  //# type H3_ID_ERROR.
  if (!is_server() && (id & 3) != 0)
    return close(error_code::id_error, "GOAWAY that names no request");
  //= RFC 9114 section 5.2
  //# Receiving a GOAWAY containing a larger identifier than
  //# previously received MUST be treated as a connection error of type H3_ID_ERROR.
  if (peer_goaway_ && id > *peer_goaway_)
    return close(error_code::id_error, "GOAWAY identifier raised");
  peer_goaway_ = id;
  tell(event_kind::goaway, 0, id);
  if (!is_server()) reject_from(id);
}

/// The server has not processed these requests and will not: they can be sent again elsewhere.
void connection_state::reject_from(std::uint64_t id) {
  for (std::size_t i = 0; i < requests_.slot_count(); ++i) {
    request_stream* stream = requests_.slot(i);
    if (stream == nullptr || stream->id < id || (stream->receive_over && stream->send_over))
      continue;
    tell(event_kind::rejected, *stream);
    abandon(*stream, error_code::request_cancelled);
  }
}

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
