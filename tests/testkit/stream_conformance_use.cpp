// SPDX-License-Identifier: Apache-2.0
// The row of cancellation, the table of carriers, and what holds for any stream: Asio's composed
// operations, lifetimes.
#include <array>
#include <asio/co_spawn.hpp>
#include <asio/deferred.hpp>
#include <asio/detached.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>

#include "testkit/stream_conformance.hpp"

namespace strata::testkit {
namespace {

using transport::errc;

void cancel_read(stream_exercise& on) {
  auto waiting = on.start_read(*on.near);
  on.settle();

  waiting.cancel();
  CHECK(on.complete(waiting).error() == errc::aborted);

  on.send(*on.far, "nothing lost");
  CHECK(on.read_exactly(*on.near, 12) == "nothing lost");
}

void cancel_read_then_wait_at_once(stream_exercise& on) {
  auto first = on.start_read(*on.near);
  on.settle();
  first.cancel();

  on.complete(first);
  auto second = on.start_wait_readable(*on.near);
  on.settle();
  CHECK_FALSE(second.is_done());

  on.send(*on.far, "x");
  CHECK_FALSE(on.complete(second).error());
}

void cancel_read_that_is_served(stream_exercise& on) {
  on.send(*on.far, "moved");
  auto served = on.start_read(*on.near);

  served.cancel();

  served = on.complete(served);
  // Either it had happened, and succeeds, or nothing of it did.
  if (served.error()) {
    CHECK(served.error() == errc::aborted);
    CHECK(on.read_exactly(*on.near, 5) == "moved");
  } else {
    CHECK(served.text() == "moved");
  }
}

void cancel_wait(stream_exercise& on) {
  auto waiting = on.start_wait_readable(*on.near);
  on.settle();

  waiting.cancel();

  CHECK(on.complete(waiting).error() == errc::aborted);
}

void cancel_wait_closed(stream_exercise& on) {
  auto waiting = on.start_wait_closed(*on.near);
  on.settle();

  waiting.cancel();

  CHECK(on.complete(waiting).error() == errc::aborted);
  on.send(*on.near, "alive");
  CHECK(on.read_exactly(*on.far, 5) == "alive");
}

void cancel_write(stream_exercise& on) {
  std::size_t accepted = 0;
  auto waiting = on.fill(*on.near, accepted);

  waiting.cancel();
  CHECK(on.complete(waiting).error() == errc::aborted);

  CHECK(on.read_exactly(*on.far, accepted) == std::string(accepted, 'x'));
  on.send(*on.near, "y");
  CHECK(on.read_exactly(*on.far, 1) == "y");  // nothing of the cancelled write lies between
}

void cancel_too_late(stream_exercise& on) {
  on.send(*on.far, "x");
  auto done = on.read(*on.near);
  auto waiting = on.start_read(*on.near);

  done.cancel();
  on.settle();

  CHECK_FALSE(waiting.is_done());
}

void carrier_traits(stream_exercise& on) {
  CHECK(on.near->traits() == on.row().traits);
  CHECK(on.far->traits() == on.row().traits);
}

void use_composed(stream_exercise& on) {
  const std::string sent(1 << 20, 'z');
  started_operation writing, reading;
  std::string received(sent.size(), ' ');
  asio::async_write(*on.near, asio::buffer(sent), writing.handler());
  asio::async_read(*on.far, asio::buffer(received), reading.handler());

  CHECK(on.complete(reading).count() == sent.size());
  CHECK(on.complete(writing).count() == sent.size());
  CHECK(received == sent);
}

void use_read_until(stream_exercise& on) {
  on.send(*on.far, "first line\nsecond");
  std::string text;
  started_operation line;
  asio::async_read_until(*on.near, asio::dynamic_buffer(text), '\n', line.handler());

  CHECK(on.complete(line).count() == 11);
  CHECK(text.starts_with("first line\n"));
}

void use_full_duplex(stream_exercise& on) {
  const std::string sent(256 << 10, 'd');
  std::array<std::string, 2> received{std::string(sent.size(), ' '), std::string(sent.size(), ' ')};
  std::array<started_operation, 4> all;
  asio::async_write(*on.near, asio::buffer(sent), all[0].handler());
  asio::async_write(*on.far, asio::buffer(sent), all[1].handler());
  asio::async_read(*on.near, asio::buffer(received[0]), all[2].handler());
  asio::async_read(*on.far, asio::buffer(received[1]), all[3].handler());

  for (auto& each : all) CHECK(on.complete(each).count() == sent.size());
  CHECK(received[0] == sent);
  CHECK(received[1] == sent);
}

asio::awaitable<void> echo_once(transport::stream& on, std::string& seen) {
  std::array<char, 16> memory;
  const auto buffer = asio::buffer(memory);
  const std::size_t count = co_await on.async_read_some(buffer);
  seen.assign(memory.data(), count);
  const auto answer = asio::buffer(seen);
  co_await on.async_write_some(answer, asio::use_awaitable);
  co_await on.async_finish();
}

void use_coroutine(stream_exercise& on) {
  std::string seen;
  asio::co_spawn(on.of().context(), echo_once(*on.near, seen), asio::detached);
  on.send(*on.far, "ping");

  CHECK(on.read_exactly(*on.far, 4) == "ping");
  on.let_held_end_leave();
  CHECK(on.read(*on.far).error() == errc::eof);
  CHECK(seen == "ping");
}

void use_deferred(stream_exercise& on) {
  std::array<char, 16> memory;
  auto later = on.near->async_read_some(asio::buffer(memory));
  on.send(*on.far, "x");
  started_operation reading;

  std::move(later)(reading.handler());

  CHECK(on.complete(reading).count() == 1);
}

void destroy_in_own_handler(stream_exercise& on) {
  bool done = false;
  std::array<char, 16> memory;
  on.near->async_read_some(asio::buffer(memory), [&](std::error_code, std::size_t) {
    on.near.reset();
    done = true;
  });
  on.send(*on.far, "x");
  on.settle();

  CHECK(done);
  CHECK(on.near == nullptr);
}

void destroy_peer_in_handler(stream_exercise& on) {
  auto waiting = on.start_read(*on.far);
  std::array<char, 16> memory;
  on.near->async_read_some(asio::buffer(memory),
                           [&](std::error_code, std::size_t) { on.far.reset(); });
  on.send(*on.far, "x");
  on.settle();

  CHECK(on.complete(waiting).error() == errc::aborted);
}

constexpr std::string_view cancel_row = "cancel one operation";
constexpr std::string_view use_row = "any stream";

constexpr std::array cells{
    conformance_case{cancel_row, "a read", cancel_read},
    conformance_case{cancel_row, "a read, then wait until readable", cancel_read_then_wait_at_once},
    conformance_case{cancel_row, "a read that is served already", cancel_read_that_is_served},
    conformance_case{cancel_row, "waiting until readable", cancel_wait},
    conformance_case{cancel_row, "waiting until closed", cancel_wait_closed},
    conformance_case{cancel_row, "a write", cancel_write},
    conformance_case{cancel_row, "an operation that is done", cancel_too_late},
    conformance_case{"the table of carriers", "traits", carrier_traits},
    conformance_case{use_row, "asio::async_write and async_read", use_composed},
    conformance_case{use_row, "asio::async_read_until", use_read_until},
    conformance_case{use_row, "both directions at once", use_full_duplex},
    conformance_case{use_row, "in a coroutine", use_coroutine},
    conformance_case{use_row, "a deferred operation started later", use_deferred},
    conformance_case{use_row, "a handler destroys its own stream", destroy_in_own_handler},
    conformance_case{use_row, "a handler destroys another stream that waits",
                     destroy_peer_in_handler},
};

}  // namespace

std::span<const conformance_case> use_conformance() { return cells; }

}  // namespace strata::testkit
