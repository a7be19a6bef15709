// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "strata/proxy/core/tunnel_wire.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/random.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/core/websocket_connection.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

struct tunnel_link_config {
  transport::websocket_config websocket{};
  /// Until a server knows what the client wants, or a client has its answer.
  transport::duration opening_timeout{0};
  /// Of a client in simple mode: what it asks for. Of a server: nothing.
  std::optional<transport::target> where{};
};

/// A WebSocket connection behind its opening handshake, as the carrier of a tunnel: it finds out
/// the mode, speaks the words of the simple one, and is the stream of bytes that either mode
/// carries in binary messages. In the shape of all cores on a byte stream.
///
/// Its stream has no half-close: text CLOSE and a WebSocket Close both end it for both sides.
class tunnel_link {
 public:
  enum class event : std::uint8_t {
    ready,   ///< Server: mode() and wanted() are there. Client: the target is connected.
    failed,  ///< In place of `ready`: see failure().
    readable,
    writable,
    closed,
  };

  tunnel_link(const tunnel_link_config& config, transport::random_source& random);

  void begin(transport::time_point now);
  void receive(transport::time_point now, transport::bytes input);
  void release_input() { connection_.release_input(); }
  void receive_end(transport::time_point now);
  void carrier_lost(std::error_code cause) { connection_.carrier_lost(cause); }
  void handle_timeout(transport::time_point now);
  std::optional<transport::time_point> next_timeout() const;
  bool poll_event(event& out);
  std::size_t poll_output(transport::time_point now, std::span<transport::bytes> pieces);
  void sent(std::size_t size) { connection_.sent(size); }
  bool wants_input() const { return connection_.wants_input(); }
  bool finished() const { return connection_.finished(); }

  tunnel_mode mode() const noexcept { return mode_; }
  /// What a client in simple mode asked for.
  const std::optional<transport::target>& wanted() const noexcept { return wanted_; }
  std::error_code failure() const noexcept { return failure_; }
  /// What the server said with that; empty if it said nothing.
  const std::string& reason() const noexcept { return reason_; }

  /// The server's answer in simple mode; nothing is carried before.
  void accept();
  void refuse(std::string_view why);

  // The stream, in the shape of a stream_view.
  transport::result<std::size_t> read(std::span<const transport::mutable_bytes> to);
  std::optional<std::error_code> ahead();
  transport::result<std::size_t> write(std::span<const transport::bytes> from);
  transport::result<void> finish();
  void reset();
  const transport::websocket_close* closed() const noexcept { return connection_.closed(); }

 private:
  enum class stage : std::uint8_t { recognising, asked, waiting, streaming, over };

  void recognise();
  void take_first(transport::bytes first);
  bool take_text(transport::bytes part);
  void end_text();
  void end_first_text();
  void fail(std::error_code why, std::uint16_t code);
  void say(std::string_view text);
  void send_owed();
  transport::result<std::size_t> read_piece(transport::mutable_bytes out);

  const bool is_client_;
  const transport::duration opening_timeout_;
  transport::websocket_connection connection_;
  stage stage_;
  tunnel_mode mode_ = tunnel_mode::simple;
  std::optional<transport::target> wanted_;
  transport::time_point now_{};
  transport::time_point deadline_{};
  std::error_code failure_;
  std::string reason_;

  std::string text_;               // the text message that is coming
  std::vector<std::byte> prefix_;  // read before the bytes of messages
  std::size_t prefix_read_ = 0;
  std::error_code read_end_;  // of the stream, where the connection's own came later
  std::string owed_text_;     // control words without room
  bool owes_finish_ = false;
  bool closes_ = false;  // a Close follows what is owed
  bool tells_ready_ = false;
  bool tells_failed_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
