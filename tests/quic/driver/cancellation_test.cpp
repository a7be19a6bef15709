// SPDX-License-Identifier: Apache-2.0
// Every operation ends early through its cancellation slot and through with_timeout: once, never
// inline, and nothing of it has happened. A signal that comes too late does nothing.
#include <array>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>

#include "endpoint_pair.hpp"
#include "strata/transport/driver/with_timeout.hpp"

using namespace strata;
using namespace strata::tests;
using namespace std::chrono_literals;
using transport::errc;
using transport::with_timeout;

namespace {

quic::core::connection_config few_streams() {
  quic::core::connection_config config;
  config.max_streams_bidi = 1;
  config.max_streams_uni = 1;
  return config;
}

/// A pair on which every operation on `near` and `near_stream` waits: the peer reads nothing, opens
/// nothing and allows no further stream.
struct waiting_pair : endpoint_pair {
  waiting_pair() : endpoint_pair(few_streams()) {
    connect();
    std::tie(near_stream, far_stream) = make_streams();
    near.async_open_stream(false, one_way.handler());
    fill();
    REQUIRE(one_way.value);
  }
  /// Writes until a write waits, which is cancelled.
  void fill() {
    for (;;) {
      size_outcome written;
      asio::cancellation_signal enough;
      near_stream->async_write_some(asio::buffer(large),
                                    asio::bind_cancellation_slot(enough.slot(), written.handler()));
      settle();
      enough.emit(asio::cancellation_type::terminal);
      settle();
      REQUIRE(written.ran == 1);
      if (written.error) break;
      sent += written.value;
    }
  }

  std::string large = std::string(1 << 20, 'x');
  std::array<char, 16> memory{};
  std::size_t sent = 0;
  stream_outcome one_way;
  stream_ptr near_stream, far_stream;
};

/// Cancels an operation that waits, and checks how it ends. `start` takes the token.
template <class Outcome, class Start>
void check_cancelled(endpoint_pair& pair, Start start) {
  Outcome first, second;
  asio::cancellation_signal signal;
  start(asio::bind_cancellation_slot(signal.slot(), first.handler()));
  pair.settle();
  REQUIRE(first.waits());
  signal.emit(asio::cancellation_type::none);
  pair.settle();
  REQUIRE(first.waits());
  signal.emit(asio::cancellation_type::terminal);
  CHECK(first.ran == 0);
  pair.settle();
  CHECK(first.ended_with(errc::aborted));
  CHECK(first.error == std::errc::operation_canceled);

  // A second one waits as the first did, and the used signal does not reach it.
  start(second.handler());
  signal.emit(asio::cancellation_type::terminal);
  pair.settle();
  CHECK(second.waits());
}

template <class Outcome, class Operation>
void check_timed_out(endpoint_pair& pair, Operation operation) {
  Outcome late;
  with_timeout(std::move(operation), 1ms)(late.handler());
  pair.run_until([&] { return late.ran != 0; });
  CHECK(late.ended_with(errc::timed_out));
}

}  // namespace

TEST_CASE("quic: endpoint operations can be cancelled", "[quic][driver][cancellation]") {
  const mute_peer mute;
  endpoint_pair pair;
  SECTION("connect") {
    check_cancelled<connection_outcome>(pair, [&](auto token) {
      pair.client.async_connect(mute.address, "server.test", pair.client_config, std::move(token));
    });
  }
  SECTION("accept") {
    check_cancelled<connection_outcome>(
        pair, [&](auto token) { pair.server.async_accept(std::move(token)); });
  }
  SECTION("connect with a timeout") {
    check_timed_out<connection_outcome>(
        pair, pair.client.async_connect(mute.address, "server.test", pair.client_config));
  }
  SECTION("accept with a timeout") {
    check_timed_out<connection_outcome>(pair, pair.server.async_accept());
    pair.connect();
  }
}

TEST_CASE("quic: a cancelled dial leaves nothing behind", "[quic][driver][cancellation]") {
  const mute_peer mute;
  endpoint_pair pair;
  connection_outcome dialled;
  asio::cancellation_signal signal;
  pair.client.async_connect(mute.address, "server.test", pair.client_config,
                            asio::bind_cancellation_slot(signal.slot(), dialled.handler()));
  pair.settle();
  signal.emit(asio::cancellation_type::total);
  pair.settle();
  CHECK(dialled.ended_with(errc::aborted));
  CHECK_FALSE(dialled.value);
  pair.connect();
}

TEST_CASE("quic: connection operations can be cancelled", "[quic][driver][cancellation]") {
  waiting_pair pair;
  SECTION("open a stream") {
    const bool bidirectional = GENERATE(true, false);
    check_cancelled<stream_outcome>(
        pair, [&](auto token) { pair.near.async_open_stream(bidirectional, std::move(token)); });
  }
  SECTION("accept a stream") {
    const bool bidirectional = GENERATE(true, false);
    check_cancelled<stream_outcome>(
        pair, [&](auto token) { pair.near.async_accept_stream(bidirectional, std::move(token)); });
  }
  SECTION("wait until closed") {
    check_cancelled<reason_outcome>(
        pair, [&](auto token) { pair.near.async_wait_closed(std::move(token)); });
  }
  SECTION("shutdown") {
    check_cancelled<plain_outcome>(
        pair, [&](auto token) { pair.near.async_shutdown(60s, 0, std::move(token)); });
    CHECK(pair.near.is_open());
  }
  SECTION("with a timeout") {
    check_timed_out<stream_outcome>(pair, pair.near.async_open_stream(true));
    check_timed_out<stream_outcome>(pair, pair.near.async_open_stream(false));
    check_timed_out<stream_outcome>(pair, pair.near.async_accept_stream(true));
    check_timed_out<stream_outcome>(pair, pair.near.async_accept_stream(false));
    check_timed_out<reason_outcome>(pair, pair.near.async_wait_closed());
    check_timed_out<plain_outcome>(pair, pair.near.async_shutdown(60s));
    CHECK(pair.near.is_open());
  }
}

TEST_CASE("quic: stream operations can be cancelled", "[quic][driver][cancellation]") {
  waiting_pair pair;
  auto& stream = *pair.near_stream;
  SECTION("read") {
    check_cancelled<size_outcome>(pair, [&](auto token) {
      stream.async_read_some(asio::buffer(pair.memory), std::move(token));
    });
  }
  SECTION("wait until readable") {
    check_cancelled<plain_outcome>(
        pair, [&](auto token) { stream.async_wait_readable(std::move(token)); });
  }
  SECTION("write") {
    check_cancelled<size_outcome>(pair, [&](auto token) {
      stream.async_write_some(asio::buffer(pair.large), std::move(token));
    });
  }
  SECTION("wait until closed") {
    check_cancelled<plain_outcome>(pair,
                                   [&](auto token) { stream.async_wait_closed(std::move(token)); });
  }
  SECTION("with a timeout") {
    check_timed_out<size_outcome>(pair, stream.async_read_some(asio::buffer(pair.memory)));
    check_timed_out<plain_outcome>(pair, stream.async_wait_readable());
    check_timed_out<size_outcome>(pair, stream.async_write_some(asio::buffer(pair.large)));
    check_timed_out<plain_outcome>(pair, stream.async_wait_closed());
  }
}

TEST_CASE("quic: what a cancelled operation would have taken is there for the next",
          "[quic][driver][cancellation]") {
  waiting_pair pair;
  SECTION("bytes, and none that were not written") {
    std::string got(pair.sent, ' ');
    size_outcome read, nothing;
    asio::async_read(*pair.far_stream, asio::buffer(got), read.handler());
    pair.run_until([&] { return read.ran == 1; });
    CHECK_FALSE(read.error);
    pair.far_stream->async_read_some(asio::buffer(pair.memory), nothing.handler());
    pair.settle();
    CHECK(nothing.waits());
  }
  SECTION("a stream, and the credit to open one") {
    stream_outcome cancelled, next, opened;
    asio::cancellation_signal signal;
    pair.near.async_open_stream(true,
                                asio::bind_cancellation_slot(signal.slot(), cancelled.handler()));
    pair.near.async_open_stream(true, next.handler());
    signal.emit(asio::cancellation_type::terminal);
    pair.settle();
    CHECK(cancelled.ended_with(errc::aborted));
    CHECK(next.waits());
    pair.near_stream->reset(1);
    pair.far_stream->reset(1);
    pair.near_stream.reset();
    pair.far_stream.reset();
    pair.run_until([&] { return next.ran == 1; });
    CHECK(next.value);
  }
  SECTION("an accepted stream") {
    stream_outcome cancelled, next;
    asio::cancellation_signal signal;
    pair.far.async_accept_stream(false,
                                 asio::bind_cancellation_slot(signal.slot(), cancelled.handler()));
    signal.emit(asio::cancellation_type::terminal);
    size_outcome written;
    pair.one_way.value->async_write_some(asio::buffer("x", 1), written.handler());
    pair.settle();
    CHECK(cancelled.ended_with(errc::aborted));
    pair.far.async_accept_stream(false, next.handler());
    pair.run_until([&] { return next.ran == 1; });
    CHECK(next.value);
  }
}

TEST_CASE("quic: a completion and a signal in the same turn", "[quic][driver][cancellation]") {
  endpoint_pair pair;
  pair.connect();
  auto [near, far] = pair.make_streams();
  std::array<char, 16> memory{};
  size_outcome first, second, written;
  asio::cancellation_signal signal;
  const auto read = [&] {
    near->async_read_some(asio::buffer(memory),
                          asio::bind_cancellation_slot(signal.slot(), first.handler()));
  };
  far->async_write_some(asio::buffer("abc", 3), written.handler());
  SECTION("the completion came first: the signal does nothing") {
    bool done = false;
    near->async_wait_readable([&](std::error_code) { done = true; });
    pair.run_until([&] { return done; });
    read();  // Complete already, but its handler has not run.
    signal.emit(asio::cancellation_type::terminal);
    near->async_read_some(asio::buffer(memory), second.handler());
    signal.emit(asio::cancellation_type::terminal);
    pair.settle();
    CHECK(first.ended_with({}));
    CHECK(first.value == 3);
    CHECK(second.waits());
  }
  SECTION("the signal came first: the bytes are the next read's") {
    read();
    // The datagram is in the socket, and the client's context has not looked.
    for (unsigned quiet = 0; quiet < 3; quiet += pair.far_context->run_one_for(1ms) == 0)
      pair.far_context->restart();
    signal.emit(asio::cancellation_type::terminal);
    pair.settle();
    CHECK(first.ended_with(errc::aborted));
    CHECK(first.value == 0);
    near->async_read_some(asio::buffer(memory), second.handler());
    pair.settle();
    CHECK(second.ended_with({}));
    CHECK(second.value == 3);
  }
  SECTION("a handler cancels what the connection's end is about to end") {
    plain_outcome readable;
    near->async_read_some(asio::buffer(memory), second.handler());
    pair.near.async_accept_stream(
        true, asio::bind_cancellation_slot(signal.slot(), [&](std::error_code error, stream_ptr) {
          CHECK(error == errc::aborted);
          ++readable.ran;
        }));
    pair.near.async_accept_stream(false, [](std::error_code, stream_ptr) {});
    near->async_wait_closed([&](std::error_code error) {
      CHECK(error == errc::aborted);
      signal.emit(asio::cancellation_type::terminal);
    });
    pair.run_until([&] { return second.ran == 1; });
    near->reset(1);      // Completes the wait, whose handler signals,
    pair.near.close(1);  // before the end of the connection reaches the accept.
    pair.settle();
    CHECK(readable.ran == 1);
  }
}

TEST_CASE("quic: a borrowed write outlasts a signal, because its memory is lent",
          "[quic][driver][cancellation]") {
  waiting_pair pair;
  plain_outcome borrowed;
  asio::cancellation_signal signal;
  pair.near_stream->async_write_borrowed(
      asio::buffer(pair.large), asio::bind_cancellation_slot(signal.slot(), borrowed.handler()));
  signal.emit(asio::cancellation_type::terminal);
  pair.settle();
  CHECK(borrowed.waits());
  pair.near_stream->reset(1);
  pair.settle();
  CHECK(borrowed.ended_with(errc::closed));
}
