// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::mux {
inline namespace v0 {
namespace core {

/// What the owner of a session must know. Each is an edge: it comes once, and again only after what
/// its line names.
enum class event_kind : std::uint8_t {
  stream_opened,      ///< accept() has a stream; again after accept() had none.
  streams_available,  ///< open(), which had failed with limit_exceeded, may work now.
  acknowledged,       ///< The peer took the stream that was opened here.
  readable,       ///< Bytes or the end can be read; again after a read or peek would have blocked.
  writable,       ///< write(), which had taken less than it was offered, takes more now.
  written,        ///< The carrier has all that was lent; the memory is the application's again.
  read_reset,     ///< The peer reset the stream, or it failed, before its end; code in `value`.
  write_stopped,  ///< The same for the other direction: what was not sent is gone.
  pong,           ///< The answer to ping(); `value` is the round trip in nanoseconds.
  go_away,        ///< The peer takes no new streams; those that are open go on.
  closed,         ///< The session is over, and all its streams with it. The last event.
};

/// Owns nothing; a stream it names may be gone when it is read. Zero names the session.
struct event {
  event_kind kind;
  std::uint32_t stream;
  std::uint64_t value;
};
static_assert(sizeof(event) <= 16);

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
