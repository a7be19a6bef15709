// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "strata/transport/core/random.hpp"
#include "strata/transport/websocket_stream.hpp"

namespace strata::transport {
inline namespace v0 {
namespace detail {

/// The opening handshake and the connection after it as one core on one carrier.
class websocket_core {
 public:
  enum class event : std::uint8_t { ready, failed, readable, writable, closed };

  websocket_core(websocket_role role, const websocket_options& options);

  void begin(time_point now);
  void receive(time_point now, bytes input);
  void release_input();
  void receive_end(time_point now);
  void carrier_lost(std::error_code cause);
  void handle_timeout(time_point now);
  std::optional<time_point> next_timeout() const;
  bool poll_event(event& out);
  std::size_t poll_output(time_point now, std::span<bytes> pieces);
  void sent(std::size_t size);
  bool wants_input() const;
  bool finished() const;

  /// Null until the opening is done.
  websocket_connection* connection() noexcept { return connection_ ? &*connection_ : nullptr; }
  const websocket_connection* connection() const noexcept {
    return connection_ ? &*connection_ : nullptr;
  }
  std::error_code failure() const noexcept { return failure_; }
  std::string_view subprotocol() const noexcept { return subprotocol_; }
  void reset();

 private:
  using opening = std::variant<websocket_client_opening, websocket_server_opening>;
  static opening make_opening(websocket_role role, const websocket_options& options,
                              random_source& random);
  void step(time_point now);
  void decide();
  void open(time_point now);
  void fail(std::error_code why);

  system_random random_;
  websocket_config config_;
  std::function<void(websocket_server_opening&)> decide_;
  duration handshake_timeout_;
  time_point deadline_{};
  std::optional<opening> opening_;
  std::vector<std::byte> greeting_;  ///< What the opening sends: one message of each side.
  std::size_t greeting_sent_ = 0;
  std::string subprotocol_;
  std::optional<websocket_connection> connection_;
  std::error_code failure_;
  bool tells_ready_ = false;
  bool tells_failed_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::transport
