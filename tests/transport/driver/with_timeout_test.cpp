// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/driver/with_timeout.hpp"

#include <array>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>
#include <asio/read.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <catch2/catch_test_macros.hpp>

#include "strata/transport/memory_stream.hpp"

using namespace strata::transport;
using namespace std::chrono_literals;

namespace {

struct fixture {
  asio::io_context context;
  memory_stream_pair pair = make_memory_streams(context.get_executor());
  std::array<char, 16> memory{};
  std::error_code error = errc::would_block;
  std::size_t count = 99;

  auto store() {
    return [this](std::error_code result, std::size_t moved) {
      error = result;
      count = moved;
    };
  }
};

}  // namespace

TEST_CASE("with_timeout: an operation that takes too long ends in timed_out",
          "[transport][with_timeout]") {
  fixture with;

  with_timeout(with.pair.first->async_read_some(asio::buffer(with.memory)), 1ms, with.store());
  with.context.run();

  CHECK(with.error == errc::timed_out);
  CHECK(with.error == condition::timed_out);
  CHECK(with.count == 0);
}

TEST_CASE("with_timeout: an operation in time keeps its result, and the timer holds nobody up",
          "[transport][with_timeout]") {
  fixture with;

  with_timeout(with.pair.first->async_read_some(asio::buffer(with.memory)), 1h, with.store());
  with.pair.second->async_write_some(asio::buffer("xy", 2), [](std::error_code, std::size_t) {});
  with.context.run();

  CHECK_FALSE(with.error);
  CHECK(with.count == 2);
}

TEST_CASE("with_timeout: an error of the operation's own stays", "[transport][with_timeout]") {
  fixture with;

  with_timeout(with.pair.first->async_read_some(asio::buffer(with.memory)), 1h, with.store());
  with.pair.second->reset(3);
  with.context.run();

  CHECK(with.error == errc::stream_reset);
}

TEST_CASE("with_timeout: the application's cancellation slot still cancels",
          "[transport][with_timeout]") {
  fixture with;
  asio::cancellation_signal signal;

  with_timeout(with.pair.first->async_read_some(asio::buffer(with.memory)), 1h,
               asio::bind_cancellation_slot(signal.slot(), with.store()));
  with.context.poll();
  signal.emit(asio::cancellation_type::total);
  with.context.run();

  CHECK(with.error == errc::aborted);
}

TEST_CASE("with_timeout: the handler's executor is kept", "[transport][with_timeout]") {
  fixture with;
  asio::io_context elsewhere;
  bool ran_elsewhere = false;

  with_timeout(
      with.pair.first->async_read_some(asio::buffer(with.memory)), 1ms,
      asio::bind_executor(elsewhere.get_executor(), [&](std::error_code error, std::size_t) {
        with.error = error;
        ran_elsewhere = elsewhere.get_executor().running_in_this_thread();
      }));
  elsewhere.poll();
  CHECK_FALSE(elsewhere.stopped());
  with.context.run();
  CHECK_FALSE(ran_elsewhere);
  elsewhere.run();

  CHECK(ran_elsewhere);
  CHECK(with.error == errc::timed_out);
}

TEST_CASE("with_timeout: composed operations say how much had moved", "[transport][with_timeout]") {
  fixture with;
  with.pair.second->async_write_some(asio::buffer("abc", 3), [](std::error_code, std::size_t) {});

  with_timeout(asio::async_read(*with.pair.first, asio::buffer(with.memory), asio::deferred), 20ms,
               with.store());
  with.context.run();

  CHECK(with.error == errc::timed_out);
  CHECK(with.count == 3);
}

TEST_CASE("with_timeout: it is an operation itself, and one of Asio's own may have it",
          "[transport][with_timeout]") {
  asio::io_context context;
  auto pair = make_memory_streams(context.get_executor());
  int seen = 0;
  const auto body = [&]() -> asio::awaitable<void> {
    std::array<char, 4> memory;
    const auto buffer = asio::buffer(memory);
    try {
      auto reading = pair.first->async_read_some(buffer);
      co_await with_timeout(std::move(reading), 1ms);
    } catch (const std::system_error& thrown) {
      if (thrown.code() == errc::timed_out) ++seen;
    }
    asio::ip::udp::socket socket(context,
                                 asio::ip::udp::endpoint(asio::ip::address_v4::loopback(), 0));
    try {
      auto receiving = socket.async_receive(buffer, asio::deferred);
      co_await with_timeout(std::move(receiving), 1ms, asio::use_awaitable);
    } catch (const std::system_error& thrown) {
      if (thrown.code() == errc::timed_out) ++seen;
    }
    auto waiting = pair.first->async_wait_readable();
    auto limited = with_timeout(std::move(waiting), 1ms);
    auto nested = with_timeout(std::move(limited), 1h);
    try {
      co_await std::move(nested);
    } catch (const std::system_error& thrown) {
      if (thrown.code() == errc::timed_out) ++seen;
    }
  };
  asio::co_spawn(context, body(), asio::detached);
  context.run();

  CHECK(seen == 3);
}

TEST_CASE("with_timeout: a context destroyed meanwhile destroys the handler",
          "[transport][with_timeout]") {
  auto with = std::make_unique<fixture>();
  const auto token = std::make_shared<int>(0);
  with_timeout(with->pair.first->async_read_some(asio::buffer(with->memory)), 1h,
               [token](std::error_code, std::size_t) {});
  with->context.poll();

  with.reset();

  CHECK(token.use_count() == 1);
}
