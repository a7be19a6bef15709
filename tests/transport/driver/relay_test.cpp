// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/relay.hpp"

#include <array>
#include <asio/as_tuple.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/read.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "strata/transport/memory_stream.hpp"
#include "strata/transport/tcp.hpp"
#include "testkit/run_awaitable.hpp"

using namespace strata;
using namespace std::chrono_literals;
using transport::errc;
using transport::stream;

namespace {

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);
using stream_pair = std::pair<std::unique_ptr<stream>, std::unique_ptr<stream>>;

enum class kind { tcp, tcp_copied, memory };

/// near <-> (one, other) <-> far, with a relay between one and other.
struct relayed {
  explicit relayed(kind chosen, transport::relay_options options = {})
      : kind_(chosen), how(options) {
    how.splice = chosen == kind::tcp;
    how.counters = counters;
    testkit::run_awaitable(context, begin());
  }

  void run(asio::awaitable<void> what) { testkit::run_awaitable(context, std::move(what)); }

  asio::awaitable<stream_pair> pair() {
    if (kind_ == kind::memory) {
      auto made = transport::make_memory_streams(context.get_executor());
      co_return stream_pair(std::move(made.first), std::move(made.second));
    }
    const auto executor = context.get_executor();
    const auto local = transport::address::loopback_v4(0);
    auto listener = transport::tcp_listener::listen(executor, local).value();
    transport::tcp_dialer dialer(executor);
    const transport::target where(listener->local_address());
    auto [failed, dialled] = co_await dialer.async_dial(where, quietly);
    auto [error, accepted] = co_await listener->async_accept(quietly);
    REQUIRE_FALSE(failed);
    REQUIRE_FALSE(error);
    co_return stream_pair(std::move(dialled), std::move(accepted));
  }

  asio::awaitable<void> begin() {
    auto left = co_await pair();
    auto right = co_await pair();
    near = std::move(left.first);
    far = std::move(right.first);
    transport::async_relay(
        std::move(left.second), std::move(right.second), how,
        asio::bind_cancellation_slot(stop.slot(),
                                     [this](std::error_code error, transport::relay_counters all) {
                                       result = error;
                                       total = all;
                                     }));
  }

  asio::awaitable<void> until_over() {
    while (!result) {
      asio::steady_timer timer(context, 1ms);
      co_await timer.async_wait(quietly);
    }
  }

  asio::io_context context;
  kind kind_;
  transport::relay_options how;
  std::shared_ptr<transport::relay_counters> counters =
      std::make_shared<transport::relay_counters>();
  std::unique_ptr<stream> near, far;
  asio::cancellation_signal stop;
  std::optional<std::error_code> result;
  transport::relay_counters total;
};

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> made(size);
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<std::byte>((i * 31 + i / 251) & 255);
  return made;
}

asio::awaitable<void> send(stream& to, const std::vector<std::byte>& what) {
  const auto all = asio::buffer(what);
  const auto [error, size] = co_await asio::async_write(to, all, quietly);
  CHECK_FALSE(error);
  const auto [finished] = co_await to.async_finish(quietly);
  CHECK_FALSE(finished);
}

asio::awaitable<std::vector<std::byte>> receive(stream& from,
                                                std::chrono::microseconds pause = {}) {
  std::vector<std::byte> all;
  std::vector<std::byte> memory(64 * 1024);
  for (;;) {
    const auto room = asio::buffer(memory);
    const auto [error, size] = co_await from.async_read_some(room, quietly);
    if (error == errc::eof) co_return all;
    CHECK_FALSE(error);
    if (error) co_return all;
    all.insert(all.end(), memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(size));
    if (pause == std::chrono::microseconds::zero()) continue;
    asio::steady_timer timer(from.get_executor(), pause);
    co_await timer.async_wait(quietly);
  }
}

}  // namespace

TEST_CASE("a relay carries every byte both ways, hands on both ends, and counts") {
  const auto chosen = GENERATE(kind::tcp, kind::tcp_copied, kind::memory);
  const std::size_t size = GENERATE(0u, 1u, 100'000u, 9'000'001u);
  CAPTURE(static_cast<int>(chosen), size);
  relayed world(chosen);
  const auto forth = pattern(size), back = pattern(size / 2 + 3);
  asio::co_spawn(world.context, send(*world.near, forth), asio::detached);
  asio::co_spawn(world.context, send(*world.far, back), asio::detached);
  world.run([](relayed& in, const auto& there, const auto& here) -> asio::awaitable<void> {
    const auto at_far = co_await receive(*in.far);
    CHECK(at_far == there);
    const auto at_near = co_await receive(*in.near);
    CHECK(at_near == here);
    co_await in.until_over();
  }(world, forth, back));
  CHECK_FALSE(*world.result);
  CHECK(world.total.forth == forth.size());
  CHECK(world.total.back == back.size());
}

TEST_CASE("a slow reader holds up the sender, and loses nothing") {
  const auto chosen = GENERATE(kind::tcp, kind::tcp_copied);
  relayed world(chosen);
  const auto sent = pattern(12'000'000);
  asio::co_spawn(world.context, send(*world.near, sent), asio::detached);
  world.run([](relayed& in, const auto& expected) -> asio::awaitable<void> {
    asio::steady_timer timer(in.context, 100ms);
    co_await timer.async_wait(quietly);
    CHECK(in.counters->forth < expected.size());
    const auto all = co_await receive(*in.far, 200us);
    CHECK(all == expected);
  }(world, sent));
}

TEST_CASE("a direction goes on when the other has ended", "[attack][P12][transport]") {
  const auto chosen = GENERATE(kind::tcp, kind::tcp_copied, kind::memory);
  relayed world(chosen);
  const auto answer = pattern(10'000'000);
  world.run([](relayed& in, const auto& told) -> asio::awaitable<void> {
    const auto [finished] = co_await in.near->async_finish(quietly);
    CHECK_FALSE(finished);
    const auto nothing = co_await receive(*in.far);
    CHECK(nothing.empty());
    asio::co_spawn(in.context, send(*in.far, told), asio::detached);
    const auto all = co_await receive(*in.near);
    CHECK(all == told);
    co_await in.until_over();
  }(world, answer));
  CHECK_FALSE(*world.result);
}

TEST_CASE("a half that says nothing after the other's end is ended", "[attack][P12][transport]") {
  relayed world(GENERATE(kind::tcp, kind::memory), {.half_closed = 50ms});
  world.run([](relayed& in) -> asio::awaitable<void> {
    const auto [finished] = co_await in.near->async_finish(quietly);
    CHECK_FALSE(finished);
    co_await in.until_over();
  }(world));
  CHECK(*world.result == errc::timed_out);
}

TEST_CASE("silence ends a relay that has a limit for it, and bytes put that off") {
  relayed world(kind::tcp, {.idle = 150ms});
  const auto begin = std::chrono::steady_clock::now();
  world.run([](relayed& in) -> asio::awaitable<void> {
    const std::array<char, 1> octet{'x'};
    for (int i = 0; i < 6; ++i) {
      const auto one = asio::buffer(octet);
      co_await asio::async_write(*in.near, one, quietly);
      asio::steady_timer timer(in.context, 50ms);
      co_await timer.async_wait(quietly);
      CHECK_FALSE(in.result);
    }
    co_await in.until_over();
  }(world));
  CHECK(std::chrono::steady_clock::now() - begin >= 400ms);
  CHECK(*world.result == errc::timed_out);
}

TEST_CASE("a reset on one side resets the other") {
  const auto chosen = GENERATE(kind::tcp, kind::memory);
  relayed world(chosen);
  world.run([](relayed& in) -> asio::awaitable<void> {
    in.near->reset(transport::stream_cancelled);
    std::array<std::byte, 8> memory;
    const auto room = asio::buffer(memory);
    const auto [error, size] = co_await in.far->async_read_some(room, quietly);
    CHECK(error);
    CHECK(error != errc::eof);
    co_await in.until_over();
  }(world));
  CHECK(*world.result);
}

TEST_CASE("cancelling a relay resets both, also while its pipe is full") {
  const bool much = GENERATE(false, true);
  relayed world(kind::tcp);
  const auto sent = pattern(much ? 30'000'000 : 10);
  asio::co_spawn(
      world.context,
      [](relayed& in, const auto& what) -> asio::awaitable<void> {
        const auto all = asio::buffer(what);
        co_await asio::async_write(*in.near, all, quietly);
      }(world, sent),
      asio::detached);
  world.run([](relayed& in) -> asio::awaitable<void> {
    asio::steady_timer timer(in.context, 100ms);
    co_await timer.async_wait(quietly);
    in.stop.emit(asio::cancellation_type::terminal);
    co_await in.until_over();
    std::vector<std::byte> memory(100'000);
    std::error_code last;
    while (!last) {
      const auto room = asio::buffer(memory);
      const auto [error, size] = co_await in.far->async_read_some(room, quietly);
      last = error;
    }
    CHECK(last != errc::eof);
  }(world));
  CHECK(*world.result == errc::aborted);
}

TEST_CASE("a peer that goes while it is spliced to ends the relay, not the program") {
  relayed world(kind::tcp);
  const auto sent = pattern(30'000'000);
  asio::co_spawn(
      world.context,
      [](relayed& in, const auto& what) -> asio::awaitable<void> {
        const auto all = asio::buffer(what);
        co_await asio::async_write(*in.near, all, quietly);
      }(world, sent),
      asio::detached);
  world.run([](relayed& in) -> asio::awaitable<void> {
    std::vector<std::byte> memory(3'000'000);
    const auto room = asio::buffer(memory);
    co_await asio::async_read(*in.far, room, quietly);
    in.far.reset();
    co_await in.until_over();
  }(world));
  CHECK(*world.result);
}

TEST_CASE("a relay that is under way goes with its context") {
  const auto chosen = GENERATE(kind::tcp, kind::memory);
  const auto sent = pattern(1000);
  auto world = std::make_unique<relayed>(chosen);
  asio::co_spawn(world->context, send(*world->near, sent), asio::detached);
  world->context.run_for(10ms);
  world.reset();
  SUCCEED("and the sanitizer finds nothing that is left");
}
