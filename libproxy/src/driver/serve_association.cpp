// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <map>
#include <utility>
#include <vector>

#include "driver/session.hpp"
#include "strata/proxy/core/socks_datagram.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/with_timeout.hpp"
#include "strata/transport/udp_datagram_socket.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {
namespace {

using core::socks_datagram;

constexpr std::size_t largest = socks_datagram::max_header_size + transport::udp_max_payload;

using far_socket = std::shared_ptr<transport::datagram_socket>;

/// The port of one client, and the sockets that speak for it, one for each outbound that rules
/// choose.
struct association {
  association(std::shared_ptr<session> of, std::unique_ptr<transport::udp_datagram_socket> socket,
              const transport::address& from)
      : in(std::move(of)), near(std::move(socket)), owner(from), idle(near->get_executor()) {}

  void close() {
    if (std::exchange(is_closed, true)) return;
    near->close();
    for (const auto& [name, each] : far) each->close();
    idle.cancel();
    if (control) control->reset(transport::stream_cancelled);
  }

  std::shared_ptr<session> in;
  std::unique_ptr<transport::udp_datagram_socket> near;
  std::unique_ptr<transport::stream> control;
  transport::address owner;   ///< Whose datagrams are taken: the IP of the TCP connection.
  transport::address client;  ///< Where the first came from, and the answers go.
  std::map<std::string, far_socket> far;
  asio::steady_timer idle;
  std::uint64_t moved = 0;
  bool is_closed = false;
};
using association_pointer = std::shared_ptr<association>;

/// A port that takes datagrams of anybody would be a relay for everybody, so the first datagram of
/// the owner fixes it.
bool is_welcome(association& in, const transport::address& from) {
  if (!from.same_ip(in.owner)) return false;
  if (in.client == transport::address()) in.client = from;
  return in.client == from;
}

bool is_over(const std::error_code& error) {
  return error == transport::errc::aborted || error == transport::errc::closed;
}

bool is_lasting(const std::error_code& error) {
  return error && error != transport::errc::message_too_large &&
         error != transport::errc::invalid_argument && error != transport::errc::unreachable &&
         error != transport::errc::name_not_found && error != transport::errc::refused &&
         error != proxy::errc::not_allowed;
}

void watch(const association_pointer& in) {
  in->idle.expires_after(in->in->options().association_idle);
  in->idle.async_wait([weak = std::weak_ptr(in), seen = in->moved](std::error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->is_closed) return;
    self->moved == seen ? self->close() : watch(self);
  });
}

asio::awaitable<void> carry_back(association_pointer in, std::string name, far_socket by) {
  // The header is put right in front of what was received.
  std::vector<std::byte> memory(largest);
  const auto room = transport::mutable_bytes(memory).subspan(socks_datagram::max_header_size);
  transport::target from{transport::address()};
  for (;;) {
    const auto [error, size] = co_await by->async_receive_from(room, from, quietly);
    if (is_lasting(error)) break;
    if (error || in->client == transport::address()) continue;
    std::array<std::byte, socks_datagram::max_header_size> header;
    const std::size_t head = core::encode_socks_datagram_header(from, header);
    if (head == 0) continue;
    const auto whole = transport::mutable_bytes(memory).subspan(
        socks_datagram::max_header_size - head, head + size);
    transport::copy_bytes(whole.data(), transport::bytes(header).first(head));
    const transport::bytes packet = whole;
    const transport::target to(in->client);
    in->in->counters->back += size;
    ++in->moved;
    const auto [failed] = co_await in->near->async_send_to(to, packet, quietly);
    if (is_over(failed)) break;
  }
  by->close();
  // Another may have taken its place.
  const auto found = in->far.find(name);
  if (found != in->far.end() && found->second == by) in->far.erase(found);
}

/// Nothing when no rule lets it out, or the outbound carries no datagrams.
asio::awaitable<far_socket> path_to(association_pointer in, transport::target to) {
  const chosen way = co_await choose_outbound(*in->in, to, core::carried::datagrams);
  if (way.error) co_return nullptr;
  const std::string name = in->in->report.outbound;
  const auto known = in->far.find(name);
  if (known != in->far.end()) co_return known->second;
  if (in->far.size() >= core::limits::max_association_paths) co_return nullptr;
  auto associating = way.by->async_associate();
  auto [failed, made] = co_await transport::with_timeout(
      std::move(associating), in->in->options().connect_timeout, quietly);
  if (failed || in->is_closed) co_return nullptr;
  const far_socket by = std::move(made);
  in->far.emplace(name, by);
  asio::co_spawn(in->near->get_executor(), carry_back(in, name, by), asio::detached);
  co_return by;
}

asio::awaitable<void> carry_out(association_pointer in) {
  std::vector<std::byte> memory(largest);
  const transport::mutable_bytes room = memory;
  transport::target from{transport::address()};
  for (;;) {
    const auto [error, size] = co_await in->near->async_receive_from(room, from, quietly);
    if (is_over(error)) break;
    if (error || !is_welcome(*in, from.ip())) continue;
    const auto datagram = core::decode_socks_datagram(room.first(size));
    if (!datagram) continue;
    const far_socket by = co_await path_to(in, datagram->where);
    if (!by) continue;
    in->in->counters->forth += datagram->payload.size();
    ++in->moved;
    const auto [failed] = co_await by->async_send_to(datagram->where, datagram->payload, quietly);
    if (is_lasting(failed)) by->close();
  }
  in->close();
}

/// An association lives as long as its TCP connection (RFC 1928 section 7).
asio::awaitable<void> until_ended(transport::stream& control) {
  std::array<std::byte, 64> memory;
  for (;;) {
    const auto room = asio::buffer(memory);
    const auto [error, size] = co_await control.async_read_some(room, quietly);
    if (error) co_return;
  }
}

}  // namespace

asio::awaitable<void> serve_association(std::shared_ptr<session> in, opened& on,
                                        core::inbound_opening& opening) {
  const auto executor = on.carrier->get_executor();
  const transport::address local = on.carrier->local_address().with_port(0);
  auto near = transport::udp_datagram_socket::open(executor, local);
  if (!near) {
    opening.refuse(refusal_of(near.error()));
    co_await run_opening(on, opening);
    in->end_request(near.error());
    co_await part(std::move(on.carrier));
    co_return;
  }
  const transport::address bound = (*near)->local_address();
  const auto made =
      std::make_shared<association>(in, std::move(*near), on.carrier->remote_address());
  opening.accept(bound);
  const transport::next_action last = co_await run_opening(on, opening);
  if (last.kind == transport::next_action::kind_type::done) {
    // Whatever ends this, and be it a cancellation, ends the port.
    const std::shared_ptr<void> closing(nullptr, [made](void*) { made->close(); });
    made->control = std::move(on.carrier);
    watch(made);
    asio::co_spawn(executor, carry_out(made), asio::detached);
    co_await until_ended(*made->control);
  }
  in->end_request({});
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
