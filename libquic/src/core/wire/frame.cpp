// SPDX-License-Identifier: Apache-2.0
#include "core/wire/frame.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "strata/transport/core/varint.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

using transport::buffer_reader;
using transport::bytes;
using transport::varint_max;
using outcome = std::expected<frame, protocol_failure>;

std::unexpected<protocol_failure> malformed(std::uint64_t type, const char* reason) noexcept {
  return std::unexpected(protocol_failure{transport_error::frame_encoding_error, type, reason});
}

std::unexpected<protocol_failure> truncated(std::uint64_t type) noexcept {
  return malformed(type, "frame ends beyond its packet");
}

/// What a decoder without further rules ends with.
template <class Frame>
outcome complete(const buffer_reader& reader, std::uint64_t type, const Frame& decoded) noexcept {
  if (!reader.ok()) return truncated(type);
  return decoded;
}

template <std::size_t Size>
std::array<std::byte, Size> fixed_bytes(buffer_reader& reader) noexcept {
  std::array<std::byte, Size> copy{};
  transport::copy_bytes(copy.data(), reader.take(Size));
  return copy;
}

outcome decode_padding(buffer_reader& reader) noexcept {
  const bytes rest = reader.rest();
  std::size_t length = 0;
  // Up to a packet's worth of zeros in an Initial: eight at a time.
  for (std::uint64_t word = 0; rest.size() - length >= sizeof word; length += sizeof word) {
    std::memcpy(&word, rest.data() + length, sizeof word);
    if (word != 0) break;
  }
  while (length < rest.size() && rest[length] == std::byte{}) ++length;
  reader.skip(length);
  return padding_frame{length + 1};
}

/// Walks the ranges once, so that nobody who walks them later has to check. Every range takes two bytes or more, so the
/// cost is bounded by the packet whatever Count says.
bool consume_ranges(buffer_reader& reader, std::uint64_t smallest, std::uint64_t count) noexcept {
  if (count > reader.remaining() / 2) return reader.fail(), true;
  for (; count != 0; --count) {
    const std::uint64_t gap = reader.varint();
    const std::uint64_t length = reader.varint();
    if (!reader.ok()) return true;
    //= RFC 9000 section 19.3.1
    //# If any computed packet number is negative, an endpoint MUST generate a
    //# connection error of type FRAME_ENCODING_ERROR.
    if (smallest < gap + 2 || smallest - gap - 2 < length) return false;
    smallest -= gap + 2 + length;
  }
  return true;
}

outcome decode_ack(buffer_reader& reader, std::uint64_t type) noexcept {
  ack_frame ack;
  ack.largest_acknowledged = reader.varint();
  ack.ack_delay = reader.varint();
  ack.range_count = reader.varint();
  ack.first_ack_range = reader.varint();
  if (!reader.ok()) return truncated(type);
  if (ack.first_ack_range > ack.largest_acknowledged) return malformed(type, "first ACK range below zero");

  const bytes start = reader.rest();
  const std::uint64_t smallest = ack.largest_acknowledged - ack.first_ack_range;
  if (!consume_ranges(reader, smallest, ack.range_count)) return malformed(type, "ACK range below zero");
  if (!reader.ok()) return truncated(type);
  ack.ranges = start.first(start.size() - reader.remaining());

  if (type == frame_type::ack_ecn) {
    ecn_counts& counts = ack.ecn_counts.emplace();
    counts.ect0 = reader.varint();
    counts.ect1 = reader.varint();
    counts.ecn_ce = reader.varint();
  }
  return complete(reader, type, ack);
}

outcome decode_reset_stream(buffer_reader& reader, std::uint64_t type) noexcept {
  reset_stream_frame reset;
  reset.stream_id = reader.varint();
  reset.application_protocol_error_code = reader.varint();
  reset.final_size = reader.varint();
  return complete(reader, type, reset);
}

outcome decode_stop_sending(buffer_reader& reader, std::uint64_t type) noexcept {
  stop_sending_frame stop;
  stop.stream_id = reader.varint();
  stop.application_protocol_error_code = reader.varint();
  return complete(reader, type, stop);
}

outcome decode_crypto(buffer_reader& reader, std::uint64_t type) noexcept {
  crypto_frame crypto;
  crypto.offset = reader.varint();
  crypto.data = reader.take_varint_prefixed();
  if (!reader.ok()) return truncated(type);
  //= RFC 9000 section 19.6
  //# The largest offset delivered on a stream -- the sum of the offset and data
  //# length -- cannot exceed 2<sup>62</sup>-1.  Receipt of a frame that exceeds this
  //# limit MUST be treated as a connection error of type FRAME_ENCODING_ERROR or
  //# CRYPTO_BUFFER_EXCEEDED.
  if (crypto.data.size() > varint_max - crypto.offset) return malformed(type, "CRYPTO offset beyond 2^62-1");
  return crypto;
}

outcome decode_new_token(buffer_reader& reader, std::uint64_t type) noexcept {
  const new_token_frame token{reader.take_varint_prefixed()};
  if (!reader.ok()) return truncated(type);
  //= RFC 9000 section 19.7
  //# A client MUST treat receipt of a NEW_TOKEN frame with
  //# an empty Token field as a connection error of type FRAME_ENCODING_ERROR.
  if (token.token.empty()) return malformed(type, "empty token");
  return token;
}

outcome decode_stream(buffer_reader& reader, std::uint64_t type) noexcept {
  stream_frame stream;
  stream.stream_id = reader.varint();
  if (type & frame_type::stream_off_bit) stream.offset = reader.varint();
  stream.data = reader.take(type & frame_type::stream_len_bit ? reader.varint() : reader.remaining());
  stream.fin = (type & frame_type::stream_fin_bit) != 0;
  if (!reader.ok()) return truncated(type);
  //= RFC 9000 section 19.8
  //# The largest offset delivered
  //# on a stream -- the sum of the offset and data length -- cannot exceed
  //# 2<sup>62</sup>-1, as it is not possible to provide flow control credit for that
  //# data.  Receipt of a frame that exceeds this limit MUST be treated as a
  //# connection error of type FRAME_ENCODING_ERROR or FLOW_CONTROL_ERROR.
  if (stream.data.size() > varint_max - stream.offset) return malformed(type, "stream offset beyond 2^62-1");
  return stream;
}

outcome decode_max_stream_data(buffer_reader& reader, std::uint64_t type) noexcept {
  max_stream_data_frame max;
  max.stream_id = reader.varint();
  max.maximum_stream_data = reader.varint();
  return complete(reader, type, max);
}

outcome decode_max_streams(buffer_reader& reader, std::uint64_t type) noexcept {
  const max_streams_frame max{type == frame_type::max_streams_bidi, reader.varint()};
  //= RFC 9000 section 19.11
  //# Receipt of a frame that permits opening of a stream larger
  //# than this limit MUST be treated as a connection error of type
  //# FRAME_ENCODING_ERROR.
  if (max.maximum_streams > max_streams_limit) return malformed(type, "more than 2^60 streams");
  return complete(reader, type, max);
}

outcome decode_stream_data_blocked(buffer_reader& reader, std::uint64_t type) noexcept {
  stream_data_blocked_frame blocked;
  blocked.stream_id = reader.varint();
  blocked.maximum_stream_data = reader.varint();
  return complete(reader, type, blocked);
}

outcome decode_streams_blocked(buffer_reader& reader, std::uint64_t type) noexcept {
  const streams_blocked_frame blocked{type == frame_type::streams_blocked_bidi, reader.varint()};
  //= RFC 9000 section 19.14
  //# Receipt of
  //# a frame that encodes a larger stream ID MUST be treated as a connection error
  //# of type STREAM_LIMIT_ERROR or FRAME_ENCODING_ERROR.
  if (blocked.maximum_streams > max_streams_limit) return malformed(type, "more than 2^60 streams");
  return complete(reader, type, blocked);
}

outcome decode_new_connection_id(buffer_reader& reader, std::uint64_t type) noexcept {
  new_connection_id_frame issued;
  issued.sequence_number = reader.varint();
  issued.retire_prior_to = reader.varint();
  const std::size_t length = reader.u8();
  if (!reader.ok()) return truncated(type);
  //= RFC 9000 section 19.15
  //# Values
  //# less than 1 and greater than 20 are invalid and MUST be treated as a
  //# connection error of type FRAME_ENCODING_ERROR.
  if (length < 1 || length > connection_id::max_size) return malformed(type, "connection ID of a wrong length");
  issued.connection_id = connection_id(reader.take(length));
  issued.stateless_reset_token = fixed_bytes<16>(reader);
  //= RFC 9000 section 19.15
  //# Receiving a value in the Retire
  //# Prior To field that is greater than that in the Sequence Number field MUST be
  //# treated as a connection error of type FRAME_ENCODING_ERROR.
  if (issued.retire_prior_to > issued.sequence_number) return malformed(type, "connection ID retired as it is issued");
  return complete(reader, type, issued);
}

outcome decode_connection_close(buffer_reader& reader, std::uint64_t type) noexcept {
  connection_close_frame close;
  close.application = type == frame_type::connection_close_application;
  close.error_code = reader.varint();
  if (!close.application) close.frame_type = reader.varint();
  close.reason_phrase = reader.take_varint_prefixed();
  return complete(reader, type, close);
}

/// A first byte above 0x3f: no type of ours is that long, so only the kind of error is left to find out.
outcome refuse_long_type(buffer_reader& reader) noexcept {
  const std::size_t size = transport::varint_size_from_first_byte(std::byte{reader.peek_u8()});
  const std::uint64_t type = reader.varint();
  if (!reader.ok()) return malformed(0, "frame type ends beyond its packet");
  //= RFC 9000 section 12.4
  //# An endpoint
  //# MAY treat the receipt of a frame type that uses a longer encoding than
  //# necessary as a connection error of type PROTOCOL_VIOLATION.
  if (transport::varint_size(type) < size) {
    return std::unexpected(
        protocol_failure{transport_error::protocol_violation, type, "frame type longer than necessary"});
  }
  return malformed(type, "unknown frame type");
}

outcome decode_body(buffer_reader& reader, std::uint64_t type) noexcept {
  switch (type) {
    case frame_type::padding: return decode_padding(reader);
    case frame_type::ping: return ping_frame{};
    case frame_type::ack:
    case frame_type::ack_ecn: return decode_ack(reader, type);
    case frame_type::reset_stream: return decode_reset_stream(reader, type);
    case frame_type::stop_sending: return decode_stop_sending(reader, type);
    case frame_type::crypto: return decode_crypto(reader, type);
    case frame_type::new_token: return decode_new_token(reader, type);
    case frame_type::max_data: return complete(reader, type, max_data_frame{reader.varint()});
    case frame_type::max_stream_data: return decode_max_stream_data(reader, type);
    case frame_type::max_streams_bidi:
    case frame_type::max_streams_uni: return decode_max_streams(reader, type);
    case frame_type::data_blocked: return complete(reader, type, data_blocked_frame{reader.varint()});
    case frame_type::stream_data_blocked: return decode_stream_data_blocked(reader, type);
    case frame_type::streams_blocked_bidi:
    case frame_type::streams_blocked_uni: return decode_streams_blocked(reader, type);
    case frame_type::new_connection_id: return decode_new_connection_id(reader, type);
    case frame_type::retire_connection_id: return complete(reader, type, retire_connection_id_frame{reader.varint()});
    case frame_type::path_challenge: return complete(reader, type, path_challenge_frame{fixed_bytes<8>(reader)});
    case frame_type::path_response: return complete(reader, type, path_response_frame{fixed_bytes<8>(reader)});
    case frame_type::connection_close:
    case frame_type::connection_close_application: return decode_connection_close(reader, type);
    case frame_type::handshake_done: return handshake_done_frame{};
    default: break;
  }
  //= RFC 9000 section 12.4
  //# An endpoint MUST treat the receipt of a frame of unknown type as a connection
  //# error of type FRAME_ENCODING_ERROR.
  return malformed(type, "unknown frame type");
}

}  // namespace

outcome decode_frame(buffer_reader& reader) noexcept {
  if (reader.empty()) return malformed(0, "no frame");
  const std::uint64_t type = reader.peek_u8();
  if ((type & ~std::uint64_t{7}) == frame_type::stream) {
    reader.u8();
    return decode_stream(reader, type);
  }
  if (type > 0x3f) return refuse_long_type(reader);
  reader.u8();
  return decode_body(reader, type);
}

namespace {

struct type_visitor {
  std::uint64_t operator()(const padding_frame&) const { return frame_type::padding; }
  std::uint64_t operator()(const ping_frame&) const { return frame_type::ping; }
  std::uint64_t operator()(const ack_frame& ack) const { return ack.ecn_counts ? frame_type::ack_ecn : frame_type::ack; }
  std::uint64_t operator()(const reset_stream_frame&) const { return frame_type::reset_stream; }
  std::uint64_t operator()(const stop_sending_frame&) const { return frame_type::stop_sending; }
  std::uint64_t operator()(const crypto_frame&) const { return frame_type::crypto; }
  std::uint64_t operator()(const new_token_frame&) const { return frame_type::new_token; }
  std::uint64_t operator()(const stream_frame& stream) const {
    return frame_type::stream | frame_type::stream_len_bit | (stream.offset != 0 ? frame_type::stream_off_bit : 0) |
           (stream.fin ? frame_type::stream_fin_bit : 0);
  }
  std::uint64_t operator()(const max_data_frame&) const { return frame_type::max_data; }
  std::uint64_t operator()(const max_stream_data_frame&) const { return frame_type::max_stream_data; }
  std::uint64_t operator()(const max_streams_frame& max) const {
    return max.bidirectional ? frame_type::max_streams_bidi : frame_type::max_streams_uni;
  }
  std::uint64_t operator()(const data_blocked_frame&) const { return frame_type::data_blocked; }
  std::uint64_t operator()(const stream_data_blocked_frame&) const { return frame_type::stream_data_blocked; }
  std::uint64_t operator()(const streams_blocked_frame& blocked) const {
    return blocked.bidirectional ? frame_type::streams_blocked_bidi : frame_type::streams_blocked_uni;
  }
  std::uint64_t operator()(const new_connection_id_frame&) const { return frame_type::new_connection_id; }
  std::uint64_t operator()(const retire_connection_id_frame&) const { return frame_type::retire_connection_id; }
  std::uint64_t operator()(const path_challenge_frame&) const { return frame_type::path_challenge; }
  std::uint64_t operator()(const path_response_frame&) const { return frame_type::path_response; }
  std::uint64_t operator()(const connection_close_frame& close) const {
    return close.application ? frame_type::connection_close_application : frame_type::connection_close;
  }
  std::uint64_t operator()(const handshake_done_frame&) const { return frame_type::handshake_done; }
};

}  // namespace

std::uint64_t type_of(const frame& any) noexcept { return std::visit(type_visitor{}, any); }

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
