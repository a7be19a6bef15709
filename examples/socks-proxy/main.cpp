// SPDX-License-Identifier: Apache-2.0
// A proxy inside a program of yours: SOCKS and HTTP on one port, and a client that goes through it
// to itself.
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <iostream>
#include <strata/proxy/direct_outbound.hpp>
#include <strata/proxy/proxy_server.hpp>
#include <strata/proxy/upstream_outbound.hpp>
#include <strata/transport/tcp.hpp>

using namespace strata;

asio::awaitable<void> go_through(proxy::proxy_server& server, asio::io_context& context) {
  const transport::target where(server.local_address());
  const auto tcp = std::make_shared<transport::tcp_dialer>(context.get_executor());
  proxy::socks_outbound by(tcp, {.server = where});
  const auto stream = co_await by.async_dial(where, asio::use_awaitable);
  std::cout << "connected through the proxy to " << where.string() << std::endl;
  context.stop();
}

int main() {
  asio::io_context context(1);
  const auto executor = context.get_executor();
  const auto here = proxy::core::ip_network::parse("127.0.0.0/8").value();
  const proxy::direct_outbound_options direct{.filter =
                                                  proxy::core::address_filter({.allowed = {here}})};
  const auto routes = std::make_shared<proxy::proxy_routes>();
  routes->outbounds["direct"] = std::make_shared<proxy::direct_outbound>(executor, direct);
  routes->table = proxy::core::routing_table({}, "direct");
  auto clients =
      transport::tcp_listener::listen(executor, transport::address::loopback_v4(0)).value();
  const auto server = proxy::proxy_server::start(std::move(clients), routes).value();
  asio::co_spawn(context, go_through(*server, context), asio::detached);
  context.run();
}
