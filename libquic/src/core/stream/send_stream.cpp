// SPDX-License-Identifier: Apache-2.0
#include "core/stream/send_stream.hpp"

#include <algorithm>

#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

using transport::bytes;
using transport::errc;
using transport::result;

void send_stream::open(std::uint64_t peer_limit) noexcept { limit_ = send_limit(peer_limit); }

void send_stream::clear() noexcept {
  buffer_.clear();
  limit_ = send_limit();
  code_ = 0;
  state_ = send_state::ready;
  fin_ = fin_state::none;
  ending_ = ending::none;
  write_waiting_ = false;
}

bool send_stream::is_settled() const noexcept {
  if (is_terminal()) return true;
  return state_ != send_state::reset_sent && buffer_.all_acked() &&
         (fin_ == fin_state::none || fin_ == fin_state::acked);
}

std::error_code send_stream::write_failure(bool only_fin) const noexcept {
  switch (ending_) {
    case ending::none: return {};
    // To finish what is finished already, or what nobody wants, succeeds: there is nothing left to
    // do.
    case ending::finished:
      return only_fin ? std::error_code() : make_error_code(errc::write_finished);
    case ending::stopped_by_peer:
      return only_fin ? std::error_code() : make_error_code(errc::write_stopped);
    case ending::reset: break;
  }
  return make_error_code(errc::closed);
}

void send_stream::finish() noexcept {
  if (ending_ != ending::none) return;
  ending_ = ending::finished;
  fin_ = fin_state::to_send;
}

result<std::size_t> send_stream::write(page_recycler& pages, std::span<const bytes> pieces,
                                       bool fin, std::uint64_t watermark) {
  std::size_t wanted = 0;
  for (const bytes& piece : pieces) wanted += piece.size();
  if (const std::error_code failure = write_failure(fin && wanted == 0))
    return std::unexpected(failure);
  //= RFC 9000 section 4.5
  //# An endpoint MUST NOT send data on a stream at or beyond the final size.
  if (ending_ != ending::none) return 0;
  const std::uint64_t unsent = buffer_.unsent_copied();
  const std::size_t taken =
      std::min<std::uint64_t>(wanted, watermark > unsent ? watermark - unsent : 0);
  std::size_t room = taken;
  for (const bytes& piece : pieces) {
    const bytes part = piece.first(std::min(piece.size(), room));
    buffer_.append(pages, part);
    room -= part.size();
  }
  write_waiting_ = taken < wanted;
  if (fin && taken == wanted) finish();
  return taken;
}

result<void> send_stream::write_borrowed(const send_buffer::release_target& target, bytes data,
                                         std::uint64_t token, bool fin) {
  if (const std::error_code failure = write_failure(fin && data.empty()))
    return std::unexpected(failure);
  if (data.empty()) {
    target.events.push(event_kind::acknowledged, target.stream, token);
  } else {
    buffer_.append_borrowed(data, token);
  }
  if (fin) finish();
  return {};
}

bool send_stream::reset(const send_buffer::release_target& target, std::uint64_t code, ending why) {
  if (!can_send_data()) return false;
  //= RFC 9000 section 3.3
  //# A sender MUST NOT send a STREAM or STREAM_DATA_BLOCKED frame
  //# for a stream in the "Reset Sent" state or any terminal state -- that is, after
  //# sending a RESET_STREAM frame.
  move(send_event::send_reset_stream);
  buffer_.drop(target);
  code_ = code;
  ending_ = why;
  return true;
}

void send_stream::on_blocked_sent() noexcept {
  limit_.blocked_sent();
  move(send_event::send_stream_data_blocked);
}

void send_stream::on_acked(const send_buffer::release_target& target, std::uint64_t offset,
                           std::uint64_t size, bool fin) {
  if (!can_send_data()) return;
  buffer_.on_acked(target, offset, size);
  if (fin) fin_ = fin_state::acked;
  if (fin_ == fin_state::acked && buffer_.all_acked()) move(send_event::recv_all_acks);
}

void send_stream::on_lost(std::uint64_t offset, std::uint64_t size, bool fin) {
  if (!can_send_data()) return;
  buffer_.on_lost(offset, size);
  if (fin && fin_ == fin_state::in_flight) fin_ = fin_state::to_send;
}

bool send_stream::send_again(std::uint64_t most) {
  if (!can_send_data()) return false;
  if (buffer_.send_again(most)) return true;
  if (fin_ != fin_state::in_flight) return false;
  fin_ = fin_state::to_send;
  return true;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
