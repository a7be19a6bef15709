// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mux/driver/memory_network.hpp"
#include "strata/mux/anytls.hpp"
#include "strata/transport/core/digest.hpp"
#include "testkit/run_awaitable.hpp"

namespace strata::mux::testing {

using namespace std::chrono_literals;
using asio::use_awaitable;
using transport::errc;

inline constexpr auto quietly = asio::as_tuple(use_awaitable);
inline constexpr std::string_view password = "correct horse";

inline anytls_options client_options(anytls_options options = {}) {
  options.session.password = transport::sha256(transport::as_bytes(password)).value();
  return options;
}
inline anytls_options server_options(anytls_options options = {}) {
  const std::array<core::anytls_user, 2> users{{{"ann", "other"}, {"bob", std::string(password)}}};
  options.session.users = core::anytls_users::make(users).value();
  return options;
}

/// A dialer and a listener of anytls over memory streams.
struct anytls_world {
  explicit anytls_world(const anytls_options& of_client = {}, const anytls_options& of_server = {})
      : network(context.get_executor()),
        listener(std::make_unique<anytls_listener>(network.listener(), server_options(of_server))),
        dialer(std::make_unique<anytls_dialer>(
            network.dialer(), transport::target("server.test", 443), client_options(of_client))) {}

  /// Runs `what` until it is done; fails the test when it throws or takes too long.
  void run(asio::awaitable<void> what) { testkit::run_awaitable(context, std::move(what)); }
  /// Lets everything happen that needs no time.
  void settle() {
    do {
      context.restart();
    } while (context.poll() > 0);
  }

  asio::io_context context;
  memory_network network;
  std::unique_ptr<anytls_listener> listener;
  std::unique_ptr<anytls_dialer> dialer;
};

inline const transport::target some_target("target.test", 80);

inline asio::awaitable<void> write_text(transport::stream& to, std::string_view text) {
  const auto all = asio::buffer(text);
  co_await asio::async_write(to, all, use_awaitable);
}

/// Up to `size` bytes, fewer at the end.
inline asio::awaitable<std::string> read_text(transport::stream& from, std::size_t size) {
  std::string got;
  while (got.size() < size) {
    std::array<char, 4096> memory;
    const auto room = asio::buffer(memory.data(), std::min(memory.size(), size - got.size()));
    const auto [error, count] = co_await from.async_read_some(room, quietly);
    if (error) break;
    got.append(memory.data(), count);
  }
  co_return got;
}

/// What the next read fails with.
inline asio::awaitable<std::error_code> read_end(transport::stream& from) {
  char byte = 0;
  const auto room = asio::buffer(&byte, 1);
  const auto [error, count] = co_await from.async_read_some(room, quietly);
  co_return error;
}

/// The two ends of one stream.
struct ends {
  std::unique_ptr<transport::stream> near;
  std::unique_ptr<transport::stream> far;
};

inline asio::awaitable<std::unique_ptr<transport::stream>> accept_one(anytls_listener& listener) {
  auto asked = co_await listener.async_accept(use_awaitable);
  co_return asked->accept();
}

inline asio::awaitable<ends> connect(anytls_world& in) {
  ends made;
  made.near = co_await in.dialer->async_dial(some_target, use_awaitable);
  made.far = co_await accept_one(*in.listener);
  co_return made;
}

/// Both ends finish and see the other's end, so that the session is free.
inline asio::awaitable<void> end_in_order(ends& of) {
  co_await of.near->async_finish(use_awaitable);
  co_await of.far->async_finish(use_awaitable);
  const auto error = co_await read_end(*of.near);
  CHECK(error == errc::eof);
  of.near.reset();
  of.far.reset();
  // The client's own end still has to arrive.
  co_await asio::post(co_await asio::this_coro::executor, use_awaitable);
}

}  // namespace strata::mux::testing
