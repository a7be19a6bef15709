// SPDX-License-Identifier: Apache-2.0
#include "relay.hpp"

#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <iostream>

#include "strata/transport/core/error.hpp"

namespace {

using namespace strata;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);

enum class direction : bool { there, back };

/// Memory is held only from a read to the end of its write: connections that are silent cost none.
asio::awaitable<void> copy(std::shared_ptr<relay_ends> ends, direction way,
                           transport::page_pool pages) {
  transport::stream& from = way == direction::there ? *ends->one : *ends->other;
  transport::stream& to = way == direction::there ? *ends->other : *ends->one;
  for (;;) {
    const auto [gone] = co_await from.async_wait_readable(quietly);
    if (gone) co_return;  // the other direction has reset it
    const transport::page page = pages.borrow();
    const auto room = asio::buffer(page.span().data(), page.span().size());
    const auto [error, size] = co_await from.async_read_some(room, quietly);
    if (error == transport::errc::eof) {
      co_await to.async_finish(quietly);
      co_return;
    }
    if (error) {
      to.reset(0);
      co_return;
    }
    const auto piece = asio::buffer(page.span().data(), size);
    const auto [failed, written] = co_await asio::async_write(to, piece, quietly);
    if (failed) {
      from.reset(0);
      co_return;
    }
  }
}

}  // namespace

void start_relay(relay_ends ends, const transport::page_pool& pages) {
  const auto executor = ends.one->get_executor();
  const auto shared = std::make_shared<relay_ends>(std::move(ends));
  asio::co_spawn(executor, copy(shared, direction::there, pages), asio::detached);
  asio::co_spawn(executor, copy(shared, direction::back, pages), asio::detached);
}

void say(const std::string& text) { std::cerr << "port-forward: " << text << std::endl; }
