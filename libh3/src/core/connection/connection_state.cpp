// SPDX-License-Identifier: Apache-2.0
#include "core/connection/connection_state.hpp"

#include <algorithm>

#include "core/frame/frame_writer.hpp"
#include "core/frame/settings_frame.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

connection_state::connection_state(const connection_config& config,
                                   transport::random_source& random)
    : config_(config),
      decoder_({.max_table_capacity =
                    std::min(config.qpack_table_capacity, limits::max_qpack_table_capacity),
                .max_blocked_streams = config.qpack_blocked_streams,
                .max_section_size = config.max_field_section_size,
                .max_field_count = config.max_field_count}),
      next_peer_stream_id_(config.role == role::server ? 2 : 3) {
  //= RFC 9114 section 7.2.4.2
  //# Endpoints MUST NOT require any data to be received from the peer prior to
  //# sending the SETTINGS frame; settings MUST be sent as soon as the transport is
  //# ready to send data.
  const settings ours{.qpack_max_table_capacity =
                          std::min(config.qpack_table_capacity, limits::max_qpack_table_capacity),
                      .qpack_blocked_streams = config.qpack_blocked_streams,
                      .max_field_section_size = config.max_field_section_size,
                      .enable_connect_protocol = is_server() && config.enable_connect_protocol};
  append_varint(own_[own_control].unsent, static_cast<std::uint64_t>(stream_type::control));
  //= RFC 9114 section 3.2
  //# After the QUIC connection is established, a SETTINGS frame MUST be sent by each endpoint as
  //# the initial frame of their respective HTTP control stream.
  //= RFC 9114 section 6.2.1
  //# Each side MUST initiate a single control stream at the beginning of the connection and send
  //# its SETTINGS frame as the first frame on this stream.
  //= RFC 9114 section 7.2.4
  //# A SETTINGS frame MUST be sent as the first frame of each control stream (see Section 6.2.1)
  //# by each peer, and it MUST NOT be sent subsequently.
  //= RFC 9114 section 7.2.4
  //# SETTINGS frames MUST NOT be sent on any stream other than the control stream.
  append_settings_frame(own_[own_control].unsent, ours, random.below(std::uint64_t{1} << 30));
  //= RFC 9204 section 4.2
  //# Each endpoint MUST initiate, at most, one encoder stream and, at most, one decoder stream.
  append_varint(own_[own_decoder].unsent, static_cast<std::uint64_t>(stream_type::qpack_decoder));
  append_varint(own_[own_encoder].unsent, static_cast<std::uint64_t>(stream_type::qpack_encoder));
  for (std::size_t i = 0; i < own_count; ++i)
    commands_.push(
        {.kind = transport_command::kind_type::open_unidirectional, .stream_id = 0, .code = 0});
}

void connection_state::tell(event_kind kind, std::uint64_t stream_id, std::uint64_t value) {
  events_.push({.kind = kind, .stream_id = stream_id, .value = value});
}

void connection_state::tell(event_kind kind, request_stream& stream, std::uint64_t value) {
  if (stream.visible) tell(kind, stream.id, value);
}

bool connection_state::poll_event(event& out) {
  if (events_.empty()) return false;
  out = events_.pop();
  return true;
}

void connection_state::command(transport_command::kind_type kind, request_stream& stream,
                               error_code code) {
  commands_.push({.kind = kind, .stream_id = stream.id, .code = static_cast<std::uint64_t>(code)});
  ++stream.commands_pending;
}

bool connection_state::poll_command(transport_command& out) {
  if (commands_.empty()) return false;
  out = commands_.pop();
  if (out.kind == transport_command::kind_type::open_unidirectional) return true;
  if (request_stream* stream = requests_.find(out.stream_id)) {
    --stream->commands_pending;
    release_if_over(*stream);
  }
  return true;
}

void connection_state::close(error_code code, const char* reason) {
  if (closed_) return;
  closed_ = connection_error{.code = code, .reason = reason};
  borrowed_count_ = 0;
  tell(event_kind::closed, 0, static_cast<std::uint64_t>(code));
}

void connection_state::charge() {
  if (!budget_.charge(now_))
    close(error_code::excessive_load, "too many resets, malformed messages or control frames");
}

/// `complete`: every byte was read and every section decoded; otherwise the peer's encoder is told
/// that references are gone.
void connection_state::end_receiving(request_stream& stream, bool complete) {
  if (stream.receive_over) return;
  stream.receive_over = true;
  stream.section_waits = false;
  unblock(stream);
  drop_encoded(stream);
  //= RFC 9204 section 2.2.2.2
  //# When an endpoint receives a stream reset before the end of a stream or before
  //# all encoded field sections are processed on that stream, or when it abandons
  //# reading of a stream, it generates a Stream Cancellation instruction.
  if (!complete) decoder_.cancel(stream.id);
  if (decoder_.output().size() > limits::max_decoder_stream_backlog)
    close(error_code::excessive_load, "the decoder stream is not being read");
}

void connection_state::end_sending(request_stream& stream) {
  if (borrowed_count_ != 0 && borrowed_by_ == stream.id) borrowed_count_ = 0;
  stream.send_over = true;
  stream.drop_unsent();
}

/// Gives up both directions, as far as they live.
void connection_state::abandon(request_stream& stream, error_code code) {
  if (!stream.send_over) command(transport_command::kind_type::reset, stream, code);
  if (!stream.receive_over) command(transport_command::kind_type::stop, stream, code);
  end_sending(stream);
  end_receiving(stream, false);
}

//= RFC 9114 section 4.1.2
//# Malformed requests or responses that are detected MUST be treated as a stream
//# error of type H3_MESSAGE_ERROR.
/// A stream error. Whatever else comes on the stream is dropped unread: parsing on after an error
/// would start in the middle of a frame.
void connection_state::fail_stream(request_stream& stream, error_code code) {
  tell(event_kind::failed, stream, static_cast<std::uint64_t>(code));
  abandon(stream, code);
  charge();
}

void connection_state::release_if_over(request_stream& stream) {
  if (stream.over()) requests_.erase(stream);
}

std::optional<time_point> connection_state::next_timeout() const {
  if (closed_ || blocked_.empty()) return std::nullopt;
  return blocked_.front().deadline;
}

void connection_state::handle_timeout(time_point now) {
  now_ = now;
  while (!blocked_.empty() && blocked_.front().deadline <= now) {
    request_stream* stream = requests_.find(blocked_.front().stream_id);
    fail_stream(*stream, error_code::excessive_load);  // takes it off the list
    release_if_over(*stream);
  }
}

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
