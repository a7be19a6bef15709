// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "driver/run_opening.hpp"
#include "driver/spawned_operations.hpp"
#include "strata/mux/core/error.hpp"
#include "strata/proxy/upstream_outbound.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace {

/// The server says that it could not connect the target; everything else is the way to it.
std::error_code of_server(const std::error_code& error) {
  if (!error || error == transport::errc::aborted) return error;
  if (error == mux::errc::stream_refused) return transport::errc::refused;
  return errc::upstream_failed;
}

template <class Result, class Operation>
asio::awaitable<made<Result>> wait_for([[maybe_unused]] std::shared_ptr<mux::anytls_dialer> kept,
                                       Operation operation) {
  auto [error, value] = co_await std::move(operation)(quietly);
  made<Result> result;
  result.error = of_server(error);
  result.value = std::move(value);
  co_return result;
}

}  // namespace

struct anytls_outbound::state {
  std::shared_ptr<mux::anytls_dialer> dialer;
  std::shared_ptr<spawned_operations<transport::stream>> dials;
  std::shared_ptr<spawned_operations<transport::datagram_socket>> associations;
};

anytls_outbound::anytls_outbound(std::shared_ptr<mux::anytls_dialer> dialer) {
  const transport::ready_list ready(dialer->get_executor());
  state_ = std::make_shared<state>(
      state{std::move(dialer),
            transport::make_driver<spawned_operations<transport::stream>>(ready.executor(), ready),
            transport::make_driver<spawned_operations<transport::datagram_socket>>(ready.executor(),
                                                                                   ready)});
}

anytls_outbound::~anytls_outbound() {
  state_->dials->abort_all();
  state_->associations->abort_all();
}

asio::any_io_executor anytls_outbound::do_executor() noexcept { return state_->dials->executor(); }

void anytls_outbound::do_dial(const transport::target& where,
                              transport::completion<transport::stream_signature> waiting) {
  state_->dials->start(std::move(waiting), wait_for<transport::stream>(
                                               state_->dialer, state_->dialer->async_dial(where)));
}

void anytls_outbound::do_associate(transport::completion<associate_signature> waiting) {
  state_->associations->start(
      std::move(waiting),
      wait_for<transport::datagram_socket>(state_->dialer, state_->dialer->async_associate()));
}

}  // namespace v0
}  // namespace strata::proxy
