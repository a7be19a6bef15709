// SPDX-License-Identifier: Apache-2.0
#include "driver/datagram_relay.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <memory>
#include <utility>

#include "driver/run_opening.hpp"
#include "strata/proxy/core/error.hpp"
#include "strata/proxy/core/limits.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/with_timeout.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {
namespace {

/// What went wrong with one datagram, or with the one before, as UDP tells it.
bool is_of_datagram(const std::error_code& error) {
  return error == transport::errc::message_too_large ||
         error == transport::errc::invalid_argument || error == transport::errc::unreachable ||
         error == transport::errc::name_not_found || error == transport::errc::refused ||
         error == errc::not_allowed;
}

/// Sending looks names up, too.
bool is_of_lookup(const std::error_code& error) {
  return error == transport::errc::name_server_failed || error == transport::errc::timed_out;
}

/// Not filled: what no datagram was large enough for is no memory of the system's.
std::unique_ptr<std::byte[]> datagram_memory() {
  return std::make_unique_for_overwrite<std::byte[]>(datagram_client::memory_size);
}

}  // namespace

datagram_relay::datagram_relay(std::unique_ptr<datagram_client> client,
                               datagram_relay_options options)
    : client_(std::move(client)), options_(std::move(options)), idle_(client_->executor()) {}

void datagram_relay::close() noexcept {
  if (std::exchange(is_closed_, true)) return;
  client_->close();
  for (const auto& [name, each] : far_) each->close();
  idle_.cancel();
}

void datagram_relay::add(const std::string& name, shared_datagram_socket by) {
  far_.emplace(name, by);
  asio::co_spawn(client_->executor(), carry_back(shared_from_this(), name, std::move(by)),
                 asio::detached);
}

void datagram_relay::watch() {
  if (options_.idle == transport::duration::zero()) return;
  idle_.expires_after(options_.idle);
  idle_.async_wait([weak = weak_from_this(), seen = moved_](std::error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->is_closed_) return;
    self->moved_ == seen ? self->close() : self->watch();
  });
}

asio::awaitable<std::error_code> datagram_relay::run(std::shared_ptr<datagram_relay> in) {
  // Whatever ends this, and be it a cancellation, ends the sockets.
  const std::shared_ptr<void> closing(nullptr, [in](void*) { in->close(); });
  const auto memory = datagram_memory();
  const transport::mutable_bytes room(memory.get(), datagram_client::memory_size);
  in->watch();
  for (;;) {
    const client_datagram came = co_await in->client_->receive(room);
    if (came.error) {
      const bool in_order = in->is_closed_ || came.error == transport::errc::eof;
      co_return in_order ? std::error_code() : came.error;
    }
    const shared_datagram_socket by = co_await path_to(in, came.where);
    if (!by) continue;
    in->options_.counters->forth += came.payload.size();
    ++in->moved_;
    const auto [failed] = co_await by->async_send_to(came.where, came.payload, quietly);
    if (!failed) in->has_sent_ = true;
    if (failed && !is_of_datagram(failed) && !is_of_lookup(failed)) by->close();
  }
}

asio::awaitable<void> datagram_relay::carry_back(std::shared_ptr<datagram_relay> in,
                                                 std::string name, shared_datagram_socket by) {
  const auto memory = datagram_memory();
  const transport::mutable_bytes whole(memory.get(), datagram_client::memory_size);
  const auto room = whole.subspan(datagram_client::headroom);
  transport::target from{transport::address()};
  for (;;) {
    const auto [error, size] = co_await by->async_receive_from(room, from, quietly);
    if (error && !is_of_datagram(error)) break;
    if (error || !in->has_sent_ || !in->client_->takes(from, *by)) continue;
    in->options_.counters->back += size;
    ++in->moved_;
    const auto packet = whole.first(datagram_client::headroom + size);
    const std::error_code failed = co_await in->client_->send(from, packet);
    if (failed == transport::errc::closed || failed == transport::errc::aborted) break;
  }
  by->close();
  // Another may have taken its place.
  const auto found = in->far_.find(name);
  if (found != in->far_.end() && found->second == by) in->far_.erase(found);
}

/// Nothing when it goes nowhere, or the outbound carries no datagrams.
asio::awaitable<shared_datagram_socket> datagram_relay::path_to(std::shared_ptr<datagram_relay> in,
                                                                const transport::target& to) {
  const datagram_way way = co_await in->client_->way_to(to);
  if (!way.by) co_return nullptr;
  const auto known = in->far_.find(way.name);
  if (known != in->far_.end()) co_return known->second;
  if (in->far_.size() >= core::limits::max_association_paths) co_return nullptr;
  auto associating = way.by->async_associate();
  auto [failed, made] = co_await transport::with_timeout(std::move(associating),
                                                         in->options_.connect_timeout, quietly);
  if (failed || in->is_closed_) co_return nullptr;
  const shared_datagram_socket by = std::move(made);
  in->add(way.name, by);
  co_return by;
}

bool connected_peer::is(const transport::target& from, const transport::datagram_socket& by) {
  if (!named_) return false;
  if (!address_) {
    if (const auto known = by.resolved(*named_)) {
      if (from != transport::target(*known)) return false;
      address_ = from;
    }
  }
  if (address_) return from == *address_;
  if (answers_) return from == *answers_;
  if (from != *named_ && from.port() != named_->port()) return false;
  answers_ = from;
  return true;
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
