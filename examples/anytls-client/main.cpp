// SPDX-License-Identifier: Apache-2.0
// A SOCKS5 proxy whose connections go through an anytls server.
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <csignal>
#include <iostream>

#include "arguments.hpp"
#include "program/program.hpp"
#include "socks_client.hpp"
#include "strata/mux/anytls.hpp"
#include "strata/transport/core/digest.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/relay.hpp"
#include "strata/transport/tcp.hpp"
#include "strata/transport/tls_session_store.hpp"
#include "strata/transport/tls_stream.hpp"
#include "udp_association.hpp"

namespace {

using namespace strata;
using namespace std::chrono_literals;
using program::value_or_exit;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);
constexpr auto greeting_limit = 10s;

transport::tls_context make_tls(const arguments& given) {
  transport::tls_client_options options;
  options.insecure_skip_verification = given.insecure;
  options.sessions = std::make_shared<transport::tls_session_store>();
  if (given.pin) options.pinned_certificates.push_back(*given.pin);
  if (!given.authority.empty()) {
    options.system_roots = false;
    options.roots.push_back(transport::pem_source::from_file(given.authority));
  }
  if (!given.keylog.empty())
    options.keylog = value_or_exit(transport::make_keylog_file(given.keylog), "-keylog");
  return value_or_exit(transport::make_tls_client_context(options), "TLS");
}

mux::anytls_dialer make_dialer(const asio::any_io_executor& executor, const arguments& given) {
  transport::tcp_dialer_options carriers;
  carriers.congestion_control = given.congestion;
  transport::tls_stream_options tls;
  tls.server_name = given.sni;
  tls.on_failure = [](const transport::tls_failure& why) {
    std::cerr << "anytls-client: TLS: " << why.text << "\n";
  };
  mux::anytls_options options;
  options.session.password =
      value_or_exit(transport::sha256(transport::as_bytes(given.password)), "SHA-256");
  options.session.version = given.version;
  options.pool.check_interval = given.idle_check;
  options.pool.idle_timeout = given.idle_timeout;
  options.pool.min_idle = given.min_idle;
  options.pool.reuse = given.reuse;
  options.await_answer = given.await_answer;
  options.udp_version = given.udp_version;
  const auto server = value_or_exit(transport::target::parse(given.server), "-s");
  auto tcp = std::make_shared<transport::tcp_dialer>(executor, carriers);
  return {std::make_shared<transport::tls_dialer>(std::move(tcp), make_tls(given), tls), server,
          options};
}

struct relayed_proxy {
  mux::anytls_dialer dialer;
  bool udp_connect = false;
  transport::relay_options how;  ///< With the memory that all relays share.
};

asio::awaitable<void> serve_connect(socks_client& client, relayed_proxy& through) {
  auto [failed, server] = co_await through.dialer.async_dial(client.wanted().where, quietly);
  if (failed) {
    co_await client.async_refuse(failed);
    co_return;
  }
  const bool told = co_await client.async_accept({});
  if (!told) co_return;
  if (!client.early().empty()) {
    const auto early = asio::buffer(client.early());
    const auto [lost, size] = co_await asio::async_write(*server, early, quietly);
    if (lost) co_return;
  }
  transport::async_relay(client.release(), std::move(server), through.how, asio::detached);
}

asio::awaitable<void> serve(std::unique_ptr<transport::stream> carrier, relayed_proxy& through) {
  socks_client client(std::move(carrier));
  const bool asks = co_await client.async_read_request(greeting_limit);
  if (!asks) co_return;
  if (client.wanted().asked == proxy::core::command::udp_associate) {
    co_await serve_association(client, through.dialer, through.udp_connect);
  } else {
    co_await serve_connect(client, through);
  }
}

/// For want of descriptors, say: some come back.
asio::awaitable<void> rest() {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, 100ms);
  co_await timer.async_wait(quietly);
}

asio::awaitable<void> accept_all(transport::tcp_listener& listener, relayed_proxy& through) {
  for (;;) {
    auto [error, client] = co_await listener.async_accept(quietly);
    if (error == transport::errc::closed || error == transport::errc::aborted) co_return;
    if (error) {
      co_await rest();
      continue;
    }
    asio::co_spawn(listener.get_executor(), serve(std::move(client), through), asio::detached);
  }
}

}  // namespace

int main(int count, char** values) {
  program::name = "anytls-client";
  const arguments given = parse_arguments(count, values);
  asio::io_context context(1);
  // Before anybody is told that the proxy is there: a signal from then on ends it in order.
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](std::error_code, int) { context.stop(); });

  relayed_proxy through{make_dialer(context.get_executor(), given), given.udp_connect};
  const auto local = value_or_exit(transport::address::parse(given.listen), "-l");
  const auto listener =
      value_or_exit(transport::tcp_listener::listen(context.get_executor(), local), given.listen);
  asio::co_spawn(context, accept_all(*listener, through), asio::detached);
  std::cout << "listening on " << listener->local_address().string() << std::endl;
  context.run();
}
