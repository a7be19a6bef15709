// SPDX-License-Identifier: Apache-2.0
#include "udp_association.hpp"

#include <algorithm>
#include <array>
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/use_awaitable.hpp>
#include <deque>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "strata/proxy/core/socks_datagram.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/udp_datagram_socket.hpp"

namespace {

using namespace strata;
using proxy::core::socks_datagram;
using transport::errc;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t largest = socks_datagram::max_header_size + 65536;
/// Streams of one association; the one that was opened first makes room.
constexpr std::size_t max_paths = 64;

/// A stream of datagrams to the server.
struct path {
  std::unique_ptr<transport::datagram_socket> far;
  std::optional<transport::target> only;  ///< Where all of them go.
};
using path_pointer = std::shared_ptr<path>;

struct association {
  std::unique_ptr<transport::udp_datagram_socket> near;
  mux::anytls_dialer& dialer;
  bool connects = false;
  transport::address owner;   ///< Whose datagrams are taken: the IP address of the TCP connection.
  transport::address client;  ///< Where the first came from, and the answers go.
  std::deque<path_pointer> paths;
  bool is_closed = false;

  void close() {
    is_closed = true;
    near->close();
    for (const path_pointer& each : paths) each->far->close();
  }
  void drop(const path_pointer& which) {
    which->far->close();
    std::erase(paths, which);
    // Without a target of its own it was the only one.
    if (!connects) close();
  }
};
using association_pointer = std::shared_ptr<association>;

/// A shared port would be a relay for everybody, so the first datagram of the owner fixes it.
bool is_welcome(association& in, const transport::address& from) {
  if (!from.same_ip(in.owner)) return false;
  if (in.client == transport::address()) in.client = from;
  return in.client == from;
}

bool is_lasting(const std::error_code& error) {
  return error && error != errc::message_too_large && error != errc::invalid_argument;
}

asio::awaitable<void> carry_back(association_pointer in, path_pointer by) {
  // The header is put right in front of what was received.
  std::vector<std::byte> memory(largest);
  const auto room = transport::mutable_bytes(memory).subspan(socks_datagram::max_header_size);
  transport::target from{transport::address()};
  for (;;) {
    const auto [error, size] = co_await by->far->async_receive_from(room, from, quietly);
    if (is_lasting(error)) break;
    if (error || in->client == transport::address()) continue;
    std::array<std::byte, socks_datagram::max_header_size> header;
    const std::size_t head = proxy::core::encode_socks_datagram_header(from, header);
    if (head == 0) continue;
    const auto whole = transport::mutable_bytes(memory).subspan(
        socks_datagram::max_header_size - head, head + size);
    transport::copy_bytes(whole.data(), transport::bytes(header).first(head));
    const transport::bytes packet = whole;
    const transport::target to(in->client);
    const auto [failed] = co_await in->near->async_send_to(to, packet, quietly);
    if (failed == errc::aborted || failed == errc::closed) break;
  }
  in->drop(by);
}

path_pointer add_path(const association_pointer& in,
                      std::unique_ptr<transport::datagram_socket> far,
                      std::optional<transport::target> only) {
  if (in->paths.size() == max_paths) {
    const path_pointer oldest = in->paths.front();
    in->drop(oldest);
  }
  const auto made = std::make_shared<path>(path{std::move(far), std::move(only)});
  in->paths.push_back(made);
  asio::co_spawn(in->near->get_executor(), carry_back(in, made), asio::detached);
  return made;
}

/// Nothing when the server cannot be reached, or all is over.
asio::awaitable<path_pointer> path_to(association_pointer in, transport::target to) {
  if (!in->connects) co_return in->paths.empty() ? nullptr : in->paths.front();
  const auto known = std::ranges::find(in->paths, to, &path::only);
  if (known != in->paths.end()) co_return *known;
  auto [failed, far] = co_await in->dialer.async_dial_datagrams(to, quietly);
  if (failed || in->is_closed) co_return nullptr;
  co_return add_path(in, std::move(far), to);
}

asio::awaitable<void> carry_out(association_pointer in) {
  std::vector<std::byte> memory(largest);
  const transport::mutable_bytes room = memory;
  transport::target from{transport::address()};
  for (;;) {
    const auto [error, size] = co_await in->near->async_receive_from(room, from, quietly);
    if (error == errc::aborted || error == errc::closed) break;
    if (error || !is_welcome(*in, from.ip())) continue;
    const auto datagram = proxy::core::decode_socks_datagram(room.first(size));
    if (!datagram) continue;
    const path_pointer by = co_await path_to(in, datagram->where);
    if (by == nullptr) continue;
    const auto [failed] =
        co_await by->far->async_send_to(datagram->where, datagram->payload, quietly);
    if (is_lasting(failed)) in->drop(by);
  }
  in->close();
}

}  // namespace

asio::awaitable<void> serve_association(socks_client& client, mux::anytls_dialer& dialer,
                                        bool connects) {
  transport::stream& control = client.carrier();
  const auto executor = control.get_executor();
  auto near = transport::udp_datagram_socket::open(executor, control.local_address().with_port(0));
  std::error_code failed = near ? std::error_code() : near.error();
  std::unique_ptr<transport::datagram_socket> far;
  if (!failed && !connects) {
    auto [error, made] = co_await dialer.async_associate(quietly);
    failed = error;
    far = std::move(made);
  }
  if (failed) {
    co_await client.async_refuse(failed);
    co_return;
  }
  const bool told = co_await client.async_accept((*near)->local_address());
  if (!told) co_return;
  const auto in = std::make_shared<association>(
      association{std::move(*near), dialer, connects, control.remote_address(), {}, {}});
  if (far) add_path(in, std::move(far), std::nullopt);
  asio::co_spawn(executor, carry_out(in), asio::detached);
  std::array<std::byte, 64> memory;
  const auto room = asio::buffer(memory);
  for (;;) {
    const auto [error, size] = co_await control.async_read_some(room, quietly);
    if (error) break;
  }
  in->close();
}
