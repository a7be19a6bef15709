// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <asio/as_tuple.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "strata/transport/core/error.hpp"
#include "strata/transport/tcp.hpp"

namespace strata::tests {

/// A port before another one that hears every byte of the path in both directions.
class wire_tap {
 public:
  wire_tap(asio::io_context& context, const transport::address& to)
      : listener_(*transport::tcp_listener::listen(context.get_executor(),
                                                   transport::address::loopback_v4(0))),
        where_(listener_->local_address()),
        heard_(std::make_shared<record>()) {
    asio::co_spawn(context,
                   accept(std::shared_ptr<transport::stream_listener>(listener_), heard_,
                          std::make_shared<transport::tcp_dialer>(context.get_executor()), to),
                   asio::detached);
  }
  ~wire_tap() { close(); }

  const transport::address& where() const noexcept { return where_; }
  void close() noexcept { listener_->close(); }
  unsigned connections() const noexcept { return heard_->connections; }
  std::size_t size() const noexcept { return heard_->bytes.size(); }
  /// Letters are compared without case.
  bool has_heard(std::string_view text) const {
    const auto same = [](unsigned char a, unsigned char b) {
      return std::tolower(a) == std::tolower(b);
    };
    return std::ranges::search(heard_->bytes, text, same).begin() != heard_->bytes.end();
  }

 private:
  struct record {
    std::string bytes;
    unsigned connections = 0;
  };
  using shared_stream = std::shared_ptr<transport::stream>;
  static constexpr auto quietly = asio::as_tuple(asio::use_awaitable);

  static asio::awaitable<void> accept(std::shared_ptr<transport::stream_listener> from,
                                      std::shared_ptr<record> heard,
                                      std::shared_ptr<transport::stream_dialer> onward,
                                      transport::address to) {
    for (;;) {
      auto [error, near] = co_await from->async_accept(quietly);
      if (error) co_return;
      ++heard->connections;
      auto [failed, far] = co_await onward->async_dial(to, quietly);
      if (failed) continue;
      const shared_stream client(std::move(near)), server(std::move(far));
      const auto executor = client->get_executor();
      asio::co_spawn(executor, pump(client, server, heard), asio::detached);
      asio::co_spawn(executor, pump(server, client, heard), asio::detached);
    }
  }

  static asio::awaitable<void> pump(shared_stream from, shared_stream to,
                                    std::shared_ptr<record> heard) {
    std::array<char, 4096> memory;
    for (;;) {
      const auto room = asio::buffer(memory);
      const auto [error, size] = co_await from->async_read_some(room, quietly);
      if (error == transport::errc::eof) break;
      if (error) {
        to->reset(0);
        co_return;
      }
      heard->bytes.append(memory.data(), size);
      const auto all = asio::buffer(memory, size);
      const auto [failed, written] = co_await asio::async_write(*to, all, quietly);
      if (failed) co_return;
    }
    co_await to->async_finish(quietly);
  }

  std::shared_ptr<transport::tcp_listener> listener_;
  transport::address where_;
  std::shared_ptr<record> heard_;
};

}  // namespace strata::tests
