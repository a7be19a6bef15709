// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "strata/h3/client.hpp"
#include "strata/h3/server.hpp"

namespace strata::tests {

inline constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);

/// A server and a client in one context, over loopback.
struct world {
  asio::io_context context;
  h3::server_options server_options;
  h3::client_options client_options;
  h3::server server;

  world();
  /// Opens the server with this handler.
  void serve(h3::request_handler handler);
  asio::awaitable<h3::client> connect();
  /// Runs until `body` is done and rethrows what it threw. A test that hangs fails.
  void run(std::function<asio::awaitable<void>()> body);
};

h3::request_options get(std::string path, std::string method = "GET");
/// Everything up to the end of the message; the error of the last read unless that was eof.
asio::awaitable<std::string> read_all(h3::message_stream& stream);
/// Deterministic bytes.
std::string pattern(std::size_t size);

}  // namespace strata::tests
