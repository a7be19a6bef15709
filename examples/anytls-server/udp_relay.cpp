// SPDX-License-Identifier: Apache-2.0
#include "udp_relay.hpp"

#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/ip/udp.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <cstdint>
#include <utility>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "strata/transport/udp_datagram_socket.hpp"

namespace {

using namespace strata;
using namespace std::chrono_literals;
using transport::errc;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t largest = 65536;
constexpr auto idle_limit = 300s;

struct relayed {
  relayed(const asio::any_io_executor& executor, std::unique_ptr<mux::udp_over_tcp_socket> from)
      : client(std::move(from)), idle(executor) {}

  void close() {
    client->close();
    if (world) world->close();
    idle.cancel();
  }

  std::unique_ptr<mux::udp_over_tcp_socket> client;
  std::unique_ptr<transport::udp_datagram_socket> world;
  transport::target only{transport::address()};  ///< Of a client that connects, resolved.
  asio::steady_timer idle;
  std::uint64_t moved = 0;
};

using relayed_pointer = std::shared_ptr<relayed>;

void watch(const relayed_pointer& in) {
  in->idle.expires_after(idle_limit);
  in->idle.async_wait([weak = std::weak_ptr(in), seen = in->moved](std::error_code error) {
    const auto self = weak.lock();
    if (error || !self) return;
    self->moved == seen ? self->close() : watch(self);
  });
}

/// The address of a host that a client has all its datagrams sent to; the empty one if it has none.
asio::awaitable<transport::address> resolve(const transport::target& host) {
  if (!host.is_name()) co_return host.ip();
  const auto executor = co_await asio::this_coro::executor;
  asio::ip::udp::resolver resolver(executor);
  const std::string port = std::to_string(host.port());
  const auto [error, found] = co_await resolver.async_resolve(host.name(), port, quietly);
  if (error || found.empty()) co_return transport::address();
  const auto text = found.begin()->endpoint().address().to_string();
  co_return transport::address::parse_ip(text, host.port()).value_or(transport::address());
}

/// One that connects gets a socket that hears nobody else.
asio::awaitable<bool> open_socket(relayed& in) {
  const auto executor = co_await asio::this_coro::executor;
  transport::udp_options options{.dont_fragment = false};
  transport::address local = transport::address::any_v6(0);
  if (const auto& host = in.client->connected_to()) {
    options.peer = co_await resolve(*host);
    if (options.peer == transport::address()) co_return false;
    in.only = options.peer;
    if (options.peer.is_v4()) local = transport::address::any_v4(0);
  }
  auto made = transport::udp_datagram_socket::open(executor, local, options);
  if (!made && !in.client->connected_to())  // a system without IPv6
    made = transport::udp_datagram_socket::open(executor, transport::address::any_v4(0), options);
  if (made) in.world = std::move(*made);
  co_return made.has_value();
}

asio::awaitable<void> carry_back(relayed_pointer in) {
  std::vector<std::byte> memory(largest);
  const transport::mutable_bytes room = memory;
  transport::target from{transport::address()};
  for (;;) {
    const auto [error, size] = co_await in->world->async_receive_from(room, from, quietly);
    if (error == errc::aborted || error == errc::closed) break;
    if (error) continue;
    ++in->moved;
    const transport::bytes datagram = room.first(size);
    const auto [failed] = co_await in->client->async_send_to(from, datagram, quietly);
    if (failed && failed != errc::message_too_large) break;
  }
  in->close();
}

}  // namespace

asio::awaitable<void> relay_datagrams(std::unique_ptr<mux::udp_over_tcp_socket> client) {
  const auto executor = co_await asio::this_coro::executor;
  const auto in = std::make_shared<relayed>(executor, std::move(client));
  watch(in);
  std::vector<std::byte> memory(largest);
  const transport::mutable_bytes room = memory;
  transport::target to{transport::address()};
  for (;;) {
    const auto [error, size] = co_await in->client->async_receive_from(room, to, quietly);
    if (error) break;
    ++in->moved;
    if (!in->world) {
      // Only now is it known whether the client connects.
      const bool opened = co_await open_socket(*in);
      if (!opened) break;
      asio::co_spawn(executor, carry_back(in), asio::detached);
    }
    const transport::bytes datagram = room.first(size);
    const transport::target& there = in->client->connected_to() ? in->only : to;
    // A datagram that cannot be sent is lost, as datagrams are.
    const auto [failed] = co_await in->world->async_send_to(there, datagram, quietly);
    if (failed == errc::closed || failed == errc::aborted) break;
  }
  in->close();
}
