// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/output_queue.hpp"

#include <algorithm>

namespace strata::transport {
inline namespace v0 {
namespace websocket {

bytes piece_reader::next(std::size_t most) noexcept {
  while (offset_ == pieces_.front().size()) {
    pieces_ = pieces_.subspan(1);
    offset_ = 0;
  }
  const bytes rest = pieces_.front().subspan(offset_);
  const bytes piece = rest.first(std::min(most, rest.size()));
  offset_ += piece.size();
  return piece;
}

void output_queue::control::set(bytes from) noexcept {
  copy_bytes(payload.data(), from);
  size = static_cast<std::uint8_t>(from.size());
  waits = true;
}

bool output_queue::empty() const noexcept {
  if (cleared_) return true;
  return frames_.empty() && sealed_sent_ == sealed_size_ && !ping_.waits && !pong_.waits &&
         !close_.waits;
}

/// Unpredictable, or a page that chooses the payload could choose the bytes on the wire (RFC 6455
/// section 10.3). Drawn for many frames at once.
mask_key output_queue::next_key() {
  if (keys_left_ == 0) {
    random_->fill(std::as_writable_bytes(std::span(keys_)));
    keys_left_ = keys_.size();
  }
  return keys_[--keys_left_];
}

void output_queue::append(frame_header header, piece_reader& payload) {
  header.masked = masks_;
  header.key = masks_ ? next_key() : 0;
  std::array<std::byte, max_frame_header> octets;
  const std::size_t header_size = write_frame_header(header, octets.data());
  frames_.append(bytes(octets).first(header_size));
  mask_key key = header.key;
  for (auto left = static_cast<std::size_t>(header.length); left != 0;) {
    const bytes piece = payload.next(left);
    key = frames_.append(piece, key);
    left -= piece.size();
  }
  if (header.code == opcode::close)
    close_frame_size_ = header_size + static_cast<std::size_t>(header.length);
}

/// The frames of messages have borders only in their headers: a list of them would cost a flood of
/// small writes more than they do themselves.
std::size_t output_queue::frame_size_at_front() const noexcept {
  std::array<std::byte, max_frame_header> octets{};
  const std::size_t shown = std::min(frames_.size(), octets.size());
  for (std::size_t i = 0; i < shown; ++i) octets[i] = frames_.at(i);
  const auto reader = masks_ ? websocket_role::server : websocket_role::client;
  const std::size_t size = frame_header_size(octets[0], octets[1], reader).value_or(2);
  const auto header = parse_frame_header(bytes(octets).first(size));
  return size + (header ? static_cast<std::size_t>(header->length) : 0);
}

bool output_queue::close_is_out() const noexcept {
  if (close_frame_size_ == 0) return false;
  return frames_.size() < close_frame_size_ || (frame_left_ != 0 && frame_left_ == frames_.size());
}

void output_queue::abort(bytes close_payload) noexcept {
  aborted_ = true;
  ping_.waits = pong_.waits = false;
  close_.set(close_payload);
  if (!shown_) drop_frames();
}

void output_queue::clear() noexcept {
  cleared_ = true;
  if (!shown_) frames_.consume(frames_.size());
}

void output_queue::drop_frames() noexcept {
  if (close_is_out()) close_.waits = false;
  close_frame_size_ = 0;
  frames_.truncate(frame_left_);
}

void output_queue::seal(opcode code, control& from) {
  if (!from.waits) return;
  from.waits = false;
  frame_header header;
  header.code = code;
  header.masked = masks_;
  header.key = masks_ ? next_key() : 0;
  header.length = from.size;
  std::byte* out = sealed_.data() + sealed_size_;
  const std::size_t header_size = write_frame_header(header, out);
  apply_mask(out + header_size, bytes(from.payload).first(from.size), header.key);
  sealed_size_ += header_size + from.size;
}

void output_queue::seal_controls() {
  if (sealed_sent_ != sealed_size_) return;
  sealed_sent_ = sealed_size_ = 0;
  seal(opcode::pong, pong_);
  seal(opcode::ping, ping_);
  seal(opcode::close, close_);
}

std::size_t output_queue::poll(std::span<bytes> pieces) {
  if (aborted_) drop_frames();
  if (cleared_ || pieces.empty()) return 0;
  seal_controls();
  std::size_t filled = frames_.gather(0, frame_left_, pieces);
  if (sealed_sent_ != sealed_size_ && filled < pieces.size())
    pieces[filled++] = bytes(sealed_).subspan(sealed_sent_, sealed_size_ - sealed_sent_);
  if (!aborted_ && filled < pieces.size())
    filled += frames_.gather(frame_left_, frames_.size(), pieces.subspan(filled));
  shown_ = filled != 0;
  return filled;
}

void output_queue::sent(std::size_t size) noexcept {
  shown_ = false;
  if (cleared_) return clear();
  const auto consume = [&](std::size_t part) {
    frames_.consume(part);
    frame_left_ -= part;
    size -= part;
  };
  consume(std::min(size, frame_left_));
  const std::size_t control_part = std::min(size, sealed_size_ - sealed_sent_);
  sealed_sent_ += control_part;
  size -= control_part;
  while (size != 0 && !frames_.empty()) {
    frame_left_ = frame_size_at_front();
    consume(std::min(size, frame_left_));
  }
  if (aborted_) drop_frames();
}

}  // namespace websocket
}  // namespace v0
}  // namespace strata::transport
