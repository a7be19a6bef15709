// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/limits.hpp"
#include "strata/transport/core/random.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

enum class websocket_role : std::uint8_t { client, server };

/// What the application sees of the messages.
enum class websocket_mode : std::uint8_t {
  /// The bytes of binary messages one after the other, without their borders; a text message ends
  /// the connection with close code 1003.
  stream,
  messages,
};

enum class websocket_kind : std::uint8_t { text, binary };

/// Close codes (RFC 6455 section 7.4.1, and the registry it made).
namespace websocket_code {
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t going_away = 1001;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t unsupported_data = 1003;
inline constexpr std::uint16_t no_status = 1005;  ///< Never on the wire: a Close without a code.
inline constexpr std::uint16_t abnormal = 1006;   ///< Never on the wire: the end without a Close.
inline constexpr std::uint16_t invalid_payload = 1007;
inline constexpr std::uint16_t policy_violation = 1008;
inline constexpr std::uint16_t message_too_big = 1009;
inline constexpr std::uint16_t mandatory_extension = 1010;
inline constexpr std::uint16_t internal_error = 1011;
}  // namespace websocket_code

struct websocket_config {
  websocket_role role = websocket_role::client;
  websocket_mode mode = websocket_mode::stream;
  std::uint64_t max_frame = limits::max_websocket_frame;
  std::uint64_t max_message = limits::max_websocket_message;
  std::size_t max_unread = limits::max_websocket_unread;
  std::size_t watermark = limits::websocket_watermark;
  /// A ping after so long without a byte from the peer, and errc::timed_out when none comes within
  /// websocket_keepalive_timeout of it; zero: no pings.
  std::chrono::milliseconds keepalive{0};
};

enum class websocket_event_kind : std::uint8_t {
  readable,  ///< There are bytes or a message to read, or the reason why none will come.
  writable,  ///< A write that was short may be tried again.
  pong,      ///< The peer answered the latest ping().
  closed,    ///< The connection is over: see closed(). The last event.
};

struct websocket_event {
  websocket_event_kind kind = websocket_event_kind::readable;
};

/// How a connection ended.
struct websocket_close {
  std::error_code cause;  ///< What a read ends in: errc::eof after an end in order.
  bool by_peer = false;   ///< The peer sent a Close, and this side had not.
  std::uint16_t code = websocket_code::abnormal;  ///< Of the first Close, whoever sent it.
  std::string reason{};                           ///< UTF-8, at most 123 bytes.
};

struct websocket_part {
  std::size_t size = 0;
  websocket_kind kind = websocket_kind::binary;
  bool end = false;  ///< The message ends with these bytes.
};

/// WebSocket frames over a carrier that somebody else drives, after the opening handshake (RFC
/// 6455). No extension is ever used. A peer that breaks the protocol is sent a Close with the code
/// that says how, and both directions end in errc::protocol_error (limit_exceeded where it passed a
/// limit).
///
/// As a stream, an end is what RFC 6455 calls closed cleanly, with the code 1000 or none: a read
/// then gives eof. A Close with another code gives closed_by_peer; a carrier that ends without
/// Close, truncated. There is no half-close: a Close ends both directions, so after the peer's a
/// write gives write_stopped, and finish() of a client is held back until the peer has ended too,
/// for at most websocket_finish_hold.
class STRATA_TRANSPORT_API websocket_connection {
 public:
  websocket_connection(const websocket_config& config, random_source& random);
  ~websocket_connection();
  websocket_connection(websocket_connection&&) noexcept;
  websocket_connection& operator=(websocket_connection&&) noexcept;

  /// What the carrier gave, lent until release_input(); all of it is decoded.
  void receive(time_point now, bytes input);
  /// Copies what nobody has read of it: at most config.max_unread and one input.
  void release_input();
  /// The carrier ended in order, or in any other way.
  void receive_end(time_point now);
  void carrier_lost(std::error_code cause);
  void handle_timeout(time_point now);
  std::optional<time_point> next_timeout() const;
  bool poll_event(websocket_event& out);
  /// Fills a gather list for one write and says how many pieces it has. The memory stays as it is
  /// until sent(), whatever else is called; what comes up in between is not in it.
  std::size_t poll_output(time_point now, std::span<bytes> pieces);
  /// The carrier took so many bytes of it, not necessarily all.
  void sent(std::size_t size);
  /// False: read no more from the carrier until the application has read.
  bool wants_input() const noexcept;
  /// Everything was said: end the carrier.
  bool finished() const noexcept;
  /// How it ended; null before event `closed`.
  const websocket_close* closed() const noexcept;

  // Reading. What there is comes first, then, every time, the error that the direction ended in;
  // would_block in between.

  /// In mode stream.
  result<std::size_t> read(mutable_bytes out);
  /// In mode stream: some of what there is, at least a byte, without copying it where the peer does
  /// not mask; valid until the next receive(), release_input() or read. consume() takes it.
  result<bytes> peek();
  void consume(std::size_t size);
  /// In mode messages: bytes of one message, its end included where it fits into `out`. Text was
  /// found to be UTF-8, but may be cut within a character.
  result<websocket_part> read_message(mutable_bytes out);

  // Writing. Copies as much as the watermark leaves room for and says how much; less than all of it
  // means that one event `writable` follows. Errors: the one that the direction ended in,
  // invalid_argument, would_block where there is no byte to be taken.

  /// How many bytes would be taken now.
  std::size_t room() const noexcept;
  /// In mode stream: binary messages, one or more.
  result<std::size_t> write(std::span<const bytes> pieces);
  /// In mode messages: a part of one; `end` counts when all of it was taken. The next part has the
  /// same kind, until the end. Text that is not UTF-8 is an invalid_argument.
  result<std::size_t> send(websocket_kind kind, std::span<const bytes> pieces, bool end);
  /// At most 125 bytes. One that has not been sent yet is replaced.
  result<void> ping(bytes payload);
  /// Ends in order with code 1000, as the stream contract has it (see above): what was written is
  /// sent first, and reading goes on until the peer's end.
  result<void> finish(time_point now);
  /// Sends what was written, then a Close at once, whatever the role. `code` is one that may be
  /// sent, or no_status; `reason` is UTF-8 of at most 123 bytes.
  result<void> close(time_point now, std::uint16_t code, std::string_view reason = {});
  /// Gives up: nothing more is sent or read, not even a Close. The carrier is to be reset.
  void reset();

 private:
  class state;
  std::unique_ptr<state> state_;
};

}  // namespace v0
}  // namespace strata::transport
