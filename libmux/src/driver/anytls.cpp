// SPDX-License-Identifier: Apache-2.0
#include "strata/mux/anytls.hpp"

#include <utility>

#include "driver/anytls_dialer_driver.hpp"
#include "driver/anytls_listener_driver.hpp"

namespace strata::mux {
inline namespace v0 {

anytls_dialer::anytls_dialer(std::shared_ptr<transport::stream_dialer> carriers,
                             transport::target server, anytls_options options) {
  const detail::anytls_setting setting(carriers->get_executor(), role::client, std::move(options));
  driver_ = transport::make_driver<detail::anytls_dialer_driver>(
      setting.ready.executor(), setting, std::move(carriers), std::move(server));
}

anytls_dialer::~anytls_dialer() { driver_->close(); }
void anytls_dialer::close() noexcept { driver_->close(); }
anytls_dialer_statistics anytls_dialer::statistics() const noexcept {
  return driver_->statistics();
}
asio::any_io_executor anytls_dialer::do_executor() noexcept { return driver_->executor(); }
void anytls_dialer::do_dial(const transport::target& where,
                            transport::completion<transport::stream_signature> waiting) {
  driver_->dial(where, std::move(waiting));
}
void anytls_dialer::dial_datagrams(std::optional<transport::target> connected_to,
                                   transport::completion<datagrams_signature> waiting) {
  driver_->dial_datagrams(std::move(connected_to), std::move(waiting));
}

anytls_listener::anytls_listener(std::unique_ptr<transport::stream_listener> carriers,
                                 anytls_options options) {
  const detail::anytls_setting setting(carriers->get_executor(), role::server, std::move(options));
  driver_ = transport::make_driver<detail::anytls_listener_driver>(setting.ready.executor(),
                                                                   setting, std::move(carriers));
}

anytls_listener::~anytls_listener() { driver_->close(); }
asio::any_io_executor anytls_listener::get_executor() noexcept { return driver_->executor(); }
void anytls_listener::accept(transport::completion<anytls_request_signature> waiting) {
  driver_->accept(std::move(waiting));
}
void anytls_listener::close() noexcept { driver_->close(); }
transport::address anytls_listener::local_address() const noexcept {
  return driver_->local_address();
}
void anytls_listener::use(core::anytls_users users) { driver_->use(std::move(users)); }
std::size_t anytls_listener::sessions() const noexcept { return driver_->sessions(); }

}  // namespace v0
}  // namespace strata::mux
