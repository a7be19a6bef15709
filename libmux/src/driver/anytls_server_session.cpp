// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <asio/post.hpp>
#include <utility>

#include "driver/anytls_listener_driver.hpp"
#include "driver/replaying_stream.hpp"

namespace strata::mux {
inline namespace v0 {
namespace detail {

using core::anytls_event_kind;
using transport::errc;
using transport::socks_address;

anytls_server_session::anytls_server_session(const anytls_setting& setting,
                                             const core::anytls_config& config,
                                             std::unique_ptr<transport::stream> carrier,
                                             std::weak_ptr<anytls_listener_driver> owner)
    : anytls_session_driver(setting, config, std::move(carrier)),
      owner_(std::move(owner)),
      sockets_(setting.sockets),
      destination_timeout_(setting.options.destination_timeout) {
  if (config.fallback) stop_reading_by(stop_reading_.slot());
}

void anytls_server_session::begin() { start(); }

std::string anytls_server_session::user() { return std::string(core().control().user()); }

// Events.

void anytls_server_session::on_event(const core::anytls_event& event) {
  switch (event.kind) {
    case anytls_event_kind::authenticated: return stop_reading_by(asio::cancellation_slot());
    case anytls_event_kind::fallback: return begin_fallback();
    case anytls_event_kind::stream_opened: return serve_accepting();
    case anytls_event_kind::closed:
      arriving_.clear();
      if (arrivals_timer_) arrivals_timer_->cancel();
      if (const auto owner = owner_.lock()) owner->on_over(*this);
      return;
    case anytls_event_kind::readable: return read_destination(event.stream);
    case anytls_event_kind::write_stopped:
      if (const auto found = arriving_.find(event.stream); found != arriving_.end())
        found->second.write_stopped = true;
      return;
    case anytls_event_kind::failed: return give_up(event.stream, {});
    default: return;
  }
}

void anytls_server_session::end_of_turn(transport::time_point) {
  if (falling_back_ && !is_using_carrier()) hand_over();
}

void anytls_server_session::on_shutdown() noexcept {
  anytls_session_driver::on_shutdown();
  arriving_.clear();
  arrivals_timer_.reset();
}

// Streams that arrive.

void anytls_server_session::resume() {
  if (is_dead()) return;
  serve_accepting();
  on_turn(clock_now());
  schedule_flush();
}

void anytls_server_session::serve_accepting() {
  const auto owner = owner_.lock();
  while (owner && owner->has_room(*this)) {
    const auto id = core().accept();
    if (!id) return;
    arriving_[*id].deadline = clock_now() + destination_timeout_;
    read_destination(*id);
  }
}

/// Takes the address off the front of the stream and leaves what is behind it.
void anytls_server_session::read_destination(std::uint32_t id) {
  const auto found = arriving_.find(id);
  if (found == arriving_.end()) return;
  arrival& one = found->second;
  for (;;) {
    bool end = false;
    const auto piece = core().stream(id).peek(end);
    if (!piece && piece.error() == errc::would_block) return arm_arrivals();
    if (!piece || end) return give_up(id, {});
    const std::size_t more = std::min(piece->size(), one.held.size() - one.size);
    transport::copy_bytes(one.held.data() + one.size, piece->first(more));
    const auto decoded =
        transport::decode_socks_address(transport::bytes(one.held).first(one.size + more));
    if (!decoded) return give_up(id, "no destination");
    if (decoded->size != 0) {
      core().stream(id).consume(decoded->size - one.size);
      return on_destination(id, decoded->value);
    }
    core().stream(id).consume(more);
    one.size += more;
  }
}

void anytls_server_session::on_destination(std::uint32_t id, const socks_address& address) {
  auto destination = address.is_name() ? transport::target(address.name, address.port)
                                       : transport::target(address.ip);
  const bool write_stopped = arriving_.at(id).write_stopped;
  arriving_.erase(id);
  own_stream(id);
  if (write_stopped) note_write_stopped(id);
  std::unique_ptr<anytls_request> made(
      new anytls_request(std::static_pointer_cast<anytls_server_session>(shared_from_this()), id,
                         std::move(destination)));
  if (const auto owner = owner_.lock()) owner->on_request(std::move(made));
}

void anytls_server_session::give_up(std::uint32_t id, std::string_view why) {
  if (arriving_.erase(id) == 0) return;
  if (!why.empty()) core().stream(id).refuse(why);
  core().stream(id).forget();
  schedule_flush();
}

void anytls_server_session::arm_arrivals() {
  if (arriving_.empty() || timer_armed_ || is_dead()) return;
  if (!arrivals_timer_) arrivals_timer_.emplace(executor());
  timer_armed_ = true;
  arrivals_timer_->expires_at(arriving_.begin()->second.deadline);
  arrivals_timer_->async_wait([weak = weak_from_this()](std::error_code error) {
    const auto self = std::static_pointer_cast<anytls_server_session>(weak.lock());
    if (!error && self && !self->is_dead()) self->expire_arrivals();
  });
}

void anytls_server_session::expire_arrivals() {
  timer_armed_ = false;
  const auto now = clock_now();
  while (!arriving_.empty() && arriving_.begin()->second.deadline <= now)
    give_up(arriving_.begin()->first, "no destination");
  arm_arrivals();
  on_turn(now);
}

// Decisions.

std::unique_ptr<transport::stream> anytls_server_session::accept(std::uint32_t id) {
  if (!is_dead()) {
    core().stream(id).acknowledge();
    schedule_flush();
  }
  return make_handle(id);
}

std::unique_ptr<udp_over_tcp_socket> anytls_server_session::accept_datagrams(std::uint32_t id,
                                                                             unsigned version) {
  const udp_over_tcp_options options{.version = version};
  return std::make_unique<udp_over_tcp_socket>(
      make_udp_over_tcp(sockets_, accept(id), role::server, options));
}

void anytls_server_session::refuse(std::uint32_t id, std::string_view why) {
  if (is_dead()) return;
  core().stream(id).refuse(why);
  abandon_stream(id);
}

// Whoever is not a client.

/// The wait for more input is given up first: those bytes are somebody else's.
void anytls_server_session::begin_fallback() {
  falling_back_ = true;
  if (is_using_carrier()) stop_reading_.emit(asio::cancellation_type::terminal);
}

void anytls_server_session::hand_over() {
  falling_back_ = false;
  std::vector<std::byte> first;
  for (auto piece = core().control().rejected(); !piece.empty();
       piece = core().control().rejected()) {
    first.insert(first.end(), piece.begin(), piece.end());
    core().control().consume_rejected(piece.size());
  }
  auto carrier = release_carrier();
  const auto owner = owner_.lock();
  if (!owner || !carrier) return;
  owner->on_fallback(
      std::make_unique<replaying_stream>(ready(), std::move(carrier), std::move(first)));
  owner->on_over(*this);
}

}  // namespace detail

// The request.

anytls_request::anytls_request(std::shared_ptr<detail::anytls_server_session> session,
                               std::uint32_t id, transport::target destination)
    : session_(std::move(session)),
      id_(id),
      destination_(std::move(destination)),
      user_(session_->user()),
      client_(session_->remote_address()) {}

anytls_request::~anytls_request() { refuse({}); }

std::optional<unsigned> anytls_request::udp_over_tcp() const noexcept {
  return core::udp_over_tcp::version_of(destination_.name());
}

std::unique_ptr<transport::stream> anytls_request::accept() {
  assert(session_ && "decide once");
  return std::exchange(session_, nullptr)->accept(id_);
}

std::unique_ptr<udp_over_tcp_socket> anytls_request::accept_datagrams() {
  assert(session_ && "decide once");
  const unsigned version = udp_over_tcp().value_or(2);
  return std::exchange(session_, nullptr)->accept_datagrams(id_, version);
}

void anytls_request::refuse(std::string_view why) {
  if (const auto session = std::exchange(session_, nullptr)) session->refuse(id_, why);
}

}  // namespace v0
}  // namespace strata::mux
