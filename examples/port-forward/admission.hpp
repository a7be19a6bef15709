// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <cstddef>
#include <memory>

/// How many may be served at a time. It lives as long as the last ticket.
class admission : public std::enable_shared_from_this<admission> {
 public:
  admission(const asio::any_io_executor& executor, std::size_t most)
      : left_(executor, asio::steady_timer::time_point::max()), most_(most) {}

  /// Waits for room. It is given back with the ticket's last copy.
  asio::awaitable<std::shared_ptr<void>> enter() {
    const auto self = shared_from_this();
    while (inside_ == most_) co_await left_.async_wait(asio::as_tuple(asio::use_awaitable));
    ++inside_;
    co_return std::shared_ptr<void>(nullptr, [self](void*) { self->leave(); });
  }

 private:
  void leave() {
    --inside_;
    left_.cancel();
  }

  asio::steady_timer left_;
  std::size_t most_;
  std::size_t inside_ = 0;
};
