// SPDX-License-Identifier: Apache-2.0
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/read.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "strata/quic/endpoint.hpp"
#include "strata/transport/core/error.hpp"
#include "testkit/quic/test_tls.hpp"

using namespace strata;
using namespace std::chrono_literals;
using asio::use_awaitable;

namespace {

quic::endpoint open_server(asio::io_context& context) {
  quic::endpoint_options options;
  options.bind = transport::address::loopback_v4(0);
  options.server_tls = testkit::test_server_tls();
  return std::move(quic::endpoint::open(context.get_executor(), std::move(options)).value());
}

quic::endpoint open_client(asio::io_context& context) {
  quic::endpoint_options options;
  options.bind = transport::address::loopback_v4(0);
  options.client_tls = testkit::test_client_tls();
  return std::move(quic::endpoint::open(context.get_executor(), std::move(options)).value());
}

asio::awaitable<void> echo_streams(quic::connection& connection) {
  for (;;) {
    auto [error, stream] =
        co_await connection.async_accept_stream(true, asio::as_tuple(use_awaitable));
    if (error) co_return;
    std::vector<char> memory(16'384);
    for (;;) {
      const auto buffer = asio::buffer(memory);
      auto [failed, size] = co_await stream->async_read_some(buffer, asio::as_tuple(use_awaitable));
      if (failed) break;
      const auto piece = asio::buffer(memory.data(), size);
      co_await asio::async_write(*stream, piece, use_awaitable);
    }
    co_await stream->async_finish(use_awaitable);
  }
}

asio::awaitable<void> serve(quic::endpoint& server) {
  quic::connection connection = co_await server.async_accept(use_awaitable);
  co_await echo_streams(connection);
}

asio::awaitable<void> send_all(quic::stream& stream, const std::vector<char>& data) {
  const auto buffer = asio::buffer(data);
  co_await asio::async_write(stream, buffer, use_awaitable);
  co_await stream.async_finish(use_awaitable);
}

}  // namespace

TEST_CASE("driver: a megabyte comes back over loopback, and the close code arrives",
          "[quic][driver]") {
  asio::io_context context;
  quic::endpoint server = open_server(context);
  quic::endpoint client = open_client(context);
  std::vector<char> sent(1'000'000), got;
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7 + i / 251);
  bool finished = false;

  asio::co_spawn(context, serve(server), asio::detached);
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        const quic::core::connection_config config;
        const auto remote = server.local_address();
        quic::connection connection =
            co_await client.async_connect(remote, "server.test", config, use_awaitable);
        auto stream = co_await connection.async_open_stream(true, use_awaitable);
        asio::co_spawn(context, send_all(*stream, sent), asio::detached);
        got.resize(sent.size());
        const auto buffer = asio::buffer(got);
        co_await asio::async_read(*stream, buffer, use_awaitable);
        char extra = 0;
        const auto rest = asio::buffer(&extra, 1);
        auto [error, size] = co_await stream->async_read_some(rest, asio::as_tuple(use_awaitable));
        CHECK(error == transport::errc::eof);
        CHECK(size == 0);
        finished = true;
        connection.close(42, "enough");
        context.stop();
      },
      [](std::exception_ptr failure) {
        if (failure) std::rethrow_exception(failure);
      });
  context.run_for(20s);

  CHECK(finished);
  CHECK(got == sent);
}
