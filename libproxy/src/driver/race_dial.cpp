// SPDX-License-Identifier: Apache-2.0
#include "driver/race_dial.hpp"

#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "driver/run_opening.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace {

struct race {
  explicit race(const asio::any_io_executor& on) : news(on) {}

  void start(transport::stream_dialer& by, const transport::target& where,
             const std::shared_ptr<race>& self) {
    ++under_way;
    const auto stop = std::make_shared<asio::cancellation_signal>();
    stops.push_back(stop);
    by.async_dial(where, asio::bind_cancellation_slot(
                             stop->slot(), [self, stop](std::error_code error,
                                                        std::unique_ptr<transport::stream> made) {
                               self->settle(error, std::move(made));
                             }));
  }

  void settle(std::error_code error, std::unique_ptr<transport::stream> made) {
    --under_way;
    failed = error;
    if (!error && !is_over) won = std::move(made);
    news.cancel();
  }

  void stop_all() noexcept {
    is_over = true;
    for (const auto& each : stops) each->emit(asio::cancellation_type::terminal);
  }

  asio::steady_timer news;
  std::vector<std::shared_ptr<asio::cancellation_signal>> stops;
  std::unique_ptr<transport::stream> won;
  std::error_code failed = make_error_code(transport::errc::unreachable);
  std::size_t under_way = 0;
  bool is_over = false;
};

}  // namespace

asio::awaitable<made<transport::stream>> race_dial(std::shared_ptr<transport::stream_dialer> by,
                                                   std::vector<transport::target> places,
                                                   transport::duration attempt_delay) {
  const auto on = std::make_shared<race>(by->get_executor());
  const std::shared_ptr<void> losers(nullptr, [on](void*) { on->stop_all(); });
  std::size_t next = 0;
  while (!on->won && (next < places.size() || on->under_way != 0)) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) break;
    if (next < places.size()) on->start(*by, places[next++], on);
    const bool is_last = next == places.size();
    on->news.expires_at(is_last ? asio::steady_timer::time_point::max()
                                : std::chrono::steady_clock::now() + attempt_delay);
    co_await on->news.async_wait(quietly);
  }
  made<transport::stream> result;
  result.value = std::move(on->won);
  if (!result.value) result.error = on->failed;
  co_return result;
}

}  // namespace v0
}  // namespace strata::proxy
