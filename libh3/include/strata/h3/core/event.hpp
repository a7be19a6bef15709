// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "strata/h3/core/error.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

/// What the owner of a connection must know. Each is an edge: it comes once, and again only after
/// what its line names.
enum class event_kind : std::uint8_t {
  settings,  ///< The peer's SETTINGS have come; peer_settings() has them.
  headers,   ///< A request's or final response's header section waits for take_section().
  interim,   ///< A 1xx response waits for take_section(); `value` is its status.
  trailers,  ///< A trailer section waits for take_section().
  body,      ///< receive() has content to show; again after consume_body() took all that was shown.
  finished,  ///< The peer's message is complete and well-formed; nothing more comes on this stream.
  reset,    ///< The peer gave its direction up with the code in `value`; what was not read is gone.
  stopped,  ///< The peer reads no more, code in `value`; what was not sent is gone.
  failed,   ///< This side gave the whole stream up because of the peer, with the code in `value`.
  rejected,  ///< The server has not processed this request and never will (GOAWAY): it may be sent
             ///< again elsewhere.
  writable,  ///< send_body(), which had taken less than it was offered, takes more now.
  goaway,    ///< The peer winds the connection down; `value` is the identifier in its GOAWAY.
  closed,    ///< The connection is over; connection::closed() says why. The last event.
};

/// Owns nothing; a stream it names may be gone when it is read.
struct event {
  event_kind kind;
  std::uint64_t stream_id;
  std::uint64_t value;
};
static_assert(sizeof(event) <= 32);

/// What the driver is to do to QUIC. reset and stop name the stream for the last time: for that
/// direction it is neither read, written nor reported any more.
struct transport_command {
  enum class kind_type : std::uint8_t {
    open_unidirectional,  ///< Open a stream, now or when QUIC's limit allows, and say opened(id).
                          ///< They come in the order of importance.
    reset,                ///< RESET_STREAM with `code`.
    stop,                 ///< STOP_SENDING with `code`; unread bytes are dropped.
  };
  kind_type kind;
  std::uint64_t stream_id;
  std::uint64_t code;
};

/// Why an HTTP/3 connection is over: what goes into CONNECTION_CLOSE.
struct connection_error {
  error_code code = error_code::no_error;
  const char* reason = "";  ///< For people; a static text.
};

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
