// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <asio/append.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdio>

#include "driver/tcp_connection.hpp"
#include "strata/transport/driver/page_pool.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/memory_stream.hpp"
#include "testkit/counting_allocator.hpp"

using namespace strata;
using namespace strata::transport;

namespace {

/// Runs `step`, which starts the next step until `rounds` are done, and says what one round cost.
struct cost {
  double nanoseconds;
  std::size_t allocations;
};

template <class Start>
cost measure(asio::io_context& context, std::size_t rounds, Start start) {
  const auto allocated = testkit::allocations();
  const auto begun = std::chrono::steady_clock::now();
  start(rounds);
  context.restart();
  context.run();
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begun;
  return {took.count() / static_cast<double>(rounds), testkit::allocations() - allocated};
}

/// An operation that completes at once, again and again.
struct completing {
  ready_list& ready;
  std::size_t left;

  void operator()(std::error_code, std::size_t) {
    if (--left == 0) return;
    ready.complete(make_completion<io_signature>(completing{ready, left}, ready.executor()),
                   std::error_code(), std::size_t{1});
  }
};

/// The usual way, for comparison.
struct posting {
  asio::any_io_executor executor;
  std::size_t left;

  void operator()(std::error_code, std::size_t) {
    if (--left == 0) return;
    asio::any_completion_handler<io_signature> handler(posting{executor, left});
    asio::post(executor, asio::append(std::move(handler), std::error_code(), std::size_t{1}));
  }
};

template <class Stream>
asio::awaitable<void> echo(Stream& on, std::size_t rounds) {
  std::array<char, 64> memory{};
  const auto buffer = asio::buffer(memory);
  for (std::size_t round = 0; round < rounds; ++round) {
    co_await on.async_read_some(buffer, asio::use_awaitable);
    co_await on.async_write_some(buffer, asio::use_awaitable);
  }
}

template <class Stream>
asio::awaitable<void> ask(Stream& on, std::size_t rounds) {
  std::array<char, 64> memory{};
  const auto buffer = asio::buffer(memory);
  for (std::size_t round = 0; round < rounds; ++round) {
    co_await on.async_write_some(buffer, asio::use_awaitable);
    co_await on.async_read_some(buffer, asio::use_awaitable);
  }
}

template <class Stream>
cost measure_ping_pong(asio::io_context& context, Stream& first, Stream& second,
                       std::size_t rounds) {
  return measure(context, rounds, [&](std::size_t count) {
    asio::co_spawn(context, ask(first, count), asio::detached);
    asio::co_spawn(context, echo(second, count), asio::detached);
  });
}

}  // namespace

TEST_CASE("ready_list: an operation allocates nothing in steady state",
          "[transport][ready_list][allocations]") {
  asio::io_context context(1);
  ready_list ready(context.get_executor());
  const auto start = [&](std::size_t rounds) {
    ready.complete(make_completion<io_signature>(completing{ready, rounds}, ready.executor()),
                   std::error_code(), std::size_t{0});
  };
  // The run itself costs a few allocations, warm or not: more rounds must not cost more.
  measure(context, 100, start);
  const auto few = measure(context, 100, start);
  const auto many = measure(context, 10'000, start);

  CHECK(many.allocations == few.allocations);
}

TEST_CASE("memory_stream: a round trip allocates nothing in steady state",
          "[transport][memory][allocations]") {
  asio::io_context context(1);
  auto pair = make_memory_streams(context.get_executor());
  measure_ping_pong(context, *pair.first, *pair.second, 100);
  const auto few = measure_ping_pong(context, *pair.first, *pair.second, 100);
  const auto many = measure_ping_pong(context, *pair.first, *pair.second, 10'000);

  CHECK(many.allocations == few.allocations);
}

TEST_CASE("page_pool: borrowing allocates nothing in steady state",
          "[transport][page_pool][allocations]") {
  page_pool pool;
  { const page warm = pool.borrow(); }
  const auto before = testkit::allocations();
  for (int round = 0; round < 1000; ++round) const page borrowed = pool.borrow();

  CHECK(testkit::allocations() == before);
}

namespace {

std::pair<asio::ip::tcp::socket, asio::ip::tcp::socket> connect_sockets(asio::io_context& context) {
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  asio::ip::tcp::socket first(context.get_executor());
  first.connect(acceptor.local_endpoint());
  asio::ip::tcp::socket second(context.get_executor());
  acceptor.accept(second);
  first.set_option(asio::ip::tcp::no_delay(true));
  second.set_option(asio::ip::tcp::no_delay(true));
  return {std::move(first), std::move(second)};
}

std::pair<std::unique_ptr<stream>, std::unique_ptr<stream>> connect_tcp(asio::io_context& context) {
  const ready_list ready(context.get_executor());
  auto [first, second] = connect_sockets(context);
  return {make_tcp_stream(ready, std::move(first), true),
          make_tcp_stream(ready, std::move(second), true)};
}

}  // namespace

TEST_CASE("tcp: a round trip allocates nothing in steady state", "[transport][tcp][allocations]") {
  asio::io_context context(1);
  auto [first, second] = connect_tcp(context);
  measure_ping_pong(context, *first, *second, 100);
  const auto few = measure_ping_pong(context, *first, *second, 100);
  const auto many = measure_ping_pong(context, *first, *second, 2'000);

  CHECK(many.allocations == few.allocations);
}

TEST_CASE("what operations cost", "[.][cost]") {
  asio::io_context context(1);
  ready_list ready(context.get_executor());
  constexpr std::size_t rounds = 2'000'000;
  const auto print = [](const char* what, const cost& of, std::size_t per) {
    std::printf("%-40s %8.1f ns  %8.4f allocations\n", what, of.nanoseconds,
                static_cast<double>(of.allocations) / static_cast<double>(per));
  };
  for (int repeat = 0; repeat < 3; ++repeat) {
    for (const std::size_t side_by_side : {1u, 32u}) {
      std::printf("%zu operations outstanding\n", side_by_side);
      print("ready_list",
            measure(context, rounds,
                    [&](std::size_t count) {
                      for (std::size_t each = 0; each < side_by_side; ++each)
                        completing{ready, count / side_by_side + 1}({}, 0);
                    }),
            rounds);
      print("post(append(any_completion_handler))",
            measure(context, rounds,
                    [&](std::size_t count) {
                      for (std::size_t each = 0; each < side_by_side; ++each) {
                        posting{context.get_executor(), count / side_by_side + 1}({}, 0);
                      }
                    }),
            rounds);
    }
    auto pair = make_memory_streams(context.get_executor());
    print("memory, round trip of 64 bytes",
          measure_ping_pong(context, *pair.first, *pair.second, rounds / 10), rounds / 10);
    auto [first, second] = connect_tcp(context);
    print("tcp, round trip of 64 bytes", measure_ping_pong(context, *first, *second, rounds / 40),
          rounds / 40);
    auto [plain_first, plain_second] = connect_sockets(context);
    print("asio sockets, round trip of 64 bytes",
          measure_ping_pong(context, plain_first, plain_second, rounds / 40), rounds / 40);
  }
}
