// SPDX-License-Identifier: Apache-2.0
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <optional>
#include <thread>

#include "strata/transport/driver/with_timeout.hpp"
#include "transport/udp/udp_fixture.hpp"

using namespace strata::transport;
using namespace strata::transport::udp_tests;

namespace {

struct outcome {
  std::optional<std::error_code> failure;
  auto handler() {
    return [this](std::error_code code, std::size_t) {
      CHECK(!failure);
      failure = code;
    };
  }
};

}  // namespace

TEST_CASE("udp_socket: a cancelled receive is aborted, never inline, and lets the context end",
          "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  auto socket = open(context, system, address::loopback_v4(0));
  std::array<datagram_batch, 1> batches;
  outcome one;
  asio::cancellation_signal signal;
  socket.async_receive(batches, asio::bind_cancellation_slot(signal.slot(), one.handler()));
  context.poll();
  signal.emit(asio::cancellation_type::terminal);
  CHECK(!one.failure);
  context.run();
  CHECK(one.failure == make_error_code(errc::aborted));
  CHECK(one.failure == std::errc::operation_canceled);
}

TEST_CASE("udp_socket: a late signal does not touch the next receive", "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  auto socket = open(context, system, address::loopback_v4(0));
  auto sender = open(context, system, address::loopback_v4(0));
  std::array<datagram_batch, 1> batches;
  outcome one, two;
  asio::cancellation_signal signal;
  const auto payload = random_bytes(10);
  REQUIRE(sender.send(to(socket.local_address(), 10, 10), payload));
  socket.async_receive(batches, asio::bind_cancellation_slot(signal.slot(), one.handler()));
  run_until(context, [&] { return one.failure.has_value(); });
  socket.async_receive(batches, two.handler());
  signal.emit(asio::cancellation_type::terminal);
  context.poll();
  CHECK(!two.failure);
  REQUIRE(sender.send(to(socket.local_address(), 10, 10), payload));
  run_until(context, [&] { return two.failure.has_value(); });
  CHECK(two.failure == std::error_code());
}

TEST_CASE("udp_socket: after cancel the next receive works, also when a wait was under way",
          "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  const bool poll_between = GENERATE(false, true);
  asio::io_context context;
  auto socket = open(context, system, address::loopback_v4(0));
  auto sender = open(context, system, address::loopback_v4(0));
  std::array<datagram_batch, 1> batches;
  outcome one, two;
  socket.async_receive(batches, one.handler());
  if (poll_between) context.poll();
  socket.cancel();
  socket.async_receive(batches, two.handler());
  const auto payload = random_bytes(10);
  REQUIRE(sender.send(to(socket.local_address(), 10, 10), payload));
  run_until(context, [&] { return two.failure.has_value(); });
  CHECK(one.failure == make_error_code(errc::aborted));
  CHECK(two.failure == std::error_code());
}

TEST_CASE("udp_socket: destroying or closing it with operations pending aborts them",
          "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  const bool destroy = GENERATE(false, true);
  asio::io_context context;
  std::optional<udp_socket> socket(open(context, system, address::loopback_v4(0)));
  std::array<datagram_batch, 1> batches;
  outcome receiving;
  std::optional<std::error_code> writing;
  socket->async_receive(batches, receiving.handler());
  socket->async_wait_writable([&](std::error_code code) { writing = code; });
  if (destroy) {
    socket.reset();
  } else {
    socket->close();
    CHECK(!socket->is_open());
  }
  CHECK(!receiving.failure);
  context.run();
  CHECK(receiving.failure == make_error_code(errc::aborted));
  CHECK(writing == make_error_code(errc::aborted));
  if (destroy) return;
  outcome later;
  socket->async_receive(batches, later.handler());
  CHECK(!later.failure);
  context.restart();
  context.run();
  CHECK(later.failure == make_error_code(errc::closed));
  CHECK(socket->send(to(address::loopback_v4(9), 0, 0), {}).error() == errc::closed);
}

TEST_CASE("udp_socket: a handler may destroy the socket it belongs to", "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  std::optional<udp_socket> socket(open(context, system, address::loopback_v4(0)));
  auto sender = open(context, system, address::loopback_v4(0));
  std::array<datagram_batch, 1> batches;
  const auto payload = random_bytes(10);
  REQUIRE(sender.send(to(socket->local_address(), 10, 10), payload));
  socket->async_receive(batches, [&](std::error_code, std::size_t) { socket.reset(); });
  run_until(context, [&] { return !socket; });
}

TEST_CASE("udp_socket: a context destroyed first destroys the handlers and leaves the socket inert",
          "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  const auto guard = std::make_shared<int>();
  auto context = std::make_unique<asio::io_context>();
  auto socket = open(*context, system, address::loopback_v4(0));
  // A handler that owns a socket of the same context: destroying the one destroys the other.
  auto owned = std::make_shared<udp_socket>(open(*context, system, address::loopback_v4(0)));
  std::array<datagram_batch, 1> batches, more;
  bool called = false;
  socket.async_receive(batches,
                       [guard, owned, &called](std::error_code, std::size_t) { called = true; });
  udp_socket& inner = *owned;
  inner.async_receive(more, [guard, keeps_itself = std::move(owned), &called](
                                std::error_code, std::size_t) { called = true; });
  context->poll();
  context.reset();
  CHECK(guard.use_count() == 1);
  CHECK(!socket.is_open());
  CHECK(socket.send(to(address::loopback_v4(9), 0, 0), {}).error() == errc::closed);
  socket.async_receive(batches, [guard, &called](std::error_code, std::size_t) { called = true; });
  socket.cancel();
  CHECK(!called);
  CHECK(guard.use_count() == 1);
}

TEST_CASE("udp_socket: handlers bound to another executor run there", "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  asio::io_context other;
  auto socket = open(context, system, address::loopback_v4(0));
  auto sender = open(context, system, address::loopback_v4(0));
  std::array<datagram_batch, 1> batches;
  outcome one;
  socket.async_receive(batches, asio::bind_executor(other.get_executor(), one.handler()));
  CHECK(other.poll() == 0);
  CHECK(!other.stopped());  // the pending handler is work there
  const auto payload = random_bytes(10);
  REQUIRE(sender.send(to(socket.local_address(), 10, 10), payload));
  run_until(context, [&] { return socket.counters().batches_received == 1; });
  context.poll();
  CHECK(!one.failure);
  other.poll();
  CHECK(one.failure == std::error_code());
}

TEST_CASE("udp_socket: coroutines receive and send on a strand of several threads",
          "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  constexpr int rounds = 200;
  asio::io_context context;
  const auto strand_a = asio::make_strand(context), strand_b = asio::make_strand(context);
  auto echo = udp_socket_state::open(strand_a, address::loopback_v4(0), {}, system.make).value();
  auto client = udp_socket_state::open(strand_b, address::loopback_v4(0), {}, system.make).value();
  const address server = echo.local_address();
  int echoed = 0;
  const auto serve = [&]() -> asio::awaitable<void> {
    std::array<datagram_batch, udp_max_batches> batches;
    for (int seen = 0; seen < rounds;) {
      const std::size_t n = co_await echo.async_receive(batches);
      for (std::size_t i = 0; i < n; ++i, ++seen) {
        const transmit answer = to(batches[i].remote, batches[i].payload.size(), batches[i].stride);
        if (!echo.send(answer, batches[i].payload)) co_return;
      }
    }
  };
  const auto ask = [&]() -> asio::awaitable<void> {
    std::array<datagram_batch, udp_max_batches> batches;
    const auto payload = random_bytes(1200);
    for (; echoed < rounds; ++echoed) {
      if (!client.send(to(server, 1200, 1200), payload)) co_return;
      const std::size_t n = co_await client.async_receive(batches);
      if (n != 1 || !equal_bytes(batches[0].payload, payload)) co_return;
    }
  };
  asio::co_spawn(strand_a, serve(), asio::detached);
  asio::co_spawn(strand_b, ask(), asio::detached);
  std::thread second([&] { context.run(); });
  context.run();
  second.join();
  CHECK(echoed == rounds);
}

TEST_CASE("udp_socket: a receive takes a deadline", "[transport][udp]") {
  const auto system = GENERATE(from_range(all_systems()));
  asio::io_context context;
  auto socket = open(context, system, address::loopback_v4(0));
  std::array<datagram_batch, 1> batches;
  outcome one;
  asio::post(context, [&] {
    with_timeout(socket.async_receive(batches), std::chrono::milliseconds(1))(one.handler());
  });
  context.run();
  REQUIRE(one.failure);
  CHECK(*one.failure == make_error_code(errc::timed_out));
}
