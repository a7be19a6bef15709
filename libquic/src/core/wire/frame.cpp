// SPDX-License-Identifier: Apache-2.0
#include "core/wire/frame.hpp"

#include <cstring>
#include <utility>

#include "strata/transport/core/varint.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

using transport::buffer_reader;
using transport::bytes;
using transport::varint_max;

using outcome = std::expected<frame, protocol_failure>;

outcome malformed(std::uint64_t type, const char* reason) noexcept {
  return std::unexpected(protocol_failure{transport_error::frame_encoding_error, type, reason});
}

outcome truncated(std::uint64_t type) noexcept {
  return malformed(type, "frame ends beyond its packet");
}

/// Builds the frame where the caller wants it. Fields are read into locals first and passed here: a
/// frame assembled aside and then copied into the variant costs more than reading it.
template <class Frame, class... Field>
outcome made(const Field&... field) noexcept {
  return outcome(std::in_place, std::in_place_type<Frame>, field...);
}

/// What a decoder without further rules ends with.
template <class Frame, class... Field>
outcome complete(const buffer_reader& reader, std::uint64_t type, const Field&... field) noexcept {
  if (!reader.ok()) return truncated(type);
  return made<Frame>(field...);
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
  return made<padding_frame>(length + 1);
}

enum class ranges_verdict { valid, below_zero, truncated };

/// Walks the ranges once, so that nobody who walks them later has to check. Every range takes two
/// bytes or more, so the cost is bounded by the packet whatever ACK Range Count says.
ranges_verdict consume_ranges(buffer_reader& reader, std::uint64_t smallest,
                              std::uint64_t count) noexcept {
  for (; count != 0; --count) {
    const std::uint64_t gap = reader.varint();
    const std::uint64_t length = reader.varint();
    if (!reader.ok()) return ranges_verdict::truncated;
    //= RFC 9000 section 19.3.1
    //# If any computed packet number is negative, an endpoint MUST generate a
    //# connection error of type FRAME_ENCODING_ERROR.
    if (smallest < gap + 2 || smallest - gap - 2 < length) return ranges_verdict::below_zero;
    smallest -= gap + 2 + length;
  }
  return ranges_verdict::valid;
}

//= RFC 9000 section 19.3
//# QUIC implementations MUST properly handle both types
outcome decode_ack(buffer_reader& reader, std::uint64_t type) noexcept {
  const std::uint64_t largest = reader.varint();
  const std::uint64_t delay = reader.varint();
  const std::uint64_t count = reader.varint();
  const std::uint64_t first = reader.varint();
  if (!reader.ok()) return truncated(type);
  if (first > largest) return malformed(type, "first ACK range below zero");

  const bytes start = reader.rest();
  const ranges_verdict verdict = consume_ranges(reader, largest - first, count);
  if (verdict == ranges_verdict::truncated) return truncated(type);
  if (verdict == ranges_verdict::below_zero) return malformed(type, "ACK range below zero");
  const bytes ranges = start.first(start.size() - reader.remaining());
  if (type == frame_type::ack)
    return made<ack_frame>(largest, delay, first, count, ranges, std::nullopt);

  const std::uint64_t ect0 = reader.varint();
  const std::uint64_t ect1 = reader.varint();
  const std::uint64_t ecn_ce = reader.varint();
  return complete<ack_frame>(reader, type, largest, delay, first, count, ranges,
                             ecn_counts{ect0, ect1, ecn_ce});
}

/// A frame of nothing but integers.
template <class Frame, std::size_t... Index>
outcome decode_integers(buffer_reader& reader, std::uint64_t type,
                        std::index_sequence<Index...>) noexcept {
  std::uint64_t field[sizeof...(Index)];
  for (std::uint64_t& value : field) value = reader.varint();
  return complete<Frame>(reader, type, field[Index]...);
}

template <class Frame, std::size_t Count>
outcome decode_integers(buffer_reader& reader, std::uint64_t type) noexcept {
  return decode_integers<Frame>(reader, type, std::make_index_sequence<Count>{});
}

outcome decode_crypto(buffer_reader& reader, std::uint64_t type) noexcept {
  const std::uint64_t offset = reader.varint();
  const bytes data = reader.take_varint_prefixed();
  //= RFC 9000 section 19.6
  //# The largest offset delivered on a stream -- the sum of the offset and data
  //# length -- cannot exceed 2<sup>62</sup>-1.  Receipt of a frame that exceeds this
  //# limit MUST be treated as a connection error of type FRAME_ENCODING_ERROR or
  //# CRYPTO_BUFFER_EXCEEDED.
  if (data.size() > varint_max - offset) return malformed(type, "CRYPTO offset beyond 2^62-1");
  return complete<crypto_frame>(reader, type, offset, data);
}

outcome decode_new_token(buffer_reader& reader, std::uint64_t type) noexcept {
  const bytes token = reader.take_varint_prefixed();
  if (!reader.ok()) return truncated(type);
  //= RFC 9000 section 19.7
  //# A client MUST treat receipt of a NEW_TOKEN frame with
  //# an empty Token field as a connection error of type FRAME_ENCODING_ERROR.
  if (token.empty()) return malformed(type, "empty token");
  return made<new_token_frame>(token);
}

outcome decode_stream(buffer_reader& reader, std::uint64_t type) noexcept {
  const std::uint64_t stream_id = reader.varint();
  const std::uint64_t offset = type & frame_type::stream_off_bit ? reader.varint() : 0;
  const bytes data =
      reader.take(type & frame_type::stream_len_bit ? reader.varint() : reader.remaining());
  //= RFC 9000 section 19.8
  //# The largest offset delivered
  //# on a stream -- the sum of the offset and data length -- cannot exceed
  //# 2<sup>62</sup>-1, as it is not possible to provide flow control credit for that
  //# data.  Receipt of a frame that exceeds this limit MUST be treated as a
  //# connection error of type FRAME_ENCODING_ERROR or FLOW_CONTROL_ERROR.
  if (data.size() > varint_max - offset) return malformed(type, "stream offset beyond 2^62-1");
  return complete<stream_frame>(reader, type, stream_id, offset, data,
                                (type & frame_type::stream_fin_bit) != 0);
}

/// MAX_STREAMS and STREAMS_BLOCKED: the low bit of the type tells the direction.
template <class Frame>
outcome decode_stream_count(buffer_reader& reader, std::uint64_t type) noexcept {
  const std::uint64_t maximum_streams = reader.varint();
  //= RFC 9000 section 19.11
  //# Receipt of a frame that permits opening of a stream larger
  //# than this limit MUST be treated as a connection error of type
  //# FRAME_ENCODING_ERROR.
  //= RFC 9000 section 19.14
  //# Receipt of
  //# a frame that encodes a larger stream ID MUST be treated as a connection error
  //# of type STREAM_LIMIT_ERROR or FRAME_ENCODING_ERROR.
  if (maximum_streams > max_streams_limit) return malformed(type, "more than 2^60 streams");
  return complete<Frame>(reader, type, (type & 1) == 0, maximum_streams);
}

outcome decode_new_connection_id(buffer_reader& reader, std::uint64_t type) noexcept {
  const std::uint64_t sequence_number = reader.varint();
  const std::uint64_t retire_prior_to = reader.varint();
  const std::size_t length = reader.u8();
  if (!reader.ok()) return truncated(type);
  //= RFC 9000 section 19.15
  //# Values
  //# less than 1 and greater than 20 are invalid and MUST be treated as a
  //# connection error of type FRAME_ENCODING_ERROR.
  if (length < 1 || length > connection_id::max_size)
    return malformed(type, "connection ID of a wrong length");
  const connection_id issued(reader.take(length));
  stateless_reset_token token{};
  transport::copy_bytes(token.data(), reader.take(token.size()));
  //= RFC 9000 section 19.15
  //# Receiving a value in the Retire
  //# Prior To field that is greater than that in the Sequence Number field MUST be
  //# treated as a connection error of type FRAME_ENCODING_ERROR.
  if (retire_prior_to > sequence_number)
    return malformed(type, "connection ID retired as it is issued");
  return complete<new_connection_id_frame>(reader, type, sequence_number, retire_prior_to, issued,
                                           token);
}

template <class Frame>
outcome decode_path_data(buffer_reader& reader, std::uint64_t type) noexcept {
  path_data data{};
  transport::copy_bytes(data.data(), reader.take(data.size()));
  return complete<Frame>(reader, type, data);
}

outcome decode_connection_close(buffer_reader& reader, std::uint64_t type) noexcept {
  const bool application = type == frame_type::connection_close_application;
  const std::uint64_t error_code = reader.varint();
  const std::uint64_t cause = application ? 0 : reader.varint();
  const bytes reason_phrase = reader.take_varint_prefixed();
  return complete<connection_close_frame>(reader, type, application, error_code, cause,
                                          reason_phrase);
}

/// A first byte above 0x3f: no type of ours is that long, so only the kind of error is left to find
/// out.
outcome refuse_long_type(buffer_reader& reader) noexcept {
  const std::size_t size = transport::varint_size_from_first_byte(std::byte{reader.peek_u8()});
  const std::uint64_t type = reader.varint();
  if (!reader.ok()) return malformed(0, "frame type ends beyond its packet");
  //= RFC 9000 section 12.4
  //# An endpoint
  //# MAY treat the receipt of a frame type that uses a longer encoding than
  //# necessary as a connection error of type PROTOCOL_VIOLATION.
  if (transport::varint_size(type) < size) {
    return std::unexpected(protocol_failure{transport_error::protocol_violation, type,
                                            "frame type longer than necessary"});
  }
  return malformed(type, "unknown frame type");
}

outcome decode_body(buffer_reader& reader, std::uint64_t type) noexcept {
  switch (type) {
    case frame_type::padding: return decode_padding(reader);
    case frame_type::ping: return made<ping_frame>();
    case frame_type::ack:
    case frame_type::ack_ecn: return decode_ack(reader, type);
    case frame_type::reset_stream: return decode_integers<reset_stream_frame, 3>(reader, type);
    case frame_type::stop_sending: return decode_integers<stop_sending_frame, 2>(reader, type);
    case frame_type::crypto: return decode_crypto(reader, type);
    case frame_type::new_token: return decode_new_token(reader, type);
    case frame_type::max_data: return decode_integers<max_data_frame, 1>(reader, type);
    case frame_type::max_stream_data:
      return decode_integers<max_stream_data_frame, 2>(reader, type);
    case frame_type::max_streams_bidi:
    case frame_type::max_streams_uni: return decode_stream_count<max_streams_frame>(reader, type);
    case frame_type::data_blocked: return decode_integers<data_blocked_frame, 1>(reader, type);
    case frame_type::stream_data_blocked:
      return decode_integers<stream_data_blocked_frame, 2>(reader, type);
    case frame_type::streams_blocked_bidi:
    case frame_type::streams_blocked_uni:
      return decode_stream_count<streams_blocked_frame>(reader, type);
    case frame_type::new_connection_id: return decode_new_connection_id(reader, type);
    case frame_type::retire_connection_id:
      return decode_integers<retire_connection_id_frame, 1>(reader, type);
    case frame_type::path_challenge: return decode_path_data<path_challenge_frame>(reader, type);
    case frame_type::path_response: return decode_path_data<path_response_frame>(reader, type);
    case frame_type::connection_close:
    case frame_type::connection_close_application: return decode_connection_close(reader, type);
    case frame_type::handshake_done: return made<handshake_done_frame>();
    default: break;
  }
  //= RFC 9000 section 12.4
  //# An endpoint MUST treat the receipt of a frame of unknown type as a connection
  //# error of type FRAME_ENCODING_ERROR.
  return malformed(type, "unknown frame type");
}

}  // namespace

std::expected<frame, protocol_failure> decode_frame(buffer_reader& reader) noexcept {
  if (reader.empty()) return malformed(0, "no frame");
  const std::uint64_t type = reader.peek_u8();
  if (type > 0x3f) return refuse_long_type(reader);
  reader.skip(1);
  if ((type & ~std::uint64_t{7}) == frame_type::stream) return decode_stream(reader, type);
  return decode_body(reader, type);
}

namespace {

struct type_visitor {
  std::uint64_t operator()(const padding_frame&) const { return frame_type::padding; }
  std::uint64_t operator()(const ping_frame&) const { return frame_type::ping; }
  std::uint64_t operator()(const ack_frame& ack) const {
    return ack.ecn_counts ? frame_type::ack_ecn : frame_type::ack;
  }
  std::uint64_t operator()(const reset_stream_frame&) const { return frame_type::reset_stream; }
  std::uint64_t operator()(const stop_sending_frame&) const { return frame_type::stop_sending; }
  std::uint64_t operator()(const crypto_frame&) const { return frame_type::crypto; }
  std::uint64_t operator()(const new_token_frame&) const { return frame_type::new_token; }
  std::uint64_t operator()(const stream_frame& stream) const {
    return frame_type::stream | frame_type::stream_len_bit |
           (stream.offset != 0 ? frame_type::stream_off_bit : 0) |
           (stream.fin ? frame_type::stream_fin_bit : 0);
  }
  std::uint64_t operator()(const max_data_frame&) const { return frame_type::max_data; }
  std::uint64_t operator()(const max_stream_data_frame&) const {
    return frame_type::max_stream_data;
  }
  std::uint64_t operator()(const max_streams_frame& max) const {
    return max.bidirectional ? frame_type::max_streams_bidi : frame_type::max_streams_uni;
  }
  std::uint64_t operator()(const data_blocked_frame&) const { return frame_type::data_blocked; }
  std::uint64_t operator()(const stream_data_blocked_frame&) const {
    return frame_type::stream_data_blocked;
  }
  std::uint64_t operator()(const streams_blocked_frame& blocked) const {
    return blocked.bidirectional ? frame_type::streams_blocked_bidi
                                 : frame_type::streams_blocked_uni;
  }
  std::uint64_t operator()(const new_connection_id_frame&) const {
    return frame_type::new_connection_id;
  }
  std::uint64_t operator()(const retire_connection_id_frame&) const {
    return frame_type::retire_connection_id;
  }
  std::uint64_t operator()(const path_challenge_frame&) const { return frame_type::path_challenge; }
  std::uint64_t operator()(const path_response_frame&) const { return frame_type::path_response; }
  std::uint64_t operator()(const connection_close_frame& close) const {
    return close.application ? frame_type::connection_close_application
                             : frame_type::connection_close;
  }
  std::uint64_t operator()(const handshake_done_frame&) const { return frame_type::handshake_done; }
};

}  // namespace

std::uint64_t type_of(const frame& any) noexcept { return std::visit(type_visitor{}, any); }

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
