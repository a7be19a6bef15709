// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <exception>
#include <utility>

namespace strata::testkit {

/// Runs `what` to its end, for twenty seconds at most; what it throws is thrown here.
inline void run_awaitable(asio::io_context& context, asio::awaitable<void> what) {
  bool done = false;
  asio::co_spawn(context, std::move(what), [&](std::exception_ptr failure) {
    done = true;
    if (failure) std::rethrow_exception(failure);
  });
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done && std::chrono::steady_clock::now() < until) {
    if (context.stopped()) context.restart();  // by what ran before, or for lack of work
    context.run_one_for(std::chrono::seconds(1));
  }
  REQUIRE(done);
}

}  // namespace strata::testkit
