// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "strata/proxy/direct_outbound.hpp"
#include "strata/proxy/tunnel_outbound.hpp"
#include "strata/proxy/tunnel_server.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/tcp.hpp"
#include "testkit/run_awaitable.hpp"

namespace strata::tests {

inline constexpr auto quietly = asio::as_tuple(asio::use_awaitable);
inline const std::string secret = "2b1c6f0e-7a4d-4c55-9f7e-0d8a4be1c9aa";

/// What targets do: read to the end of a line, say it again, and end with "end" or go on.
class line_echo {
 public:
  explicit line_echo(asio::io_context& context)
      : listener_(*transport::tcp_listener::listen(context.get_executor(),
                                                   transport::address::loopback_v4(0))),
        where_(listener_->local_address()) {
    asio::co_spawn(context, accept(listener_), asio::detached);
  }
  ~line_echo() { listener_->close(); }
  transport::target where() const { return where_; }

 private:
  static asio::awaitable<void> accept(std::shared_ptr<transport::tcp_listener> from) {
    for (;;) {
      auto [error, made] = co_await from->async_accept(quietly);
      if (error) co_return;
      const auto executor = made->get_executor();
      asio::co_spawn(executor, serve(std::move(made)), asio::detached);
    }
  }
  static asio::awaitable<void> serve(std::unique_ptr<transport::stream> with) {
    std::array<char, 4096> memory;
    for (;;) {
      const auto room = asio::buffer(memory);
      const auto [error, size] = co_await with->async_read_some(room, quietly);
      if (error) break;
      const std::string_view got(memory.data(), size);
      const auto all = asio::buffer(memory, size);
      co_await asio::async_write(*with, all, quietly);
      if (got.find("end\n") != got.npos) break;
    }
    co_await with->async_finish(quietly);
    for (;;) {  // a reset would lose what was said
      const auto room = asio::buffer(memory);
      const auto [error, size] = co_await with->async_read_some(room, quietly);
      if (error) co_return;
    }
  }

  std::shared_ptr<transport::tcp_listener> listener_;
  transport::address where_;
};

/// Dials an address of its own instead, and counts.
class redirecting_dialer final : public transport::stream_dialer {
 public:
  explicit redirecting_dialer(const asio::any_io_executor& executor) : tcp_(executor) {}
  transport::target to{transport::address::loopback_v4(1)};
  unsigned dialled = 0;

 private:
  asio::any_io_executor do_executor() noexcept override { return tcp_.get_executor(); }
  void do_dial(const transport::target&,
               transport::completion<transport::stream_signature> waiting) override {
    ++dialled;
    tcp_.async_dial(to, std::move(waiting.handler));
  }

  transport::tcp_dialer tcp_;
};

/// A tunnel server over TCP, and a way through it.
struct tunnel_world {
  tunnel_world() : target(context), carriers(std::make_shared<redirecting_dialer>(executor())) {}

  asio::any_io_executor executor() { return context.get_executor(); }
  std::shared_ptr<proxy::outbound> direct(bool local = true) {
    proxy::direct_outbound_options options;
    options.filter = proxy::core::address_filter({.special_purpose = local});
    return std::make_shared<proxy::direct_outbound>(executor(), options);
  }
  proxy::tunnel_server_options server_options() {
    proxy::tunnel_server_options options;
    options.uuid = secret;
    options.on_ended = [this](const proxy::tunnel_report& each) { reports.push_back(each); };
    return options;
  }
  void serve(proxy::tunnel_server_options options) {
    auto listener = transport::tcp_listener::listen(executor(), transport::address::loopback_v4(0));
    auto made = proxy::tunnel_server::start(std::move(*listener), direct(), std::move(options));
    REQUIRE(made);
    server = std::move(*made);
    carriers->to = transport::target(server->local_address());
  }
  void serve() { serve(server_options()); }
  proxy::tunnel_outbound_options way_options(proxy::core::tunnel_mode mode) {
    proxy::tunnel_outbound_options options;
    options.server = transport::target("tunnel.test", 80);
    options.uuid = secret;
    options.mode = mode;
    return options;
  }
  void use(proxy::tunnel_outbound_options options) {
    way = std::make_unique<proxy::tunnel_outbound>(carriers, std::move(options));
  }

  struct dialled {
    std::error_code error{};
    std::unique_ptr<transport::stream> stream{};
  };
  dialled dial(transport::target where) {
    dialled out;
    testkit::run_awaitable(context,
                           [](transport::stream_dialer& by, transport::target to,
                              dialled& result) -> asio::awaitable<void> {
                             auto [error, made] = co_await by.async_dial(to, quietly);
                             result.error = error;
                             result.stream = std::move(made);
                           }(*way, std::move(where), out));
    return out;
  }
  dialled dial() { return dial(target.where()); }

  std::error_code say(transport::stream& to, std::string text) {
    std::error_code out;
    testkit::run_awaitable(context,
                           [](transport::stream& with, std::string_view all,
                              std::error_code& result) -> asio::awaitable<void> {
                             const auto from = asio::buffer(all);
                             const auto [error, size] =
                                 co_await asio::async_write(with, from, quietly);
                             result = error;
                           }(to, text, out));
    return out;
  }
  std::error_code finish(transport::stream& of) {
    std::error_code out;
    testkit::run_awaitable(
        context, [](transport::stream& with, std::error_code& result) -> asio::awaitable<void> {
          const auto [error] = co_await with.async_finish(quietly);
          result = error;
        }(of, out));
    return out;
  }
  /// Up to so many bytes, or to the end, which `ended` says.
  std::string hear(transport::stream& from, std::size_t most = 1 << 20) {
    std::string out;
    ended = {};
    testkit::run_awaitable(
        context,
        [](tunnel_world& in, transport::stream& with, std::size_t limit,
           std::string& result) -> asio::awaitable<void> {
          std::array<char, 16384> memory;
          while (result.size() < limit) {
            const auto room = asio::buffer(memory, std::min(memory.size(), limit - result.size()));
            const auto [error, size] = co_await with.async_read_some(room, quietly);
            in.ended = error;
            if (error) co_return;
            result.append(memory.data(), size);
          }
        }(*this, from, most, out));
    return out;
  }
  template <class Condition>
  void run_until(Condition holds) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds() && std::chrono::steady_clock::now() < limit) {
      if (context.stopped()) context.restart();
      context.run_one_for(std::chrono::milliseconds(200));
    }
    REQUIRE(holds());
  }
  /// What a web client is answered.
  std::string visit(std::string request) {
    transport::tcp_dialer tcp(executor());
    dialled made;
    testkit::run_awaitable(context,
                           [](transport::stream_dialer& by, transport::target to,
                              dialled& result) -> asio::awaitable<void> {
                             auto [error, stream] = co_await by.async_dial(to, quietly);
                             result.stream = std::move(stream);
                           }(tcp, carriers->to, made));
    REQUIRE(made.stream);
    say(*made.stream, std::move(request));
    return hear(*made.stream);
  }

  asio::io_context context;
  line_echo target;
  std::shared_ptr<redirecting_dialer> carriers;
  std::vector<proxy::tunnel_report> reports;
  std::unique_ptr<proxy::tunnel_server> server;
  std::unique_ptr<proxy::tunnel_outbound> way;
  std::error_code ended;
};

}  // namespace strata::tests
