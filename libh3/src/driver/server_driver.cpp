// SPDX-License-Identifier: Apache-2.0
#include "driver/server_driver.hpp"

#include <spdlog/logger.h>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>

#include <utility>

#include "strata/transport/core/error.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace detail {

using transport::errc;

namespace {

constexpr auto no_error = static_cast<std::uint64_t>(error_code::no_error);

void log_thrown(spdlog::logger* log, std::exception_ptr thrown) {
  if (log == nullptr) return;
  try {
    std::rethrow_exception(std::move(thrown));
  } catch (const std::system_error& what) {
    // The peer's resets and closes come this way, too; they are nobody's mistake here.
    const auto& category = what.code().category();
    const bool of_peer = category == error_category() || category == transport::error_category();
    log->log(of_peer ? spdlog::level::debug : spdlog::level::err, "h3: a request handler threw: {}",
             what.what());
  } catch (const std::exception& what) {
    log->error("h3: a request handler threw: {}", what.what());
  } catch (...) {
    log->error("h3: a request handler threw something that is no std::exception");
  }
}

/// The exchange lives here, so that the handler's reference holds; it may move it away. What the
/// application threw means nothing to the client: the log has it.
asio::awaitable<void> run_handler(std::shared_ptr<const application> app, exchange incoming,
                                  std::shared_ptr<connection_driver> connection) {
  try {
    co_await app->handler(incoming);
  } catch (...) {
    log_thrown(app->log.get(), std::current_exception());
  }
  if (incoming) connection->conclude(incoming.id());
}

}  // namespace

server_driver::server_driver(const transport::ready_list& ready, quic::endpoint endpoint,
                             server_options options, request_handler handler)
    : ready_(ready),
      endpoint_(std::move(endpoint)),
      local_(endpoint_->local_address()),
      http_(options.http),
      other_protocol_(std::move(options.other_protocol)),
      application_(std::make_shared<const application>(
          application{std::move(handler), std::move(options.endpoint.log)})) {
  http_.role = role::server;
}

quic::core::endpoint_statistics server_driver::statistics() const noexcept {
  return endpoint_ ? endpoint_->statistics() : quic::core::endpoint_statistics();
}

void server_driver::shutdown() noexcept {
  dead_ = true;
  const auto starting = std::move(starting_);
  starting_.clear();
  const auto connections = std::move(connections_);
  connections_.clear();
  const auto waiting = std::move(draining_);
  draining_ = {};
  endpoint_.reset();
}

void server_driver::accept() {
  endpoint_->async_accept([weak = weak()](std::error_code error, quic::connection connection) {
    const auto driver = weak.lock();
    if (!driver || driver->dead_ || error) return;
    driver->on_accepted(std::move(connection));
    if (driver->endpoint_ && !driver->stopping_) driver->accept();
  });
}

void server_driver::on_accepted(quic::connection connection) {
  if (connection.security().alpn != "h3") {
    if (other_protocol_) return other_protocol_(std::move(connection));
    return connection.close(no_error);
  }
  const auto made = transport::make_driver<connection_driver>(ready_.executor(), ready_,
                                                              std::move(connection), http_);
  connections_.emplace(made.get(), made);
  made->start(weak());
}

void server_driver::on_request(exchange incoming) {
  if (dead_) return;
  starting_.push_back(std::move(incoming));
  if (starting_.size() > 1) return;
  asio::post(executor(), [weak = weak()] {
    if (const auto driver = weak.lock(); driver && !driver->dead_) driver->start_handlers();
  });
}

void server_driver::start_handlers() {
  auto starting = std::move(starting_);
  starting_.clear();
  for (exchange& each : starting) {
    auto connection = each.driver();
    asio::co_spawn(executor(), run_handler(application_, std::move(each), std::move(connection)),
                   asio::detached);
  }
}

void server_driver::on_closed(connection_driver& connection) {
  cut_off_ = cut_off_ || connection.cut_off();
  connections_.erase(&connection);
  if (draining_.handler && connections_.empty()) finish_shutdown();
}

void server_driver::shut_down(transport::duration deadline, completion<status_signature> waiting) {
  if (dead_) return;
  if (stopping_) return ready_.complete(std::move(waiting), std::error_code());
  stopping_ = true;
  endpoint_->stop_accepting();
  draining_ = std::move(waiting);
  auto connections = connections_;
  for (const auto& [key, connection] : connections) connection->shut_down(deadline, {});
  if (connections_.empty() && draining_.handler) finish_shutdown();
}

void server_driver::finish_shutdown() {
  stopping_ = false;
  stop();
  ready_.complete(std::exchange(draining_, {}),
                  cut_off_ ? make_error_code(errc::timed_out) : std::error_code());
}

void server_driver::use(transport::tls_context server_tls) {
  if (endpoint_) endpoint_->use(std::move(server_tls));
}

void server_driver::stop() noexcept {
  if (dead_ || !endpoint_) return;
  stopping_ = true;
  starting_.clear();
  endpoint_->async_close(no_error, [](std::error_code) {});
  endpoint_.reset();
}

}  // namespace detail

// server

transport::result<server> server::open(asio::any_io_executor executor, server_options options,
                                       request_handler handler) {
  if (!options.endpoint.server_tls || !handler)
    return std::unexpected(make_error_code(transport::errc::invalid_argument));
  auto endpoint = quic::endpoint::open(executor, options.endpoint);
  if (!endpoint) return std::unexpected(endpoint.error());
  const transport::ready_list ready(executor);
  auto driver = transport::make_driver<detail::server_driver>(
      executor, ready, std::move(*endpoint), std::move(options), std::move(handler));
  driver->start();
  return server(std::move(driver));
}

server::server() noexcept = default;
server::server(std::shared_ptr<detail::server_driver> driver) noexcept
    : driver_(std::move(driver)) {}
server::server(server&&) noexcept = default;
server& server::operator=(server&& other) noexcept {
  if (this == &other) return *this;
  if (const auto driver = std::exchange(driver_, std::move(other.driver_))) driver->stop();
  return *this;
}
server::~server() {
  if (driver_) driver_->stop();
}
server::executor_type server::get_executor() const noexcept { return driver_->executor(); }
transport::address server::local_address() const noexcept { return driver_->local_address(); }
quic::core::endpoint_statistics server::statistics() const noexcept {
  return driver_->statistics();
}
std::size_t server::connection_count() const noexcept { return driver_->connection_count(); }
void server::use(transport::tls_context server_tls) { driver_->use(std::move(server_tls)); }
void server::stop() { driver_->stop(); }

server::executor_type server::initiate_shutdown::get_executor() const noexcept {
  return driver->executor();
}
void server::initiate_shutdown::start(
    transport::duration deadline,
    transport::completion<transport::status_signature> waiting) const {
  driver->shut_down(deadline, std::move(waiting));
}

}  // namespace v0
}  // namespace strata::h3
