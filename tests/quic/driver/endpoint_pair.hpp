// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <variant>

#include "strata/quic/endpoint.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::tests {

/// What became of an operation: how often its handler ran, and with what. The handler holds a share
/// of `alive`, so that a handler that was destroyed uninvoked shows, too.
template <class Value = std::monostate>
struct outcome {
  unsigned ran = 0;
  std::error_code error;
  Value value{};
  std::shared_ptr<int> alive = std::make_shared<int>(0);

  auto handler() {
    return [this, share = alive](std::error_code code, auto... result) {
      ++ran;
      error = code;
      if constexpr (sizeof...(result) != 0)
        value = std::get<0>(std::tuple<decltype(result)...>(std::move(result)...));
    };
  }
  bool waits() const { return ran == 0 && alive.use_count() > 1; }
  bool ended_with(std::error_code wanted) const { return ran == 1 && error == wanted; }
};

using stream_ptr = std::unique_ptr<quic::stream>;
using plain_outcome = outcome<>;
using size_outcome = outcome<std::size_t>;
using stream_outcome = outcome<stream_ptr>;
using connection_outcome = outcome<quic::connection>;
using reason_outcome = outcome<std::unique_ptr<quic::close_reason>>;

/// A server and a client on loopback, each on a context of its own, so that one can vanish.
struct endpoint_pair {
  explicit endpoint_pair(quic::core::connection_config of_server = {},
                         quic::core::connection_config of_client = {});
  ~endpoint_pair();

  /// Opens both again, on the executors given.
  void open_client(const asio::any_io_executor& executor, quic::endpoint_options options = {});
  void open_server(const asio::any_io_executor& executor, quic::endpoint_options options = {});
  /// Dials and accepts: `near` and `far`.
  void connect();
  /// Near opens a stream and sends one byte, far accepts the stream and reads it.
  std::pair<stream_ptr, stream_ptr> make_streams();
  /// Runs both contexts until `done`; fails the test after 20 s.
  void run_until(const std::function<bool()>& done);
  /// Runs both until nothing has happened for a while.
  void settle();
  /// Runs the contexts to their natural ends; false when there still is work after 10 s.
  bool run_out();

  std::unique_ptr<asio::io_context> near_context = std::make_unique<asio::io_context>();
  std::unique_ptr<asio::io_context> far_context = std::make_unique<asio::io_context>();
  quic::core::connection_config server_config, client_config;
  quic::endpoint client, server;
  quic::connection near, far;
};

/// A UDP socket that never answers.
struct mute_peer {
  mute_peer();
  ~mute_peer();
  transport::address address;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace strata::tests
