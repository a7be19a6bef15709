// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "driver/prefixed_stream.hpp"
#include "driver/session.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/with_timeout.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {
namespace {

using kind = transport::next_action::kind_type;

asio::awaitable<void> refuse(session& in, opened& on, core::inbound_opening& opening,
                             std::error_code why) {
  opening.refuse(refusal_of(why));
  co_await run_opening(on, opening);
  in.end_request(why);
  co_await part(std::move(on.carrier));
}

struct caller {
  std::error_code error{};
  std::unique_ptr<transport::stream> stream{};
};

/// The first connection from the host that is expected; others are ended.
asio::awaitable<caller> wait_for_caller(transport::stream_listener& listener,
                                        transport::address expected) {
  const auto until = std::chrono::steady_clock::now() + core::limits::bind_timeout;
  for (;;) {
    auto accepting = listener.async_accept();
    const auto left = until - std::chrono::steady_clock::now();
    auto [error, came] = co_await transport::with_timeout(std::move(accepting), left, quietly);
    if (error) co_return caller{.error = error};
    if (expected.is_unspecified() || came->remote_address().same_ip(expected))
      co_return caller{.stream = std::move(came)};
  }
}

}  // namespace

asio::awaitable<void> serve_bind(session& in, opened& on, core::inbound_opening& opening) {
  const transport::target expected = opening.wanted().where;
  const chosen way = co_await choose_outbound(in, expected, core::carried::stream);
  if (way.error) {
    co_await refuse(in, on, opening, way.error);
    co_return;
  }
  auto listening = way.by->listen(expected);
  if (!listening) {
    co_await refuse(in, on, opening, listening.error());
    co_return;
  }
  const std::unique_ptr<transport::stream_listener> listener = std::move(*listening);
  // The address at which this client reaches the proxy is the best guess at what the caller can.
  opening.accept(on.carrier->local_address().with_port(listener->local_address().port()));
  const transport::next_action first = co_await run_opening(on, opening);
  if (first.kind != kind::need_decision) {
    in.end_request(make_error_code(transport::errc::closed_by_peer));
    co_return;
  }
  caller came = co_await wait_for_caller(*listener, expected.ip());
  if (came.error) {
    co_await refuse(in, on, opening, came.error);
    co_return;
  }
  opening.accept(came.stream->remote_address());
  const transport::next_action second = co_await run_opening(on, opening);
  if (second.kind != kind::done) {
    in.end_request(make_error_code(transport::errc::closed_by_peer));
    co_return;
  }
  transport::relay_options how{.pool = in.settings->pool};
  how.half_closed = in.options().half_closed;
  how.idle = in.options().idle_timeout;
  how.counters = in.counters;
  auto client = with_prefix(std::move(on.carrier), std::move(on.unread));
  const auto [ended, moved] =
      co_await transport::async_relay(std::move(client), std::move(came.stream), how, quietly);
  in.end_request(ended);
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
