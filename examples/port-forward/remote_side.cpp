// SPDX-License-Identifier: Apache-2.0
#include "remote_side.hpp"

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
constexpr std::size_t most_clients = 64;
constexpr auto dial_timeout = 10s;
constexpr auto accept_pause = 50ms;  // while the system has no descriptors left
constexpr std::uint64_t not_reached = 1;

}  // namespace

remote_side::remote_side(std::unique_ptr<transport::connection_listener> listener,
                         std::shared_ptr<transport::stream_dialer> dialer, transport::target where)
    : listener_(std::move(listener)),
      dialer_(std::move(dialer)),
      target_(std::move(where)),
      admission_(std::make_shared<admission>(listener_->get_executor(), most_clients)) {}

void remote_side::start() {
  asio::co_spawn(listener_->get_executor(), accept_all(shared_from_this()), asio::detached);
}

asio::awaitable<void> remote_side::accept_all(std::shared_ptr<remote_side> self) {
  const auto executor = co_await asio::this_coro::executor;
  for (;;) {
    std::shared_ptr<void> ticket = co_await self->admission_->enter();
    auto [error, client] = co_await self->listener_->async_accept(quietly);
    if (error == transport::errc::closed || error == transport::errc::aborted) co_return;
    if (error) {
      program::say("accepting failed: " + error.message());
      asio::steady_timer pause(executor, accept_pause);
      co_await pause.async_wait(quietly);
      continue;
    }
    asio::co_spawn(executor, serve(self, std::move(client), std::move(ticket)), asio::detached);
  }
}

/// `ticket` is that of the client: held until its connection ends.
asio::awaitable<void> remote_side::serve(std::shared_ptr<remote_side> self,
                                         std::unique_ptr<transport::connection> client,
                                         std::shared_ptr<void>) {
  const auto executor = co_await asio::this_coro::executor;
  for (;;) {
    auto [error, stream] = co_await client->async_accept_stream(quietly);
    if (error) co_return;
    asio::co_spawn(executor, carry(self, std::move(stream)), asio::detached);
  }
}

asio::awaitable<void> remote_side::carry(std::shared_ptr<remote_side> self,
                                         std::unique_ptr<transport::stream> stream) {
  auto dial = self->dialer_->async_dial(self->target_);
  auto [error, reached] = co_await transport::with_timeout(std::move(dial), dial_timeout, quietly);
  if (error) {
    program::say("cannot reach " + self->target_.string() + ": " + error.message());
    stream->reset(not_reached);
    co_return;
  }
  const transport::relay_options how{.pool = self->pool_, .half_closed = {}};
  transport::async_relay(std::move(stream), std::move(reached), how, asio::detached);
}
