// SPDX-License-Identifier: Apache-2.0
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/steady_timer.hpp>
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/frames.hpp"
#include "mux/driver/anytls_world.hpp"
#include "strata/mux/core/error.hpp"

using namespace strata;
using namespace strata::mux::testing;
using mux::anytls_options;
using mux::anytls_request;
using mux::core::anytls::command;
using mux::core::testing::operator+;

namespace {

anytls_options awaiting(unsigned version = 2) {
  anytls_options options;
  options.await_answer = true;
  options.session.version = version;
  return options;
}

/// A server that says nothing of its own accord.
anytls_options undecided(unsigned version = 2) {
  anytls_options options;
  options.session.version = version;
  options.session.report_timeout = 0ms;
  return options;
}

/// A dial whose outcome can be looked at.
struct started_dial {
  bool done = false;
  std::error_code error;
  std::unique_ptr<transport::stream> stream;
  asio::cancellation_signal stop;
};

std::shared_ptr<started_dial> start_dial(anytls_world& in) {
  const auto made = std::make_shared<started_dial>();
  in.dialer->async_dial(
      some_target, asio::bind_cancellation_slot(
                       made->stop.slot(),
                       [made](std::error_code error, std::unique_ptr<transport::stream> stream) {
                         made->done = true;
                         made->error = error;
                         made->stream = std::move(stream);
                       }));
  return made;
}

std::unique_ptr<anytls_request> take_request(anytls_world& in) {
  std::unique_ptr<anytls_request> made;
  in.listener->async_accept([&](std::error_code error, std::unique_ptr<anytls_request> asked) {
    CHECK_FALSE(error);
    made = std::move(asked);
  });
  in.settle();
  REQUIRE(made);
  return made;
}

asio::awaitable<void> until(const bool& done) {
  while (!done) co_await asio::post(co_await asio::this_coro::executor, use_awaitable);
}

/// The other end of a client, by hand.
struct raw_server {
  std::unique_ptr<transport::stream> carrier;
  mux::core::testing::byte_vector came;

  asio::awaitable<void> read(std::size_t size) {
    while (came.size() < size) {
      std::array<std::byte, 4096> memory;
      const auto room = asio::buffer(memory);
      const std::size_t count = co_await carrier->async_read_some(room, use_awaitable);
      came.insert(came.end(), memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(count));
    }
  }
  /// Takes the authentication off the front, and says how much padding it had.
  asio::awaitable<std::size_t> authentication() {
    co_await read(34);
    const std::size_t padding =
        std::to_integer<std::size_t>(came[32]) << 8 | std::to_integer<std::size_t>(came[33]);
    co_await read(34 + padding);
    came.erase(came.begin(), came.begin() + static_cast<std::ptrdiff_t>(34 + padding));
    co_return padding;
  }
  asio::awaitable<std::vector<mux::core::testing::seen_frame>> frames(std::size_t count) {
    std::vector<mux::core::testing::seen_frame> all;
    for (;;) {
      for (auto& one : mux::core::testing::take_frames(came))
        if (one.command != command::waste) all.push_back(std::move(one));
      if (all.size() >= count) co_return all;
      co_await read(came.size() + 1);
    }
  }
  asio::awaitable<void> send(const mux::core::testing::byte_vector& what) {
    const auto all = asio::buffer(what);
    co_await asio::async_write(*carrier, all, use_awaitable);
  }
};

}  // namespace

TEST_CASE("anytls: the four combinations of versions carry streams and answers", "[mux][anytls]") {
  for (const unsigned of_client : {1u, 2u}) {
    for (const unsigned of_server : {1u, 2u}) {
      CAPTURE(of_client, of_server);
      auto client = awaiting(of_client);
      client.version_timeout = 20ms;
      anytls_world world(client, undecided(of_server));
      const bool answers = of_client == 2 && of_server == 2;
      bool waits = of_client == 2;
      for (const bool connects : {true, false, true}) {
        const auto dial = start_dial(world);
        auto asked = take_request(world);
        CHECK(dial->done != waits);
        waits = answers;
        if (!connects) {
          asked->refuse("no route");
          world.run(until(dial->done));
          CHECK(dial->error ==
                (answers ? make_error_code(mux::errc::stream_refused) : std::error_code()));
          if (!answers) {
            world.run([](transport::stream& of) -> asio::awaitable<void> {
              const auto error = co_await read_end(of);
              CHECK(error == errc::eof);
            }(*dial->stream));
          }
          continue;
        }
        if (!answers) world.run(until(dial->done));
        ends both{nullptr, asked->accept()};
        world.run(until(dial->done));
        REQUIRE_FALSE(dial->error);
        both.near = std::move(dial->stream);
        world.run([](ends& of) -> asio::awaitable<void> {
          co_await write_text(*of.near, "question");
          const auto text_1 = co_await read_text(*of.far, 8);
          CHECK(text_1 == "question");
          co_await write_text(*of.far, "answer");
          const auto text_2 = co_await read_text(*of.near, 6);
          CHECK(text_2 == "answer");
          co_await end_in_order(of);
        }(both));
        world.settle();
      }
      CHECK(world.network.dials() == 1);
    }
  }
}

TEST_CASE("anytls: a dial that awaits the answer completes with it", "[mux][anytls][synack]") {
  anytls_world world(awaiting(), undecided());
  const auto dial = start_dial(world);
  const auto asked = take_request(world);
  world.settle();
  CHECK_FALSE(dial->done);

  const auto far = asked->accept();
  world.settle();

  CHECK(dial->done);
  CHECK_FALSE(dial->error);
}

TEST_CASE("anytls: a server that refuses fails that dial alone", "[mux][anytls][synack]") {
  anytls_world world(awaiting(), undecided());
  const auto dial = start_dial(world);
  take_request(world)->refuse("no route to target.test");
  world.settle();

  CHECK(dial->error == mux::errc::stream_refused);
  CHECK(dial->error == transport::condition::refused);
  CHECK(world.dialer->statistics().idle == 1);
}

TEST_CASE(
    "anytls: an answer that does not come in time fails that dial alone, and a late one harms "
    "nobody",
    "[mux][anytls][synack]") {
  auto client = awaiting();
  client.session.synack_timeout = 30ms;
  anytls_world world(client, undecided());
  const auto slow = start_dial(world);
  const auto asked = take_request(world);

  world.run(until(slow->done));
  CHECK(slow->error == errc::timed_out);
  const auto late = asked->accept();
  world.settle();

  const auto next = start_dial(world);
  const auto far = take_request(world)->accept();
  world.settle();
  CHECK(next->done);
  CHECK_FALSE(next->error);
  CHECK(world.network.dials() == 1);
}

TEST_CASE("anytls: a server of version 1 never answers, and is waited for only once",
          "[mux][anytls][synack]") {
  auto client = awaiting();
  client.version_timeout = 30ms;
  anytls_world world(client, undecided(1));
  const auto first = start_dial(world);
  auto far = take_request(world)->accept();
  CHECK_FALSE(first->done);
  world.run(until(first->done));
  REQUIRE_FALSE(first->error);
  ends both{std::move(first->stream), std::move(far)};
  world.run(end_in_order(both));
  world.settle();

  const auto second = start_dial(world);
  world.settle();

  CHECK(second->done);
  CHECK(world.network.dials() == 1);
}

TEST_CASE("anytls: without waiting a dial needs no round trip", "[mux][anytls][driver]") {
  anytls_world world({}, undecided());
  const auto dial = start_dial(world);
  world.settle();
  CHECK(dial->done);
  CHECK_FALSE(dial->error);
}

TEST_CASE("anytls: the target is the first frame of a stream, apart from what is written on it",
          "[mux][anytls][driver]") {
  anytls_world world;
  const auto carriers = world.network.listener();
  world.run([](anytls_world& in, transport::stream_listener& from) -> asio::awaitable<void> {
    auto near = co_await in.dialer->async_dial(some_target, use_awaitable);
    co_await write_text(*near, "hello");
    raw_server server;
    server.carrier = co_await from.async_accept(use_awaitable);
    const std::size_t padding = co_await server.authentication();
    CHECK(padding == 30);
    const auto seen = co_await server.frames(4);
    REQUIRE(seen.size() == 4);
    CHECK(seen[0].command == command::settings);
    CHECK(seen[1].is(command::syn, 1));
    CHECK(seen[2].is(command::psh, 1, std::string("\3\13target.test\0\120", 15)));
    CHECK(seen[3].is(command::psh, 1, "hello"));
  }(world, *carriers));
}

TEST_CASE("anytls: a padding scheme that a server pushes is for the sessions to come",
          "[mux][anytls][driver]") {
  anytls_world world;
  const auto carriers = world.network.listener();
  world.run([](anytls_world& in, transport::stream_listener& from) -> asio::awaitable<void> {
    for (const std::size_t expected : {std::size_t{30}, std::size_t{77}}) {
      auto near = co_await in.dialer->async_dial(some_target, use_awaitable);
      raw_server server;
      server.carrier = co_await from.async_accept(use_awaitable);
      const std::size_t padding = co_await server.authentication();
      CHECK(padding == expected);
      co_await server.frames(3);
      const auto pushed =
          mux::core::testing::frame(command::update_padding_scheme, 0, "stop=1\n0=77-77") +
          mux::core::testing::frame(command::psh, 1, "x");
      co_await server.send(pushed);
      const auto text_3 = co_await read_text(*near, 1);
      CHECK(text_3 == "x");
      server.carrier.reset();
      near.reset();
      while (in.dialer->statistics().busy + in.dialer->statistics().idle != 0)
        co_await asio::post(in.context, use_awaitable);
    }
  }(world, *carriers));
}

// The pool.

TEST_CASE("anytls: a used session that dies before it answers is replaced by a new one, once",
          "[mux][anytls][pool]") {
  anytls_world world(awaiting(), undecided());
  world.run([](anytls_world& in) -> asio::awaitable<void> {
    const auto first = start_dial(in);
    auto far = co_await accept_one(*in.listener);
    co_await until(first->done);
    ends both{std::move(first->stream), std::move(far)};
    co_await end_in_order(both);
  }(world));
  world.settle();
  REQUIRE(world.dialer->statistics().idle == 1);

  const auto dial = start_dial(world);
  world.network.links()[0].cut(make_error_code(errc::unreachable));
  world.settle();
  CHECK_FALSE(dial->done);
  CHECK(world.network.dials() == 2);
  SECTION("the new one lives") {
    const auto far = take_request(world)->accept();
    world.settle();
    CHECK(dial->done);
    CHECK_FALSE(dial->error);
  }
  SECTION("the new one dies, too") {
    world.network.links()[1].cut(make_error_code(errc::unreachable));
    world.settle();
    CHECK(dial->done);
    CHECK(dial->error == errc::unreachable);
    CHECK(world.network.dials() == 2);
  }
}

TEST_CASE("anytls: when carriers fail again and again, dials wait", "[mux][anytls][pool]") {
  anytls_world world;
  world.network.refuse(make_error_code(errc::refused));
  for (int i = 0; i < 2; ++i) {
    const auto dial = start_dial(world);
    world.settle();
    CHECK(dial->error == errc::refused);
  }
  CHECK(world.dialer->statistics().dead_on_arrival == 2);
  world.network.refuse({});
  const auto dial = start_dial(world);
  world.settle();
  CHECK_FALSE(dial->done);
  CHECK(world.network.dials() == 2);

  world.run(until(dial->done));

  CHECK_FALSE(dial->error);
  CHECK(world.network.dials() == 3);
}

// Handles.

TEST_CASE("anytls: streams outlive their dialer, and the last one ends its session",
          "[mux][anytls][driver]") {
  anytls_world world;
  world.run([](anytls_world& in) -> asio::awaitable<void> {
    ends idle = co_await connect(in);
    ends both = co_await connect(in);
    co_await end_in_order(idle);
    in.dialer.reset();
    co_await write_text(*both.near, "still there");
    const auto text_8 = co_await read_text(*both.far, 11);
    CHECK(text_8 == "still there");
    co_await end_in_order(both);
  }(world));
  world.settle();
  CHECK(world.listener->sessions() == 0);
}

TEST_CASE("anytls: closing a dialer aborts what it dials", "[mux][anytls][driver]") {
  anytls_world world(awaiting(), undecided());
  const auto answering = start_dial(world);
  world.settle();
  const auto dialling = start_dial(world);

  world.dialer->close();
  world.settle();

  CHECK(answering->error == errc::aborted);
  CHECK(dialling->error == errc::aborted);
  const auto later = start_dial(world);
  world.settle();
  CHECK(later->error == errc::closed);
}

TEST_CASE("anytls: a cancelled dial leaves its carrier to the next one", "[mux][anytls][driver]") {
  anytls_world world;
  const auto dial = start_dial(world);
  dial->stop.emit(asio::cancellation_type::terminal);
  world.settle();
  CHECK(dial->error == errc::aborted);
  CHECK(world.dialer->statistics().idle == 1);

  world.run([](anytls_world& in) -> asio::awaitable<void> {
    ends both = co_await connect(in);
    co_await end_in_order(both);
  }(world));
  CHECK(world.network.dials() == 1);
}

TEST_CASE("anytls: a dial that is cancelled while it awaits the answer ends its stream",
          "[mux][anytls][driver]") {
  anytls_world world(awaiting(), undecided());
  const auto dial = start_dial(world);
  const auto asked = take_request(world);
  dial->stop.emit(asio::cancellation_type::terminal);
  world.settle();
  CHECK(dial->error == errc::aborted);
  CHECK(world.dialer->statistics().idle == 1);
  const auto far = asked->accept();
  world.run([](transport::stream& of) -> asio::awaitable<void> {
    const auto error = co_await read_end(of);
    CHECK(error == errc::eof);
  }(*far));
}

TEST_CASE("anytls: targets that no address can say are refused", "[mux][anytls][driver]") {
  anytls_world world;
  world.run([](anytls_world& in) -> asio::awaitable<void> {
    for (const std::size_t size : {std::size_t{254}, std::size_t{255}, std::size_t{256}}) {
      const transport::target where(std::string(size, 'a'), 80);
      const auto [error, stream] = co_await in.dialer->async_dial(where, quietly);
      CHECK(error == (size == 256 ? make_error_code(errc::invalid_argument) : std::error_code()));
      if (error) continue;
      const auto asked = co_await in.listener->async_accept(use_awaitable);
      CHECK(asked->destination() == where);
    }
  }(world));
}

TEST_CASE("anytls: a context that ends with everything pending leaks nothing",
          "[mux][anytls][driver]") {
  std::unique_ptr<mux::anytls_dialer> dialer;
  std::unique_ptr<mux::anytls_listener> listener;
  std::unique_ptr<anytls_request> asked;
  ends both;
  char byte = 0;
  {
    anytls_world world(awaiting(), undecided());
    const auto first = start_dial(world);
    both.far = take_request(world)->accept();
    world.settle();
    REQUIRE(first->stream);
    both.near = std::move(first->stream);
    both.near->async_read_some(asio::buffer(&byte, 1), [](std::error_code, std::size_t) {});
    both.far->async_wait_closed([](std::error_code) {});
    const auto answering = start_dial(world);
    asked = take_request(world);
    world.listener->async_accept([](std::error_code, std::unique_ptr<anytls_request>) {});
    const auto dialling = start_dial(world);
    dialer = std::move(world.dialer);
    listener = std::move(world.listener);
  }
  asked.reset();
  dialer->close();
  listener->close();
}
