// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "strata/proxy/upstream_outbound.hpp"

namespace strata::proxy {
inline namespace v0 {

anytls_outbound::anytls_outbound(std::shared_ptr<mux::anytls_dialer> dialer)
    : dialer_(std::move(dialer)) {}
anytls_outbound::~anytls_outbound() = default;
asio::any_io_executor anytls_outbound::do_executor() noexcept { return dialer_->get_executor(); }

void anytls_outbound::do_dial(const transport::target& where,
                              transport::completion<transport::stream_signature> waiting) {
  dialer_->async_dial(where, std::move(waiting.handler));
}

void anytls_outbound::do_associate(transport::completion<associate_signature> waiting) {
  dialer_->async_associate(std::move(waiting.handler));
}

}  // namespace v0
}  // namespace strata::proxy
