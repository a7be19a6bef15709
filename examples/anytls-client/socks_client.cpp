// SPDX-License-Identifier: Apache-2.0
#include "socks_client.hpp"

#include <array>
#include <asio/as_tuple.hpp>
#include <asio/buffer.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <utility>

#include "strata/proxy/core/error.hpp"
#include "strata/transport/core/error.hpp"

namespace {

using namespace strata;
using kind = transport::next_action::kind_type;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);

proxy::core::inbound_config socks5_alone() {
  proxy::core::inbound_config made;
  made.socks4 = made.http = false;
  return made;
}

}  // namespace

socks_client::socks_client(std::unique_ptr<transport::stream> carrier)
    : carrier_(std::move(carrier)), opening_(socks5_alone()) {}

asio::awaitable<bool> socks_client::async_read_request(std::chrono::seconds limit) {
  const auto done = std::make_shared<bool>(false);
  asio::steady_timer deadline(carrier_->get_executor(), limit);
  deadline.async_wait([&carrier = *carrier_, done](std::error_code error) {
    if (!error && !*done) carrier.reset(transport::stream_cancelled);
  });
  const kind last = co_await run();
  *done = true;
  co_return last == kind::need_decision;
}

asio::awaitable<bool> socks_client::async_accept(transport::address bound) {
  opening_.accept(bound);
  const kind last = co_await run();
  co_return last == kind::done;
}

asio::awaitable<void> socks_client::async_refuse(std::error_code why) {
  opening_.refuse(proxy::refusal_of(why));
  co_await run();
}

asio::awaitable<kind> socks_client::run() {
  for (;;) {
    const transport::next_action next = opening_.next();
    if (next.kind == kind::send) {
      const asio::const_buffer all(next.output.data(), next.output.size());
      const auto [error, size] = co_await carrier_->async_write_some(all, quietly);
      if (error) co_return kind::failed;
      opening_.sent(size);
    } else if (next.kind == kind::need_input) {
      const bool goes_on = co_await read();
      if (!goes_on) co_return kind::failed;
    } else {
      co_return next.kind;
    }
  }
}

/// Lets the opening take what there is, and reads more when that is not enough.
asio::awaitable<bool> socks_client::read() {
  const std::size_t taken = unread_.empty() ? 0 : opening_.receive(unread_);
  unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(taken));
  if (taken != 0) co_return true;
  std::array<std::byte, 1024> memory;
  const auto room = asio::buffer(memory);
  const auto [error, size] = co_await carrier_->async_read_some(room, quietly);
  if (error) co_return false;
  unread_.insert(unread_.end(), memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(size));
  co_return true;
}
