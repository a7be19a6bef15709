// SPDX-License-Identifier: Apache-2.0
#include "strata/mux/yamux.hpp"

#include <utility>

#include "driver/yamux_driver.hpp"
#include "strata/transport/driver/upgrading_dialer.hpp"
#include "strata/transport/driver/upgrading_listener.hpp"

namespace strata::mux {
inline namespace v0 {
namespace {

using transport::completion;
using transport::connection_signature;

class yamux_connection final : public transport::connection {
 public:
  explicit yamux_connection(std::shared_ptr<detail::yamux_driver> driver) noexcept
      : driver_(std::move(driver)) {}
  ~yamux_connection() override { driver_->abandon(); }

  void close(std::uint64_t code, std::string_view) override { driver_->close(code); }
  std::optional<transport::close_reason> closed() const override { return driver_->closed(); }
  std::optional<transport::connection_security> security() const override {
    return driver_->carrier_security();
  }
  transport::address remote_address() const override { return driver_->remote_address(); }
  transport::address local_address() const override { return driver_->local_address(); }

 private:
  asio::any_io_executor do_executor() noexcept override { return driver_->executor(); }
  void do_open_stream(completion<transport::stream_signature> waiting) override {
    driver_->open_stream(std::move(waiting));
  }
  void do_accept_stream(completion<transport::stream_signature> waiting) override {
    driver_->accept_stream(std::move(waiting));
  }
  void do_wait_closed(completion<transport::closed_signature> waiting) override {
    driver_->wait_closed(std::move(waiting));
  }
  void do_confirmed(completion<transport::status_signature> waiting) override {
    transport::ready_list(driver_->executor()).complete(std::move(waiting), std::error_code());
  }
  void do_shutdown(transport::duration deadline, std::uint64_t code,
                   completion<transport::status_signature> waiting) override {
    driver_->shut_down(deadline, code, std::move(waiting));
  }

  std::shared_ptr<detail::yamux_driver> driver_;
};

using made_handler = asio::any_completion_handler<connection_signature>;

/// What the sessions of one dialer or listener share.
struct yamux_setting {
  yamux_setting(const asio::any_io_executor& executor, role side, const yamux_options& chosen)
      : ready(executor), pages(chosen.read_size, 4), options(chosen) {
    options.session.role = side;
  }

  transport::ready_list ready;
  transport::page_pool pages;
  yamux_options options;
};

std::unique_ptr<transport::connection> make_on(const yamux_setting& setting,
                                               std::unique_ptr<transport::stream> carrier) {
  auto driver = transport::make_driver<detail::yamux_driver>(
      setting.ready.executor(), setting.ready, std::move(carrier), setting.pages, setting.options);
  driver->start();
  return std::make_unique<yamux_connection>(std::move(driver));
}

}  // namespace

std::unique_ptr<transport::connection> make_yamux_connection(
    std::unique_ptr<transport::stream> carrier, role side, const yamux_options& options) {
  const yamux_setting setting(carrier->get_executor(), side, options);
  return make_on(setting, std::move(carrier));
}

class yamux_dialer::state {
 public:
  std::shared_ptr<transport::upgrading_dialer<transport::connection>> driver;
};

yamux_dialer::yamux_dialer(std::shared_ptr<transport::stream_dialer> carriers,
                           yamux_options options)
    : state_(std::make_unique<state>()) {
  using driver = transport::upgrading_dialer<transport::connection>;
  const yamux_setting setting(carriers->get_executor(), role::client, options);
  state_->driver = transport::make_driver<driver>(
      setting.ready.executor(), setting.ready, std::move(carriers),
      [setting](const transport::target&, std::unique_ptr<transport::stream> carrier,
                made_handler made) {
        std::move(made)(std::error_code(), make_on(setting, std::move(carrier)));
      });
}

yamux_dialer::~yamux_dialer() { state_->driver->abort_all(); }

asio::any_io_executor yamux_dialer::do_executor() noexcept { return state_->driver->executor(); }

void yamux_dialer::do_dial(const transport::target& where,
                           completion<connection_signature> waiting) {
  state_->driver->dial(where, std::move(waiting));
}

class yamux_listener::state {
 public:
  std::shared_ptr<transport::upgrading_listener<transport::connection>> driver;
};

yamux_listener::yamux_listener(std::unique_ptr<transport::stream_listener> carriers,
                               yamux_options options)
    : state_(std::make_unique<state>()) {
  using driver = transport::upgrading_listener<transport::connection>;
  const yamux_setting setting(carriers->get_executor(), role::server, options);
  state_->driver = transport::make_driver<driver>(
      setting.ready.executor(), setting.ready, std::move(carriers),
      [setting](std::unique_ptr<transport::stream> carrier, made_handler made) {
        std::move(made)(std::error_code(), make_on(setting, std::move(carrier)));
      },
      transport::upgrade_limits());
}

yamux_listener::~yamux_listener() { state_->driver->close(); }

void yamux_listener::close() noexcept { state_->driver->close(); }
transport::address yamux_listener::local_address() const noexcept {
  return state_->driver->local_address();
}
asio::any_io_executor yamux_listener::do_executor() noexcept { return state_->driver->executor(); }

void yamux_listener::do_accept(completion<connection_signature> waiting) {
  state_->driver->accept(std::move(waiting));
}

}  // namespace v0
}  // namespace strata::mux
