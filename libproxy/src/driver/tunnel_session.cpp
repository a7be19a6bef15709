// SPDX-License-Identifier: Apache-2.0
// What a tunnel_server does on its carriers.
#include <array>
#include <chrono>
#include <utility>

#include "core/tunnel/tunnel_door.hpp"
#include "driver/datagram_relay.hpp"
#include "driver/prefixed_stream.hpp"
#include "driver/run_opening.hpp"
#include "driver/session.hpp"
#include "driver/stream_deadline.hpp"
#include "driver/tunnel_server_driver.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/with_timeout.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {

using transport::next_action;
using transport::stream;
using kind = transport::next_action::kind_type;

void tunnel_server_driver::begin_ride(ride& of) const {
  of.report.outbound = options_.outbound;
  of.report.error = transport::errc::aborted;  // should it be ended before it ends
  of.began = std::chrono::steady_clock::now();
  of.has_target = true;
}

asio::awaitable<bool> tunnel_server_driver::dial(std::shared_ptr<tunnel_server_driver> in,
                                                 shared_ride on, transport::target where) {
  on->report.where = where;
  in->begin_ride(*on);
  const std::shared_ptr<outbound> by = in->way_out_;
  auto dialling = by->async_dial(std::move(where));
  auto [error, made] =
      co_await transport::with_timeout(std::move(dialling), in->options_.connect_timeout, quietly);
  if (error) on->report.error = error;
  if (!error) on->report.connecting = std::chrono::steady_clock::now() - on->began;
  on->there = std::move(made);
  co_return !error;
}

asio::awaitable<void> tunnel_server_driver::relay(std::shared_ptr<tunnel_server_driver> in,
                                                  shared_ride on, std::unique_ptr<stream> client) {
  transport::relay_options how{.pool = in->relays_};
  how.half_closed = in->options_.half_closed;
  how.idle = in->options_.idle_timeout;
  how.counters = on->counters;
  const auto [ended, moved] =
      co_await transport::async_relay(std::move(client), std::move(on->there), how, quietly);
  on->report.error = ended;
}

/// The WebSocket's opening; null for who is no client, and was answered.
asio::awaitable<std::unique_ptr<stream>> tunnel_server_driver::open(
    std::shared_ptr<tunnel_server_driver> in, std::unique_ptr<stream> carrier) {
  opened on{std::move(carrier)};
  transport::websocket_server_opening opening;
  next_action last;
  {
    const stream_deadline limit(*on.carrier, in->options_.opening_timeout);
    last = co_await run_opening(on, opening);
    if (last.kind == kind::need_decision) {
      switch (core::answer_at_door(opening, in->options_.uuid)) {
        case core::tunnel_visitor::client: break;
        case core::tunnel_visitor::health: ++in->statistics_.health_checks; break;
        case core::tunnel_visitor::stranger: ++in->statistics_.strangers; break;
        case core::tunnel_visitor::malformed: ++in->statistics_.malformed; break;
      }
      last = co_await run_opening(on, opening);
    }
  }
  if (last.kind == kind::done) co_return with_prefix(std::move(on.carrier), std::move(on.unread));
  co_await part(std::move(on.carrier));
  co_return nullptr;
}

asio::awaitable<void> tunnel_server_driver::serve(std::shared_ptr<tunnel_server_driver> in,
                                                  shared_ride on, std::unique_ptr<stream> carrier) {
  std::unique_ptr<stream> websocket = co_await open(in, std::move(carrier));
  if (!websocket) co_return;
  tunnel_setting setting{.pages = in->pages_};
  setting.link.opening_timeout = in->options_.opening_timeout;
  setting.link.websocket.keepalive = in->options_.health_interval;
  auto [error, link] = co_await async_start_tunnel(std::move(websocket), setting, quietly);
  if (error) {
    if (error == transport::condition::protocol_error) ++in->statistics_.malformed;
    co_return;
  }
  if (link->mode() == core::tunnel_mode::yamux) {
    co_await serve_yamux(in, std::move(link));
    co_return;
  }
  ++in->statistics_.streams;
  const std::shared_ptr<void> counted(nullptr, [in](void*) { --in->statistics_.streams; });
  co_await serve_simple(in, on, std::move(link));
}

asio::awaitable<void> tunnel_server_driver::serve_simple(std::shared_ptr<tunnel_server_driver> in,
                                                         shared_ride on,
                                                         std::unique_ptr<tunnel_stream> client) {
  on->report.by = tunnel_report::carrier::simple;
  const bool is_connected = co_await dial(in, on, *client->wanted());
  if (!is_connected) {
    client->refuse(text_of(refusal_of(on->report.error)));
    co_return;
  }
  client->accept();
  co_await relay(in, on, std::move(client));
}

asio::awaitable<void> tunnel_server_driver::serve_yamux(std::shared_ptr<tunnel_server_driver> in,
                                                        std::unique_ptr<stream> link) {
  const transport::address from = link->remote_address();
  const std::shared_ptr<transport::connection> session =
      mux::make_yamux_connection(std::move(link), mux::role::server, in->options_.session);
  std::erase_if(in->muxes_, [](const auto& each) { return each.expired(); });
  in->muxes_.push_back(session);
  const auto streams = std::make_shared<std::size_t>(0);
  for (;;) {
    auto [error, client] = co_await session->async_accept_stream(quietly);
    if (error) co_return;
    // Those that have ended for the client count until their targets have, too.
    if (*streams >= in->options_.max_streams) {
      ++in->statistics_.refused_by_limits;
      client->reset(transport::stream_cancelled);
      continue;
    }
    const auto on = std::make_shared<ride>();
    on->report.client = from;
    in->spawn_stream(serve_stream(in, on, std::move(client)), on, streams);
  }
}

namespace {

/// The target of a stream, with what was read behind it.
struct request_read {
  core::tunnel_request_parser parser{};
  std::vector<std::byte> rest{};
  std::error_code error{};
};

asio::awaitable<request_read> read_request(stream& from) {
  request_read out;
  std::array<std::byte, core::limits::max_tunnel_request> memory;
  while (!out.parser.is_done() && !out.error) {
    const auto room = asio::buffer(memory);
    // The first bytes may be long in coming; the others follow at once, or there are none.
    const transport::duration patience = out.parser.is_empty()
                                             ? transport::duration(std::chrono::hours(1))
                                             : core::limits::tunnel_request_patience;
    auto reading = from.async_read_some(room);
    const auto [error, size] =
        co_await transport::with_timeout(std::move(reading), patience, quietly);
    const bool is_all = error == transport::errc::eof || error == transport::errc::timed_out;
    if (error && !(is_all && !out.parser.is_empty())) {
      out.error = error;
    } else if (error) {
      const auto done = out.parser.conclude();
      if (!done) out.error = done.error();
    } else {
      const auto input = transport::bytes(memory).first(size);
      const auto taken = out.parser.receive(input);
      if (!taken) out.error = taken.error();
      if (taken && *taken < size) {
        const auto behind = input.subspan(*taken);
        out.rest.assign(behind.begin(), behind.end());
      }
    }
  }
  co_return out;
}

}  // namespace

asio::awaitable<void> tunnel_server_driver::serve_stream(std::shared_ptr<tunnel_server_driver> in,
                                                         shared_ride on,
                                                         std::unique_ptr<stream> client) {
  request_read asked;
  {
    const stream_deadline limit(*client, in->options_.opening_timeout);
    asked = co_await read_request(*client);
  }
  bool is_connected = false;
  if (asked.error) {
    const bool is_wrong =
        asked.error == transport::errc::malformed || asked.error == transport::errc::limit_exceeded;
    if (is_wrong) ++in->statistics_.malformed;
  } else {
    is_connected = co_await dial(in, on, asked.parser.where());
  }
  if (!is_connected) {
    client->reset(transport::stream_cancelled);
    co_return;
  }
  co_await relay(in, on, with_prefix(std::move(client), std::move(asked.rest)));
}

asio::awaitable<void> tunnel_server_driver::serve_request(
    std::shared_ptr<tunnel_server_driver> in, shared_ride on,
    std::unique_ptr<mux::anytls_request> request) {
  on->report.by = tunnel_report::carrier::anytls;
  on->report.client = request->client();
  on->report.user = request->user();
  if (request->udp_over_tcp()) {
    co_await serve_datagrams(in, on, std::move(request));
    co_return;
  }
  const bool is_connected = co_await dial(in, on, request->destination());
  if (!is_connected) {
    request->refuse(text_of(refusal_of(on->report.error)));
    co_return;
  }
  co_await relay(in, on, request->accept());
}

namespace {

/// A stream of udp-over-tcp. All it sends goes through one outbound.
class tunnelled_datagrams final : public datagram_client {
 public:
  tunnelled_datagrams(std::unique_ptr<mux::udp_over_tcp_socket> socket,
                      std::shared_ptr<outbound> way_out, std::shared_ptr<tunnel_report> report)
      : near_(std::move(socket)), way_out_(std::move(way_out)), report_(std::move(report)) {}

  asio::any_io_executor executor() override { return near_->get_executor(); }

  asio::awaitable<client_datagram> receive(transport::mutable_bytes memory) override {
    client_datagram made;
    const auto [error, size] = co_await near_->async_receive_from(memory, made.where, quietly);
    made.error = error;
    if (error) co_return made;
    made.payload = memory.first(size);
    const bool is_first = !std::exchange(has_begun_, true);
    if (is_first) report_->where = made.where;
    if (is_first && near_->connected_to()) peer_ = connected_peer(*near_->connected_to());
    if (peer_) made.where = peer_.where();
    co_return made;
  }

  asio::awaitable<datagram_way> way_to(const transport::target&) override {
    datagram_way made;
    made.by = way_out_;
    co_return made;
  }

  bool takes(const transport::target& from, const transport::datagram_socket& by) override {
    return !peer_ || peer_.is(from, by);
  }

  asio::awaitable<std::error_code> send(const transport::target& from,
                                        transport::mutable_bytes with_headroom) override {
    const transport::bytes payload = with_headroom.subspan(headroom);
    const auto [failed] = co_await near_->async_send_to(from, payload, quietly);
    co_return failed;
  }

  void close() noexcept override { near_->close(); }

 private:
  std::unique_ptr<mux::udp_over_tcp_socket> near_;
  std::shared_ptr<outbound> way_out_;
  std::shared_ptr<tunnel_report> report_;
  connected_peer peer_;
  bool has_begun_ = false;
};

}  // namespace

asio::awaitable<void> tunnel_server_driver::serve_datagrams(
    std::shared_ptr<tunnel_server_driver> in, shared_ride on,
    std::unique_ptr<mux::anytls_request> request) {
  on->report.datagrams = true;
  in->begin_ride(*on);
  const std::shared_ptr<outbound> by = in->way_out_;
  auto associating = by->async_associate();
  auto [error, made] = co_await transport::with_timeout(std::move(associating),
                                                        in->options_.connect_timeout, quietly);
  if (error) {
    on->report.error = error;
    request->refuse(text_of(refusal_of(error)));
    co_return;
  }
  on->report.connecting = std::chrono::steady_clock::now() - on->began;
  const std::shared_ptr<tunnel_report> report(on, &on->report);
  auto client = std::make_unique<tunnelled_datagrams>(request->accept_datagrams(), by, report);
  const datagram_relay_options how{.idle = in->options_.association_idle,
                                   .connect_timeout = in->options_.connect_timeout,
                                   .counters = on->counters};
  const auto relay = std::make_shared<datagram_relay>(std::move(client), how);
  relay->add({}, std::move(made));
  on->report.error = co_await datagram_relay::run(relay);
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
