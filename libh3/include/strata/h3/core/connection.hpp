// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "strata/h3/core/event.hpp"
#include "strata/h3/core/field_section.hpp"
#include "strata/h3/core/limits.hpp"
#include "strata/h3/core/role.hpp"
#include "strata/h3/core/settings.hpp"
#include "strata/h3/export.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/random.hpp"
#include "strata/transport/core/result.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

using transport::bytes;
using transport::result;
using transport::time_point;

class connection_state;
class request_stream;

struct connection_config {
  h3::role role = role::client;
  std::size_t max_field_section_size = limits::max_field_section_size;
  std::size_t max_field_count = limits::max_field_count;
  std::uint64_t qpack_table_capacity = limits::qpack_table_capacity;
  std::uint64_t qpack_blocked_streams = limits::qpack_blocked_streams;
  std::size_t max_requests = limits::max_requests;
  bool enable_connect_protocol = false;  ///< Server: accept extended CONNECT (RFC 9220).
};

/// What receive() made of the bytes it was shown.
struct received {
  std::size_t consumed = 0;  ///< Bytes at the front that are done with: consume them in QUIC now.
  bytes body;  ///< Message content that comes right after those. It stays in QUIC until
               ///< consume_body().
};

/// What is to be written to a QUIC stream next.
struct output {
  std::uint64_t stream_id = 0;
  std::span<const bytes> pieces;  ///< Valid until the next call.
  bool fin = false;               ///< End the stream after them.
};

/// How urgently a response is wanted (RFC 9218 section 4).
struct priority {
  std::uint8_t urgency = 3;
  bool incremental = false;
};

enum class section_role : std::uint8_t { headers, interim, trailers };

/// One request and its response: two words, valid until the next call that may end the stream. On a
/// stream that is over, what reads gives nothing and what writes gives errc::closed.
class STRATA_H3_API request_view {
 public:
  /// Swaps the section that waits into `section`, whose memory is used for a later one; nothing
  /// when none waits. Until it is taken receive() goes no further on this stream: call receive()
  /// again afterwards.
  std::optional<section_role> take_section(field_section& section);

  /// `size` bytes of the content that receive() showed are done with; consume them in QUIC too.
  /// When it was all that was shown, call receive() again: the end of the message may be next.
  void consume_body(std::size_t size);

  /// A request (client), interim or final response (server). Errors: invalid_argument when RFC 9114
  /// section 4 forbids the lines or their place, message_too_large beyond the peer's limit,
  /// write_finished after the end, closed.
  result<void> send_headers(std::span<const field_line> lines, bool fin);

  /// Content, framed as one DATA frame: returns how much was taken; less than all when
  /// max_unsent_body waits, and then `fin` was not and event_kind::writable follows. The pieces (at
  /// most max_body_pieces) are lent until poll_output() has said false: so poll it before they die.
  /// What QUIC has not taken by then is copied. Errors as send_headers(); also invalid_argument
  /// against a declared content-length.
  result<std::size_t> send_body(std::span<const bytes> pieces, bool fin);

  /// Trailers end the stream.
  result<void> send_trailers(std::span<const field_line> lines);

  /// Gives both directions up. Clients cancel with H3_REQUEST_CANCELLED.
  void reset(error_code code);
  /// Reads no more, and goes on writing: H3_NO_ERROR after an early response.
  void stop_reading(error_code code);

  h3::core::priority priority() const noexcept { return {}; }

 private:
  friend class connection;
  request_view(connection_state& state, std::uint64_t stream_id) noexcept
      : state_(&state), stream_id_(stream_id) {}

  connection_state* state_;
  std::uint64_t stream_id_;
};

/// HTTP/3 over streams that somebody else carries (RFC 9114): no QUIC, sockets, clock or threads in
/// it, and nothing calls back.
///
/// Reading: peek at a stream, show receive() what is there, consume what it says, handle the
/// events, and repeat while it consumes. Content is only shown: it stays in QUIC's buffer, and so
/// under flow control, until the application took it and consume_body() says so.
///
/// Writing: after commands and after receive(), poll_output() until it is false, write each, and
/// say sent().
///
/// After every call: poll_command() and poll_event() until false.
class STRATA_H3_API connection {
 public:
  connection(const connection_config& config, transport::random_source& random);
  ~connection();
  connection(connection&&) noexcept;
  connection& operator=(connection&&) noexcept;

  /// What is readable now on a stream, from its first byte not consumed; `fin`: the stream ends
  /// after it. An end with no bytes is told too, or a message that ended early would look
  /// unfinished for ever.
  received receive(time_point now, std::uint64_t stream_id, bytes input, bool fin);
  /// RESET_STREAM came. Bytes not consumed are gone.
  void stream_reset(time_point now, std::uint64_t stream_id, std::uint64_t code);
  /// STOP_SENDING came; QUIC answers it with RESET_STREAM itself.
  void stop_sending(time_point now, std::uint64_t stream_id, std::uint64_t code);

  std::optional<time_point> next_timeout() const;
  void handle_timeout(time_point now);

  bool poll_event(event& out);
  bool poll_command(transport_command& out);
  /// True: write `out` to its stream, then call sent() before anything else.
  bool poll_output(output& out);
  /// QUIC took this many bytes of what poll_output() gave, and the fin if it took all. The rest
  /// waits for writable().
  void sent(std::uint64_t stream_id, std::size_t size);
  /// QUIC's stream has room again.
  void writable(std::uint64_t stream_id);

  /// QUIC opened the unidirectional stream that the next open_unidirectional command asked for.
  void opened(std::uint64_t stream_id);
  /// Client: a bidirectional stream that QUIC has just opened is to carry a request. refused after
  /// the peer's GOAWAY: reset the stream.
  result<request_view> open_request(std::uint64_t stream_id);
  request_view request(std::uint64_t stream_id) noexcept;
  std::size_t request_count() const noexcept;

  /// Sends GOAWAY. A server first announces the end (nothing is refused yet) and, called again a
  /// round trip later, names the first request it will not take; requests from there on are
  /// rejected. When request_count() is zero, close with H3_NO_ERROR.
  void shutdown();
  /// `reason` must be a static text.
  void close(error_code code, const char* reason);
  /// Null while the connection lives.
  const connection_error* closed() const noexcept;

  const settings& peer_settings() const noexcept;

 private:
  std::unique_ptr<connection_state> state_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
