// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "driver/spawned_operations.hpp"
#include "strata/proxy/tunnel_outbound.hpp"
#include "strata/transport/connection.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/page_pool.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/websocket_stream.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {

struct tunnel_session {
  std::shared_ptr<transport::connection> link;
  std::size_t streams = 0;
};

/// The sessions of one outbound, and what it thinks of its server.
class tunnel_pool final : public transport::driver {
 public:
  using clock = std::chrono::steady_clock;

  tunnel_pool(const transport::ready_list& ready,
              std::shared_ptr<transport::stream_dialer> carriers, tunnel_outbound_options options);

  const tunnel_outbound_options& options() const noexcept { return options_; }
  asio::any_io_executor executor() const noexcept { return ready_.executor(); }
  tunnel_outbound_statistics statistics() const;
  void count_replaced() noexcept { ++figures_.replaced; }

  /// Dials what pre_connect wants.
  void top_up();
  void close() noexcept;

  /// A session with room for a stream, counted for as long as `load` lives; null with an error.
  struct picked {
    std::error_code error{};
    std::shared_ptr<tunnel_session> session{};
    std::shared_ptr<void> load{};
  };
  asio::awaitable<picked> pick();
  void lose(const std::shared_ptr<tunnel_session>& which) noexcept;

  /// A WebSocket in simple mode, connected to `where`.
  asio::awaitable<made<transport::stream>> dial_simple(transport::target where);

 private:
  void shutdown() noexcept override;
  std::shared_ptr<tunnel_pool> self() {
    return std::static_pointer_cast<tunnel_pool>(shared_from_this());
  }
  bool is_resting() const noexcept { return clock::now() < rests_until_; }
  void note(const std::error_code& error);
  std::shared_ptr<tunnel_session> least_loaded();
  void grow();
  void adopt(std::unique_ptr<transport::connection> link);
  void wake() noexcept;
  void retry_later();
  static asio::awaitable<void> dial_session(std::shared_ptr<tunnel_pool> in);
  asio::awaitable<made<transport::stream>> open_websocket();
  asio::awaitable<made<transport::stream>> open_messages();

  transport::ready_list ready_;
  std::shared_ptr<transport::stream_dialer> carriers_;
  std::shared_ptr<transport::stream_dialer> websockets_;
  tunnel_outbound_options options_;
  transport::page_pool pages_;
  std::vector<std::shared_ptr<tunnel_session>> sessions_;
  std::optional<asio::steady_timer> news_;   // cancelled when something has changed
  std::optional<asio::steady_timer> retry_;  // of pre_connect
  tunnel_outbound_statistics figures_;
  std::error_code last_error_;
  std::uint64_t settled_ = 0;  // dials of sessions that have come to an end
  std::size_t dialling_ = 0;
  unsigned failures_in_row_ = 0;
  transport::duration rest_{0};
  clock::time_point rests_until_{};
  bool over_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
