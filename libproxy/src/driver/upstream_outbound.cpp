// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/upstream_outbound.hpp"

#include <utility>

#include "driver/prefixed_stream.hpp"
#include "driver/run_opening.hpp"
#include "driver/socks_datagram_socket.hpp"
#include "driver/spawned_operations.hpp"

namespace strata::proxy {
inline namespace v0 {

using stream_operations = spawned_operations<transport::stream>;
using datagram_operations = spawned_operations<transport::datagram_socket>;

namespace {

using transport::stream;
/// A proxy that cannot be reached is not a target that cannot: a group asks another one then.
std::error_code of_upstream(const std::error_code& error) {
  if (!error || error == transport::errc::aborted) return error;
  return errc::upstream_failed;
}

/// The carrier to the proxy, on which the opening was done.
template <class Opening>
asio::awaitable<std::error_code> open_on(opened& on, Opening& opening) {
  const transport::next_action last = co_await run_opening(on, opening);
  if (last.kind == transport::next_action::kind_type::done) co_return std::error_code();
  co_return last.error ? last.error : make_error_code(errc::upstream_failed);
}

template <class Opening, class State>
asio::awaitable<made<stream>> dial_through(std::shared_ptr<State> in, transport::target where) {
  made<stream> result;
  auto [failed, carrier] = co_await in->carriers->async_dial(in->options.server, quietly);
  result.error = of_upstream(failed);
  if (failed) co_return result;
  opened on{std::move(carrier)};
  Opening opening = State::opening_for(where, in->options);
  result.error = co_await open_on(on, opening);
  if (!result.error) result.value = with_prefix(std::move(on.carrier), std::move(on.unread));
  co_return result;
}

}  // namespace

struct socks_outbound::state {
  std::shared_ptr<transport::stream_dialer> carriers;
  upstream_options options;
  std::shared_ptr<stream_operations> dials;
  std::shared_ptr<datagram_operations> associations;

  static core::socks_client_opening opening_for(const transport::target& where,
                                                const upstream_options& options) {
    return {core::command::connect, where, options.credentials};
  }
  static asio::awaitable<made<transport::datagram_socket>> associate(std::shared_ptr<state> in);
};

socks_outbound::socks_outbound(std::shared_ptr<transport::stream_dialer> carriers,
                               upstream_options options) {
  const transport::ready_list ready(carriers->get_executor());
  state_ = std::make_shared<state>(
      state{std::move(carriers), std::move(options),
            transport::make_driver<stream_operations>(ready.executor(), ready),
            transport::make_driver<datagram_operations>(ready.executor(), ready)});
}

socks_outbound::~socks_outbound() {
  state_->dials->abort_all();
  state_->associations->abort_all();
}

asio::any_io_executor socks_outbound::do_executor() noexcept { return state_->dials->executor(); }

void socks_outbound::do_dial(const transport::target& where,
                             transport::completion<transport::stream_signature> waiting) {
  state_->dials->start(std::move(waiting), dial_through<core::socks_client_opening>(state_, where));
}

asio::awaitable<made<transport::datagram_socket>> socks_outbound::state::associate(
    std::shared_ptr<state> in) {
  made<transport::datagram_socket> result;
  auto [failed, carrier] = co_await in->carriers->async_dial(in->options.server, quietly);
  result.error = of_upstream(failed);
  if (failed) co_return result;
  opened on{std::move(carrier)};
  const transport::target anywhere(transport::address::any_v4(0));
  core::socks_client_opening opening(core::command::udp_associate, anywhere,
                                     in->options.credentials);
  result.error = co_await open_on(on, opening);
  if (result.error) co_return result;
  // A proxy that names no address means the one it was reached at (RFC 1928 section 6).
  transport::address relay = opening.bound();
  if (relay.octets().empty() || relay.is_unspecified())
    relay = on.carrier->remote_address().with_port(relay.port());
  auto socket = open_socks_datagram_socket(std::move(on.carrier), relay);
  if (socket) {
    result.value = std::move(*socket);
  } else {
    result.error = socket.error();
  }
  co_return result;
}

void socks_outbound::do_associate(transport::completion<associate_signature> waiting) {
  state_->associations->start(std::move(waiting), state::associate(state_));
}

struct http_outbound::state {
  std::shared_ptr<transport::stream_dialer> carriers;
  upstream_options options;
  std::shared_ptr<stream_operations> dials;

  static core::http_connect_opening opening_for(const transport::target& where,
                                                const upstream_options& options) {
    return core::http_connect_opening(where, options.credentials);
  }
};

http_outbound::http_outbound(std::shared_ptr<transport::stream_dialer> carriers,
                             upstream_options options) {
  const transport::ready_list ready(carriers->get_executor());
  state_ = std::make_shared<state>(
      state{std::move(carriers), std::move(options),
            transport::make_driver<stream_operations>(ready.executor(), ready)});
}

http_outbound::~http_outbound() { state_->dials->abort_all(); }
asio::any_io_executor http_outbound::do_executor() noexcept { return state_->dials->executor(); }

void http_outbound::do_dial(const transport::target& where,
                            transport::completion<transport::stream_signature> waiting) {
  state_->dials->start(std::move(waiting), dial_through<core::http_connect_opening>(state_, where));
}

}  // namespace v0
}  // namespace strata::proxy
