// SPDX-License-Identifier: Apache-2.0
#include "bench/stream_server.hpp"

#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/read.hpp>
#include <asio/this_coro.hpp>
#include <asio/write.hpp>
#include <cstdio>
#include <cstring>
#include <vector>

#include "bench/figures.hpp"
#include "bench/input_lines.hpp"
#include "bench/setup.hpp"

namespace strata::bench {

namespace {

using asio::use_awaitable;

constexpr std::size_t block_size = 256 * 1024;
constexpr auto quietly = asio::as_tuple(use_awaitable);

class stream_server {
 public:
  stream_server(asio::any_io_executor executor, const arguments& chosen)
      : borrowed_(chosen.borrowed),
        block_(block_size, std::byte{0x5a}),
        endpoint_(quic::endpoint::open(std::move(executor), server_options_of(chosen, stream_alpn))
                      .value()) {}

  asio::awaitable<void> run() {
    std::printf("listening on %s\n", endpoint_.local_address().string().c_str());
    std::fflush(stdout);
    asio::co_spawn(endpoint_.get_executor(), accept(), asio::detached);
    input_lines lines(endpoint_.get_executor());
    while (co_await lines.next()) {
      figures().add("open", std::uint64_t{endpoint_.statistics().connections}).print(sum_);
    }
  }

 private:
  asio::awaitable<void> accept() {
    for (;;) {
      auto [error, connection] = co_await endpoint_.async_accept(quietly);
      if (error) co_return;
      ++sum_.connections;
      asio::co_spawn(endpoint_.get_executor(), visit(std::move(connection)), asio::detached);
    }
  }

  asio::awaitable<void> visit(quic::connection connection) {
    for (;;) {
      auto [error, stream] = co_await connection.async_accept_stream(true, quietly);
      if (error) break;
      asio::co_spawn(endpoint_.get_executor(), answer(connection, std::move(stream)),
                     asio::detached);
    }
    sum_.ended(connection.statistics());
  }

  asio::awaitable<void> answer(const quic::connection& connection,
                               std::unique_ptr<quic::stream> stream) {
    std::array<char, 9> request;
    const auto whole = asio::buffer(request);
    const auto [error, size] = co_await asio::async_read(*stream, whole, quietly);
    if (error) co_return;
    if (request[0] == 'E') co_return co_await echo(*stream);
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, request.data() + 1, sizeof bytes);
    if (borrowed_) {
      co_await lend(*stream, bytes);
    } else {
      co_await send(connection, *stream, bytes);
    }
  }

  asio::awaitable<void> send(const quic::connection& connection, quic::stream& stream,
                             std::uint64_t bytes) {
    steady_part steady(bytes);
    for (std::uint64_t done = 0; done < bytes;) {
      const auto piece =
          asio::buffer(block_.data(), std::min<std::uint64_t>(bytes - done, block_size));
      const auto [error, size] = co_await stream.async_write_some(piece, quietly);
      if (error) co_return;
      done += size;
      steady.passed(done, connection.statistics());
    }
    steady.ended(connection.statistics(), sum_);
    co_await stream.async_finish(quietly);
  }

  /// Without a copy: eight blocks are under way at a time.
  asio::awaitable<void> lend(quic::stream& stream, std::uint64_t bytes) {
    constexpr std::size_t most = 8 * block_size;
    const std::vector<std::byte> memory(most, std::byte{0x5a});
    for (std::uint64_t done = 0; done < bytes;) {
      const auto piece = asio::buffer(memory.data(), std::min<std::uint64_t>(bytes - done, most));
      const auto [error] = co_await stream.async_write_borrowed(piece, quietly);
      if (error) co_return;
      done += piece.size();
    }
    co_await stream.async_finish(quietly);
  }

  asio::awaitable<void> echo(quic::stream& stream) {
    std::array<std::byte, 4096> memory;
    for (;;) {
      const auto [error, size] = co_await stream.async_read_some(asio::buffer(memory), quietly);
      if (error) break;
      const auto back = asio::buffer(memory.data(), size);
      const auto [failed, sent] = co_await asio::async_write(stream, back, quietly);
      if (failed) co_return;
    }
    co_await stream.async_finish(quietly);
  }

  bool borrowed_;
  totals sum_;
  std::vector<std::byte> block_;
  quic::endpoint endpoint_;
};

}  // namespace

asio::awaitable<void> serve_streams(const arguments& chosen) {
  stream_server server(co_await asio::this_coro::executor, chosen);
  co_await server.run();
}

}  // namespace strata::bench
