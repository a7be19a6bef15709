// SPDX-License-Identifier: Apache-2.0
// A proxy on this host, an echo behind it, and who talks through it.
#pragma once

#include <array>
#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/read.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "strata/proxy/direct_outbound.hpp"
#include "strata/proxy/outbound_group.hpp"
#include "strata/proxy/proxy_server.hpp"
#include "strata/proxy/upstream_outbound.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/with_timeout.hpp"
#include "strata/transport/tcp.hpp"
#include "testkit/run_awaitable.hpp"

namespace strata::proxy::testing {

using namespace std::chrono_literals;
using transport::stream;
using stream_pointer = std::unique_ptr<stream>;

inline constexpr auto quietly = asio::as_tuple(asio::use_awaitable);

struct outcome {
  std::error_code error{};
  stream_pointer stream{};
};

inline asio::awaitable<void> send(stream& to, std::string_view text) {
  const asio::const_buffer all(text.data(), text.size());
  const auto [error, size] = co_await asio::async_write(to, all, quietly);
  CHECK_FALSE(error);
}

/// So many bytes, or those before the end.
inline asio::awaitable<std::string> receive(stream& from, std::size_t size) {
  std::string all(size, '\0');
  const auto room = asio::buffer(all);
  const auto [error, count] = co_await asio::async_read(from, room, quietly);
  all.resize(count);
  co_return all;
}

inline asio::awaitable<std::string> receive_all(stream& from) {
  std::string all;
  std::array<char, 4096> memory;
  for (;;) {
    const auto room = asio::buffer(memory);
    const auto [error, count] = co_await from.async_read_some(room, quietly);
    if (error) co_return all;
    all.append(memory.data(), count);
  }
}

inline asio::awaitable<void> wait(asio::io_context& context, std::chrono::milliseconds time) {
  asio::steady_timer timer(context, time);
  co_await timer.async_wait(quietly);
}

struct proxy_world {
  proxy_world() {
    echo = listen();
    asio::co_spawn(context, serve_echo(), asio::detached);
    routes->table = core::routing_table({}, "direct");
    routes->outbounds["direct"] = direct({"127.0.0.0/8"});
    options.on_ended = [this](const session_report& of) { reports.push_back(of); };
    options.refusal_delay = 0ms;
  }

  /// Begins when the options are as the test wants them.
  void start() {
    auto made = proxy_server::start(listen(), routes, options);
    REQUIRE(made);
    server = std::move(*made);
  }
  void run(asio::awaitable<void> what) { testkit::run_awaitable(context, std::move(what)); }

  std::unique_ptr<transport::tcp_listener> listen() {
    const auto local = transport::address::loopback_v4(0);
    return transport::tcp_listener::listen(context.get_executor(), local).value();
  }
  std::shared_ptr<direct_outbound> direct(std::initializer_list<const char*> allowed) {
    direct_outbound_options how;
    core::address_filter_config filter;
    for (const char* each : allowed)
      filter.allowed.push_back(core::ip_network::parse(each).value());
    how.filter = core::address_filter(filter);
    return std::make_shared<direct_outbound>(context.get_executor(), how);
  }
  std::shared_ptr<transport::tcp_dialer> tcp() {
    return std::make_shared<transport::tcp_dialer>(context.get_executor());
  }
  upstream_options through(std::optional<core::credentials> who = std::nullopt) {
    return {.server = transport::target(server->local_address()), .credentials = std::move(who)};
  }
  transport::target to_echo() { return transport::target(echo->local_address()); }
  /// A port where nobody listens.
  transport::target to_nobody() {
    const auto once = listen();
    return transport::target(once->local_address());
  }

  asio::awaitable<outcome> dial(std::shared_ptr<transport::stream_dialer> by,
                                transport::target where) {
    auto [error, made] = co_await by->async_dial(where, quietly);
    co_return outcome{error, std::move(made)};
  }
  /// To the proxy itself, for those who write its protocols by hand.
  asio::awaitable<stream_pointer> raw() {
    const transport::target where(server->local_address());
    outcome made = co_await dial(tcp(), where);
    REQUIRE_FALSE(made.error);
    co_return std::move(made.stream);
  }
  asio::awaitable<void> check_echo(stream& by) {
    co_await send(by, "hello");
    const std::string back = co_await receive(by, 5);
    CHECK(back == "hello");
  }
  asio::awaitable<void> until(std::function<bool()> holds) {
    for (int i = 0; i < 4000 && !holds(); ++i) co_await wait(context, 1ms);
    CHECK(holds());
  }

  /// Every byte back, and an end once the other side has ended.
  asio::awaitable<void> serve_echo() {
    for (;;) {
      auto [error, client] = co_await echo->async_accept(quietly);
      if (error) co_return;
      ++echoed;
      asio::co_spawn(context, echo_one(std::move(client)), asio::detached);
    }
  }
  static asio::awaitable<void> echo_one(stream_pointer client) {
    std::vector<char> memory(64 * 1024);
    for (;;) {
      const auto room = asio::buffer(memory);
      const auto [error, size] = co_await client->async_read_some(room, quietly);
      if (error) break;
      const auto back = asio::buffer(memory.data(), size);
      co_await asio::async_write(*client, back, quietly);
    }
    co_await client->async_finish(quietly);
  }

  asio::io_context context;
  std::unique_ptr<transport::tcp_listener> echo;
  int echoed = 0;
  std::shared_ptr<proxy_routes> routes = std::make_shared<proxy_routes>();
  proxy_server_options options;
  std::vector<session_report> reports;
  std::unique_ptr<proxy_server> server;
};

inline std::shared_ptr<const core::user_table> users(
    std::initializer_list<std::pair<const char*, const char*>> all) {
  auto made = std::make_shared<core::user_table>();
  for (const auto& [name, password] : all) REQUIRE(made->add(name, password));
  return made;
}

}  // namespace strata::proxy::testing
