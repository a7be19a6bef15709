// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "strata/mux/core/limits.hpp"
#include "strata/mux/core/role.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// What a yamux session is to be like. Sizes are in bytes; a time of zero means never. Values that
/// make no sense are moved to the nearest that does.
struct yamux_config {
  mux::role role = role::client;

  /// Of every stream, when it opens; at least limits::yamux::initial_window. What is more counts as
  /// growth, and is left out when none is left.
  std::uint32_t initial_window = limits::yamux::initial_window;
  /// Windows double while a stream is read faster than they are returned, up to this, ...
  std::uint32_t max_window = limits::yamux::max_window;
  /// ... and up to this much beyond the initial windows for the whole session. One stream gets at
  /// most half of what is left at a time, so that later ones can grow too.
  std::uint64_t window_growth = limits::yamux::window_growth;
  /// Unread bytes of all streams; when there are more, wants_input() is false. A single initial
  /// window at least.
  std::uint64_t max_buffered = limits::yamux::max_buffered;

  std::uint32_t frame_payload = limits::yamux::frame_payload;
  std::size_t write_watermark = limits::yamux::write_watermark;
  std::size_t max_unsent = limits::yamux::max_unsent;

  std::size_t max_streams = limits::yamux::max_streams;
  std::size_t max_incoming_streams = limits::yamux::max_incoming_streams;
  std::size_t accept_backlog = limits::yamux::accept_backlog;
  std::size_t ack_backlog = limits::yamux::ack_backlog;

  /// Of the streams opened here, or the next below that this side may have. They go up to the last
  /// of 32 bits, and then no stream can be opened.
  std::uint32_t first_stream_id = 1;

  /// Silence of the peer after which it is asked for a sign of life, ...
  std::chrono::milliseconds keep_alive_interval = limits::yamux::keep_alive_interval;
  /// ... and how long it has for any byte.
  std::chrono::milliseconds keep_alive_timeout = limits::yamux::keep_alive_timeout;
  /// How long the peer has to acknowledge a stream, which then fails with timed_out. rust-yamux
  /// acknowledges with the first frame it sends back: towards such a peer it is also the time that
  /// its application has for the first byte.
  std::chrono::milliseconds open_timeout = limits::yamux::open_timeout;
  /// How long a stream that the application has let go of may take to end, before it is reset.
  std::chrono::milliseconds close_timeout = limits::yamux::close_timeout;

  /// Tell the peer the code of a reset. Peers that know no codes ignore it.
  bool reset_codes = true;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
