// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/direct_outbound.hpp"

#include <utility>

#include "driver/resolving_datagram_socket.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/resolving_dialer.hpp"
#include "strata/transport/system_resolver.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace {

transport::resolving_dialer_options dialer_options(const direct_outbound_options& from) {
  transport::resolving_dialer_options made;
  made.tcp = from.tcp;
  made.admits = [filter = from.filter](const transport::address& where) {
    return filter.admits(where);
  };
  made.not_admitted = errc::not_allowed;
  return made;
}

}  // namespace

class direct_outbound::state {
 public:
  state(const asio::any_io_executor& executor, direct_outbound_options options)
      : ready(executor),
        names(options.names ? std::move(options.names)
                            : std::make_shared<transport::system_resolver>(executor)),
        filter(options.filter),
        dialer(names, dialer_options(options)) {}

  transport::ready_list ready;
  std::shared_ptr<transport::resolver> names;
  core::address_filter filter;
  transport::resolving_dialer dialer;
};

direct_outbound::direct_outbound(const asio::any_io_executor& executor,
                                 direct_outbound_options options)
    : state_(std::make_shared<state>(executor, std::move(options))) {}

direct_outbound::~direct_outbound() = default;

asio::any_io_executor direct_outbound::do_executor() noexcept { return state_->ready.executor(); }

transport::result<std::unique_ptr<transport::stream_listener>> direct_outbound::listen(
    const transport::target& expected) {
  // Nobody else may connect, and of a name it is not known who that would be.
  if (expected.is_name()) return std::unexpected(make_error_code(errc::command_not_supported));
  if (!state_->filter.admits(expected.ip().with_port(1)))
    return std::unexpected(make_error_code(errc::not_allowed));
  const transport::address local =
      expected.ip().is_v4() ? transport::address::any_v4(0) : transport::address::any_v6(0);
  return transport::tcp_listener::listen(state_->ready.executor(), local);
}

void direct_outbound::do_dial(const transport::target& where,
                              transport::completion<transport::stream_signature> waiting) {
  state_->dialer.async_dial(where, std::move(waiting.handler));
}

void direct_outbound::do_associate(transport::completion<associate_signature> waiting) {
  if (!state_->ready.executor()) return;
  auto socket = open_resolving_datagram_socket(state_->names, state_->filter);
  if (socket) {
    state_->ready.complete(std::move(waiting), std::error_code(), std::move(*socket));
  } else {
    state_->ready.complete(std::move(waiting), socket.error(),
                           std::unique_ptr<transport::datagram_socket>());
  }
}

}  // namespace v0
}  // namespace strata::proxy
