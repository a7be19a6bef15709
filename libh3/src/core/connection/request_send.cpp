// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/connection/connection_state.hpp"
#include "core/frame/frame_writer.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {
namespace {

using transport::errc;

std::unexpected<std::error_code> failure(errc code) {
  return std::unexpected(make_error_code(code));
}

constexpr std::uint64_t last_request_id = (std::uint64_t{1} << 62) - 4;

}  // namespace

result<void> connection_state::open_request(std::uint64_t stream_id) {
  if (closed_) return failure(errc::closed);
  //= RFC 9114 section 4.1
  //# A client MUST send only a single request on a given stream.
  if (is_server() || (stream_id & 3) != 0 || requests_.find(stream_id) != nullptr)
    return failure(errc::invalid_argument);
  //= RFC 9114 section 5.2
  //# Endpoints MUST NOT initiate new requests or promise new pushes on the connection
  //# after receipt of a GOAWAY frame from the peer.
  if (peer_goaway_ || goaway_sent_) return failure(errc::refused);
  requests_.insert(stream_id).visible = true;
  return {};
}

result<void> connection_state::send_headers(std::uint64_t stream_id,
                                            std::span<const field_line> lines, bool fin) {
  request_stream* stream = requests_.find(stream_id);
  if (closed_ || stream == nullptr || stream->send_over) return failure(errc::closed);
  if (stream->fin_pending) return failure(errc::write_finished);
  if (stream->send_part != message_part::headers || !stream->visible)
    return failure(errc::invalid_argument);
  section_checker checker(is_server() ? section_kind::response : section_kind::request,
                          //= RFC 9114 section 7.2.4.2
                          //# An HTTP implementation MUST NOT send frames or requests that would be
                          //# invalid based on its current understanding of the peer's settings.
                          peer_settings_.enable_connect_protocol);
  if (auto checked = check_lines(lines, checker); !checked) return checked;
  if (auto checked = check_head(*stream, checker, fin); !checked) return checked;
  note_head_sent(*stream, checker);
  append_section(*stream, lines);
  stream->fin_pending = fin;
  queue_output(*stream);
  return {};
}

/// What we would call malformed we do not send (RFC 9114 sections 4.2 and 4.3), nor what the peer
/// said it refuses.
result<void> connection_state::check_lines(std::span<const field_line> lines,
                                           section_checker& checker) const {
  std::uint64_t size = 0;
  for (const field_line& line : lines) {
    //= RFC 9114 section 4.2
    //# Characters in field names MUST be converted to lowercase prior to their encoding.
    //= RFC 9114 section 4.3
    //# Endpoints MUST NOT generate pseudo-header fields other than those defined in this document.
    if (checker.check(line) != nullptr) return failure(errc::invalid_argument);
    size += line.name.size() + line.value.size() + 32;
  }
  if (checker.finish() != nullptr) return failure(errc::invalid_argument);
  //= RFC 9114 section 4.2.2
  //# An
  //# implementation that has received this parameter SHOULD NOT send an HTTP message
  //# header that exceeds the indicated size, as the peer will likely refuse to
  //# process it.
  if (size > peer_settings_.max_field_section_size) return failure(errc::message_too_large);
  return {};
}

result<void> connection_state::check_head(request_stream& stream, const section_checker& checker,
                                          bool fin) const {
  if (!fin) return {};
  if (is_server() && checker.status() < 200) return failure(errc::invalid_argument);
  const bool never_content =
      stream.head_request || checker.status() == 204 || checker.status() == 304;
  if (!never_content && !checker.is_connect() && checker.content_length().value_or(0) != 0)
    return failure(errc::invalid_argument);
  return {};
}

void connection_state::note_head_sent(request_stream& stream, const section_checker& checker) {
  if (!is_server()) {
    stream.head_request = checker.is_head();
    stream.connect_request = checker.is_connect();
    if (!checker.is_connect()) stream.body_promised = checker.content_length();
    stream.send_part = message_part::body;
    return;
  }
  if (checker.status() < 200) return;
  const bool opens_tunnel = stream.connect_request && checker.status() < 300;
  if (stream.head_request || checker.status() == 204 || checker.status() == 304) {
    stream.body_promised = 0;
  } else if (!opens_tunnel) {
    stream.body_promised = checker.content_length();
  }
  stream.send_part = message_part::body;
}

void connection_state::append_section(request_stream& stream, std::span<const field_line> lines) {
  if (borrowed_count_ != 0 && borrowed_by_ == stream.id) keep_borrowed();
  encoded_.clear();
  encoder_.encode(stream.id, lines, encoded_);
  append_frame_header(stream.unsent, frame_type::headers, encoded_.size());
  stream.unsent.insert(stream.unsent.end(), encoded_.begin(), encoded_.end());
}

result<std::size_t> connection_state::send_body(std::uint64_t stream_id,
                                                std::span<const bytes> pieces, bool fin) {
  request_stream* stream = requests_.find(stream_id);
  if (closed_ || stream == nullptr || stream->send_over) return failure(errc::closed);
  if (stream->fin_pending) return failure(errc::write_finished);
  if (stream->send_part != message_part::body || pieces.size() > limits::max_body_pieces)
    return failure(errc::invalid_argument);
  std::size_t offered = 0;
  for (const bytes piece : pieces) offered += piece.size();
  const std::uint64_t total = stream->body_sent + offered;
  if (stream->body_promised &&
      (total > *stream->body_promised || (fin && total != *stream->body_promised)))
    return failure(errc::invalid_argument);

  keep_borrowed();
  const std::size_t room =
      limits::max_unsent_body - std::min(limits::max_unsent_body, stream->unsent_size());
  const std::size_t taken = std::min(offered, room);
  if (taken != 0) append_frame_header(stream->unsent, frame_type::data, taken);
  borrowed_by_ = stream_id;
  for (std::size_t left = taken; left != 0; pieces = pieces.subspan(1)) {
    const bytes piece = pieces.front().first(std::min(left, pieces.front().size()));
    if (!piece.empty()) borrowed_[borrowed_count_++] = piece;
    left -= piece.size();
  }
  stream->body_sent += taken;
  stream->fin_pending = fin && taken == offered;
  stream->writable_wanted = taken < offered;
  if (taken != 0 || stream->fin_pending) queue_output(*stream);
  return taken;
}

result<void> connection_state::send_trailers(std::uint64_t stream_id,
                                             std::span<const field_line> lines) {
  request_stream* stream = requests_.find(stream_id);
  if (closed_ || stream == nullptr || stream->send_over) return failure(errc::closed);
  if (stream->fin_pending) return failure(errc::write_finished);
  const bool is_tunnel = stream->connect_request;
  if (stream->send_part != message_part::body || is_tunnel) return failure(errc::invalid_argument);
  if (stream->body_promised && stream->body_sent != *stream->body_promised)
    return failure(errc::invalid_argument);
  section_checker checker(section_kind::trailers);
  if (auto checked = check_lines(lines, checker); !checked) return checked;
  append_section(*stream, lines);
  stream->send_part = message_part::end;
  stream->fin_pending = true;
  queue_output(*stream);
  return {};
}

void connection_state::reset(std::uint64_t stream_id, error_code code) {
  request_stream* stream = requests_.find(stream_id);
  if (stream != nullptr) abandon(*stream, code);
}

void connection_state::shutdown() {
  if (closed_) return;
  // Nothing is ever pushed, so a client's only identifier is 0. A server's first one is the largest
  // there is: it stops new requests without refusing those on their way.
  const std::uint64_t id = !is_server() ? 0 : goaway_sent_ ? next_request_id_ : last_request_id;
  //= RFC 9114 section 5.2
  //# An endpoint MAY send multiple GOAWAY frames indicating different identifiers,
  //# but the identifier in each frame MUST NOT be greater than the identifier in any
  //# previous frame,
  if (goaway_sent_ && id >= *goaway_sent_) return;
  goaway_sent_ = id;
  append_varint_frame(own_[own_control].unsent, frame_type::goaway, id);
}

void connection_state::queue_output(request_stream& stream) {
  if (stream.queued || stream.full) return;
  stream.queued = true;
  ready_.push(stream.id);
}

/// Content that was lent and not taken by QUIC becomes a copy of ours: at most max_unsent_body per
/// stream.
void connection_state::keep_borrowed() {
  if (borrowed_count_ == 0) return;
  request_stream* stream = requests_.find(borrowed_by_);
  if (stream != nullptr && !stream->send_over) {
    if (stream->unsent_from != 0) {
      stream->unsent.erase(
          stream->unsent.begin(),
          stream->unsent.begin() + static_cast<std::ptrdiff_t>(stream->unsent_from));
      stream->unsent_from = 0;
    }
    for (std::size_t i = 0; i < borrowed_count_; ++i)
      stream->unsent.insert(stream->unsent.end(), borrowed_[i].begin(), borrowed_[i].end());
  }
  borrowed_count_ = 0;
}

bool connection_state::poll_output(output& out) {
  if (closed_) return false;
  if (offer_own_stream(out)) return true;
  while (!ready_.empty()) {
    request_stream* stream = requests_.find(ready_.pop());
    if (stream == nullptr || !stream->queued) continue;
    stream->queued = false;
    if (!stream->send_over && !stream->full && offer_request(*stream, out)) return true;
  }
  keep_borrowed();  // of a stream that waits for writable(): the promise is that nothing is lent
                    // any more
  return false;
}

bool connection_state::offer_own_stream(output& out) {
  for (std::size_t i = 0; i < own_count; ++i) {
    own_stream& own = own_[i];
    if (!own.id || own.full) continue;
    std::size_t count = 0;
    if (!own.unsent.empty()) offered_[count++] = own.unsent;
    if (i == own_decoder)
      if (const bytes instructions = decoder_.output(); !instructions.empty())
        offered_[count++] = instructions;
    if (count == 0) continue;
    //= RFC 9114 section 6.2.1
    //# The sender MUST NOT close the control stream
    //= RFC 9204 section 4.2
    //# The sender MUST NOT close either of these streams
    out = {.stream_id = *own.id, .pieces = {offered_.data(), count}, .fin = false};
    return true;
  }
  return false;
}

bool connection_state::offer_request(request_stream& stream, output& out) {
  std::size_t count = 0;
  if (stream.unsent_size() != 0)
    offered_[count++] = bytes(stream.unsent).subspan(stream.unsent_from);
  if (borrowed_by_ == stream.id)
    for (std::size_t i = 0; i < borrowed_count_; ++i) offered_[count++] = borrowed_[i];
  if (count == 0 && !stream.fin_pending) return false;
  out = {.stream_id = stream.id, .pieces = {offered_.data(), count}, .fin = stream.fin_pending};
  return true;
}

void connection_state::sent_own(own_stream& stream, std::size_t size) {
  const std::size_t first = std::min(size, stream.unsent.size());
  stream.unsent.erase(stream.unsent.begin(),
                      stream.unsent.begin() + static_cast<std::ptrdiff_t>(first));
  stream.full = !stream.unsent.empty();
  if (&stream != &own_[own_decoder]) return;
  decoder_.sent(size - first);
  stream.full = stream.full || !decoder_.output().empty();
}

void connection_state::sent(std::uint64_t stream_id, std::size_t size) {
  for (own_stream& own : own_)
    if (own.id == stream_id) return sent_own(own, size);
  request_stream* stream = requests_.find(stream_id);
  if (stream == nullptr || stream->send_over) return;
  const std::size_t first = std::min(size, stream->unsent_size());
  stream->unsent_from += first;
  size -= first;
  if (borrowed_by_ == stream_id && borrowed_count_ != 0) {
    for (std::size_t i = 0; i < borrowed_count_; ++i) {
      const std::size_t part = std::min(size, borrowed_[i].size());
      borrowed_[i] = borrowed_[i].subspan(part);
      size -= part;
    }
    keep_borrowed();
  }
  if (stream->unsent_size() == 0) stream->drop_unsent();
  stream->full = stream->unsent_size() != 0;
  if (stream->fin_pending && !stream->full) {
    stream->send_over = true;
    if (is_server() && stream->receive_over) budget_.pay_back();
    return release_if_over(*stream);
  }
  if (stream->writable_wanted && stream->unsent_size() <= limits::max_unsent_body / 2) {
    stream->writable_wanted = false;
    tell(event_kind::writable, *stream);
  }
}

void connection_state::writable(std::uint64_t stream_id) {
  for (own_stream& own : own_)
    if (own.id == stream_id) own.full = false;
  request_stream* stream = requests_.find(stream_id);
  if (stream == nullptr || !stream->full) return;
  stream->full = false;
  queue_output(*stream);
}

void connection_state::opened(std::uint64_t stream_id) {
  if (own_opened_ < own_count) own_[own_opened_++].id = stream_id;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
