// SPDX-License-Identifier: Apache-2.0
// Handles, handlers and contexts that go at bad moments. Leaks and uses after free are found by the
// sanitizers that these tests run under.
#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/read.hpp>
#include <asio/strand.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>
#include <vector>

#include "endpoint_pair.hpp"

using namespace strata;
using namespace strata::tests;
using namespace std::chrono_literals;
using asio::use_awaitable;
using transport::errc;

namespace {

/// One of each operation on a connection, its streams and its endpoint, all of which wait.
struct everything {
  std::array<char, 64> memory{};
  std::string large = std::string(8 << 20, 'x');
  connection_outcome connect, accept;
  stream_outcome open, accept_two_way, accept_one_way;
  reason_outcome closed;
  plain_outcome shutdown, stream_closed, borrowed;
  size_outcome read, write;

  void start_on(quic::endpoint& client, quic::endpoint& server, const transport::address& mute,
                const quic::core::connection_config& config) {
    client.async_connect(mute, "server.test", config, connect.handler());
    server.async_accept(accept.handler());
  }
  /// Something must be unsent, or the shutdown would be done at once.
  void start_on(quic::connection& connection) {
    connection.async_open_stream(true, open.handler());
    connection.async_accept_stream(true, accept_two_way.handler());
    connection.async_accept_stream(false, accept_one_way.handler());
    connection.async_wait_closed(closed.handler());
    connection.async_shutdown(60s, 1, shutdown.handler());
  }
  /// The peer reads nothing, so that writes wait, too.
  void start_on(quic::stream& stream) {
    stream.async_read_some(asio::buffer(memory), read.handler());
    stream.async_wait_closed(stream_closed.handler());
    stream.async_write_borrowed(asio::buffer(large), borrowed.handler());
    asio::async_write(stream, asio::buffer(large), write.handler());
  }
  bool all_wait_on_connection() const {
    return open.waits() && accept_two_way.waits() && accept_one_way.waits() && closed.waits() &&
           shutdown.waits();
  }
  bool all_wait_on_stream() const {
    return read.waits() && stream_closed.waits() && borrowed.waits() && write.waits();
  }
  bool none_ran() const {
    return connect.ran + accept.ran + open.ran + accept_two_way.ran + accept_one_way.ran +
               closed.ran + shutdown.ran + stream_closed.ran + borrowed.ran + read.ran +
               write.ran ==
           0;
  }
  bool none_waits() const {
    return !connect.waits() && !accept.waits() && !open.waits() && !accept_two_way.waits() &&
           !accept_one_way.waits() && !closed.waits() && !shutdown.waits() &&
           !stream_closed.waits() && !borrowed.waits() && !read.waits() && !write.waits();
  }
};

/// The server lets its peer open a single stream at a time, so that opening another waits.
quic::core::connection_config one_stream() {
  quic::core::connection_config config;
  config.max_streams_bidi = 1;
  return config;
}

asio::awaitable<void> read_for_ever(stream_ptr on) {
  std::array<char, 16> memory;
  for (;;) {
    const auto buffer = asio::buffer(memory);
    co_await on->async_read_some(buffer, use_awaitable);
  }
}

asio::awaitable<void> accept_streams_for_ever(quic::connection on) {
  for (;;) co_await on.async_accept_stream(true, use_awaitable);
}

asio::awaitable<void> accept_for_ever(quic::endpoint on) {
  for (;;) co_await on.async_accept(use_awaitable);
}

asio::awaitable<void> connect_for_ever(quic::endpoint on, transport::address to) {
  const quic::core::connection_config config;
  co_await on.async_connect(to, "server.test", config, use_awaitable);
}

}  // namespace

TEST_CASE("quic: a context may be destroyed with every kind of operation pending",
          "[quic][driver][lifetime]") {
  const bool handles_first = GENERATE(false, true);
  CAPTURE(handles_first);
  const mute_peer mute;
  endpoint_pair pair(one_stream());
  pair.connect();
  auto [near, far] = pair.make_streams();
  everything on_near;
  stream_outcome far_accept;
  plain_outcome far_closed;
  on_near.start_on(pair.client, pair.server, mute.address, pair.client_config);
  on_near.start_on(*near);
  on_near.start_on(pair.near);
  pair.far.async_accept_stream(true, far_accept.handler());
  far->async_wait_closed(far_closed.handler());
  pair.settle();
  REQUIRE(on_near.none_ran());
  REQUIRE(on_near.all_wait_on_connection());
  REQUIRE(on_near.all_wait_on_stream());

  if (handles_first) {
    near.reset();
    pair.near = {};
    pair.client = {};
  }
  pair.near_context.reset();
  pair.far_context.reset();

  CHECK(on_near.none_ran());
  CHECK(on_near.none_waits());
  CHECK(far_accept.ran + far_closed.ran == 0);
  CHECK_FALSE(far_accept.waits());
  CHECK_FALSE(far_closed.waits());
}

TEST_CASE("quic: handles may outlive their context, and are inert then",
          "[quic][driver][lifetime]") {
  const bool on_strand = GENERATE(false, true);
  CAPTURE(on_strand);
  const mute_peer mute;
  endpoint_pair pair;
  if (on_strand) {
    pair.open_client(asio::make_strand(*pair.near_context));
    pair.open_server(asio::make_strand(*pair.far_context));
  }
  pair.connect();
  auto [near, far] = pair.make_streams();
  pair.near_context.reset();
  pair.far_context.reset();

  everything late;
  CHECK_FALSE(pair.client.get_executor());
  CHECK_FALSE(pair.near.get_executor());
  CHECK_FALSE(near->get_executor());
  late.start_on(pair.client, pair.server, mute.address, pair.client_config);
  late.start_on(pair.near);
  late.start_on(*near);
  plain_outcome finished, confirmed, ended;
  near->async_finish(finished.handler());
  pair.near.async_confirmed(confirmed.handler());
  pair.client.async_close(1, ended.handler());
  near->reset(1);
  near->prioritize(1, true);
  pair.near.close(1, "too late");
  pair.near.flush();
  pair.client.stop_accepting();

  CHECK_FALSE(pair.near.is_open());
  CHECK_FALSE(pair.near.closed());
  CHECK(pair.client.local_address() == transport::address());
  CHECK(near->codes().reset == transport::peer_codes().reset);
  CHECK(late.none_ran());
  CHECK(late.none_waits());
  CHECK(finished.ran + confirmed.ran + ended.ran == 0);
}

TEST_CASE("quic: a context destroyed with coroutines that own their handles leaks nothing",
          "[quic][driver][lifetime]") {
  const mute_peer mute;
  endpoint_pair pair;
  pair.connect();
  auto [near, far] = pair.make_streams();
  asio::co_spawn(*pair.near_context, read_for_ever(std::move(near)), asio::detached);
  asio::co_spawn(*pair.near_context, accept_streams_for_ever(std::move(pair.near)), asio::detached);
  asio::co_spawn(*pair.near_context, connect_for_ever(std::move(pair.client), mute.address),
                 asio::detached);
  asio::co_spawn(*pair.far_context, read_for_ever(std::move(far)), asio::detached);
  asio::co_spawn(*pair.far_context, accept_for_ever(std::move(pair.server)), asio::detached);
  pair.settle();

  pair.near_context.reset();
  pair.far_context.reset();
}

TEST_CASE("quic: destroying a stream aborts what waits on it", "[quic][driver][lifetime]") {
  endpoint_pair pair;
  pair.connect();
  auto [near, far] = pair.make_streams();
  everything on;
  on.start_on(*near);
  pair.settle();
  REQUIRE(on.all_wait_on_stream());

  near.reset();
  CHECK(on.none_ran());
  pair.settle();

  const std::error_code aborted = errc::aborted;
  CHECK(on.read.ended_with(aborted));
  CHECK(on.write.ended_with(aborted));
  CHECK(on.stream_closed.ended_with(aborted));
  CHECK(on.borrowed.ended_with(aborted));
  CHECK(pair.near.is_open());
}

TEST_CASE("quic: destroying a connection aborts what waits on it, and its streams live on",
          "[quic][driver][lifetime]") {
  const bool by_assignment = GENERATE(false, true);
  endpoint_pair pair(one_stream());
  pair.connect();
  auto [near, far] = pair.make_streams();
  everything on;
  size_outcome large;
  asio::async_write(*near, asio::buffer(on.large), large.handler());
  on.start_on(pair.near);
  pair.settle();
  REQUIRE(on.all_wait_on_connection());

  if (by_assignment) {
    pair.near = {};
  } else {
    const quic::connection gone = std::move(pair.near);
  }
  CHECK(on.none_ran());
  pair.settle();

  const std::error_code aborted = errc::aborted;
  CHECK(on.open.ended_with(aborted));
  CHECK(on.accept_two_way.ended_with(aborted));
  CHECK(on.accept_one_way.ended_with(aborted));
  CHECK(on.closed.ended_with(aborted));
  CHECK(on.closed.value != nullptr);
  CHECK(on.shutdown.ended_with(aborted));

  size_outcome read;
  std::string got(on.large.size(), ' ');
  asio::async_read(*far, asio::buffer(got), read.handler());
  pair.run_until([&] { return large.ran == 1 && read.ran == 1; });
  CHECK(got == on.large);

  reason_outcome closed;
  pair.far.async_wait_closed(closed.handler());
  near.reset();
  pair.run_until([&] { return closed.ran == 1; });
  CHECK(closed.value->origin == quic::close_reason::origin_kind::peer_application);
  CHECK(closed.value->code == 0);
}

TEST_CASE("quic: destroying an endpoint aborts its accept and its dials",
          "[quic][driver][lifetime]") {
  const mute_peer mute;
  endpoint_pair pair;
  connection_outcome dialled, accepted;
  pair.client.async_connect(mute.address, "server.test", pair.client_config, dialled.handler());
  pair.server.async_accept(accepted.handler());
  pair.settle();
  REQUIRE(dialled.waits());
  REQUIRE(accepted.waits());

  pair.client = {};
  pair.server = {};
  CHECK(dialled.ran + accepted.ran == 0);

  CHECK(pair.run_out());
  CHECK(dialled.ended_with(errc::aborted));
  CHECK(accepted.ended_with(errc::aborted));
  CHECK_FALSE(dialled.value);
  CHECK_FALSE(accepted.value);
}

TEST_CASE("quic: an operation that starts after its connection has gone fails",
          "[quic][driver][lifetime]") {
  endpoint_pair pair;
  pair.connect();
  auto open = pair.near.async_open_stream();
  auto accept = pair.near.async_accept_stream();
  auto confirmed = pair.near.async_confirmed();
  auto closed = pair.near.async_wait_closed();
  pair.near = {};
  pair.settle();

  stream_outcome opened, accepted;
  plain_outcome confirmation;
  reason_outcome reason;
  std::move(open)(opened.handler());
  std::move(accept)(accepted.handler());
  std::move(confirmed)(confirmation.handler());
  std::move(closed)(reason.handler());
  pair.settle();

  CHECK(opened.ended_with(errc::closed));
  CHECK(accepted.ended_with(errc::closed));
  CHECK(confirmation.ended_with(errc::closed));
  CHECK(reason.ended_with({}));
  CHECK(reason.value != nullptr);
}

TEST_CASE("quic: a handler may destroy the handle it was waiting on", "[quic][driver][lifetime]") {
  endpoint_pair pair;
  pair.connect();
  auto [near, far] = pair.make_streams();
  std::array<char, 16> memory;
  unsigned ran = 0;
  near->async_read_some(asio::buffer(memory), [&](std::error_code error, std::size_t) {
    CHECK_FALSE(error);
    near.reset();
    ++ran;
  });
  pair.near.async_wait_closed([&](std::error_code, std::unique_ptr<quic::close_reason>) {
    pair.near = {};
    pair.client = {};
    ++ran;
  });
  pair.server.async_accept([&](std::error_code error, quic::connection) {
    CHECK(error == errc::aborted);
    ++ran;
  });
  far->async_write_some(asio::buffer("x", 1), [](std::error_code, std::size_t) {});
  far->async_finish([&](std::error_code) {
    far.reset();
    ++ran;
  });
  pair.run_until([&] { return ran == 2; });
  pair.far.async_shutdown(5s, 3, [&](std::error_code) {
    pair.far = {};
    pair.server = {};
    ++ran;
  });

  CHECK(pair.run_out());
  CHECK(ran == 5);
}

TEST_CASE("quic: connect's and accept's handlers may destroy the endpoint and what they were given",
          "[quic][driver][lifetime]") {
  endpoint_pair pair;
  unsigned ran = 0;
  pair.server.async_accept([&](std::error_code error, quic::connection got) {
    CHECK_FALSE(error);
    pair.server = {};
    got = {};
    ++ran;
  });
  pair.client.async_connect(pair.server.local_address(), "server.test", pair.client_config,
                            [&](std::error_code error, quic::connection got) {
                              CHECK_FALSE(error);
                              got = {};
                              pair.client = {};
                              ++ran;
                            });
  CHECK(pair.run_out());
  CHECK(ran == 2);
}

TEST_CASE("quic: connections live on without their endpoint, and the context ends with the last",
          "[quic][driver][lifetime]") {
  const bool endpoint_first = GENERATE(true, false);
  CAPTURE(endpoint_first);
  endpoint_pair pair;
  pair.connect();
  if (endpoint_first) {
    pair.client = {};
    pair.server = {};
  }
  auto [near, far] = pair.make_streams();
  pair.near = {};
  pair.far = {};
  std::string sent(300'000, 'x'), got(300'000, ' ');
  size_outcome written, read;
  asio::async_write(*near, asio::buffer(sent), written.handler());
  asio::async_read(*far, asio::buffer(got), read.handler());
  pair.run_until([&] { return written.ran == 1 && read.ran == 1; });
  CHECK(got == sent);
  near.reset();
  far.reset();
  pair.settle();
  if (!endpoint_first) {
    pair.client = {};
    pair.server = {};
  }
  CHECK(pair.run_out());
}

TEST_CASE("quic: connections nobody accepted are closed when the endpoint goes",
          "[quic][driver][lifetime]") {
  const bool half_open = GENERATE(false, true);
  CAPTURE(half_open);
  endpoint_pair pair;
  connection_outcome dialled;
  pair.client.async_connect(pair.server.local_address(), "server.test", pair.client_config,
                            dialled.handler());
  if (half_open) {
    // The server has the first flight, and nothing of what comes after it.
    while (pair.server.statistics().connections == 0) {
      pair.near_context->poll();
      pair.far_context->run_one_for(20s);
    }
    REQUIRE(dialled.ran == 0);
  } else {
    pair.run_until([&] { return dialled.ran == 1; });
    pair.settle();
  }
  pair.server = {};

  pair.run_until([&] { return dialled.ran == 1; });
  if (dialled.value && dialled.value.is_open()) {
    reason_outcome closed;
    dialled.value.async_wait_closed(closed.handler());
    pair.run_until([&] { return closed.ran == 1; });
    CHECK(closed.value->origin != quic::close_reason::origin_kind::idle_timeout);
  } else {
    CHECK(dialled.error);
  }
  dialled.value = {};
  pair.client = {};
  CHECK(pair.run_out());
}

TEST_CASE("quic: borrowed memory is let go when its write ends, also on a finished stream",
          "[quic][driver][lifetime]") {
  const bool finished = GENERATE(false, true);
  CAPTURE(finished);
  endpoint_pair pair;
  pair.connect();
  auto [near, far] = pair.make_streams();
  auto lent = std::make_unique<std::string>(16 << 20, 'x');
  plain_outcome borrowed, finish;
  near->async_write_borrowed(asio::buffer(*lent), borrowed.handler());
  if (finished) near->async_finish(finish.handler());
  pair.settle();
  REQUIRE(borrowed.waits());

  near.reset();
  std::string sink(1 << 20, ' ');
  while (borrowed.ran == 0) {
    pair.near_context->restart();
    pair.near_context->run_one_for(1ms);
  }
  CHECK(borrowed.ended_with(errc::aborted));
  lent.reset();

  // The peer reads, which would ask for more of it.
  std::error_code last;
  while (!last) {
    size_outcome read;
    far->async_read_some(asio::buffer(sink), read.handler());
    pair.run_until([&] { return read.ran == 1; });
    last = read.error;
  }
  CHECK(last == errc::stream_reset);
}

TEST_CASE("quic: operations of a deferred handle survive its move", "[quic][driver][lifetime]") {
  endpoint_pair pair;
  pair.connect();
  auto open = pair.near.async_open_stream();
  quic::connection moved = std::move(pair.near);
  stream_outcome opened;
  std::move(open)(opened.handler());
  pair.run_until([&] { return opened.ran == 1; });
  CHECK(opened.value != nullptr);
  CHECK(moved.is_open());
}
