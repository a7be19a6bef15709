// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <cstddef>
#include <exception>
#include <utility>

namespace strata::bench {

/// Runs coroutines beside each other and waits until the last has ended.
class lane_group {
 public:
  explicit lane_group(const asio::any_io_executor& executor)
      : ended_(executor, asio::steady_timer::time_point::max()) {}

  void add(asio::awaitable<void> lane) {
    ++running_;
    asio::co_spawn(ended_.get_executor(), std::move(lane), [this](std::exception_ptr failure) {
      if (failure) failure_ = std::move(failure);
      if (--running_ == 0) ended_.cancel();
    });
  }
  /// Throws what one of them threw.
  asio::awaitable<void> wait() {
    if (running_ != 0) co_await ended_.async_wait(asio::as_tuple(asio::use_awaitable));
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  asio::steady_timer ended_;
  std::size_t running_ = 0;
  std::exception_ptr failure_;
};

}  // namespace strata::bench
