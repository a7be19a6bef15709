// SPDX-License-Identifier: Apache-2.0
// Routes and options that are exchanged while a server runs.
#include "proxy/driver/proxy_world.hpp"

using namespace strata;
using namespace strata::proxy;
using namespace strata::proxy::testing;

TEST_CASE("routes are exchanged without a connection lost") {
  proxy_world world;
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    const outcome before = co_await in.dial(by, in.to_echo());
    CHECK_FALSE(before.error);
    in.server->use(std::make_shared<const proxy_routes>());
    const outcome after = co_await in.dial(by, in.to_echo());
    CHECK(after.error == errc::not_allowed);
    co_await in.check_echo(*before.stream);
  }(world));
}

TEST_CASE("options are exchanged for clients that come, without a connection lost") {
  proxy_world world;
  world.options.name = "home";
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto socks = std::make_shared<socks_outbound>(in.tcp(), in.through());
    const auto http = std::make_shared<http_outbound>(in.tcp(), in.through());
    const outcome before = co_await in.dial(socks, in.to_echo());
    CHECK_FALSE(before.error);
    proxy_server_options other = in.options;
    other.name = "lan";
    other.inbound.socks5 = false;
    other.idle_timeout = 50ms;
    CHECK_FALSE(in.server->use(other));
    CHECK(in.server->name() == "lan");
    const outcome refused = co_await in.dial(socks, in.to_echo());
    CHECK(refused.error);
    outcome after = co_await in.dial(http, in.to_echo());
    CHECK_FALSE(after.error);
    const std::string nothing = co_await receive_all(*after.stream);
    CHECK(nothing.empty());
    co_await in.check_echo(*before.stream);
    co_await in.until([&] { return !in.reports.empty(); });
    CHECK(in.reports.front().inbound == "lan");
    CHECK(in.server->sessions().front().inbound == "home");
  }(world));
}

TEST_CASE("limits that come later count those that are there") {
  proxy_world world;
  world.options.inbound.users = users({{"ann", "a"}});
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const core::credentials ann{"ann", "a"};
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through(ann));
    outcome one = co_await in.dial(by, in.to_echo());
    outcome two = co_await in.dial(by, in.to_echo());
    proxy_server_options narrow = in.options;
    narrow.max_per_user = 2;
    CHECK_FALSE(in.server->use(narrow));
    const outcome beyond = co_await in.dial(by, in.to_echo());
    CHECK(beyond.error);
    one.stream.reset();
    co_await in.until([&] { return in.server->statistics().active == 1; });
    const outcome again = co_await in.dial(by, in.to_echo());
    CHECK_FALSE(again.error);
    narrow.max_per_user = 0;
    narrow.max_per_source = 2;
    CHECK_FALSE(in.server->use(narrow));
    const outcome of_source = co_await in.dial(by, in.to_echo());
    CHECK(of_source.error);
    co_await in.check_echo(*two.stream);
    co_await in.check_echo(*again.stream);
  }(world));
}

TEST_CASE("options are not exchanged for such as make a relay for everybody",
          "[attack][P04][proxy]") {
  proxy_world world;
  auto safe = world.options;
  safe.inbound.users = users({{"ann", "secret"}});
  const auto anywhere = transport::address::any_v4(0);
  auto listener = transport::tcp_listener::listen(world.context.get_executor(), anywhere).value();
  const auto server = proxy_server::start(std::move(listener), world.routes, safe).value();
  proxy_server_options open = world.options;
  open.name = "open";
  CHECK(server->use(open) == errc::authentication_required);
  CHECK(server->name() == "default");
  open.open_to_strangers = true;
  CHECK_FALSE(server->use(open));
}
