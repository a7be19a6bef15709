// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/websocket/connection_state.hpp"
#include "strata/transport/core/buffer_reader.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

constexpr std::size_t max_reason = websocket::max_control_payload - 2;

/// The codes that may stand in a Close (RFC 6455 section 7.4, and 1012 to 1014 of the registry).
bool may_be_sent(std::uint16_t code) noexcept {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

bool is_text(bytes text) noexcept {
  websocket::utf8_validator validator;
  return validator.add(text) && validator.is_complete();
}

struct close_payload {
  close_payload(std::uint16_t code, std::string_view reason) noexcept {
    if (code == websocket_code::no_status) return;
    octets[0] = static_cast<std::byte>(code >> 8);
    octets[1] = static_cast<std::byte>(code & 255);
    copy_bytes(octets.data() + 2, as_bytes(reason));
    size = 2 + reason.size();
  }
  bytes span() const noexcept { return bytes(octets).first(size); }

  std::array<std::byte, websocket::max_control_payload> octets;
  std::size_t size = 0;
};

}  // namespace

void websocket_connection::state::touch(time_point now) noexcept {
  last_activity_ = now;
  if (started_) return;
  started_ = true;
  last_input_ = now;
}

void websocket_connection::state::end_reading(std::error_code cause) {
  if (read_end_) return;
  read_end_ = cause;
  note_readable();
  note_closed();
}

void websocket_connection::state::end_writing(std::error_code cause) {
  if (write_end_) return;
  write_end_ = cause;
  note_writable();
  note_closed();
}

void websocket_connection::state::note_closed() {
  if (!is_over()) return;
  close_.cause = read_end_;
  closed_waits_ = true;
}

/// RFC 6455 section 7.1.7: what comes from now on is dropped unread, and so is what has not left
/// yet, but for a frame that has begun.
void websocket_connection::state::fail(time_point now, std::uint16_t code, errc cause) {
  failed_ = true;
  if (!close_queued_) close_.code = code;
  close_queued_ = true;
  output_.abort(close_payload(code, {}).span());
  hold_until_.reset();
  close_until_ = now + limits::websocket_close_timeout;
  end_reading(cause);
  end_writing(cause);
}

void websocket_connection::state::queue_close(time_point now, std::uint16_t code,
                                              std::string_view reason) {
  const close_payload payload(code, reason);
  const bytes piece = payload.span();
  websocket::piece_reader reader({&piece, 1});
  websocket::frame_header header;
  header.code = websocket::opcode::close;
  header.length = piece.size();
  output_.append(header, reader);
  close_queued_ = true;
  hold_until_.reset();
  close_until_ = now + limits::websocket_close_timeout;
}

void websocket_connection::state::on_close_frame(time_point now, bytes payload) {
  buffer_reader reader(payload);
  const std::uint16_t code = payload.empty() ? websocket_code::no_status : reader.u16();
  const bool is_code = reader.ok() && (payload.empty() || may_be_sent(code));
  if (!is_code) return fail(now, websocket_code::protocol_error, errc::protocol_error);
  if (!is_text(reader.rest()))
    return fail(now, websocket_code::invalid_payload, errc::protocol_error);
  const bool answers_ours = close_queued_ && code == close_.code;
  const bool orderly =
      code == websocket_code::normal || code == websocket_code::no_status || answers_ours;
  close_received_ = true;
  if (!close_queued_) {
    close_.by_peer = true;
    close_.code = code;
    close_.reason = as_text(reader.rest());
    queue_close(now, code, {});
  } else if (output_.empty()) {
    close_until_ = now + limits::websocket_linger;
  }
  // A message without its end was not sent in order, whatever the code says.
  end_reading(in_message_ ? errc::truncated : orderly ? errc::eof : errc::closed_by_peer);
  end_writing(errc::write_stopped);
}

result<void> websocket_connection::state::finish(time_point now) {
  if (write_end_ == errc::write_finished || write_end_ == errc::write_stopped) return {};
  if (write_end_) return std::unexpected(write_end_);
  if (sends_message_) return std::unexpected(make_error_code(errc::invalid_argument));
  close_.code = websocket_code::normal;
  end_writing(errc::write_finished);
  if (is_client()) {
    hold_until_ = now + limits::websocket_finish_hold;
  } else {
    queue_close(now, websocket_code::normal, {});
  }
  return {};
}

result<void> websocket_connection::state::close(time_point now, std::uint16_t code,
                                                std::string_view reason) {
  const bool may_say = code == websocket_code::no_status ? reason.empty() : may_be_sent(code);
  if (!may_say || reason.size() > max_reason || !is_text(as_bytes(reason)))
    return std::unexpected(make_error_code(errc::invalid_argument));
  if (close_queued_ || gone_) return {};
  close_.code = code;
  close_.reason = reason;
  queue_close(now, code, reason);
  end_writing(errc::write_finished);
  return {};
}

void websocket_connection::state::receive_end(time_point now) {
  touch(now);
  carrier_ended_ = true;
  // The end of a carrier alone proves nothing: anybody on the way can make it.
  if (!close_received_ && !failed_) lose(errc::truncated);
}

void websocket_connection::state::lose(std::error_code cause) {
  if (!is_over()) {
    close_.code = websocket_code::abnormal;
    close_.reason.clear();
  }
  gone_ = true;
  hold_until_.reset();
  close_until_.reset();
  output_.clear();
  end_reading(cause);
  end_writing(cause);
}

void websocket_connection::state::reset() {
  if (!read_end_) unread_.clear();
  lose(errc::closed);
}

bool websocket_connection::state::finished() const noexcept {
  if (gone_) return true;
  if (!output_.empty()) return false;
  return failed_ || (both_closed() && (!is_client() || carrier_ended_));
}

void websocket_connection::state::handle_timeout(time_point now) {
  if (hold_until_ && now >= *hold_until_) queue_close(now, websocket_code::normal, {});
  if (close_until_ && now >= *close_until_) lose(errc::timed_out);
  keep_alive(now);
  if (now < last_activity_ + limits::websocket_spare_memory_kept) return;
  output_.release_spare_memory();
  unread_.release_spare_memory();
}

void websocket_connection::state::keep_alive(time_point now) {
  const auto deadline = keepalive_deadline();
  if (!deadline || now < *deadline) return;
  if (pinged_at_) return lose(errc::timed_out);
  pinged_at_ = now;
  output_.set_ping(ping_awaited_ ? bytes(ping_).first(ping_size_) : bytes{});
}

/// Not while input is held back: then the silence is this side's, and the peer is asked first when
/// it ends.
std::optional<time_point> websocket_connection::state::keepalive_deadline() const noexcept {
  if (config_.keepalive.count() == 0 || !started_ || close_queued_ || gone_ || !wants_input())
    return std::nullopt;
  return pinged_at_ ? *pinged_at_ + limits::websocket_keepalive_timeout
                    : last_input_ + config_.keepalive;
}

std::optional<time_point> websocket_connection::state::next_timeout() const noexcept {
  std::optional<time_point> next = hold_until_;
  const auto add = [&](std::optional<time_point> other) {
    if (other && (!next || *other < *next)) next = other;
  };
  add(close_until_);
  add(keepalive_deadline());
  if (output_.holds_spare_memory() || unread_.holds_spare_memory())
    add(last_activity_ + limits::websocket_spare_memory_kept);
  return next;
}

bool websocket_connection::state::poll_event(websocket_event& out) noexcept {
  const auto take = [&](bool& waits, websocket_event_kind kind) {
    if (!waits) return false;
    waits = false;
    out.kind = kind;
    return true;
  };
  if (take(readable_waits_, websocket_event_kind::readable)) return readable_told_ = true;
  return take(writable_waits_, websocket_event_kind::writable) ||
         take(pong_waits_, websocket_event_kind::pong) ||
         take(closed_waits_, websocket_event_kind::closed);
}

}  // namespace v0
}  // namespace strata::transport
