// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/connection/connection_state.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

received connection_state::receive(time_point now, std::uint64_t stream_id, bytes input, bool fin) {
  now_ = now;
  const received all{.consumed = input.size(), .body = {}};
  if (closed_) return all;
  if ((stream_id & 2) != 0) {
    receive_peer_stream(stream_id, input, fin);
    return all;
  }
  request_stream* stream = find_or_accept(stream_id);
  if (stream == nullptr) return all;
  const received result = receive_request(*stream, input, fin);
  release_if_over(*stream);
  return closed_ ? all : result;
}

/// The stream, or null when it is over or the connection is (closed_ says which).
request_stream* connection_state::find_or_accept(std::uint64_t stream_id) {
  if (request_stream* stream = requests_.find(stream_id)) return stream;
  if (!is_server()) {
    //= RFC 9114 section 6.1
    //# Clients MUST treat receipt of a
    //# server-initiated bidirectional stream as a connection error of type
    //# H3_STREAM_CREATION_ERROR unless such an extension has been
    //# negotiated.
    if ((stream_id & 1) != 0)
      close(error_code::stream_creation_error, "bidirectional stream from the server");
    return nullptr;
  }
  return (stream_id & 1) == 0 && stream_id >= next_request_id_ ? accept_up_to(stream_id) : nullptr;
}

/// Opens this stream and, as QUIC does, all below it: so a lower id that is not in the table is
/// over, never new.
request_stream* connection_state::accept_up_to(std::uint64_t stream_id) {
  if ((stream_id - next_request_id_) / 4 >= config_.max_requests) {
    close(error_code::excessive_load, "too many requests at once");
    return nullptr;
  }
  for (; next_request_id_ <= stream_id; next_request_id_ += 4) {
    const bool refused = requests_.size() >= config_.max_requests ||
                         (goaway_sent_ && next_request_id_ >= *goaway_sent_);
    request_stream& stream = requests_.insert(next_request_id_);
    //= RFC 9114 section 4.1.1
    //# When the server cancels a request without performing any application processing,
    //# the request is considered "rejected".  The server SHOULD abort its response
    //# stream with the error code H3_REQUEST_REJECTED.
    //= RFC 9114 section 4.1.1
    //# Servers MUST NOT use the H3_REQUEST_REJECTED error code for requests that were partially or
    //# fully processed.
    if (refused) fail_stream(stream, error_code::request_rejected);
  }
  return requests_.find(stream_id);
}

received connection_state::receive_request(request_stream& stream, bytes input, bool fin) {
  const std::size_t size = input.size();
  bytes body;
  while (!closed_ && !stream.receive_over && !stream.section_waits && !stream.blocked) {
    if (!stream.frames.in_payload()) {
      const std::size_t before = input.size();
      const bool whole = stream.frames.read_header(input);
      if (!budget_.add_overhead(before - input.size()))
        close(error_code::excessive_load, "hardly anything but framing");
      if (!whole || !begin_frame(stream)) break;
    }
    if (!take_payload(stream, input, body)) break;
  }
  if (stream.receive_over || closed_) return {.consumed = size, .body = {}};
  if (fin && input.empty() && !stream.section_waits && !stream.blocked) end_of_message(stream);
  return {.consumed = size - input.size(), .body = body};
}

/// A frame header has come. False: the stream or the connection is over.
bool connection_state::begin_frame(request_stream& stream) {
  const std::uint64_t type = stream.frames.type();
  const frame_rule rule = rule_for_frame(type, frame_stream::request, config_.role);
  if (rule.verdict == frame_rule::verdict_type::refuse) {
    close(rule.error, "frame that does not belong on a request stream");
  } else if (rule.verdict == frame_rule::verdict_type::skip) {
    //= RFC 9114 section 9
    //# Implementations MUST ignore unknown or unsupported values in all extensible protocol
    //# elements.
    //= RFC 9114 section 7.2.8
    //# Endpoints MUST NOT consider these frames to have any meaning upon receipt.
    stream.payload = payload_use::skip;
  } else if (type == static_cast<std::uint64_t>(frame_type::headers)) {
    begin_section(stream);
  } else {
    begin_content(stream);
  }
  return !closed_ && !stream.receive_over;
}

void connection_state::begin_section(request_stream& stream) {
  //= RFC 9114 section 4.4
  //# Once the CONNECT method has completed, only DATA frames are permitted to be sent
  //# on the stream.
  //= RFC 9114 section 4.1
  //# Receipt of an invalid sequence of frames MUST be treated as a connection error
  //# of type H3_FRAME_UNEXPECTED.
  //= RFC 9114 section 4.4
  //# Receipt of any other known frame type MUST be treated as a connection error of type
  //# H3_FRAME_UNEXPECTED.
  if (stream.receive_part == message_part::end || stream.tunnel)
    return close(error_code::frame_unexpected, "HEADERS after the trailers or in a tunnel");
  stream.payload = payload_use::section;
  // Before anything of it is kept. Encoded is hardly ever larger than decoded, which counts 32
  // bytes more per line.
  if (stream.frames.remaining() > config_.max_field_section_size)
    fail_stream(stream, error_code::excessive_load);
}

void connection_state::begin_content(request_stream& stream) {
  //= RFC 9114 section 4.1
  //# In particular, a DATA frame before
  //# any HEADERS frame, or a HEADERS or DATA frame after the trailing HEADERS frame,
  //# is considered invalid.
  //= RFC 9114 section 7.2.1
  //# DATA frames MUST be associated with an HTTP request or response.
  if (stream.receive_part != message_part::body)
    return close(error_code::frame_unexpected,
                 "DATA before the header section or after the trailers");
  if (stream.unwanted) {
    stream.unwanted = false;
    command(transport_command::kind_type::stop, stream, error_code::no_error);
    return end_receiving(stream, false);
  }
  stream.payload = payload_use::content;
  const std::uint64_t length = stream.frames.remaining();
  if (length == 0) charge();
  stream.body_received += length;
  //= RFC 9114 section 4.1.2
  //# A request or response that is defined as having content when it contains a Content-Length
  //# header field (Section 8.6 of [RFC9110]) is malformed if the value of the Content-Length header
  //# field does not equal the sum of the DATA frame lengths received.
  if (stream.body_expected && stream.body_received > *stream.body_expected)
    fail_stream(stream, error_code::message_error);
}

/// Takes what can be taken of the current payload. False: nothing more can be done now.
bool connection_state::take_payload(request_stream& stream, bytes& input, bytes& body) {
  const bytes piece = stream.frames.payload_of(input);
  switch (stream.payload) {
    case payload_use::section: return take_section_payload(stream, input);
    case payload_use::skip:
      if (piece.empty() && stream.frames.remaining() != 0) return false;
      stream.frames.took(piece.size());
      input = input.subspan(piece.size());
      if (!budget_.add_overhead(piece.size()))
        close(error_code::excessive_load, "hardly anything but unknown frames");
      return true;
    case payload_use::content:
      if (stream.frames.remaining() == 0) return stream.frames.took(0), true;
      if (!piece.empty() && !stream.body_told) {
        stream.body_told = true;
        tell(event_kind::body, stream);
      }
      body = piece;
      return false;
  }
  return false;
}

void connection_state::consume_body(std::uint64_t stream_id, std::size_t size) {
  request_stream* stream = requests_.find(stream_id);
  if (stream == nullptr || stream->receive_over || !stream->frames.in_payload() ||
      stream->payload != payload_use::content)
    return;
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, stream->frames.remaining()));
  budget_.add_useful(size);
  stream->frames.took(size);
  stream->body_told = false;
}

bool connection_state::take_section_payload(request_stream& stream, bytes& input) {
  const bytes piece = stream.frames.payload_of(input);
  input = input.subspan(piece.size());
  budget_.add_useful(piece.size());
  const bool whole = piece.size() == stream.frames.remaining();
  const bool in_place = whole && stream.encoded.empty();
  if (!in_place) keep_encoded(stream, piece);
  if (piece.empty() && !whole) return false;
  stream.frames.took(piece.size());
  if (!whole) return false;
  if (!closed_) decode_section(stream, in_place ? piece : bytes(stream.encoded));
  return !closed_;
}

/// Parks a part of a section, as much as has come and no more. The sum over all streams is limited,
/// since these bytes have left flow control; what comes behind a blocked section stays in QUIC.
void connection_state::keep_encoded(request_stream& stream, bytes piece) {
  parked_bytes_ += piece.size();
  if (parked_bytes_ > limits::max_parked_section_bytes)
    return close(error_code::excessive_load, "too much of incomplete or blocked field sections");
  stream.encoded.insert(stream.encoded.end(), piece.begin(), piece.end());
}

void connection_state::drop_encoded(request_stream& stream) noexcept {
  parked_bytes_ -= std::min(parked_bytes_, stream.encoded.size());
  stream.encoded.clear();
}

void connection_state::decode_section(request_stream& stream, bytes encoded) {
  switch (decoder_.decode(stream.id, encoded, stream.section)) {
    case qpack::decode_outcome::decoded:
      unblock(stream);
      drop_encoded(stream);
      return judge_section(stream);
    case qpack::decode_outcome::blocked:
      if (stream.encoded.empty()) keep_encoded(stream, encoded);
      return block(stream);
    case qpack::decode_outcome::too_large: return fail_stream(stream, error_code::excessive_load);
    case qpack::decode_outcome::failed:
      return close(error_code::qpack_decompression_failed, "field section that cannot be decoded");
  }
}

void connection_state::block(request_stream& stream) {
  if (stream.blocked) return;
  stream.blocked = true;
  blocked_.push_back({.stream_id = stream.id, .deadline = now_ + limits::blocked_stream_timeout});
}

void connection_state::unblock(request_stream& stream) noexcept {
  if (!stream.blocked) return;
  stream.blocked = false;
  std::erase_if(blocked_,
                [&](const blocked_deadline& each) { return each.stream_id == stream.id; });
}

/// Insertions have come: sections that waited for them are decoded now. The owner calls receive()
/// again when it has taken them.
void connection_state::decode_unblocked() {
  for (std::uint64_t stream_id; !closed_ && decoder_.poll_unblocked(stream_id);) {
    request_stream* stream = requests_.find(stream_id);
    if (stream == nullptr) {
      decoder_.cancel(stream_id);
      continue;
    }
    decode_section(*stream, stream->encoded);
    release_if_over(*stream);
  }
}

/// A section has been decoded: is it what may stand here, and is it well-formed?
void connection_state::judge_section(request_stream& stream) {
  const bool is_trailers = stream.receive_part == message_part::body;
  const char* reason = nullptr;
  if (is_trailers) {
    //= RFC 9114 section 4.1
    //# On a given stream, receipt of multiple requests or receipt of an additional HTTP response
    //# following a final HTTP response MUST be treated as malformed.
    section_checker checker(section_kind::trailers);
    reason = checker.check_all(stream.section);
    if (reason == nullptr) {
      stream.receive_part = message_part::end;
      offer_section(stream, section_role::trailers, 0);
    }
  } else {
    reason = is_server() ? judge_request(stream) : judge_response(stream);
  }
  if (reason != nullptr) fail_stream(stream, error_code::message_error);
}

void connection_state::offer_section(request_stream& stream, section_role role,
                                     std::uint64_t value) {
  constexpr event_kind kinds[] = {event_kind::headers, event_kind::interim, event_kind::trailers};
  stream.visible = true;
  stream.section_waits = true;
  stream.waiting_role = role;
  tell(kinds[static_cast<std::size_t>(role)], stream, value);
}

const char* connection_state::judge_request(request_stream& stream) {
  section_checker checker(section_kind::request, config_.enable_connect_protocol);
  if (const char* reason = checker.check_all(stream.section)) return reason;
  if (stream.send_over) {  // STOP_SENDING came before the request was whole: nobody waits for an
                           // answer
    abandon(stream, error_code::request_cancelled);
    return nullptr;
  }
  stream.head_request = checker.is_head();
  stream.connect_request = checker.is_connect();
  stream.tunnel = checker.is_connect();
  if (!checker.is_connect()) stream.body_expected = checker.content_length();
  stream.receive_part = message_part::body;
  offer_section(stream, section_role::headers, 0);
  return nullptr;
}

//= RFC 9114 section 4.1.2
//# Clients MUST NOT accept a malformed response.
const char* connection_state::judge_response(request_stream& stream) {
  section_checker checker(section_kind::response);
  if (const char* reason = checker.check_all(stream.section)) return reason;
  stream.status = checker.status();
  if (checker.status() < 200) {
    if (stream.interim_count == limits::max_interim_responses) return "too many interim responses";
    ++stream.interim_count;
    offer_section(stream, section_role::interim, checker.status());
    return nullptr;
  }
  const bool opens_tunnel = stream.connect_request && checker.status() < 300;
  const bool never_content =
      stream.head_request || checker.status() == 204 || checker.status() == 304;
  stream.tunnel = opens_tunnel;
  if (never_content) {
    stream.body_expected = 0;
  } else if (!opens_tunnel) {
    stream.body_expected = checker.content_length();
  }
  stream.receive_part = message_part::body;
  offer_section(stream, section_role::headers, checker.status());
  return nullptr;
}

std::optional<section_role> connection_state::take_section(std::uint64_t stream_id,
                                                           field_section& section) {
  request_stream* stream = requests_.find(stream_id);
  if (stream == nullptr || !stream->section_waits) return std::nullopt;
  section.swap(stream->section);
  stream->section.clear();
  stream->section_waits = false;
  return stream->waiting_role;
}

/// The stream ended in order. Every way a message can end comes through here, also an end without
/// bytes: a content-length that does not match is how one request is smuggled behind another.
void connection_state::end_of_message(request_stream& stream) {
  //= RFC 9114 section 7.1
  //# When a stream terminates cleanly, if the last frame on the stream was truncated,
  //# this MUST be treated as a connection error of type H3_FRAME_ERROR.
  if (!stream.frames.between_frames())
    return close(error_code::frame_error, "stream that ends inside a frame");
  if (stream.receive_part == message_part::headers)
    return fail_stream(stream,
                       is_server() ? error_code::request_incomplete : error_code::message_error);
  if (stream.body_expected && stream.body_received != *stream.body_expected)
    return fail_stream(stream, error_code::message_error);
  tell(event_kind::finished, stream);
  end_receiving(stream, true);
  if (!is_server()) budget_.pay_back();
}

void connection_state::stream_reset(time_point now, std::uint64_t stream_id, std::uint64_t code) {
  now_ = now;
  if (closed_) return;
  if ((stream_id & 2) != 0) return forget_peer_stream(stream_id);
  request_stream* stream = find_or_accept(stream_id);
  if (stream == nullptr || stream->receive_over) return;
  tell(event_kind::reset, *stream, code);
  end_receiving(*stream, false);
  charge();
  // Nobody above knows of a request that never became whole: its other direction ends here.
  if (!stream->visible) abandon(*stream, error_code::request_cancelled);
  release_if_over(*stream);
}

void connection_state::stop_sending(time_point now, std::uint64_t stream_id, std::uint64_t code) {
  now_ = now;
  if (closed_) return;
  if ((stream_id & 2) != 0) {
    //= RFC 9114 section 6.2.1
    //# The sender MUST NOT close the control stream, and the
    //# receiver MUST NOT request that the sender close the control stream.
    for (const own_stream& own : own_)
      if (own.id == stream_id)
        close(error_code::closed_critical_stream, "STOP_SENDING on a critical stream");
    return;
  }
  request_stream* stream = find_or_accept(stream_id);
  if (stream == nullptr || stream->send_over) return;
  //= RFC 9114 section 4.1
  //# Clients MUST NOT discard complete responses as a result of having their request terminated
  //# abruptly
  tell(event_kind::stopped, *stream, code);
  end_sending(*stream);
  // A server that has answered early says H3_NO_ERROR: that is no abuse (RFC 9114 section 4.1).
  if (code != static_cast<std::uint64_t>(error_code::no_error)) charge();
  release_if_over(*stream);
}

void connection_state::stop_reading(std::uint64_t stream_id, error_code code) {
  request_stream* stream = requests_.find(stream_id);
  if (stream == nullptr || stream->receive_over) return;
  // A request without content so far most likely has none, and its end is on the way: a client that
  // is told not to send it takes the call that just ends its request for failed.
  const bool only_the_end_is_missing = is_server() && code == error_code::no_error &&
                                       stream->receive_part == message_part::body &&
                                       stream->body_received == 0 && !stream->frames.in_payload() &&
                                       !stream->tunnel && stream->body_expected.value_or(0) == 0;
  if (only_the_end_is_missing) {
    stream->unwanted = true;
    return;
  }
  command(transport_command::kind_type::stop, *stream, code);
  end_receiving(*stream, false);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
