// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/driver/anytls_world.hpp"
#include "testkit/counting_allocator.hpp"

using namespace strata;
using namespace strata::mux::testing;
using strata::testkit::allocations;
using strata::testkit::held_bytes;

namespace {

asio::awaitable<void> echo(transport::stream& on, std::size_t size) {
  std::vector<char> memory(size);
  const auto room = asio::buffer(memory);
  for (;;) {
    const auto [error, count] = co_await on.async_read_some(room, quietly);
    if (error) co_return;
    const auto back = asio::buffer(memory.data(), count);
    co_await asio::async_write(on, back, use_awaitable);
  }
}

/// Asks `rounds` times for `size` bytes; what that allocated.
asio::awaitable<void> ask(transport::stream& on, std::size_t size, std::size_t rounds) {
  std::vector<char> memory(size);
  const auto buffer = asio::buffer(memory);
  for (std::size_t round = 0; round < rounds; ++round) {
    co_await asio::async_write(on, buffer, use_awaitable);
    for (std::size_t got = 0; got < size;)
      got += co_await on.async_read_some(buffer, use_awaitable);
  }
}

std::size_t cost(anytls_world& world, ends& both, std::size_t size, std::size_t rounds) {
  const std::size_t before = allocations();
  world.run(ask(*both.near, size, rounds));
  return allocations() - before;
}

}  // namespace

TEST_CASE("anytls: reads and writes allocate nothing in steady state",
          "[mux][anytls][allocation]") {
  for (const std::size_t size : {std::size_t{64}, std::size_t{50'000}}) {
    anytls_world world;
    ends both;
    world.run([](anytls_world& in, ends& made) -> asio::awaitable<void> {
      made = co_await connect(in);
    }(world, both));
    asio::co_spawn(world.context, echo(*both.far, size), asio::detached);
    cost(world, both, size, 1000);
    const std::size_t few = cost(world, both, size, 100);
    const std::size_t many = cost(world, both, size, 5000);
    CHECK(many == few);
  }
}

TEST_CASE("anytls: what idle sessions weigh", "[mux][anytls][allocation]") {
  anytls_world world;
  constexpr std::size_t carrier = 1024;  // of each direction
  world.network.hold(carrier);
  const auto round = [&world](std::size_t streams) {
    world.run([](anytls_world& in, std::size_t count) -> asio::awaitable<void> {
      std::vector<ends> all;
      for (std::size_t i = 0; i < count; ++i) all.push_back(co_await connect(in));
      for (ends& one : all) co_await end_in_order(one);
    }(world, streams));
    world.settle();
  };
  round(1);
  const std::size_t before = held_bytes();
  round(101);
  REQUIRE(world.dialer->statistics().idle == 101);
  const std::size_t each = ((held_bytes() - before) / 100 - 2 * carrier) / 2;
  WARN("one end of an idle session: " << each << " bytes");
  CHECK(each < 8 * 1024);
}
