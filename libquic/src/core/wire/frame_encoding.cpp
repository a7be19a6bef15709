// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>
#include <initializer_list>

#include "core/wire/frame.hpp"
#include "strata/transport/core/varint.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

using transport::buffer_writer;
using transport::varint_size;

/// Of a frame whose type is one byte and whose fields are all varints.
template <class... Field>
std::size_t size_of_varints(Field... field) noexcept {
  return (1 + ... + varint_size(field));
}

template <class... Field>
//= RFC 9000 section 12.4
//# a frame type MUST use the shortest possible encoding
void put_varints(buffer_writer& writer, std::uint64_t type, Field... field) noexcept {
  writer.u8(static_cast<std::uint8_t>(type));
  (writer.varint(field), ...);
}

std::size_t prefixed_size(transport::bytes content) noexcept {
  return varint_size(content.size()) + content.size();
}

}  // namespace

std::size_t encoded_size(const padding_frame& padding) noexcept { return padding.length; }
void encode(const padding_frame& padding, buffer_writer& writer) noexcept {
  writer.zeros(padding.length);
}

std::size_t encoded_size(const ping_frame&) noexcept { return 1; }
void encode(const ping_frame&, buffer_writer& writer) noexcept {
  put_varints(writer, frame_type::ping);
}

std::size_t encoded_size(const ack_frame& ack) noexcept {
  std::size_t size = size_of_varints(ack.largest_acknowledged, ack.ack_delay, ack.range_count,
                                     ack.first_ack_range) +
                     ack.ranges.size();
  if (ack.ecn_counts) {
    size += varint_size(ack.ecn_counts->ect0) + varint_size(ack.ecn_counts->ect1) +
            varint_size(ack.ecn_counts->ecn_ce);
  }
  return size;
}

void encode(const ack_frame& ack, buffer_writer& writer) noexcept {
  put_varints(writer, ack.ecn_counts ? frame_type::ack_ecn : frame_type::ack,
              ack.largest_acknowledged, ack.ack_delay, ack.range_count, ack.first_ack_range);
  writer.put(ack.ranges);
  if (!ack.ecn_counts) return;
  writer.varint(ack.ecn_counts->ect0);
  writer.varint(ack.ecn_counts->ect1);
  writer.varint(ack.ecn_counts->ecn_ce);
}

std::size_t encode_ack(const ack_content& content, buffer_writer& writer) noexcept {
  assert(!content.ranges.empty());
  if (content.ranges.empty() || !writer.ok()) return 0;
  ack_frame ack;
  ack.largest_acknowledged = content.ranges.front().largest;
  ack.ack_delay = content.ack_delay;
  ack.first_ack_range = content.ranges.front().largest - content.ranges.front().smallest;
  ack.ecn_counts = content.ecn_counts;

  const std::size_t fixed = encoded_size(ack) - varint_size(0);
  const std::size_t space = writer.remaining();
  if (fixed + varint_size(0) > space) return 0;
  std::size_t count = 1, size = 0;
  for (; count < content.ranges.size(); ++count) {
    const ack_range& newer = content.ranges[count - 1];
    const ack_range& range = content.ranges[count];
    assert(range.smallest <= range.largest && newer.smallest - range.largest >= 2);
    const std::size_t more = varint_size(newer.smallest - range.largest - 2) +
                             varint_size(range.largest - range.smallest);
    // The count's own varint grows with it.
    if (fixed + varint_size(count) + size + more > space) break;
    size += more;
  }

  put_varints(writer, ack.ecn_counts ? frame_type::ack_ecn : frame_type::ack,
              ack.largest_acknowledged, ack.ack_delay, count - 1, ack.first_ack_range);
  for (std::size_t i = 1; i < count; ++i) {
    writer.varint(content.ranges[i - 1].smallest - content.ranges[i].largest - 2);
    writer.varint(content.ranges[i].largest - content.ranges[i].smallest);
  }
  if (ack.ecn_counts) {
    writer.varint(ack.ecn_counts->ect0);
    writer.varint(ack.ecn_counts->ect1);
    writer.varint(ack.ecn_counts->ecn_ce);
  }
  return count;
}

std::size_t encoded_size(const reset_stream_frame& reset) noexcept {
  return size_of_varints(reset.stream_id, reset.application_protocol_error_code, reset.final_size);
}
void encode(const reset_stream_frame& reset, buffer_writer& writer) noexcept {
  put_varints(writer, frame_type::reset_stream, reset.stream_id,
              reset.application_protocol_error_code, reset.final_size);
}

std::size_t encoded_size(const stop_sending_frame& stop) noexcept {
  return size_of_varints(stop.stream_id, stop.application_protocol_error_code);
}
void encode(const stop_sending_frame& stop, buffer_writer& writer) noexcept {
  put_varints(writer, frame_type::stop_sending, stop.stream_id,
              stop.application_protocol_error_code);
}

std::size_t crypto_header_size(std::uint64_t offset, std::uint64_t length) noexcept {
  return size_of_varints(offset, length);
}
void encode_crypto_header(std::uint64_t offset, std::uint64_t length,
                          buffer_writer& writer) noexcept {
  put_varints(writer, frame_type::crypto, offset, length);
}

std::size_t encoded_size(const crypto_frame& crypto) noexcept {
  return crypto_header_size(crypto.offset, crypto.data.size()) + crypto.data.size();
}
void encode(const crypto_frame& crypto, buffer_writer& writer) noexcept {
  encode_crypto_header(crypto.offset, crypto.data.size(), writer);
  writer.put(crypto.data);
}

std::size_t encoded_size(const new_token_frame& token) noexcept {
  return 1 + prefixed_size(token.token);
}
void encode(const new_token_frame& token, buffer_writer& writer) noexcept {
  //= RFC 9000 section 19.7
  //# The token
  //# MUST NOT be empty.
  if (token.token.empty()) return writer.fail();
  put_varints(writer, frame_type::new_token);
  writer.put_varint_prefixed(token.token);
}

std::size_t stream_header_size(const stream_header& header) noexcept {
  return size_of_varints(header.stream_id) + (header.offset != 0 ? varint_size(header.offset) : 0) +
         (header.length ? varint_size(*header.length) : 0);
}
void encode_stream_header(const stream_header& header, buffer_writer& writer) noexcept {
  const std::uint64_t type = frame_type::stream |
                             (header.offset != 0 ? frame_type::stream_off_bit : 0) |
                             (header.length ? frame_type::stream_len_bit : 0) |
                             (header.fin ? frame_type::stream_fin_bit : 0);
  put_varints(writer, type, header.stream_id);
  if (header.offset != 0) writer.varint(header.offset);
  if (header.length) writer.varint(*header.length);
}

std::size_t encoded_size(const stream_frame& stream) noexcept {
  return stream_header_size({stream.stream_id, stream.offset, stream.data.size(), stream.fin}) +
         stream.data.size();
}
void encode(const stream_frame& stream, buffer_writer& writer) noexcept {
  encode_stream_header({stream.stream_id, stream.offset, stream.data.size(), stream.fin}, writer);
  writer.put(stream.data);
}

std::size_t room_after_length(std::size_t space) noexcept {
  if (space == 0) return 0;
  std::size_t best = 0;
  for (const std::size_t prefix : {1u, 2u, 4u, 8u}) {
    if (space < prefix) break;
    const std::uint64_t largest_of_prefix = (std::uint64_t{1} << (8 * prefix - 2)) - 1;
    best = std::max<std::size_t>(best, std::min<std::uint64_t>(space - prefix, largest_of_prefix));
  }
  return best;
}

std::size_t encoded_size(const max_data_frame& max) noexcept {
  return size_of_varints(max.maximum_data);
}
void encode(const max_data_frame& max, buffer_writer& writer) noexcept {
  put_varints(writer, frame_type::max_data, max.maximum_data);
}

std::size_t encoded_size(const max_stream_data_frame& max) noexcept {
  return size_of_varints(max.stream_id, max.maximum_stream_data);
}
void encode(const max_stream_data_frame& max, buffer_writer& writer) noexcept {
  put_varints(writer, frame_type::max_stream_data, max.stream_id, max.maximum_stream_data);
}

std::size_t encoded_size(const max_streams_frame& max) noexcept {
  return size_of_varints(max.maximum_streams);
}
void encode(const max_streams_frame& max, buffer_writer& writer) noexcept {
  if (max.maximum_streams > max_streams_limit) return writer.fail();
  put_varints(writer,
              max.bidirectional ? frame_type::max_streams_bidi : frame_type::max_streams_uni,
              max.maximum_streams);
}

std::size_t encoded_size(const data_blocked_frame& blocked) noexcept {
  return size_of_varints(blocked.maximum_data);
}
void encode(const data_blocked_frame& blocked, buffer_writer& writer) noexcept {
  put_varints(writer, frame_type::data_blocked, blocked.maximum_data);
}

std::size_t encoded_size(const stream_data_blocked_frame& blocked) noexcept {
  return size_of_varints(blocked.stream_id, blocked.maximum_stream_data);
}
void encode(const stream_data_blocked_frame& blocked, buffer_writer& writer) noexcept {
  put_varints(writer, frame_type::stream_data_blocked, blocked.stream_id,
              blocked.maximum_stream_data);
}

std::size_t encoded_size(const streams_blocked_frame& blocked) noexcept {
  return size_of_varints(blocked.maximum_streams);
}
void encode(const streams_blocked_frame& blocked, buffer_writer& writer) noexcept {
  if (blocked.maximum_streams > max_streams_limit) return writer.fail();
  put_varints(
      writer,
      blocked.bidirectional ? frame_type::streams_blocked_bidi : frame_type::streams_blocked_uni,
      blocked.maximum_streams);
}

std::size_t encoded_size(const new_connection_id_frame& issued) noexcept {
  return size_of_varints(issued.sequence_number, issued.retire_prior_to) + 1 +
         issued.connection_id.size() + issued.stateless_reset_token.size();
}
void encode(const new_connection_id_frame& issued, buffer_writer& writer) noexcept {
  //= RFC 9000 section 19.15
  //# The value in the Retire Prior To field MUST be less than or
  //# equal to the value in the Sequence Number field.
  if (issued.connection_id.empty() || issued.retire_prior_to > issued.sequence_number)
    return writer.fail();
  put_varints(writer, frame_type::new_connection_id, issued.sequence_number,
              issued.retire_prior_to);
  writer.u8(static_cast<std::uint8_t>(issued.connection_id.size()));
  writer.put(issued.connection_id.bytes());
  writer.put(issued.stateless_reset_token);
}

std::size_t encoded_size(const retire_connection_id_frame& retired) noexcept {
  return size_of_varints(retired.sequence_number);
}
void encode(const retire_connection_id_frame& retired, buffer_writer& writer) noexcept {
  put_varints(writer, frame_type::retire_connection_id, retired.sequence_number);
}

std::size_t encoded_size(const path_challenge_frame& challenge) noexcept {
  return 1 + challenge.data.size();
}
void encode(const path_challenge_frame& challenge, buffer_writer& writer) noexcept {
  put_varints(writer, frame_type::path_challenge);
  writer.put(challenge.data);
}

std::size_t encoded_size(const path_response_frame& response) noexcept {
  return 1 + response.data.size();
}
void encode(const path_response_frame& response, buffer_writer& writer) noexcept {
  put_varints(writer, frame_type::path_response);
  writer.put(response.data);
}

std::size_t encoded_size(const connection_close_frame& close) noexcept {
  return size_of_varints(close.error_code) +
         (close.application ? 0 : varint_size(close.frame_type)) +
         prefixed_size(close.reason_phrase);
}
void encode(const connection_close_frame& close, buffer_writer& writer) noexcept {
  if (close.application) {
    put_varints(writer, frame_type::connection_close_application, close.error_code);
  } else {
    put_varints(writer, frame_type::connection_close, close.error_code, close.frame_type);
  }
  writer.put_varint_prefixed(close.reason_phrase);
}

std::size_t encoded_size(const handshake_done_frame&) noexcept { return 1; }
void encode(const handshake_done_frame&, buffer_writer& writer) noexcept {
  put_varints(writer, frame_type::handshake_done);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
