// SPDX-License-Identifier: Apache-2.0
#include "bench/tls_stream_run.hpp"

#include <algorithm>
#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "strata/transport/tcp.hpp"
#include "strata/transport/tls_stream.hpp"

namespace strata::bench {
namespace {

using asio::use_awaitable;
using clock = std::chrono::steady_clock;

constexpr auto quietly = asio::as_tuple(use_awaitable);
constexpr std::size_t read_size = 128 * 1024;

asio::awaitable<clock::time_point> receive(transport::tls_listener& listener, std::uint64_t total) {
  auto stream = co_await listener.async_accept(use_awaitable);
  listener.close();  // it would go on accepting, and its context would never be idle
  std::vector<std::byte> memory(read_size);
  const auto room = asio::buffer(memory);
  std::uint64_t got = 0;
  for (;;) {
    const auto [error, size] = co_await stream->async_read_some(room, quietly);
    got += size;
    if (!error) continue;
    if (error != transport::errc::eof || got != total)
      throw std::runtime_error("the transfer was cut off");
    break;
  }
  const clock::time_point end = clock::now();
  co_await stream->async_finish(use_awaitable);
  co_return end;
}

asio::awaitable<clock::time_point> send(transport::tls_dialer& dialer, transport::target where,
                                        std::uint64_t total, std::size_t chunk) {
  auto stream = co_await dialer.async_dial(where, use_awaitable);
  const std::vector<std::byte> memory(chunk, std::byte{7});
  const clock::time_point began = clock::now();
  for (std::uint64_t left = total; left != 0;) {
    const auto piece = asio::buffer(memory.data(), std::min<std::uint64_t>(left, memory.size()));
    co_await asio::async_write(*stream, piece, use_awaitable);
    left -= piece.size();
  }
  co_await stream->async_finish(use_awaitable);
  std::byte none;
  const auto rest = asio::buffer(&none, 1);
  co_await stream->async_read_some(rest, quietly);
  co_return began;
}

/// Where one side's coroutine ended, or what it threw.
struct side_end {
  clock::time_point when;
  std::exception_ptr failure;

  void operator()(std::exception_ptr thrown, clock::time_point at) {
    failure = std::move(thrown);
    when = at;
  }
};

}  // namespace

double tls_stream_gbits(const transport::tls_context& client, const transport::tls_context& server,
                        std::uint64_t total, std::size_t chunk) {
  asio::io_context receiving(1);
  auto carriers =
      transport::tcp_listener::listen(receiving.get_executor(), transport::address::loopback_v4(0));
  if (!carriers) throw std::system_error(carriers.error());
  transport::tls_listener listener(std::move(*carriers), server);
  const transport::target where(listener.local_address());
  side_end received;
  asio::co_spawn(receiving, receive(listener, total), std::ref(received));
  std::thread receiver([&] { receiving.run(); });

  asio::io_context sending(1);
  transport::tls_stream_options options;
  options.server_name = "localhost";
  transport::tls_dialer dialer(std::make_shared<transport::tcp_dialer>(sending.get_executor()),
                               client, options);
  side_end sent;
  asio::co_spawn(sending, send(dialer, where, total, chunk), std::ref(sent));
  sending.run();
  if (sent.failure) receiving.stop();
  receiver.join();
  for (const side_end* const each : {&sent, &received})
    if (each->failure) std::rethrow_exception(each->failure);
  return 8e-9 * static_cast<double>(total) /
         std::chrono::duration<double>(received.when - sent.when).count();
}

}  // namespace strata::bench
