// SPDX-License-Identifier: Apache-2.0
#include "bench/stream_client.hpp"

#include <algorithm>
#include <array>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/this_coro.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "bench/figures.hpp"
#include "bench/input_lines.hpp"
#include "bench/lane_group.hpp"
#include "bench/setup.hpp"

namespace strata::bench {

namespace {

using asio::use_awaitable;
using clock = std::chrono::steady_clock;

constexpr std::size_t ping_size = 64;
constexpr auto quietly = asio::as_tuple(use_awaitable);

double seconds_since(clock::time_point began) {
  return std::chrono::duration<double>(clock::now() - began).count();
}

std::array<char, 9> request(char kind, std::uint64_t bytes) {
  std::array<char, 9> out;
  out[0] = kind;
  std::memcpy(out.data() + 1, &bytes, sizeof bytes);
  return out;
}

class stream_client {
 public:
  stream_client(asio::any_io_executor executor, const arguments& chosen)
      : chosen_(chosen),
        config_(connection_config_of(chosen)),
        remote_(transport::address::parse(chosen.connect).value()),
        memory_(chosen.read_size),
        endpoint_(quic::endpoint::open(std::move(executor), client_options_of(chosen, stream_alpn))
                      .value()) {}

  asio::awaitable<quic::connection> connect() {
    auto made = co_await endpoint_.async_connect(remote_, "localhost", config_, use_awaitable);
    // A close would overtake the Finished that is to leave with this turn's flush, and the server's
    // handshake would never be complete. The flush is posted after the first of these two.
    for (int turn = 0; turn < 2; ++turn) {
      co_await asio::post(endpoint_.get_executor(), use_awaitable);
    }
    co_return made;
  }

  void end(quic::connection& connection) {
    sum.ended(connection.statistics());
    connection.close(0);
  }

  asio::awaitable<void> leave() { co_await endpoint_.async_close(0, quietly); }

  asio::awaitable<std::uint64_t> fetch(quic::connection& connection) {
    auto stream = co_await connection.async_open_stream(true, use_awaitable);
    const auto asked = request('B', chosen_.bytes);
    const auto head = asio::buffer(asked);
    co_await asio::async_write(*stream, head, use_awaitable);
    steady_part steady(chosen_.bytes);
    const auto buffer = asio::buffer(memory_);
    std::uint64_t got = 0;
    for (;;) {
      const auto [error, size] = co_await stream->async_read_some(buffer, quietly);
      if (error) break;
      got += size;
      steady.passed(got, connection.statistics());
    }
    steady.ended(connection.statistics(), sum);
    if (got != chosen_.bytes) throw std::runtime_error("the transfer was cut off");
    co_return got;
  }

  asio::awaitable<void> shake_hands_until(clock::time_point end_at, std::uint64_t& done) {
    while (clock::now() < end_at) {
      quic::connection connection = co_await connect();
      end(connection);
      ++done;
    }
  }

  asio::awaitable<std::vector<double>> ping(quic::connection& connection) {
    auto stream = co_await connection.async_open_stream(true, use_awaitable);
    const auto asked = request('E', 0);
    const auto head = asio::buffer(asked);
    co_await asio::async_write(*stream, head, use_awaitable);
    std::array<char, ping_size> out{};
    std::array<char, ping_size> in;
    const auto from = asio::buffer(out);
    const auto to = asio::buffer(in);
    std::vector<double> microseconds;
    microseconds.reserve(chosen_.count);
    const std::size_t warm = chosen_.count / 10;
    for (std::size_t round = 0; round < chosen_.count + warm; ++round) {
      const auto began = clock::now();
      co_await asio::async_write(*stream, from, use_awaitable);
      co_await asio::async_read(*stream, to, use_awaitable);
      if (round >= warm) microseconds.push_back(seconds_since(began) * 1e6);
    }
    co_return microseconds;
  }

  totals sum;

 private:
  arguments chosen_;
  quic::core::connection_config config_;
  transport::address remote_;
  std::vector<std::byte> memory_;
  quic::endpoint endpoint_;
};

}  // namespace

asio::awaitable<void> measure_bulk(const arguments& chosen) {
  stream_client client(co_await asio::this_coro::executor, chosen);
  quic::connection connection = co_await client.connect();
  const auto began = clock::now();
  const std::uint64_t got = co_await client.fetch(connection);
  const double took = seconds_since(began);
  client.end(connection);
  co_await client.leave();
  figures().add("bytes", got).add("seconds", took).print(client.sum);
}

asio::awaitable<void> measure_handshakes(const arguments& chosen) {
  const auto executor = co_await asio::this_coro::executor;
  stream_client client(executor, chosen);
  quic::connection first = co_await client.connect();
  client.end(first);
  lane_group lanes(executor);
  const auto began = clock::now();
  std::uint64_t done = 0;
  for (std::size_t i = 0; i < chosen.parallel; ++i) {
    lanes.add(client.shake_hands_until(began + chosen.time, done));
  }
  co_await lanes.wait();
  const double took = seconds_since(began);
  co_await client.leave();
  figures().add("count", done).add("seconds", took).print(client.sum);
}

asio::awaitable<void> measure_pingpong(const arguments& chosen) {
  stream_client client(co_await asio::this_coro::executor, chosen);
  quic::connection connection = co_await client.connect();
  std::vector<double> took = co_await client.ping(connection);
  client.end(connection);
  co_await client.leave();
  std::ranges::sort(took);
  const auto at = [&](std::size_t part) {
    return took.at(std::min(took.size() * part / 100, took.size() - 1));
  };
  figures()
      .add("count", std::uint64_t{took.size()})
      .add("p50_us", at(50))
      .add("p99_us", at(99))
      .print(client.sum);
}

asio::awaitable<void> hold_connections(const arguments& chosen) {
  const auto executor = co_await asio::this_coro::executor;
  stream_client client(executor, chosen);
  std::vector<quic::connection> held;
  input_lines lines(executor);
  while (const auto step = co_await lines.next()) {
    if (*step == "open") {
      for (std::size_t i = 0; i < chosen.count; ++i) held.push_back(co_await client.connect());
    } else if (*step == "transfer") {
      for (quic::connection& connection : held) co_await client.fetch(connection);
    } else if (*step == "close") {
      for (quic::connection& connection : held) client.end(connection);
      held.clear();
    }
    figures().add("open", std::uint64_t{held.size()}).print(client.sum);
  }
  co_await client.leave();
}

}  // namespace strata::bench
