// SPDX-License-Identifier: Apache-2.0
// Which session a dialer opens its streams in, and when one ends.
#include <catch2/catch_test_macros.hpp>

#include "mux/driver/anytls_world.hpp"

using namespace strata;
using namespace strata::mux::testing;
using mux::anytls_options;

TEST_CASE("anytls: a session is used again when its stream has ended", "[mux][anytls][pool]") {
  anytls_world world;
  world.run([](anytls_world& in) -> asio::awaitable<void> {
    for (int i = 0; i < 20; ++i) {
      ends both = co_await connect(in);
      co_await write_text(*both.near, "question");
      const auto text_4 = co_await read_text(*both.far, 8);
      CHECK(text_4 == "question");
      co_await end_in_order(both);
    }
  }(world));
  world.settle();
  const auto now = world.dialer->statistics();
  CHECK(now.dialled == 1);
  CHECK(now.reused == 19);
  CHECK(now.idle == 1);
  CHECK(now.busy == 0);
  CHECK(world.listener->sessions() == 1);
}

TEST_CASE("anytls: streams at a time have a session each, and the newest idle one comes first",
          "[mux][anytls][pool]") {
  anytls_world world;
  world.run([](anytls_world& in) -> asio::awaitable<void> {
    ends first = co_await connect(in);
    ends second = co_await connect(in);
    CHECK(in.dialer->statistics().busy == 2);
    co_await end_in_order(second);
    co_await end_in_order(first);
  }(world));
  world.settle();
  REQUIRE(world.network.dials() == 2);
  REQUIRE(world.dialer->statistics().idle == 2);
  world.run([](anytls_world& in) -> asio::awaitable<void> {
    ends third = co_await connect(in);
    in.network.links()[0].cut(make_error_code(errc::unreachable));
    co_await write_text(*third.near, "in the newest");
    const auto text_5 = co_await read_text(*third.far, 13);
    CHECK(text_5 == "in the newest");
    CHECK(in.dialer->statistics().idle == 0);
  }(world));
  CHECK(world.network.dials() == 2);
}

TEST_CASE("anytls: a stream that is dropped by its application leaves its session usable",
          "[mux][anytls][pool]") {
  anytls_world world;
  world.run([](anytls_world& in) -> asio::awaitable<void> {
    ends both = co_await connect(in);
    co_await write_text(*both.far, "never read");
    both.near.reset();
    const auto error = co_await read_end(*both.far);
    CHECK(error == errc::eof);
    ends next = co_await connect(in);
    co_await write_text(*next.far, "answer");
    const auto text_6 = co_await read_text(*next.near, 6);
    CHECK(text_6 == "answer");
  }(world));
  CHECK(world.network.dials() == 1);
}

TEST_CASE("anytls: without reuse a session ends with its stream", "[mux][anytls][pool]") {
  anytls_options client;
  client.pool.reuse = false;
  anytls_world world(client);
  world.run([](anytls_world& in) -> asio::awaitable<void> {
    for (int i = 0; i < 3; ++i) {
      ends both = co_await connect(in);
      co_await end_in_order(both);
    }
  }(world));
  world.settle();
  CHECK(world.network.dials() == 3);
  CHECK(world.listener->sessions() == 0);
  CHECK(world.dialer->statistics().idle == 0);
}

TEST_CASE("anytls: without reuse the last bytes of a short stream still arrive",
          "[mux][anytls][pool]") {
  anytls_options client;
  client.pool.reuse = false;
  anytls_world world(client);
  world.run([](anytls_world& in) -> asio::awaitable<void> {
    ends both = co_await connect(in);
    const std::string text(3000, 'x');  // more than one record of its padded packet
    co_await write_text(*both.near, text);
    co_await both.near->async_finish(use_awaitable);
    both.near.reset();
    const auto text_7 = co_await read_text(*both.far, text.size());
    CHECK(text_7 == text);
    const auto error = co_await read_end(*both.far);
    CHECK(error == errc::eof);
  }(world));
}

TEST_CASE("anytls: an idle session that is lost is forgotten", "[mux][anytls][pool]") {
  anytls_world world;
  world.run([](anytls_world& in) -> asio::awaitable<void> {
    ends both = co_await connect(in);
    co_await end_in_order(both);
  }(world));
  world.settle();
  world.network.links()[0].cut(make_error_code(errc::unreachable));
  world.settle();
  CHECK(world.dialer->statistics().idle == 0);
  CHECK(world.dialer->statistics().dead_on_arrival == 0);
  world.run([](anytls_world& in) -> asio::awaitable<void> {
    ends both = co_await connect(in);
    co_await end_in_order(both);
  }(world));
  CHECK(world.network.dials() == 2);
}
