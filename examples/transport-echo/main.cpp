// SPDX-License-Identifier: Apache-2.0
// Byte streams in an application's own event loop: an echo over TCP, both ends in one program. The
// server knows only transport::stream, so it would serve a QUIC stream just as well.
#include <array>
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/read.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <iostream>
#include <strata/transport/core/error.hpp>
#include <strata/transport/tcp.hpp>
#include <strata/transport/version.hpp>

namespace transport = strata::transport;

constexpr auto tuple = asio::as_tuple(asio::use_awaitable);

asio::awaitable<void> echo(transport::stream_listener& listener) {
  const std::unique_ptr<transport::stream> stream = co_await listener.async_accept();
  std::array<char, 4096> memory;
  for (;;) {
    const auto [error, size] = co_await stream->async_read_some(asio::buffer(memory), tuple);
    if (error == transport::errc::eof) break;
    if (error) throw std::system_error(error);
    const auto received = asio::buffer(memory.data(), size);
    co_await asio::async_write(*stream, received, asio::use_awaitable);
  }
  co_await stream->async_finish();
}

asio::awaitable<void> say(asio::any_io_executor executor, transport::address where) {
  transport::tcp_dialer dialer(executor);
  const std::unique_ptr<transport::stream> stream = co_await dialer.async_dial(where);
  const std::string text = "hello, transport " + std::string(transport::version());
  co_await asio::async_write(*stream, asio::buffer(text), asio::use_awaitable);
  co_await stream->async_finish();
  std::string answer(text.size(), '\0');
  co_await asio::async_read(*stream, asio::buffer(answer), asio::use_awaitable);
  std::cout << "echo: " << answer << "\n";
}

void rethrow(std::exception_ptr failed) {
  if (failed) std::rethrow_exception(failed);
}

int main() {
  asio::io_context context;
  const asio::any_io_executor executor = context.get_executor();
  const auto anywhere = transport::address::loopback_v4(0);
  const auto listener = transport::tcp_listener::listen(executor, anywhere).value();
  asio::co_spawn(context, echo(*listener), rethrow);
  asio::co_spawn(context, say(executor, listener->local_address()), rethrow);
  context.run();
}
