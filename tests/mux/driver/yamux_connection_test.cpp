// SPDX-License-Identifier: Apache-2.0
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <thread>
#include <vector>

#include "strata/mux/yamux.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/tcp.hpp"
#include "testkit/run_awaitable.hpp"

using namespace strata;
using namespace std::chrono_literals;
using asio::use_awaitable;
using transport::errc;

namespace {

constexpr auto quietly = asio::as_tuple(use_awaitable);

/// A server and a client over TCP on loopback, one session between them.
struct session_pair {
  session_pair() {
    auto carriers =
        transport::tcp_listener::listen(context.get_executor(), transport::address::loopback_v4(0));
    REQUIRE(carriers);
    listener = std::make_unique<mux::yamux_listener>(std::move(*carriers));
    dialer = std::make_unique<mux::yamux_dialer>(
        std::make_shared<transport::tcp_dialer>(context.get_executor()));
  }

  /// Runs `what` until it is done; fails the test when it throws.
  void run(asio::awaitable<void> what) { testkit::run_awaitable(context, std::move(what)); }

  asio::awaitable<void> connect() {
    asio::co_spawn(
        context,
        [this]() -> asio::awaitable<void> { far = co_await listener->async_accept(use_awaitable); },
        asio::detached);
    const transport::target where(listener->local_address());
    near = co_await dialer->async_dial(where, use_awaitable);
    while (!far) co_await asio::post(context, use_awaitable);
  }

  asio::io_context context;
  std::unique_ptr<mux::yamux_listener> listener;
  std::unique_ptr<mux::yamux_dialer> dialer;
  std::unique_ptr<transport::connection> near, far;
};

asio::awaitable<void> echo(std::unique_ptr<transport::stream> stream) {
  std::vector<char> memory(64 * 1024);
  const auto room = asio::buffer(memory);
  for (;;) {
    const auto [error, size] = co_await stream->async_read_some(room, quietly);
    if (error) break;
    const auto back = asio::buffer(memory.data(), size);
    co_await asio::async_write(*stream, back, use_awaitable);
  }
  co_await stream->async_finish(use_awaitable);
}

asio::awaitable<void> echo_all(transport::connection& connection) {
  for (;;) {
    auto [error, stream] = co_await connection.async_accept_stream(quietly);
    if (error) co_return;
    asio::co_spawn(connection.get_executor(), echo(std::move(stream)), asio::detached);
  }
}

std::string pattern(std::size_t size) {
  std::string out(size, ' ');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 131 + (i >> 9));
  return out;
}

asio::awaitable<void> exchange(transport::connection& connection, std::size_t size,
                               std::size_t& done) {
  auto stream = co_await connection.async_open_stream(use_awaitable);
  const std::string text = pattern(size);
  asio::co_spawn(
      connection.get_executor(),
      [](transport::stream& to, const std::string& all) -> asio::awaitable<void> {
        const auto bytes = asio::buffer(all);
        co_await asio::async_write(to, bytes, use_awaitable);
        co_await to.async_finish(use_awaitable);
      }(*stream, text),
      asio::detached);
  std::string got(size, ' ');
  const auto room = asio::buffer(got);
  co_await asio::async_read(*stream, room, use_awaitable);
  CHECK(got == text);
  char extra = 0;
  const auto behind = asio::buffer(&extra, 1);
  const auto [error, count] = co_await stream->async_read_some(behind, quietly);
  CHECK(error == errc::eof);
  ++done;
}

}  // namespace

TEST_CASE("yamux: many streams over one TCP connection, in both directions", "[mux][driver]") {
  session_pair pair;
  pair.run(pair.connect());
  asio::co_spawn(pair.context, echo_all(*pair.far), asio::detached);
  std::size_t done = 0;
  pair.run([](session_pair& on, std::size_t& count) -> asio::awaitable<void> {
    for (const std::size_t size :
         {std::size_t{1}, std::size_t{16383}, std::size_t{16384}, std::size_t{3'000'000}}) {
      for (int i = 0; i < 8; ++i)
        asio::co_spawn(on.context, exchange(*on.near, size, count), asio::detached);
    }
    while (count < 32) co_await asio::post(on.context, use_awaitable);
  }(pair, done));
  CHECK(done == 32);
}

TEST_CASE("yamux: read_until works over its streams", "[mux][driver]") {
  session_pair pair;
  pair.run(pair.connect());
  asio::co_spawn(pair.context, echo_all(*pair.far), asio::detached);
  pair.run([](transport::connection& near) -> asio::awaitable<void> {
    auto stream = co_await near.async_open_stream(use_awaitable);
    const std::string text = "first\nsecond\n";
    const auto out = asio::buffer(text);
    co_await asio::async_write(*stream, out, use_awaitable);
    std::string got;
    auto into = asio::dynamic_buffer(got);
    const std::size_t size = co_await asio::async_read_until(*stream, into, '\n', use_awaitable);
    CHECK(got.substr(0, size) == "first\n");
  }(*pair.near));
}

TEST_CASE("yamux: a shutdown waits for the streams and loses nothing", "[mux][driver]") {
  session_pair pair;
  pair.run(pair.connect());
  pair.run([](session_pair& on) -> asio::awaitable<void> {
    const std::string text = pattern(900'000);
    auto out = co_await on.near->async_open_stream(use_awaitable);
    auto in = co_await on.far->async_accept_stream(use_awaitable);
    std::size_t got = 0;
    asio::co_spawn(
        on.context,
        [](std::unique_ptr<transport::stream> from, std::size_t& count) -> asio::awaitable<void> {
          std::vector<char> memory(10'000);
          const auto room = asio::buffer(memory);
          for (;;) {
            const auto [error, size] = co_await from->async_read_some(room, quietly);
            if (error) break;
            count += size;
          }
          co_await from->async_finish(use_awaitable);
        }(std::move(in), got),
        asio::detached);
    const auto bytes = asio::buffer(text);
    co_await asio::async_write(*out, bytes, use_awaitable);
    co_await out->async_finish(use_awaitable);
    out.reset();
    co_await on.near->async_shutdown(10s, 0, use_awaitable);
    CHECK(got == text.size());
    CHECK(on.near->closed());
    const auto reason = co_await on.far->async_wait_closed(use_awaitable);
    CHECK(reason->origin == transport::close_reason::origin_kind::peer_application);
  }(pair));
}

TEST_CASE("yamux: a program may stop once its shutdown is done", "[mux][driver]") {
  session_pair pair;
  asio::io_context elsewhere;
  pair.dialer = std::make_unique<mux::yamux_dialer>(
      std::make_shared<transport::tcp_dialer>(elsewhere.get_executor()));
  std::thread other([&] {
    asio::co_spawn(
        elsewhere,
        [](session_pair& on, asio::io_context& mine) -> asio::awaitable<void> {
          const transport::target where(on.listener->local_address());
          const auto session = co_await on.dialer->async_dial(where, use_awaitable);
          auto stream = co_await session->async_open_stream(use_awaitable);
          const std::string text = "last words";
          const auto bytes = asio::buffer(text);
          co_await asio::async_write(*stream, bytes, use_awaitable);
          co_await stream->async_finish(use_awaitable);
          char byte = 0;
          const auto room = asio::buffer(&byte, 1);
          co_await stream->async_read_some(room, quietly);
          stream.reset();
          co_await session->async_shutdown(10s, 0, use_awaitable);
          mine.stop();
        }(pair, elsewhere),
        asio::detached);
    elsewhere.run();
  });
  pair.run([](session_pair& on) -> asio::awaitable<void> {
    on.far = co_await on.listener->async_accept(use_awaitable);
    asio::co_spawn(on.context, echo_all(*on.far), asio::detached);
    const auto reason = co_await on.far->async_wait_closed(use_awaitable);
    CHECK(reason->origin == transport::close_reason::origin_kind::peer_application);
    CHECK(reason->code == 0);
  }(pair));
  other.join();
}

TEST_CASE("yamux: closing ends what waits at both ends", "[mux][driver]") {
  session_pair pair;
  pair.run(pair.connect());
  pair.run([](session_pair& on) -> asio::awaitable<void> {
    auto out = co_await on.near->async_open_stream(use_awaitable);
    auto in = co_await on.far->async_accept_stream(use_awaitable);
    on.near->close(0);
    char byte = 0;
    const auto room = asio::buffer(&byte, 1);
    const auto [here, none] = co_await out->async_read_some(room, quietly);
    CHECK(here == errc::closed);
    const auto [there, nothing] = co_await in->async_read_some(room, quietly);
    CHECK(there == errc::closed_by_peer);
    const auto [refused, no_stream] = co_await on.far->async_open_stream(quietly);
    CHECK(refused == errc::closed_by_peer);
    CHECK(no_stream == nullptr);
  }(pair));
}

TEST_CASE("yamux: when the last handle goes, the session and its carrier end", "[mux][driver]") {
  session_pair pair;
  pair.run(pair.connect());
  pair.near.reset();
  pair.run([](session_pair& on) -> asio::awaitable<void> {
    const auto reason = co_await on.far->async_wait_closed(use_awaitable);
    CHECK(reason->cause == errc::closed_by_peer);
  }(pair));
  pair.far.reset();
  pair.listener.reset();
  pair.dialer.reset();
  pair.context.restart();
  pair.context.run_for(10s);
  CHECK(pair.context.stopped());
}

TEST_CASE("yamux: a context that ends with everything pending leaks nothing", "[mux][driver]") {
  std::unique_ptr<transport::connection> outlives;
  std::unique_ptr<transport::stream> stream;
  char byte = 0;
  {
    session_pair pair;
    pair.run(pair.connect());
    pair.near->async_open_stream([&](std::error_code, std::unique_ptr<transport::stream> made) {
      stream = std::move(made);
    });
    while (!stream) pair.context.run_one();
    stream->async_read_some(asio::buffer(&byte, 1), [](std::error_code, std::size_t) {});
    pair.near->async_accept_stream([](std::error_code, std::unique_ptr<transport::stream>) {});
    pair.near->async_wait_closed([](std::error_code, std::unique_ptr<transport::close_reason>) {});
    outlives = std::move(pair.near);
  }
  stream.reset();
  outlives->close(0);
}
