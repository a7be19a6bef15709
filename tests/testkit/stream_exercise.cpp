// SPDX-License-Identifier: Apache-2.0
#include "testkit/stream_exercise.hpp"

#include <catch2/catch_test_macros.hpp>
#include <chrono>

namespace strata::testkit {

using transport::stream;

namespace {

constexpr std::chrono::seconds patience{10};
constexpr std::size_t fill_limit = 64 << 20;

}  // namespace

stream_exercise::stream_exercise(carrier& under_test)
    : carrier_(under_test), ends_(under_test.connect()) {
  REQUIRE(ends_.near);
  REQUIRE(ends_.far);
}

started_operation stream_exercise::start_read(stream& on, std::size_t size) {
  started_operation out;
  out.state().memory.resize(size);
  on.async_read_some(asio::buffer(out.state().memory), out.handler());
  CHECK_FALSE(out.is_done());
  return out;
}

started_operation stream_exercise::start_wait_readable(stream& on) {
  started_operation out;
  on.async_wait_readable(out.handler());
  CHECK_FALSE(out.is_done());
  return out;
}

started_operation stream_exercise::start_write(stream& on, std::string text) {
  started_operation out;
  out.state().memory = std::move(text);
  on.async_write_some(asio::buffer(out.state().memory), out.handler());
  CHECK_FALSE(out.is_done());
  return out;
}

started_operation stream_exercise::start_finish(stream& on) {
  started_operation out;
  on.async_finish(out.handler());
  CHECK_FALSE(out.is_done());
  return out;
}

started_operation stream_exercise::start_wait_closed(stream& on) {
  started_operation out;
  on.async_wait_closed(out.handler());
  CHECK_FALSE(out.is_done());
  return out;
}

started_operation stream_exercise::complete(started_operation operation) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!operation.is_done()) {
    carrier_.context().restart();
    carrier_.context().run_one_until(deadline);
    if (std::chrono::steady_clock::now() >= deadline) FAIL("the operation does not complete");
  }
  return operation;
}

std::string stream_exercise::read_exactly(stream& on, std::size_t size) {
  std::string out;
  while (out.size() < size) {
    const auto piece = read(on, size - out.size());
    if (piece.error()) break;
    out += piece.text();
  }
  return out;
}

void stream_exercise::send(stream& on, std::string_view text) {
  while (!text.empty()) {
    const auto piece = write(on, std::string(text));
    REQUIRE_FALSE(piece.error());
    REQUIRE(piece.count() > 0);
    text.remove_prefix(piece.count());
  }
  settle();
}

started_operation stream_exercise::fill(stream& on, std::size_t& accepted) {
  accepted = 0;
  while (accepted < fill_limit) {
    auto piece = start_write(on, std::string(64 * 1024, 'x'));
    settle();
    if (!piece.is_done()) return piece;
    REQUIRE_FALSE(piece.error());
    accepted += piece.count();
  }
  FAIL("writes never wait: there is no watermark");
  return {};
}

}  // namespace strata::testkit
