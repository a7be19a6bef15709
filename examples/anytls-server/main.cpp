// SPDX-License-Identifier: Apache-2.0
// Dials, and sends datagrams, for clients of anytls.
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>

#include "arguments.hpp"
#include "program/program.hpp"
#include "strata/mux/anytls.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/with_timeout.hpp"
#include "strata/transport/relay.hpp"
#include "strata/transport/tcp.hpp"
#include "strata/transport/tls_stream.hpp"
#include "udp_relay.hpp"

namespace {

using namespace strata;
using namespace std::chrono_literals;
using program::value_or_exit;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);
constexpr auto dial_limit = 10s;

transport::tls_context make_tls(const arguments& given, const transport::address& listen) {
  transport::tls_server_options options;
  if (!given.certificate.empty()) {
    options.credentials.push_back({transport::pem_source::from_file(given.certificate),
                                   transport::pem_source::from_file(given.key)});
  } else {
    const std::string names[] = {"localhost", "127.0.0.1", "::1", listen.ip_string()};
    const std::size_t count = listen.is_unspecified() || listen.is_loopback() ? 3 : 4;
    const auto made = value_or_exit(
        transport::make_self_signed_certificate(std::span(names).first(count)), "certificate");
    options.credentials.push_back(made.credential());
    program::print_hash(made.sha256);
  }
  if (!given.keylog.empty())
    options.keylog = value_or_exit(transport::make_keylog_file(given.keylog), "-keylog");
  return value_or_exit(transport::make_tls_server_context(options), "TLS");
}

mux::anytls_options make_options(const arguments& given) {
  mux::anytls_options options;
  const mux::core::anytls_user one{.name = "", .password = given.password};
  options.session.users = value_or_exit(mux::core::anytls_users::make({&one, 1}), "-p");
  options.session.version = given.version;
  if (!given.padding.empty()) {
    std::ifstream file(given.padding, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    options.session.padding = value_or_exit(
        mux::core::anytls_padding_scheme::parse(transport::as_bytes(text)), given.padding);
  }
  return options;
}

struct service {
  transport::tcp_dialer dialer;
  transport::relay_options how;  ///< With the memory that all relays share.
};

asio::awaitable<void> serve(std::unique_ptr<mux::anytls_request> asked, service& by) {
  if (asked->udp_over_tcp()) {
    auto client = asked->accept_datagrams();
    co_await relay_datagrams(std::move(client));
    co_return;
  }
  auto dialling = transport::with_timeout(by.dialer.async_dial(asked->destination()), dial_limit);
  auto [failed, target] = co_await std::move(dialling)(quietly);
  if (failed) {
    asked->refuse(failed.message());
    co_return;
  }
  transport::async_relay(asked->accept(), std::move(target), by.how, asio::detached);
}

/// Somebody else's client, from its first byte on; to it this is the server that is behind.
asio::awaitable<void> serve_elsewhere(std::unique_ptr<transport::stream> client,
                                      transport::target where, service& by) {
  auto dialling = transport::with_timeout(by.dialer.async_dial(where), dial_limit);
  auto [failed, target] = co_await std::move(dialling)(quietly);
  if (!failed) transport::async_relay(std::move(client), std::move(target), by.how, asio::detached);
}

/// For want of descriptors, say: some come back.
asio::awaitable<void> rest() {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, 100ms);
  co_await timer.async_wait(quietly);
}

asio::awaitable<void> accept_all(mux::anytls_listener& listener, service& by) {
  for (;;) {
    auto [error, asked] = co_await listener.async_accept(quietly);
    if (error == transport::errc::closed || error == transport::errc::aborted) co_return;
    if (error) {
      co_await rest();
      continue;
    }
    asio::co_spawn(listener.get_executor(), serve(std::move(asked), by), asio::detached);
  }
}

}  // namespace

int main(int count, char** values) {
  program::name = "anytls-server";
  const arguments given = parse_arguments(count, values);
  asio::io_context context(1);
  // Before anybody is told that the server is there: a signal from then on ends it in order.
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](std::error_code, int) { context.stop(); });

  const auto local = value_or_exit(transport::address::parse(given.listen), "-l");
  transport::tcp_listener_options carriers;
  carriers.congestion_control = given.congestion;
  auto tcp = value_or_exit(transport::tcp_listener::listen(context.get_executor(), local, carriers),
                           given.listen);
  auto tls = std::make_unique<transport::tls_listener>(std::move(tcp), make_tls(given, local));
  service by{transport::tcp_dialer(context.get_executor())};
  auto options = make_options(given);
  if (!given.fallback.empty()) {
    const auto where = value_or_exit(transport::target::parse(given.fallback), "-fallback");
    options.fallback = [&by, where](std::unique_ptr<transport::stream> client) {
      const auto executor = client->get_executor();
      asio::co_spawn(executor, serve_elsewhere(std::move(client), where, by), asio::detached);
    };
  }
  mux::anytls_listener listener(std::move(tls), std::move(options));
  asio::co_spawn(context, accept_all(listener, by), asio::detached);
  std::cout << "listening on " << listener.local_address().string() << std::endl;
  context.run();
}
