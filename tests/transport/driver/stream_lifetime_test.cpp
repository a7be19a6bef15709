// SPDX-License-Identifier: Apache-2.0
// What happens to streams, dialers and listeners around the life of their execution context. Leaks
// and uses after free are found by the sanitizers that these tests run under.
#include <array>
#include <asio/as_tuple.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "driver/tcp_connection.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/memory_stream.hpp"
#include "strata/transport/tcp.hpp"

using namespace strata::transport;

namespace {

using stream_ptr = std::unique_ptr<stream>;

std::pair<stream_ptr, stream_ptr> connect_tcp(asio::io_context& context,
                                              const asio::any_io_executor& executor) {
  const ready_list ready(executor);
  asio::ip::tcp::acceptor acceptor(executor, {asio::ip::address_v4::loopback(), 0});
  asio::ip::tcp::socket first(executor);
  first.connect(acceptor.local_endpoint());
  auto second = acceptor.accept();
  context.poll();
  context.restart();
  return {make_tcp_stream(ready, std::move(first), true),
          make_tcp_stream(ready, std::move(second), true)};
}

std::pair<stream_ptr, stream_ptr> connect(std::string_view kind, asio::io_context& context,
                                          const asio::any_io_executor& executor) {
  if (kind == "tcp") return connect_tcp(context, executor);
  auto made = make_memory_streams(executor);
  return {std::move(made.first), std::move(made.second)};
}

asio::awaitable<void> read_for_ever(stream_ptr on) {
  std::array<char, 16> memory;
  for (;;) {
    const auto buffer = asio::buffer(memory);
    co_await on->async_read_some(buffer, asio::use_awaitable);
  }
}

}  // namespace

TEST_CASE("stream: a handle may outlive its context, and is inert then",
          "[transport][stream][lifetime]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "tcp");
  const bool on_strand = GENERATE(false, true);
  CAPTURE(kind, on_strand);
  auto context = std::make_unique<asio::io_context>();
  const asio::any_io_executor executor = on_strand
                                             ? asio::any_io_executor(asio::make_strand(*context))
                                             : asio::any_io_executor(context->get_executor());
  auto [near, far] = connect(kind, *context, executor);
  std::array<char, 16> memory;
  bool ran = false;
  const auto token = std::make_shared<int>(0);
  near->async_read_some(asio::buffer(memory),
                        [&ran, token](std::error_code, std::size_t) { ran = true; });

  // The executor object above is the test's own; it goes with the context.
  if (on_strand) const_cast<asio::any_io_executor&>(executor) = {};
  context.reset();

  CHECK(token.use_count() == 1);
  CHECK_FALSE(near->get_executor());
  near->async_read_some(asio::buffer(memory), [&ran](std::error_code, std::size_t) { ran = true; });
  near->async_wait_readable([&ran](std::error_code) { ran = true; });
  near->async_write_some(asio::buffer(memory),
                         [&ran](std::error_code, std::size_t) { ran = true; });
  near->async_finish([&ran](std::error_code) { ran = true; });
  near->async_wait_closed([&ran](std::error_code) { ran = true; });
  near->reset(1);
  CHECK_FALSE(near->native());
  near.reset();
  CHECK_FALSE(ran);
}

TEST_CASE("stream: a context destroyed with a coroutine waiting on its own stream leaks nothing",
          "[transport][stream][lifetime]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "tcp");
  CAPTURE(kind);
  auto context = std::make_unique<asio::io_context>();
  auto [near, far] = connect(kind, *context, context->get_executor());
  asio::co_spawn(*context, read_for_ever(std::move(near)), asio::detached);
  asio::co_spawn(*context, read_for_ever(std::move(far)), asio::detached);
  context->poll();

  context.reset();
}

TEST_CASE("stream: a context may be destroyed with every kind of operation pending",
          "[transport][stream][lifetime]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "tcp");
  CAPTURE(kind);
  auto context = std::make_unique<asio::io_context>();
  auto [near, far] = connect(kind, *context, context->get_executor());
  std::array<char, 16> memory;
  const std::string large(64 << 20, 'x');
  bool ran = false;
  asio::async_write(*near, asio::buffer(large), [&](std::error_code, std::size_t) { ran = true; });
  near->async_read_some(asio::buffer(memory), [&](std::error_code, std::size_t) { ran = true; });
  near->async_wait_closed([&](std::error_code) { ran = true; });
  far->async_wait_closed([&](std::error_code) { ran = true; });
  context->poll();

  context.reset();

  CHECK_FALSE(ran);
}

TEST_CASE("stream: a handler that throws leaves the stream usable",
          "[transport][stream][lifetime]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "tcp");
  CAPTURE(kind);
  asio::io_context context;
  auto [near, far] = connect(kind, context, context.get_executor());
  std::array<char, 16> memory;
  near->async_read_some(asio::buffer(memory),
                        [](std::error_code, std::size_t) { throw std::runtime_error("mine"); });
  far->async_write_some(asio::buffer("x", 1), [](std::error_code, std::size_t) {});
  CHECK_THROWS_AS(context.run(), std::runtime_error);

  std::size_t read = 0;
  near->async_read_some(asio::buffer(memory),
                        [&](std::error_code, std::size_t count) { read = count; });
  far->async_write_some(asio::buffer("yz", 2), [](std::error_code, std::size_t) {});
  context.restart();
  context.run();

  CHECK(read == 2);
}

TEST_CASE("stream: handlers run on their own executor", "[transport][stream][lifetime]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "tcp");
  CAPTURE(kind);
  asio::io_context context, elsewhere;
  auto [near, far] = connect(kind, context, context.get_executor());
  std::array<char, 16> memory;
  bool ran_elsewhere = false;
  near->async_read_some(asio::buffer(memory),
                        asio::bind_executor(elsewhere, [&](std::error_code, std::size_t) {
                          ran_elsewhere = elsewhere.get_executor().running_in_this_thread();
                        }));
  far->async_write_some(asio::buffer("x", 1), [](std::error_code, std::size_t) {});

  context.run();
  CHECK_FALSE(ran_elsewhere);
  elsewhere.run();

  CHECK(ran_elsewhere);
}

TEST_CASE("stream: coroutines take errors as values or as exceptions",
          "[transport][stream][lifetime]") {
  asio::io_context context;
  auto pair = make_memory_streams(context.get_executor());
  int seen = 0;
  const auto body = [&]() -> asio::awaitable<void> {
    std::array<char, 4> memory;
    const auto buffer = asio::buffer(memory);
    const auto [error, count] =
        co_await pair.first->async_read_some(buffer, asio::as_tuple(asio::use_awaitable));
    if (error == errc::eof && count == 0) ++seen;
    const auto tuple = asio::as_tuple(asio::deferred);
    const auto [closed] = co_await pair.first->async_wait_readable(tuple);
    if (!closed) ++seen;
    try {
      co_await pair.first->async_read_some(buffer);
    } catch (const std::system_error& thrown) {
      if (thrown.code() == errc::eof) ++seen;
    }
  };
  asio::co_spawn(context, body(), asio::detached);
  pair.second->async_finish([](std::error_code) {});
  context.run();

  CHECK(seen == 3);
}

TEST_CASE("stream: a dialer or listener may outlive its context, with operations pending",
          "[transport][tcp][lifetime]") {
  auto context = std::make_unique<asio::io_context>();
  auto listener = *tcp_listener::listen(context->get_executor(), address::loopback_v4(0));
  tcp_dialer dialer(context->get_executor());
  bool ran = false;
  listener->async_accept([&](std::error_code, stream_ptr) { ran = true; });
  dialer.async_dial(target("localhost", 1), [&](std::error_code, stream_ptr) { ran = true; });

  context.reset();

  listener->async_accept([&](std::error_code, stream_ptr) { ran = true; });
  dialer.async_dial(target("localhost", 1), [&](std::error_code, stream_ptr) { ran = true; });
  CHECK(listener->local_address() == address());
  listener->close();
  CHECK_FALSE(ran);
}
