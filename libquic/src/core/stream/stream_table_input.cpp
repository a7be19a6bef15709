// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/stream/stream_table_state.hpp"
#include "strata/transport/core/varint.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

using transport::time_point;

std::expected<std::uint64_t, protocol_failure> stream_table::state::admit(const stream& one,
                                                                          std::uint64_t end,
                                                                          bool is_final) const {
  std::expected<std::uint64_t, protocol_failure> credit = one.receiving.admit(end, is_final);
  //= RFC 9000 section 19.9
  //# An endpoint MUST terminate a connection
  //# with an error of type FLOW_CONTROL_ERROR if it receives more data than the
  //# maximum data value that it has sent.
  if (credit && *credit > data_window.limit() - data_received) {
    return refuse(transport_error::flow_control_error, 0, "more than the connection's limit");
  }
  return credit;
}

stream_table::outcome stream_table::on(time_point now, const stream_frame& received) {
  state& own = *state_;
  if (own.over) return {};
  own.now = now;
  const std::uint64_t type = frame_type::stream | (received.fin ? frame_type::stream_fin_bit : 0);
  const auto found = own.find_for_peer(received.stream_id, state::part::receiving, type);
  if (!found) return std::unexpected(found.error());
  if (*found == nullptr) return {};
  stream& one = **found;
  receive_stream& receiving = one.receiving;
  //= RFC 9000 section 19.8
  //# Receipt of a frame that exceeds this limit MUST be treated as a
  //# connection error of type FRAME_ENCODING_ERROR or FLOW_CONTROL_ERROR.
  if (received.offset > transport::varint_max - received.data.size()) {
    return refuse(transport_error::flow_control_error, type, "beyond 2^62-1");
  }
  const auto credit = own.admit(one, received.offset + received.data.size(), received.fin);
  if (!credit) return refuse(credit.error().code, type, credit.error().reason);
  own.data_received += *credit;
  own.data_window.start(now);
  receiving.window().start(now);

  const auto news = receiving.on_data(own.memory(), received.offset, received.data, received.fin);
  if (!news) return refuse(news.error().code, type, news.error().reason);
  if (receiving.buffer().has_lent() && !one.touched) {
    one.touched = true;
    own.touched.push_back(&one);
  }
  if (*news) own.report_readable(one);
  if (receiving.is_discarding()) own.return_credit(one);
  if (received.fin) own.drop_stale_control(one);
  if (received.fin) own.close_if_over(one);
  return {};
}

stream_table::outcome stream_table::on(time_point now, const reset_stream_frame& received) {
  state& own = *state_;
  if (own.over) return {};
  own.now = now;
  //= RFC 9000 section 19.4
  //# An endpoint that receives a RESET_STREAM frame for a send-only stream MUST
  //# terminate the connection with error STREAM_STATE_ERROR.
  const auto found =
      own.find_for_peer(received.stream_id, state::part::receiving, frame_type::reset_stream);
  if (!found) return std::unexpected(found.error());
  if (*found == nullptr) return {};
  stream& one = **found;
  const auto credit = own.admit(one, received.final_size, true);
  if (!credit) return refuse(credit.error().code, frame_type::reset_stream, credit.error().reason);
  //= RFC 9000 section 4.5
  //# The
  //# receiver MUST use the final size of the stream to account for all bytes sent on
  //# the stream in its connection-level flow controller.
  own.data_received += *credit;
  if (!one.receiving.on_reset(own.pages, received.final_size)) return {};
  own.return_credit(one);
  if (!one.receiving.is_discarding()) {
    own.events.push(event_kind::read_reset, one.id, received.application_protocol_error_code);
    if (one.read_waiting) own.report_readable(one);
  }
  own.drop_stale_control(one);
  own.close_if_over(one);
  return {};
}

stream_table::outcome stream_table::on(const stop_sending_frame& received) {
  state& own = *state_;
  if (own.over) return {};
  //= RFC 9000 section 19.5
  //# Receiving a STOP_SENDING frame for a
  //# locally initiated stream that has not yet been created MUST be treated as a
  //# connection error of type STREAM_STATE_ERROR.  An endpoint that receives a
  //# STOP_SENDING frame for a receive-only stream MUST terminate the connection with
  //# error STREAM_STATE_ERROR.
  const auto found =
      own.find_for_peer(received.stream_id, state::part::sending, frame_type::stop_sending);
  if (!found) return std::unexpected(found.error());
  if (*found == nullptr || (*found)->sending.state() > send_state::data_sent) return {};
  stream& one = **found;
  //= RFC 9000 section 3.5
  //# An endpoint that receives a STOP_SENDING frame MUST send a RESET_STREAM
  //# frame if the stream is in the "Ready" or "Send" state.
  const bool waiting = one.sending.is_write_waiting();
  own.reset_sending(one, received.application_protocol_error_code,
                    send_stream::ending::stopped_by_peer);
  if (one.forgotten) return {};
  own.events.push(event_kind::write_stopped, one.id, received.application_protocol_error_code);
  if (waiting) own.events.push(event_kind::writable, one.id);
  return {};
}

stream_table::outcome stream_table::on(const max_data_frame& received) {
  state_->data_limit.raise(received.maximum_data);
  return {};
}

stream_table::outcome stream_table::on(const max_stream_data_frame& received) {
  state& own = *state_;
  if (own.over) return {};
  //= RFC 9000 section 19.10
  //# Receiving a MAX_STREAM_DATA frame for a
  //# locally initiated stream that has not yet been created MUST be treated as a
  //# connection error of type STREAM_STATE_ERROR.  An endpoint that receives a
  //# MAX_STREAM_DATA frame for a receive-only stream MUST terminate the connection
  //# with error STREAM_STATE_ERROR.
  const auto found =
      own.find_for_peer(received.stream_id, state::part::sending, frame_type::max_stream_data);
  if (!found) return std::unexpected(found.error());
  if (*found == nullptr || !(*found)->sending.limit().raise(received.maximum_stream_data))
    return {};
  own.drop_stale_control(**found);
  own.reschedule(**found);
  return {};
}

stream_table::outcome stream_table::on(const max_streams_frame& received) {
  state& own = *state_;
  //= RFC 9000 section 19.11
  //# Receipt of a frame that permits opening of a stream larger
  //# than this limit MUST be treated as a connection error of type
  //# FRAME_ENCODING_ERROR.
  if (received.maximum_streams > max_streams_limit) {
    return refuse(
        transport_error::frame_encoding_error,
        received.bidirectional ? frame_type::max_streams_bidi : frame_type::max_streams_uni,
        "more streams than can be numbered");
  }
  state::opening& opened = own.opened[own.bidi(received.bidirectional)];
  //= RFC 9000 section 4.6
  //# MAX_STREAMS frames that do not
  //# increase the stream limit MUST be ignored.
  //= RFC 9000 section 19.11
  //# MAX_STREAMS frames that do not increase the stream limit MUST be ignored.
  if (received.maximum_streams <= opened.limit || own.over) return {};
  const bool refused = opened.refused;
  opened = {.limit = received.maximum_streams};
  if (refused) own.events.push(event_kind::streams_available, 0, received.bidirectional ? 1 : 0);
  return {};
}

stream_table::outcome stream_table::on(const data_blocked_frame&) { return {}; }

stream_table::outcome stream_table::on(const stream_data_blocked_frame& received) {
  if (state_->over) return {};
  //= RFC 9000 section 19.13
  //# An endpoint that receives a STREAM_DATA_BLOCKED frame for a send-only stream
  //# MUST terminate the connection with error STREAM_STATE_ERROR.
  const auto found = state_->find_for_peer(received.stream_id, state::part::receiving,
                                           frame_type::stream_data_blocked);
  if (!found) return std::unexpected(found.error());
  return {};
}

stream_table::outcome stream_table::on(const streams_blocked_frame& received) {
  //= RFC 9000 section 19.14
  //# Receipt of
  //# a frame that encodes a larger stream ID MUST be treated as a connection error
  //# of type STREAM_LIMIT_ERROR or FRAME_ENCODING_ERROR.
  if (received.maximum_streams > max_streams_limit) {
    return refuse(
        transport_error::frame_encoding_error,
        received.bidirectional ? frame_type::streams_blocked_bidi : frame_type::streams_blocked_uni,
        "more streams than can be numbered");
  }
  state::accepting& own = state_->accepted[state_->bidi(received.bidirectional)];
  own.asked = own.asked || received.maximum_streams >= own.limit;
  state_->update_max_streams(received.bidirectional);
  return {};
}

void stream_table::release_input() {
  state& own = *state_;
  for (stream* one : own.touched) {
    one->touched = false;
    if (one->id != stream::no_id) one->receiving.settle(own.memory());
  }
  own.touched.clear();
  own.lent.clear();
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
