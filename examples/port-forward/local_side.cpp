// SPDX-License-Identifier: Apache-2.0
#include "local_side.hpp"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/this_coro.hpp>

#include "program/program.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/with_timeout.hpp"
#include "strata/transport/relay.hpp"

using namespace strata;
using namespace std::chrono_literals;

namespace {

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);
constexpr auto dial_timeout = 10s;
constexpr auto accept_pause = 50ms;  // while the system has no descriptors left
// Between attempts to reach the remote side: doubled each time, and begun anew after a connection
// that lasted longer than the longest.
constexpr std::chrono::milliseconds first_pause = 100ms;
constexpr std::chrono::milliseconds longest_pause = 10s;

std::chrono::steady_clock::time_point now() { return std::chrono::steady_clock::now(); }

asio::awaitable<void> pause_for(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(quietly);
}

}  // namespace

local_side::local_side(std::unique_ptr<transport::stream_listener> listener,
                       std::shared_ptr<transport::connection_dialer> dialer, const local_plan& plan)
    : listener_(std::move(listener)),
      dialer_(std::move(dialer)),
      plan_(plan),
      admission_(std::make_shared<admission>(listener_->get_executor(), plan.most)),
      changed_(listener_->get_executor(), asio::steady_timer::time_point::max()) {}

void local_side::start() {
  const auto executor = listener_->get_executor();
  asio::co_spawn(executor, stay_connected(shared_from_this()), asio::detached);
  asio::co_spawn(executor, accept_all(shared_from_this()), asio::detached);
}

asio::awaitable<void> local_side::stay_connected(std::shared_ptr<local_side> self) {
  for (auto pause = first_pause;; pause = std::min(2 * pause, longest_pause)) {
    const time_point began = now();
    co_await self->serve_one_connection();
    if (now() - began > longest_pause) pause = first_pause;
    co_await pause_for(pause);
  }
}

asio::awaitable<void> local_side::serve_one_connection() {
  auto dial = dialer_->async_dial(plan_.remote);
  auto [error, made] = co_await transport::with_timeout(std::move(dial), dial_timeout, quietly);
  if (error) {
    program::say("cannot reach " + plan_.remote.string() + ": " + error.message());
    co_return;
  }
  program::say("connected to " + plan_.remote.string());
  connection_ = std::move(made);
  changed_.cancel();
  const auto [ignored, reason] = co_await connection_->async_wait_closed(quietly);
  connection_.reset();
  program::say("lost " + plan_.remote.string() + (reason ? ": " + reason->cause.message() : ""));
}

asio::awaitable<void> local_side::accept_all(std::shared_ptr<local_side> self) {
  const auto executor = co_await asio::this_coro::executor;
  for (;;) {
    std::shared_ptr<void> ticket = co_await self->admission_->enter();
    auto [error, client] = co_await self->listener_->async_accept(quietly);
    if (error == transport::errc::closed || error == transport::errc::aborted) co_return;
    if (error) {
      program::say("accepting failed: " + error.message());
      co_await pause_for(accept_pause);
      continue;
    }
    asio::co_spawn(executor, carry(self, std::move(client), std::move(ticket)), asio::detached);
  }
}

asio::awaitable<void> local_side::carry(std::shared_ptr<local_side> self,
                                        std::unique_ptr<transport::stream> client,
                                        std::shared_ptr<void> ticket) {
  const time_point deadline = now() + self->plan_.patience;
  auto stream = co_await self->open(deadline);
  if (stream == nullptr) co_return;  // the client's end is a reset: it was never finished
  const transport::relay_options how{.pool = self->pool_, .half_closed = {}};
  transport::async_relay(std::move(client), std::move(stream), how,
                         [held = std::move(ticket)](std::error_code, transport::relay_counters) {});
}

/// Null when the deadline has passed.
asio::awaitable<std::unique_ptr<transport::stream>> local_side::open(time_point deadline) {
  while (now() < deadline) {
    const auto current = connection_;
    if (current != nullptr && !current->closed()) {
      auto opening = current->async_open_stream();
      auto [error, stream] =
          co_await transport::with_timeout(std::move(opening), deadline - now(), quietly);
      if (!error) co_return std::move(stream);
      if (!current->closed()) break;
    } else {
      auto waiting = changed_.async_wait(asio::deferred);
      co_await transport::with_timeout(std::move(waiting), deadline - now(), quietly);
    }
  }
  co_return nullptr;
}
