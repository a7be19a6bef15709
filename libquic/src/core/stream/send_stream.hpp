// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/stream/flow_control.hpp"
#include "core/stream/send_buffer.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/result.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

/// States of the sending part of a stream (RFC 9000 section 3.1, figure 2).
enum class send_state : std::uint8_t {
  ready,
  send,
  data_sent,
  reset_sent,
  data_recvd,
  reset_recvd
};

/// What leads from one to another. A frame counts as sent once it is decided on: nothing else can
/// be sent from then on.
enum class send_event : std::uint8_t {
  send_stream,  ///< A STREAM frame without FIN.
  send_stream_data_blocked,
  send_stream_fin,
  send_reset_stream,
  recv_all_acks,  ///< For all data and the FIN.
  recv_reset_ack,
};

/// The arrows of figure 2; nullopt where the RFC has none: then the event is not to happen, or,
/// when it comes from the peer, means nothing.
constexpr std::optional<send_state> next_state(send_state from, send_event what) noexcept {
  using enum send_state;
  switch (what) {
    case send_event::send_stream:
      if (from == ready || from == send) return send;
      if (from == data_sent) return data_sent;  // Retransmission.
      return std::nullopt;
    case send_event::send_stream_data_blocked:
      if (from == ready || from == send) return send;
      return std::nullopt;
    case send_event::send_stream_fin:
      if (from == ready || from == send || from == data_sent) return data_sent;
      return std::nullopt;
    case send_event::send_reset_stream:
      if (from == ready || from == send || from == data_sent || from == reset_sent)
        return reset_sent;
      return std::nullopt;
    case send_event::recv_all_acks:
      if (from == data_sent) return data_recvd;
      return std::nullopt;
    case send_event::recv_reset_ack:
      if (from == reset_sent) return reset_recvd;
      return std::nullopt;
  }
  return std::nullopt;
}

/// The sending part of one stream: its bytes, its end, its limit and its state.
class send_stream {
 public:
  /// What the next STREAM frame can carry.
  struct chunk {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    bool fin = false;    ///< If the frame carries all of `size`.
    bool fresh = false;  ///< Sent for the first time: counts in flow control.
  };
  /// Why an application can no longer write.
  enum class ending : std::uint8_t { none, finished, stopped_by_peer, reset };

  void open(std::uint64_t peer_limit) noexcept;
  /// Back to the beginning, for the next stream that uses this memory.
  void clear() noexcept;

  send_state state() const noexcept { return state_; }
  bool is_terminal() const noexcept {
    return state_ == send_state::data_recvd || state_ == send_state::reset_recvd;
  }
  /// Nothing was written that is not known to have arrived, and no end or reset is under way.
  bool is_settled() const noexcept;
  bool finish_written() const noexcept { return fin_ != fin_state::none; }
  std::uint64_t reset_code() const noexcept { return code_; }
  const send_buffer& buffer() const noexcept { return buffer_; }
  send_limit& limit() noexcept { return limit_; }
  const send_limit& limit() const noexcept { return limit_; }

  // The application.
  /// Copies while fewer than `watermark` copied bytes are unsent.
  transport::result<std::size_t> write(page_recycler& pages,
                                       std::span<const transport::bytes> pieces, bool fin,
                                       std::uint64_t watermark);
  transport::result<void> write_borrowed(const send_buffer::release_target& target,
                                         transport::bytes data, std::uint64_t token, bool fin);
  /// True, once, when a write was cut short and half of the watermark is free again.
  bool take_writable(std::uint64_t watermark) noexcept {
    if (!write_waiting_ || buffer_.unsent_copied() > watermark / 2) return false;
    write_waiting_ = false;
    return true;
  }
  bool is_write_waiting() const noexcept { return write_waiting_; }
  /// Gives the stream up: what is buffered is dropped. False when there is nothing left to give up.
  bool reset(const send_buffer::release_target& target, std::uint64_t code, ending why);

  // What can be sent.
  /// Something that needs no credit: lost bytes, or the end alone.
  bool has_resend() const noexcept {
    if (!can_send_data()) return false;
    return buffer_.has_lost() || (fin_ == fin_state::to_send && buffer_.unsent() == 0);
  }
  /// Bytes that have not been sent, and the stream's limit allows some.
  bool has_fresh() const noexcept {
    return can_send_data() && buffer_.unsent() != 0 && limit_.available() != 0;
  }
  /// The peer ought to be told that the stream's limit holds it back.
  bool is_blocked() const noexcept {
    return limit_.blocked_due() && can_send_data() && buffer_.unsent() != 0;
  }
  chunk next_chunk(std::uint64_t connection_credit) const noexcept;
  void on_sent(const chunk& sent) noexcept;
  void on_blocked_sent() noexcept;

  // What became of it.
  void on_acked(const send_buffer::release_target& target, std::uint64_t offset, std::uint64_t size,
                bool fin);
  void on_lost(std::uint64_t offset, std::uint64_t size, bool fin);
  void on_reset_acked() noexcept { move(send_event::recv_reset_ack); }
  bool send_again(std::uint64_t most);

 private:
  enum class fin_state : std::uint8_t { none, to_send, in_flight, acked };

  //= RFC 9000 section 3.3
  //# A sender MUST NOT send any of these frames from a terminal state ("Data Recvd" or "Reset
  //# Recvd").
  bool can_send_data() const noexcept { return state_ <= send_state::data_sent; }
  std::error_code write_failure(bool only_fin) const noexcept;
  void finish() noexcept;
  void move(send_event what) noexcept {
    if (const std::optional<send_state> next = next_state(state_, what)) state_ = *next;
  }

  send_buffer buffer_;
  send_limit limit_;
  std::uint64_t code_ = 0;
  send_state state_ = send_state::ready;
  fin_state fin_ = fin_state::none;
  ending ending_ = ending::none;
  bool write_waiting_ = false;
};

inline send_stream::chunk send_stream::next_chunk(std::uint64_t connection_credit) const noexcept {
  chunk next{.offset = buffer_.sent_end()};
  if (buffer_.has_lost()) {
    next.offset = buffer_.first_lost().begin;
    next.size = buffer_.first_lost().size();
  } else {
    //= RFC 9000 section 4.1
    //# Senders MUST NOT send data in excess of either limit.
    //= RFC 9000 section 2.2
    //# An endpoint MUST NOT send data on any stream without ensuring that it is within the flow
    //# control limits set by its peer.
    //= RFC 9000 section 19.9
    //# The sum of the final sizes on all streams -- including streams in terminal states -- MUST
    //# NOT exceed the value advertised by a receiver.
    //= RFC 9000 section 19.10
    //# The data sent on a stream MUST NOT exceed the largest maximum stream data value advertised
    //# by the receiver.
    next.size = std::min({buffer_.unsent(), limit_.available(), connection_credit});
    next.fresh = next.size != 0;
  }
  next.fin = finish_written() && next.offset + next.size == buffer_.end();
  return next;
}

inline void send_stream::on_sent(const chunk& sent) noexcept {
  buffer_.on_sent(sent.offset, sent.size);
  if (sent.fresh) limit_.use(sent.size);
  if (sent.fin && fin_ == fin_state::to_send) fin_ = fin_state::in_flight;
  move(sent.fin ? send_event::send_stream_fin : send_event::send_stream);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
