// SPDX-License-Identifier: Apache-2.0
#include "driver/server_driver.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <exception>
#include <new>
#include <utility>

#include "strata/transport/core/error.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {
namespace {

/// A server that other hosts reach, without users, would be a relay for everybody.
bool may_serve(const transport::address& local, const proxy_server_options& options) {
  const bool has_users = options.inbound.users && !options.inbound.users->empty();
  const bool is_local = local.octets().empty() || local.is_loopback();
  return is_local || has_users || options.open_to_strangers;
}

}  // namespace

server_driver::server_driver(const transport::ready_list& ready,
                             std::unique_ptr<transport::stream_listener> clients,
                             std::shared_ptr<const session_settings> settings)
    : serving_driver(ready), clients_(std::move(clients)), settings_(std::move(settings)) {}

transport::address server_driver::local_address() const noexcept {
  return clients_ ? clients_->local_address() : transport::address();
}

std::shared_ptr<server_driver> server_driver::self() {
  return std::static_pointer_cast<server_driver>(shared_from_this());
}

void server_driver::shutdown() noexcept {
  const auto clients = std::move(clients_);
  const auto sessions = std::move(sessions_);
  serving_driver::shutdown();
}

void server_driver::accept_next() {
  if (!is_accepting()) return;
  clients_->async_accept(
      [self = self()](std::error_code error, std::unique_ptr<transport::stream> client) {
        self->accepted(error, std::move(client));
      });
}

void server_driver::accepted(std::error_code error, std::unique_ptr<transport::stream> client) {
  if (!is_accepting()) return;
  if (error == transport::errc::closed || error == transport::errc::aborted) return;
  if (error) return rest_then([this] { accept_next(); });
  begin(std::move(client));
  accept_next();
}

void server_driver::begin(std::unique_ptr<transport::stream> client) {
  ++statistics_.accepted;
  const proxy_server_options& options = settings_->options;
  const transport::address from = client->remote_address();
  const std::string source = from.ip_string();
  if (statistics_.active >= options.max_connections ||
      clients_of(source) >= options.max_per_source) {
    ++statistics_.refused_by_limits;
    return;
  }
  add_client(source);
  ++statistics_.active;
  const auto made = std::make_shared<session>(*this, settings_, from);
  sessions_.push_back(made);
  asio::co_spawn(executor(), serve(made, std::move(client)),
                 asio::bind_cancellation_slot(
                     made->stop.slot(), [self = self(), made, source](std::exception_ptr thrown) {
                       self->ended(made, source);
                       // Cancelled, or out of memory: then this client has gone, and others go on.
                       try {
                         if (thrown) std::rethrow_exception(thrown);
                       } catch (const std::system_error&) {
                       } catch (const std::bad_alloc&) {}
                     }));
}

void server_driver::ended(const std::shared_ptr<session>& which,
                          const std::string& source) noexcept {
  if (is_dead()) return;
  which->end_request(make_error_code(transport::errc::aborted));
  sessions_.remove(which);
  --statistics_.active;
  remove_client(source);
  on_served();
}

bool server_driver::admit_user(const std::string& user) {
  if (user.empty()) return true;
  // Counted without a limit, too: there may be one later.
  std::size_t& count = by_user_[user];
  const std::size_t most = settings_->options.max_per_user;
  if (most != 0 && count >= most) {
    ++statistics_.refused_by_limits;
    return false;
  }
  ++count;
  return true;
}

void server_driver::release_user(const std::string& user) noexcept {
  const auto found = by_user_.find(user);
  if (found != by_user_.end() && --found->second == 0) by_user_.erase(found);
}

void server_driver::report(const session_report& of) {
  of.error ? ++statistics_.failed : ++statistics_.succeeded;
  statistics_.moved.forth += of.moved.forth;
  statistics_.moved.back += of.moved.back;
  const auto held = settings_;  // Whoever is told may exchange it.
  if (held->options.on_ended) held->options.on_ended(of);
}

std::vector<session_report> server_driver::sessions() const {
  std::vector<session_report> made;
  for (const auto& each : sessions_)
    if (each->has_request) made.push_back(each->current());
  return made;
}

void server_driver::use(std::shared_ptr<const proxy_routes> routes) {
  auto changed = std::make_shared<session_settings>(*settings_);
  changed->routes = std::move(routes);
  settings_ = std::move(changed);
}

void server_driver::use(std::shared_ptr<const core::user_table> users) {
  auto changed = std::make_shared<session_settings>(*settings_);
  changed->options.inbound.users = std::move(users);
  settings_ = std::move(changed);
}

void server_driver::use(proxy_server_options options) {
  auto changed = std::make_shared<session_settings>(*settings_);
  changed->options = std::move(options);
  settings_ = std::move(changed);
}

void server_driver::end_all() noexcept {
  const auto all = sessions_;
  for (const auto& each : all) each->stop.emit(asio::cancellation_type::terminal);
}

}  // namespace detail

proxy_server::proxy_server(std::shared_ptr<detail::server_driver> driver) noexcept
    : driver_(std::move(driver)) {}

transport::result<std::unique_ptr<proxy_server>> proxy_server::start(
    std::unique_ptr<transport::stream_listener> clients, std::shared_ptr<const proxy_routes> routes,
    proxy_server_options options) {
  if (!detail::may_serve(clients->local_address(), options))
    return std::unexpected(make_error_code(errc::authentication_required));
  const transport::ready_list ready(clients->get_executor());
  auto settings = std::make_shared<const detail::session_settings>(
      detail::session_settings{std::move(options), std::move(routes), transport::relay_pool()});
  auto driver = transport::make_driver<detail::server_driver>(
      ready.executor(), ready, std::move(clients), std::move(settings));
  driver->accept_next();
  return std::unique_ptr<proxy_server>(new proxy_server(std::move(driver)));
}

proxy_server::~proxy_server() {
  driver_->close();
  driver_->end_all();
}

proxy_server::executor_type proxy_server::get_executor() noexcept { return driver_->executor(); }
transport::address proxy_server::local_address() const noexcept { return driver_->local_address(); }
const std::string& proxy_server::name() const noexcept { return driver_->name(); }
void proxy_server::use(std::shared_ptr<const proxy_routes> routes) {
  driver_->use(std::move(routes));
}
void proxy_server::use(std::shared_ptr<const core::user_table> users) {
  driver_->use(std::move(users));
}
std::error_code proxy_server::use(proxy_server_options options) {
  if (!detail::may_serve(driver_->local_address(), options)) return errc::authentication_required;
  driver_->use(std::move(options));
  return {};
}
proxy_statistics proxy_server::statistics() const { return driver_->statistics(); }
std::vector<session_report> proxy_server::sessions() const { return driver_->sessions(); }
void proxy_server::close() noexcept { driver_->close(); }
void proxy_server::drain(transport::duration deadline,
                         transport::completion<transport::status_signature> waiting) {
  driver_->drain(deadline, std::move(waiting));
}

}  // namespace v0
}  // namespace strata::proxy
