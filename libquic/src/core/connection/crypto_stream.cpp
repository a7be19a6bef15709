// SPDX-License-Identifier: Apache-2.0
#include "core/connection/crypto_stream.hpp"

#include <algorithm>

#include "strata/quic/core/limits.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

void crypto_stream::insert(std::vector<range>& ranges, range added) {
  auto first = std::ranges::lower_bound(ranges, added.begin, {}, &range::end);
  auto last = first;
  for (; last != ranges.end() && last->begin <= added.end; ++last) {
    added.begin = std::min(added.begin, last->begin);
    added.end = std::max(added.end, last->end);
  }
  ranges.insert(ranges.erase(first, last), added);
}

void crypto_stream::erase(std::vector<range>& ranges, range removed) {
  std::vector<range> kept;
  for (const range& one : ranges) {
    if (one.begin < removed.begin) kept.push_back({one.begin, std::min(one.end, removed.begin)});
    if (one.end > removed.end) kept.push_back({std::max(one.begin, removed.end), one.end});
  }
  ranges = std::move(kept);
}

std::expected<void, protocol_failure> crypto_stream::on(const crypto_frame& frame) {
  const std::uint64_t end = frame.offset + frame.data.size();
  if (end <= readable_end_) return {};
  //= RFC 9000 section 7.5
  //# If an endpoint does not expand its buffer, it MUST close the connection with a
  //# CRYPTO_BUFFER_EXCEEDED error code.
  //= RFC 9000 section 7.5
  //# Implementations MUST support buffering at least 4096 bytes of data received in out-of-order
  //# CRYPTO frames.
  if (end - consumed_ > limits::max_crypto_buffer ||
      received_ranges_.size() > limits::max_crypto_gaps) {
    return std::unexpected(protocol_failure{transport_error::crypto_buffer_exceeded,
                                            frame_type::crypto, "handshake bytes too far ahead"});
  }
  const std::uint64_t begin = std::max(frame.offset, readable_end_);
  if (received_.size() < end - consumed_) received_.resize(end - consumed_);
  transport::copy_bytes(received_.data() + (begin - consumed_),
                        frame.data.subspan(begin - frame.offset));

  if (begin > readable_end_) {
    insert(received_ranges_, {begin, end});
    return {};
  }
  readable_end_ = end;
  while (!received_ranges_.empty() && received_ranges_.front().begin <= readable_end_) {
    readable_end_ = std::max(readable_end_, received_ranges_.front().end);
    received_ranges_.erase(received_ranges_.begin());
  }
  return {};
}

transport::bytes crypto_stream::readable() const noexcept {
  return transport::bytes(received_).first(readable_end_ - consumed_);
}

void crypto_stream::consume(std::size_t size) {
  received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(size));
  consumed_ += size;
}

void crypto_stream::write_frames(packet_payload& payload) {
  while (has_output()) {
    const bool again = !lost_.empty();
    const std::uint64_t begin = again ? lost_.front().begin : next_;
    const std::uint64_t end = again ? lost_.front().end : sent_.size();
    const std::size_t header =
        crypto_header_size(begin, std::min<std::uint64_t>(end - begin, payload.remaining()));
    if (payload.remaining() <= header) return;
    const std::uint64_t size = std::min<std::uint64_t>(end - begin, payload.remaining() - header);
    encode_crypto_header(begin, size, payload.writer);
    payload.writer.put(transport::bytes(sent_).subspan(begin, size));
    payload.frames.push_back({.what = sent_frame::kind::crypto,
                              .length = static_cast<std::uint32_t>(size),
                              .offset = begin});
    if (!again) {
      next_ += size;
    } else if ((lost_.front().begin += size) == end) {
      lost_.erase(lost_.begin());
    }
  }
}

void crypto_stream::on_acked(const sent_frame& frame) {
  const range acked{frame.offset, frame.offset + frame.length};
  insert(acked_, acked);
  erase(lost_, acked);
  if (!acked_.empty() && acked_.front().begin <= acked_below_) {
    acked_below_ = std::max(acked_below_, acked_.front().end);
    acked_.erase(acked_.begin());
  }
}

void crypto_stream::on_lost(const sent_frame& frame) {
  if (frame.offset + frame.length <= acked_below_ || frame.offset + frame.length > sent_.size())
    return;
  insert(lost_, {std::max(frame.offset, acked_below_), frame.offset + frame.length});
  for (const range& acked : acked_) erase(lost_, acked);
}

bool crypto_stream::queue_probe_data() {
  if (acked_below_ >= next_) return false;
  on_lost({.what = sent_frame::kind::crypto,
           .length = static_cast<std::uint32_t>(next_ - acked_below_),
           .offset = acked_below_});
  return has_output();
}

void crypto_stream::discard() { *this = crypto_stream(); }

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
