// SPDX-License-Identifier: Apache-2.0
// Our side of ./dev interop mux: what every peer takes and prints stands in README.md.
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "interop/programs/exchange.hpp"
#include "interop/programs/visits.hpp"
#include "interop/programs/websocket_side.hpp"
#include "strata/mux/yamux.hpp"
#include "strata/transport/tcp.hpp"

namespace strata::interop {
namespace {

using asio::use_awaitable;
using connection_pointer = std::shared_ptr<transport::connection>;
using stream_pointer = std::unique_ptr<transport::stream>;

constexpr auto quietly = asio::as_tuple(use_awaitable);
constexpr auto patience = std::chrono::seconds(5);

struct arguments {
  std::string mode;
  std::string protocol = "yamux";
  std::string address = "127.0.0.1:0";
  std::string scenario;
  std::chrono::milliseconds keep_alive{};
  bool greet = false;
};

arguments parse(int count, char** words) {
  arguments chosen;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    const auto value = [&]() -> std::string {
      if (++i == count) throw std::runtime_error("a value is missing");
      return words[i];
    };
    if (word == "--listen" || word == "--connect") {
      chosen.address = value();
    } else if (word == "--keep-alive") {
      chosen.keep_alive = std::chrono::milliseconds(std::stoi(value()));
    } else if (word == "--protocol") {
      chosen.protocol = value();
    } else if (word == "--greet") {
      chosen.greet = true;
    } else if (chosen.mode.empty()) {
      chosen.mode = word;
    } else {
      chosen.scenario = word;
    }
  }
  return chosen;
}

mux::yamux_options options_of(const arguments& chosen) {
  mux::yamux_options options;
  if (chosen.keep_alive.count() != 0) options.session.keep_alive_interval = chosen.keep_alive;
  return options;
}

asio::awaitable<void> serve_stream(connection_pointer connection, stream_pointer stream,
                                   bool greet) {
  try {
    if (greet) co_await write_text(*stream, greeting);
    const std::function<void()> close = [connection] { connection->close(0); };
    co_await serve(*stream, close);
  } catch (const std::exception& thrown) {
    std::fprintf(stderr, "a stream ended: %s\n", thrown.what());
  }
}

asio::awaitable<void> serve_connection(connection_pointer connection, bool greet) {
  for (;;) {
    auto [error, stream] = co_await connection->async_accept_stream(quietly);
    if (error) break;
    asio::co_spawn(connection->get_executor(), serve_stream(connection, std::move(stream), greet),
                   asio::detached);
  }
  const auto reason = connection->closed();
  using origin = transport::close_reason::origin_kind;
  const bool failed = !reason || reason->code != 0 || reason->origin == origin::local_protocol ||
                      reason->origin == origin::timed_out;
  std::printf("{\"event\":\"closed\",\"clean\":%s}\n", failed ? "false" : "true");
  std::fflush(stdout);
  if (reason) std::fprintf(stderr, "closed: %s\n", reason->describe().c_str());
}

asio::awaitable<void> run_server(const arguments& chosen) {
  const auto executor = co_await asio::this_coro::executor;
  const auto where = transport::address::parse(chosen.address).value();
  if (chosen.protocol == "websocket") co_await serve_websockets(where, chosen.keep_alive);
  auto carriers = transport::tcp_listener::listen(executor, where);
  if (!carriers) throw std::system_error(carriers.error());
  mux::yamux_listener listener(std::move(*carriers), options_of(chosen));
  std::printf("listening on %s\n", listener.local_address().string().c_str());
  std::fflush(stdout);
  for (;;) {
    connection_pointer connection = co_await listener.async_accept(use_awaitable);
    asio::co_spawn(executor, serve_connection(std::move(connection), chosen.greet), asio::detached);
  }
}

asio::awaitable<void> run_client(const arguments& chosen) {
  const auto where = transport::target::parse(chosen.address).value();
  if (chosen.protocol == "websocket") {
    co_await visit_websocket(where, chosen.scenario, chosen.keep_alive);
    co_return;
  }
  const auto executor = co_await asio::this_coro::executor;
  mux::yamux_dialer dialer(std::make_shared<transport::tcp_dialer>(executor), options_of(chosen));
  const auto connection = co_await dialer.async_dial(where, use_awaitable);
  co_await visit(*connection, chosen.scenario);
  if (!connection->closed()) co_await connection->async_shutdown(patience, 0, use_awaitable);
}

int run(const arguments& chosen) {
  if (chosen.mode != "server" && chosen.mode != "client") {
    throw std::runtime_error("server or client?");
  }
  asio::io_context context(1);
  std::exception_ptr failure;
  asio::signal_set signals(context, SIGTERM);
  signals.async_wait([&](std::error_code error, int) {
    if (!error) context.stop();
  });
  asio::co_spawn(context, chosen.mode == "server" ? run_server(chosen) : run_client(chosen),
                 [&](std::exception_ptr thrown) {
                   failure = std::move(thrown);
                   context.stop();
                 });
  context.run();
  if (failure) std::rethrow_exception(failure);
  return 0;
}

}  // namespace
}  // namespace strata::interop

int main(int count, char** words) {
  try {
    return strata::interop::run(strata::interop::parse(count, words));
  } catch (const strata::interop::unsupported& thrown) {
    std::fprintf(stderr, "unsupported: %s\n", thrown.what());
    return strata::interop::exit_unsupported;
  } catch (const std::exception& thrown) {
    std::fprintf(stderr, "%s: %s\n", words[0], thrown.what());
    return EXIT_FAILURE;
  }
}
