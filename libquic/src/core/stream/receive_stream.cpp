// SPDX-License-Identifier: Apache-2.0
#include "core/stream/receive_stream.hpp"

#include <algorithm>
#include <cassert>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/varint.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

using transport::bytes;
using transport::errc;
using transport::mutable_bytes;
using transport::result;

namespace {
std::unexpected<protocol_failure> refuse(transport_error code, const char* reason) {
  return std::unexpected(protocol_failure{code, 0, reason});
}
}  // namespace

void receive_stream::open(const receive_window& window) noexcept { window_ = window; }

void receive_stream::clear(page_recycler& pages) noexcept {
  buffer_.clear(pages);
  window_ = receive_window();
  highest_ = returned_ = code_ = 0;
  final_size_ = unknown;
  state_ = receive_state::recv;
  discarding_ = false;
}

void receive_stream::move(receive_event what) noexcept {
  if (const std::optional<receive_state> next = next_state(state_, what)) state_ = *next;
}

std::expected<std::uint64_t, protocol_failure> receive_stream::admit(std::uint64_t end,
                                                                     bool is_final) const noexcept {
  //= RFC 9000 section 4.5
  //# Once a final size for a stream is known, it cannot change. If a RESET_STREAM or STREAM frame
  //# is received indicating a change in the final size for the stream, an endpoint SHOULD respond
  //# with an error of type FINAL_SIZE_ERROR; see Section 11 for details on error handling.
  if (final_size_ != unknown && (is_final ? end != final_size_ : end > final_size_)) {
    return refuse(transport_error::final_size_error, "the final size changed");
  }
  if (is_final && end < highest_)
    return refuse(transport_error::final_size_error, "the final size is below received data");
  if (end <= highest_) return 0;
  //= RFC 9000 section 4.1
  //# A receiver MUST close the connection with an error of type FLOW_CONTROL_ERROR if the sender
  //# violates the advertised connection or stream data limits; see Section 11 for details on error
  //# handling.
  //= RFC 9000 section 19.10
  //# An endpoint MUST terminate a connection with an error of type FLOW_CONTROL_ERROR if it
  //# receives more data than the largest maximum stream data that it has sent for the affected
  //# stream.
  if (end > window_.limit())
    return refuse(transport_error::flow_control_error, "more than the stream's limit");
  return end - highest_;
}

std::expected<bool, protocol_failure> receive_stream::on_data(reassembly_buffer::memory from,
                                                              std::uint64_t offset, bytes data,
                                                              bool fin) {
  if (!is_receiving()) return false;
  highest_ = std::max(highest_, offset + data.size());
  bool news = false;
  if (fin && final_size_ == unknown) {
    final_size_ = offset + data.size();
    move(receive_event::recv_stream_fin);
    news = buffer_.contiguous_end() == final_size_;
  }
  if (discarding_) {
    skip_to_end();
    return false;
  }
  const reassembly_buffer::outcome put = buffer_.insert(from, offset, data);
  if (put == reassembly_buffer::outcome::too_many_gaps) {
    return refuse(transport_error::internal_error, "too many gaps in a stream");
  }
  if (buffer_.contiguous_end() == final_size_) move(receive_event::recv_all_data);
  return news || put == reassembly_buffer::outcome::readable;
}

bool receive_stream::on_reset(page_recycler& pages, std::uint64_t final_size) noexcept {
  if (is_terminal() || state_ == receive_state::reset_recvd) return false;
  highest_ = final_size_ = final_size;
  move(receive_event::recv_reset_stream);
  // Unread data is dropped; after clear() its offsets mean nothing, so only what was given back is
  // kept.
  buffer_.clear(pages);
  if (discarding_) move(receive_event::app_read_reset);
  return true;
}

std::error_code receive_stream::read_failure() noexcept {
  if (discarding_) return make_error_code(errc::closed);
  if (state_ != receive_state::reset_recvd && state_ != receive_state::reset_read) return {};
  move(receive_event::app_read_reset);
  return make_error_code(errc::stream_reset);
}

result<std::size_t> receive_stream::read(reassembly_buffer::memory from, mutable_bytes out,
                                         bool& fin) {
  fin = false;
  if (const std::error_code failure = read_failure()) return std::unexpected(failure);
  std::size_t done = 0;
  while (done < out.size()) {
    const bytes piece = buffer_.front(from.lent);
    if (piece.empty()) break;
    const std::size_t size = std::min(piece.size(), out.size() - done);
    transport::copy_bytes(out.data() + done, piece.first(size));
    buffer_.consume(from, size);
    done += size;
  }
  after_reading();
  fin = state_ == receive_state::data_read;
  if (done == 0 && !fin && buffer_.read_offset() == buffer_.contiguous_end()) {
    return std::unexpected(make_error_code(errc::would_block));
  }
  return done;
}

result<bytes> receive_stream::peek(const lent_views& lent, bool& fin) {
  fin = false;
  if (const std::error_code failure = read_failure()) return std::unexpected(failure);
  const bytes piece = buffer_.front(lent);
  fin = state_ == receive_state::data_read || buffer_.read_offset() + piece.size() == final_size_;
  if (piece.empty() && !fin) return std::unexpected(make_error_code(errc::would_block));
  return piece;
}

void receive_stream::consume(reassembly_buffer::memory from, std::uint64_t size) noexcept {
  if (discarding_ || (state_ != receive_state::recv && state_ != receive_state::size_known &&
                      state_ != receive_state::data_recvd)) {
    return;
  }
  assert(size <= buffer_.contiguous_end() - buffer_.read_offset());
  buffer_.consume(from, std::min(size, buffer_.contiguous_end() - buffer_.read_offset()));
  after_reading();
}

void receive_stream::after_reading() noexcept {
  if (buffer_.read_offset() == final_size_) move(receive_event::app_read_all_data);
}

bool receive_stream::discard(page_recycler& pages, std::uint64_t code) noexcept {
  if (discarding_) return false;
  discarding_ = true;
  code_ = code;
  if (is_terminal()) return true;
  buffer_.clear(pages);
  move(receive_event::app_read_reset);
  skip_to_end();
  return true;
}

/// Of a stream that is discarded nothing but its final size is of interest.
void receive_stream::skip_to_end() noexcept {
  if (final_size_ == unknown) return;
  move(receive_event::recv_all_data);
  move(receive_event::app_read_all_data);
}

std::uint64_t receive_stream::take_consumed() noexcept {
  const bool dropped =
      discarding_ || state_ == receive_state::reset_recvd || state_ == receive_state::reset_read;
  // The buffer's offset is that of the reader until the buffer is cleared, and from then on
  // everything counts as consumed.
  const std::uint64_t consumed =
      dropped || state_ == receive_state::data_read ? highest_ : buffer_.read_offset();
  const std::uint64_t news = consumed - returned_;
  returned_ = consumed;
  return news;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
