// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <memory>

#include "admission.hpp"
#include "strata/transport/connection_listener.hpp"
#include "strata/transport/relay.hpp"
#include "strata/transport/stream_dialer.hpp"

/// Dials the target for every stream of every client. A target that cannot be reached resets the
/// stream.
class remote_side : public std::enable_shared_from_this<remote_side> {
 public:
  remote_side(std::unique_ptr<strata::transport::connection_listener> listener,
              std::shared_ptr<strata::transport::stream_dialer> dialer,
              strata::transport::target where);
  /// Goes on until the context ends.
  void start();

 private:
  static asio::awaitable<void> accept_all(std::shared_ptr<remote_side> self);
  static asio::awaitable<void> serve(std::shared_ptr<remote_side> self,
                                     std::unique_ptr<strata::transport::connection> client,
                                     std::shared_ptr<void> ticket);
  static asio::awaitable<void> carry(std::shared_ptr<remote_side> self,
                                     std::unique_ptr<strata::transport::stream> stream);

  std::unique_ptr<strata::transport::connection_listener> listener_;
  std::shared_ptr<strata::transport::stream_dialer> dialer_;
  strata::transport::target target_;
  strata::transport::relay_pool pool_;
  std::shared_ptr<admission> admission_;
};
