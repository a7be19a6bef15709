// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/next_action.hpp"
#include "strata/transport/stream.hpp"

namespace strata::proxy {
inline namespace v0 {

inline constexpr auto quietly = asio::as_tuple(asio::use_awaitable);

/// A carrier with what was read from it and not taken.
struct opened {
  std::unique_ptr<transport::stream> carrier;
  std::vector<std::byte> unread{};
  /// How long an answer waits that says that a password was wrong.
  transport::duration refusal_delay{0};
};

/// Lets an answer wait that helps to guess passwords.
template <class Opening>
asio::awaitable<void> delay_refusal(opened& on, const Opening& opening) {
  if constexpr (requires { opening.rejects_credentials(); }) {
    if (!opening.rejects_credentials() || on.refusal_delay == transport::duration::zero())
      co_return;
    asio::steady_timer timer(on.carrier->get_executor(), std::exchange(on.refusal_delay, {}));
    co_await timer.async_wait(quietly);
  }
  co_return;
}

/// Carries an opening (transport::next_action) to where it is done, has failed or wants a decision.
/// The deadline is the caller's.
template <class Opening>
asio::awaitable<transport::next_action> run_opening(opened& on, Opening& opening) {
  using kind = transport::next_action::kind_type;
  for (;;) {
    const transport::next_action next = opening.next();
    if (next.kind == kind::send) {
      co_await delay_refusal(on, opening);
      const asio::const_buffer all(next.output.data(), next.output.size());
      const auto [error, size] = co_await on.carrier->async_write_some(all, quietly);
      if (error) co_return transport::next_action{.kind = kind::failed, .error = error};
      opening.sent(size);
      continue;
    }
    if (next.kind != kind::need_input) co_return next;
    const std::size_t taken = on.unread.empty() ? 0 : opening.receive(on.unread);
    on.unread.erase(on.unread.begin(), on.unread.begin() + static_cast<std::ptrdiff_t>(taken));
    if (taken != 0 || opening.next().kind != kind::need_input) continue;
    std::array<std::byte, 2048> memory;
    const auto room = asio::buffer(memory);
    const auto [error, size] = co_await on.carrier->async_read_some(room, quietly);
    if (error == transport::errc::eof) {
      opening.receive_end();
    } else if (error) {
      co_return transport::next_action{.kind = kind::failed, .error = error};
    }
    on.unread.insert(on.unread.end(), memory.begin(),
                     memory.begin() + static_cast<std::ptrdiff_t>(size));
  }
}

}  // namespace v0
}  // namespace strata::proxy
