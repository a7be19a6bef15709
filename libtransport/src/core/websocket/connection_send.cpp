// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>

#include "core/websocket/connection_state.hpp"

namespace strata::transport {
inline namespace v0 {

using websocket::opcode;

namespace {

std::size_t size_of(std::span<const bytes> pieces) noexcept {
  std::size_t size = 0;
  for (const bytes piece : pieces) size += piece.size();
  return size;
}

}  // namespace

std::size_t websocket_connection::state::poll_output(time_point now, std::span<bytes> pieces) {
  if (gone_) return 0;
  const std::size_t filled = output_.poll(pieces);
  if (filled != 0) touch(now);
  return filled;
}

void websocket_connection::state::sent(std::size_t size) {
  output_.sent(size);
  note_writable();
  // From here on only the server's end of the carrier is waited for.
  if (close_queued_ && close_received_ && output_.empty())
    close_until_ = last_activity_ + limits::websocket_linger;
}

std::size_t websocket_connection::state::room() const noexcept {
  return output_.size() < config_.watermark ? config_.watermark - output_.size() : 0;
}

void websocket_connection::state::note_writable() noexcept {
  if (!wants_writable_ || (!write_end_ && output_.size() > config_.watermark / 2)) return;
  wants_writable_ = false;
  writable_waits_ = true;
}

/// How much of so many bytes there is room for; at least one, or would_block.
result<std::size_t> websocket_connection::state::admit(std::size_t total) noexcept {
  const std::size_t size = std::min(total, room());
  wants_writable_ = wants_writable_ || size < total || room() == 0;
  if (room() == 0) return std::unexpected(make_error_code(errc::would_block));
  return size;
}

/// Every frame is a message, so that no peer's limit of message size is met.
result<std::size_t> websocket_connection::state::write(std::span<const bytes> pieces) {
  assert(config_.mode == websocket_mode::stream);
  if (write_end_) return std::unexpected(write_end_);
  const std::size_t total = size_of(pieces);
  if (total == 0) return 0;
  const auto size = admit(total);
  if (!size) return size;
  websocket::piece_reader payload(pieces);
  for (std::size_t left = *size; left != 0;) {
    websocket::frame_header header;
    header.length = std::min(left, limits::max_websocket_frame_sent);
    left -= static_cast<std::size_t>(header.length);
    output_.append(header, payload);
  }
  return size;
}

result<std::size_t> websocket_connection::state::send(websocket_kind kind,
                                                      std::span<const bytes> pieces, bool end) {
  assert(config_.mode == websocket_mode::messages);
  if (write_end_) return std::unexpected(write_end_);
  if (sends_message_ && kind != sent_kind_)
    return std::unexpected(make_error_code(errc::invalid_argument));
  const std::size_t total = size_of(pieces);
  if (total == 0 && !end) return 0;
  const auto size = admit(total);
  if (!size) return size;
  const bool ends = end && *size == total;
  if (kind == websocket_kind::text && !check_sent_text(pieces, *size, ends))
    return std::unexpected(make_error_code(errc::invalid_argument));
  sent_kind_ = kind;
  append_message(pieces, *size, ends);
  return size;
}

void websocket_connection::state::append_message(std::span<const bytes> pieces, std::size_t size,
                                                 bool end) {
  const opcode first = sent_kind_ == websocket_kind::text ? opcode::text : opcode::binary;
  websocket::piece_reader payload(pieces);
  do {
    websocket::frame_header header;
    header.length = std::min(size, limits::max_websocket_frame_sent);
    size -= static_cast<std::size_t>(header.length);
    header.fin = end && size == 0;
    header.code = sends_message_ ? opcode::continuation : first;
    output_.append(header, payload);
    sends_message_ = !header.fin;
  } while (size != 0);
}

bool websocket_connection::state::check_sent_text(std::span<const bytes> pieces, std::size_t size,
                                                  bool end) {
  websocket::utf8_validator text = sends_message_ ? sent_text_ : websocket::utf8_validator();
  websocket::piece_reader payload(pieces);
  while (size != 0) {
    const bytes piece = payload.next(size);
    if (!text.add(piece)) return false;
    size -= piece.size();
  }
  if (end && !text.is_complete()) return false;
  sent_text_ = text;
  return true;
}

result<void> websocket_connection::state::ping(bytes payload) {
  if (write_end_) return std::unexpected(write_end_);
  if (payload.size() > ping_.size())
    return std::unexpected(make_error_code(errc::invalid_argument));
  copy_bytes(ping_.data(), payload);
  ping_size_ = static_cast<std::uint8_t>(payload.size());
  ping_awaited_ = true;
  output_.set_ping(payload);
  return {};
}

}  // namespace v0
}  // namespace strata::transport
