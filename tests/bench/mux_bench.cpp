// SPDX-License-Identifier: Apache-2.0
// Our side of ./dev bench mux: yamux over TCP on loopback, cubic on the sockets of both sides.
#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/read.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <span>
#include <stdexcept>
#include <vector>

#include "bench/figures.hpp"
#include "bench/input_lines.hpp"
#include "bench/lane_group.hpp"
#include "bench/program.hpp"
#include "strata/mux/yamux.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/tcp.hpp"
#include "testkit/mux/yamux_link.hpp"

namespace strata::bench {
namespace {

using asio::use_awaitable;
using clock = std::chrono::steady_clock;
using connection_pointer = std::unique_ptr<transport::connection>;
using stream_pointer = std::unique_ptr<transport::stream>;

constexpr auto quietly = asio::as_tuple(use_awaitable);
constexpr std::size_t write_size = 256 * 1024;
constexpr std::size_t most_pieces = 64;
constexpr std::string_view algorithm = "cubic";

/// How a server reads.
struct manner {
  bool peek;
  std::size_t read_size;
};

double seconds_since(clock::time_point began) {
  return std::chrono::duration<double>(clock::now() - began).count();
}

/// Reads to the end and says how much it was.
asio::awaitable<std::uint64_t> count_copies(transport::stream& from, std::size_t read_size) {
  std::vector<std::byte> memory(read_size);
  const auto room = asio::buffer(memory);
  for (std::uint64_t got = 0;;) {
    const auto [error, size] = co_await from.async_read_some(room, quietly);
    if (error) co_return got;
    got += size;
  }
}

/// The same where the bytes lie.
asio::awaitable<std::uint64_t> count_lent(transport::stream& from) {
  std::array<transport::bytes, most_pieces> pieces;
  for (std::uint64_t got = 0;;) {
    const auto shown = from.try_peek(pieces);
    if (!shown && shown.error() != transport::errc::would_block) co_return got;
    if (!shown) {
      const auto [error] = co_await from.async_wait_readable(quietly);
      if (error) co_return got;
      continue;
    }
    std::size_t size = 0;
    for (const transport::bytes piece : std::span(pieces).first(*shown)) size += piece.size();
    from.consume(size);
    got += size;
  }
}

/// A stream begins with a kind: 'U' and everything is read and counted, then the count comes back;
/// 'E' and one byte comes back.
asio::awaitable<void> serve(stream_pointer stream, manner how) {
  char kind = 0;
  const auto first = asio::buffer(&kind, 1);
  co_await asio::async_read(*stream, first, use_awaitable);
  if (kind == 'E') {
    co_await asio::async_write(*stream, first, use_awaitable);
    co_await stream->async_finish(use_awaitable);
    co_return;
  }
  const std::uint64_t got =
      how.peek ? co_await count_lent(*stream) : co_await count_copies(*stream, how.read_size);
  const auto answer = asio::buffer(&got, sizeof got);
  co_await asio::async_write(*stream, answer, use_awaitable);
  co_await stream->async_finish(use_awaitable);
}

asio::awaitable<void> serve_all(connection_pointer connection, manner how) {
  for (;;) {
    auto [error, stream] = co_await connection->async_accept_stream(quietly);
    if (error) co_return;
    asio::co_spawn(co_await asio::this_coro::executor, serve(std::move(stream), how),
                   asio::detached);
  }
}

asio::awaitable<void> accept_all(mux::yamux_listener& listener, manner how) {
  for (;;) {
    auto [error, connection] = co_await listener.async_accept(quietly);
    if (error) co_return;
    asio::co_spawn(co_await asio::this_coro::executor, serve_all(std::move(connection), how),
                   asio::detached);
  }
}

asio::awaitable<void> run_server(const arguments& chosen) {
  const auto executor = co_await asio::this_coro::executor;
  transport::tcp_listener_options options;
  options.congestion_control = algorithm;
  auto carriers =
      transport::tcp_listener::listen(executor, transport::address::loopback_v4(0), options);
  if (!carriers) throw std::system_error(carriers.error());
  mux::yamux_listener listener(std::move(*carriers));
  std::printf("listening on %s\n", listener.local_address().string().c_str());
  std::fflush(stdout);
  asio::co_spawn(executor, accept_all(listener, {chosen.peek, chosen.read_size}), asio::detached);
  input_lines lines(executor);
  while (co_await lines.next()) figures().print(totals());
}

asio::awaitable<connection_pointer> connect(const arguments& chosen) {
  transport::tcp_dialer_options options;
  options.congestion_control = algorithm;
  mux::yamux_dialer dialer(
      std::make_shared<transport::tcp_dialer>(co_await asio::this_coro::executor, options));
  const auto where = transport::target::parse(chosen.connect).value();
  co_return co_await dialer.async_dial(where, use_awaitable);
}

asio::awaitable<void> upload(transport::connection& connection, std::uint64_t bytes,
                             std::span<const std::byte> memory) {
  auto stream = co_await connection.async_open_stream(use_awaitable);
  const char kind = 'U';
  const auto head = asio::buffer(&kind, 1);
  co_await asio::async_write(*stream, head, use_awaitable);
  for (std::uint64_t left = bytes; left != 0;) {
    // Not asio::async_write, which hands over 64 KiB at a time.
    const auto piece = asio::buffer(memory.data(), std::min<std::uint64_t>(left, memory.size()));
    left -= co_await stream->async_write_some(piece, use_awaitable);
  }
  co_await stream->async_finish(use_awaitable);
  std::uint64_t got = 0;
  const auto answer = asio::buffer(&got, sizeof got);
  co_await asio::async_read(*stream, answer, use_awaitable);
  if (got != bytes) throw std::runtime_error("the transfer was cut off");
}

/// --bytes in all over --parallel streams of one connection.
asio::awaitable<void> measure_bulk(const arguments& chosen) {
  auto connection = co_await connect(chosen);
  const auto began = clock::now();
  const std::uint64_t each = chosen.bytes / chosen.parallel;
  const std::vector<std::byte> memory(write_size);
  lane_group lanes(co_await asio::this_coro::executor);
  for (std::size_t i = 0; i < chosen.parallel; ++i) lanes.add(upload(*connection, each, memory));
  co_await lanes.wait();
  figures()
      .add("bytes", each * chosen.parallel)
      .add("seconds", seconds_since(began))
      .print(totals());
  connection->close(0);
}

asio::awaitable<void> open_until(transport::connection& connection, clock::time_point end_at,
                                 std::uint64_t& done) {
  while (clock::now() < end_at) {
    auto stream = co_await connection.async_open_stream(use_awaitable);
    char kind = 'E';
    const auto byte = asio::buffer(&kind, 1);
    co_await asio::async_write(*stream, byte, use_awaitable);
    co_await stream->async_finish(use_awaitable);
    co_await asio::async_read(*stream, byte, use_awaitable);
    const auto [error, size] = co_await stream->async_read_some(byte, quietly);
    if (error != transport::errc::eof) throw std::runtime_error("no end of the stream");
    ++done;
  }
}

/// Open, one byte there and back, and both ends closed; --parallel at a time.
asio::awaitable<void> measure_opens(const arguments& chosen) {
  auto connection = co_await connect(chosen);
  const auto began = clock::now();
  std::uint64_t done = 0;
  lane_group lanes(co_await asio::this_coro::executor);
  for (std::size_t i = 0; i < chosen.parallel; ++i)
    lanes.add(open_until(*connection, began + chosen.time, done));
  co_await lanes.wait();
  figures().add("count", done).add("seconds", seconds_since(began)).print(totals());
  connection->close(0);
}

/// --bytes in all over --parallel streams and 60 ms of round trip, in virtual time.
asio::awaitable<void> measure_link(const arguments& chosen) {
  testkit::link_transfer made;
  made.bytes = chosen.bytes;
  made.streams = chosen.parallel;
  const testkit::link_outcome got = testkit::run_link(made);
  const double took = std::chrono::duration<double>(got.took).count();
  const double half = std::chrono::duration<double>(got.last_half).count();
  const double bits = 8 * static_cast<double>(got.received);
  figures()
      .add("gbits", 1e-9 * bits / took)
      .add("link_gbits", 1e-9 * made.bits_per_second)
      .add("later_gbits", 1e-9 * bits / 2 / half)
      .add("ramp_seconds", took - 2 * half)
      .print(totals());
  co_return;
}

}  // namespace
}  // namespace strata::bench

int main(int count, char** words) {
  using namespace strata::bench;
  return run_program(count, words,
                     {{"server", run_server},
                      {"bulk", measure_bulk},
                      {"opens", measure_opens},
                      {"link", measure_link}});
}
