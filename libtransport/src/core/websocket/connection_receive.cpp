// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>

#include "core/websocket/connection_state.hpp"

namespace strata::transport {
inline namespace v0 {

using websocket::frame_header;
using websocket::opcode;

void websocket_connection::state::receive(time_point now, bytes input) {
  touch(now);
  last_input_ = now;
  pinged_at_.reset();
  while (!input.empty() && !ignores_input())
    input = in_payload_ ? read_payload(now, input) : read_header(now, input);
}

void websocket_connection::state::release_input() { unread_.keep(); }

bool websocket_connection::state::wants_input() const noexcept {
  if (gone_ || carrier_ended_) return false;
  return ignores_input() || unread_.cost() < config_.max_unread;
}

/// A header is looked at from its second byte on, so that a peer that speaks something else learns
/// so at once.
bytes websocket_connection::state::read_header(time_point now, bytes input) {
  while (header_size_ < header_wanted_ && !input.empty()) {
    const std::size_t size = std::min<std::size_t>(header_wanted_ - header_size_, input.size());
    copy_bytes(header_bytes_.data() + header_size_, input.first(size));
    header_size_ = static_cast<std::uint8_t>(header_size_ + size);
    input = input.subspan(size);
    if (header_size_ != 2) continue;
    const auto wanted =
        websocket::frame_header_size(header_bytes_[0], header_bytes_[1], config_.role);
    if (!wanted) return fail(now, websocket_code::protocol_error, errc::protocol_error), bytes{};
    header_wanted_ = static_cast<std::uint8_t>(*wanted);
  }
  if (header_size_ < header_wanted_) return input;
  const auto header = websocket::parse_frame_header(bytes(header_bytes_).first(header_size_));
  header_size_ = 0;
  header_wanted_ = 2;
  if (!header) return fail(now, websocket_code::protocol_error, errc::protocol_error), bytes{};
  if (!begin_frame(now, *header)) return {};
  return input;
}

bool websocket_connection::state::begin_frame(time_point now, const frame_header& header) {
  frame_ = header;
  frame_left_ = header.length;
  control_size_ = 0;
  const bool carries_nothing = websocket::is_control(header.code) || header.length == 0;
  if (carries_nothing && !flood_.charge(now))
    return fail(now, websocket_code::policy_violation, errc::limit_exceeded), false;
  if (!websocket::is_control(header.code) && !begin_message_frame(now)) return false;
  in_payload_ = true;
  if (frame_left_ == 0) end_frame(now);
  return true;
}

/// RFC 6455 section 5.4: fragments of two messages do not mix.
bool websocket_connection::state::begin_message_frame(time_point now) {
  if ((frame_.code == opcode::continuation) != in_message_)
    return fail(now, websocket_code::protocol_error, errc::protocol_error), false;
  if (!in_message_) {
    in_message_ = true;
    kind_ = frame_.code == opcode::text ? websocket_kind::text : websocket_kind::binary;
    message_size_ = 0;
    text_ = {};
    if (kind_ == websocket_kind::text && config_.mode == websocket_mode::stream)
      return fail(now, websocket_code::unsupported_data, errc::protocol_error), false;
  }
  if (frame_.length > config_.max_frame || frame_.length > config_.max_message - message_size_)
    return fail(now, websocket_code::message_too_big, errc::limit_exceeded), false;
  message_size_ += frame_.length;
  return true;
}

bytes websocket_connection::state::read_payload(time_point now, bytes input) {
  const bytes piece =
      input.first(static_cast<std::size_t>(std::min<std::uint64_t>(frame_left_, input.size())));
  if (websocket::is_control(frame_.code)) {
    websocket::apply_mask(control_.data() + control_size_, piece, frame_.key);
    control_size_ = static_cast<std::uint8_t>(control_size_ + piece.size());
  } else if (kind_ == websocket_kind::text && !check_text(piece)) {
    return fail(now, websocket_code::invalid_payload, errc::protocol_error), bytes{};
  } else {
    unread_.add(piece, frame_.key, kind_);
    note_readable();
  }
  frame_.key = websocket::advance(frame_.key, piece.size());
  frame_left_ -= piece.size();
  if (frame_left_ == 0) end_frame(now);
  return input.subspan(piece.size());
}

/// Before anybody reads it, and as soon as it has come (RFC 6455 section 8.1). What is masked is
/// unmasked for this in a piece of memory that stays in the cache.
bool websocket_connection::state::check_text(bytes payload) {
  if (frame_.key == 0) return text_.add(payload);
  std::array<std::byte, 2048> plain;
  websocket::mask_key key = frame_.key;
  while (!payload.empty()) {
    const bytes piece = payload.first(std::min(plain.size(), payload.size()));
    key = websocket::apply_mask(plain.data(), piece, key);
    if (!text_.add(bytes(plain).first(piece.size()))) return false;
    payload = payload.subspan(piece.size());
  }
  return true;
}

void websocket_connection::state::end_frame(time_point now) {
  in_payload_ = false;
  if (websocket::is_control(frame_.code)) return end_control_frame(now);
  if (!frame_.fin) return;
  if (kind_ == websocket_kind::text && !text_.is_complete())
    return fail(now, websocket_code::invalid_payload, errc::protocol_error);
  in_message_ = false;
  if (config_.mode == websocket_mode::stream) return;
  unread_.end_message(kind_);
  note_readable();
}

void websocket_connection::state::end_control_frame(time_point now) {
  const bytes payload = bytes(control_).first(control_size_);
  switch (frame_.code) {
    case opcode::ping: return output_.set_pong(payload);
    case opcode::pong:
      if (!ping_awaited_ || !equal_bytes(payload, bytes(ping_).first(ping_size_))) return;
      ping_awaited_ = false;
      pong_waits_ = true;
      return;
    default: return on_close_frame(now, payload);
  }
}

result<std::size_t> websocket_connection::state::read(mutable_bytes out) {
  assert(config_.mode == websocket_mode::stream);
  readable_told_ = false;
  if (unread_.empty() && read_end_) return std::unexpected(read_end_);
  if (unread_.empty() && !out.empty()) return std::unexpected(make_error_code(errc::would_block));
  return unread_.read(out);
}

result<bytes> websocket_connection::state::peek() {
  assert(config_.mode == websocket_mode::stream);
  readable_told_ = false;
  if (!unread_.empty()) return unread_.peek();
  return std::unexpected(read_end_ ? read_end_ : make_error_code(errc::would_block));
}

void websocket_connection::state::consume(std::size_t size) {
  if (size != 0) unread_.consume(size);
}

result<websocket_part> websocket_connection::state::read_message(mutable_bytes out) {
  assert(config_.mode == websocket_mode::messages);
  readable_told_ = false;
  if (const auto part = unread_.read_part(out)) return *part;
  return std::unexpected(read_end_ ? read_end_ : make_error_code(errc::would_block));
}

void websocket_connection::state::note_readable() noexcept {
  if (!readable_told_) readable_waits_ = true;
}

}  // namespace v0
}  // namespace strata::transport
