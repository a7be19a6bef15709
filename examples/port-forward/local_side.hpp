// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <memory>

#include "admission.hpp"
#include "strata/transport/connection_dialer.hpp"
#include "strata/transport/relay.hpp"
#include "strata/transport/stream_listener.hpp"

struct local_plan {
  strata::transport::target remote;
  std::size_t most;
  std::chrono::milliseconds patience;
};

/// Accepts TCP connections and gives each a stream of one connection to the remote side, which it
/// dials again whenever it is lost.
class local_side : public std::enable_shared_from_this<local_side> {
 public:
  local_side(std::unique_ptr<strata::transport::stream_listener> listener,
             std::shared_ptr<strata::transport::connection_dialer> dialer, const local_plan& plan);
  /// Goes on until the context ends.
  void start();

 private:
  using time_point = std::chrono::steady_clock::time_point;

  static asio::awaitable<void> stay_connected(std::shared_ptr<local_side> self);
  static asio::awaitable<void> accept_all(std::shared_ptr<local_side> self);
  static asio::awaitable<void> carry(std::shared_ptr<local_side> self,
                                     std::unique_ptr<strata::transport::stream> client,
                                     std::shared_ptr<void> ticket);
  asio::awaitable<void> serve_one_connection();
  asio::awaitable<std::unique_ptr<strata::transport::stream>> open(time_point deadline);

  std::unique_ptr<strata::transport::stream_listener> listener_;
  std::shared_ptr<strata::transport::connection_dialer> dialer_;
  local_plan plan_;
  strata::transport::relay_pool pool_;
  std::shared_ptr<admission> admission_;
  asio::steady_timer changed_;  ///< Cancelled when there is a connection again.
  std::shared_ptr<strata::transport::connection> connection_;
};
