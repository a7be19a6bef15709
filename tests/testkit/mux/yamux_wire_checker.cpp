// SPDX-License-Identifier: Apache-2.0
#include "testkit/mux/yamux_wire_checker.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace strata::testkit {

using mux::core::frame_header;
using mux::core::frame_type;
namespace flag = mux::core::flag;
using transport::bytes;

namespace {

[[noreturn]] void fail(const std::string& what, const frame_header& header) {
  throw std::logic_error(what + ": type " + std::to_string(static_cast<int>(header.type)) +
                         ", flags " + std::to_string(header.flags) + ", stream " +
                         std::to_string(header.stream_id) + ", length " +
                         std::to_string(header.length));
}

/// Calls with each header in a byte stream that is given piece by piece; stops when it is none.
template <class Call>
bool each_header(std::vector<std::byte>& held, std::uint64_t& skip, bytes piece, Call&& call) {
  while (!piece.empty()) {
    if (skip != 0) {
      const std::size_t size = std::min<std::uint64_t>(skip, piece.size());
      skip -= size;
      piece = piece.subspan(size);
      continue;
    }
    const std::size_t size = std::min(piece.size(), frame_header::encoded_size - held.size());
    held.insert(held.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(size));
    piece = piece.subspan(size);
    if (held.size() != frame_header::encoded_size) continue;
    const auto header = mux::core::decode(bytes(held).first<frame_header::encoded_size>());
    held.clear();
    if (!header) return false;
    skip = header->payload();
    call(*header);
  }
  return true;
}

}  // namespace

void yamux_wire_checker::sent(bytes output) {
  const bool readable = each_header(output_, skip_output_, output,
                                    [this](const frame_header& header) { check_frame(header); });
  if (!readable) throw std::logic_error("a header that no session takes");
}

void yamux_wire_checker::heard(bytes input) {
  if (deaf_) return;
  deaf_ = !each_header(input_, skip_input_, input,
                       [this](const frame_header& header) { note_frame(header); });
}

void yamux_wire_checker::note_frame(const frame_header& header) {
  if (header.type == frame_type::ping && header.has(flag::syn)) pings_.push_back(header.length);
  if (header.stream_id == 0) return;
  stream& of = streams_[header.stream_id];
  if (header.has(flag::syn) && !is_ours(header.stream_id)) of.syn_heard = true;
  if (header.type == frame_type::window_update && !header.has(flag::rst))
    of.granted += header.length;
}

void yamux_wire_checker::check_frame(const frame_header& header) {
  if (go_away_sent_) fail("a frame behind Go Away", header);
  switch (header.type) {
    case frame_type::go_away: go_away_sent_ = true; return;
    case frame_type::ping: {
      if (header.has(flag::syn)) return;
      // Some pings may have no answer, but the answers keep the order of the questions.
      const auto asked = std::ranges::find(pings_, header.length);
      if (asked == pings_.end()) fail("an answer to no ping", header);
      pings_.erase(pings_.begin(), asked + 1);
      return;
    }
    default: return check_stream_frame(header);
  }
}

void yamux_wire_checker::check_stream_frame(const frame_header& header) {
  stream& of = streams_[header.stream_id];
  const bool ours = is_ours(header.stream_id);
  if (of.rst_sent) fail("a frame behind RST", header);
  if (header.has(flag::rst)) {
    if (header.flags != flag::rst || header.payload() != 0) fail("RST with anything else", header);
    if (ours ? !of.syn_sent : !of.syn_heard) fail("RST of a stream that is not there", header);
    of.rst_sent = true;
    return;
  }
  if (ours && header.has(flag::syn) == of.syn_sent) fail("SYN twice, or not at all", header);
  if (!ours && !of.syn_heard) fail("a frame of a stream that is not there", header);
  if (!ours && (header.has(flag::syn) || header.has(flag::ack) == of.answered))
    fail("ACK twice, or not at all", header);
  if (ours && header.has(flag::ack)) fail("ACK of our own stream", header);
  of.syn_sent |= ours;
  of.answered = true;
  if (header.has(flag::fin)) {
    if (header.flags != flag::fin || header.length != 0) fail("FIN with anything else", header);
    if (of.fin_sent) fail("FIN twice", header);
    of.fin_sent = true;
    return;
  }
  if (header.type != frame_type::data) return;
  if (of.fin_sent) fail("payload behind FIN", header);
  if (header.length > 64 * 1024 - frame_header::encoded_size) fail("a frame too long", header);
  of.payload += header.length;
  if (of.payload > of.granted) fail("payload beyond the window", header);
}

}  // namespace strata::testkit
