// SPDX-License-Identifier: Apache-2.0
// Accepting, limits, and the end; what is done on a carrier is in tunnel_session.cpp.
#include "driver/tunnel_server_driver.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <chrono>
#include <exception>
#include <new>
#include <utility>

#include "strata/transport/core/error.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {
namespace {

bool is_end(const std::error_code& error) {
  return error == transport::errc::closed || error == transport::errc::aborted;
}

/// With what goes for all sessions in those of yamux, too.
tunnel_server_options completed(tunnel_server_options options) {
  options.session.session.keep_alive_interval = options.health_interval;
  options.session.session.max_incoming_streams = options.max_streams;
  return options;
}

}  // namespace

tunnel_server_driver::tunnel_server_driver(const transport::ready_list& ready,
                                           std::shared_ptr<outbound> way_out,
                                           tunnel_server_options options)
    : serving_driver(ready),
      way_out_(std::move(way_out)),
      options_(completed(std::move(options))),
      pages_(std::size_t{64} * 1024, 4) {}

void tunnel_server_driver::start(std::unique_ptr<transport::stream_listener> carriers) {
  if (!options_.anytls) {
    carriers_ = std::move(carriers);
    return accept_next();
  }
  mux::anytls_options how = *options_.anytls;
  how.fallback = [weak = weak_from_this()](std::unique_ptr<transport::stream> carrier) {
    if (const auto in = std::static_pointer_cast<tunnel_server_driver>(weak.lock()))
      in->begin(std::move(carrier));
  };
  anytls_ = std::make_unique<mux::anytls_listener>(std::move(carriers), std::move(how));
  accept_request();
}

transport::address tunnel_server_driver::local_address() const noexcept {
  if (anytls_) return anytls_->local_address();
  return carriers_ ? carriers_->local_address() : transport::address();
}

void tunnel_server_driver::shutdown() noexcept {
  const auto carriers = std::move(carriers_);
  const auto anytls = std::move(anytls_);
  const auto tasks = std::move(tasks_);
  const auto way_out = std::move(way_out_);
  serving_driver::shutdown();
}

void tunnel_server_driver::accept_next() {
  if (!is_accepting()) return;
  carriers_->async_accept(
      [self = self()](std::error_code error, std::unique_ptr<transport::stream> carrier) {
        self->accepted(error, std::move(carrier));
      });
}

void tunnel_server_driver::accepted(std::error_code error,
                                    std::unique_ptr<transport::stream> carrier) {
  if (!is_accepting() || is_end(error)) return;
  if (error) return rest_then([this] { accept_next(); });
  begin(std::move(carrier));
  accept_next();
}

void tunnel_server_driver::accept_request() {
  if (!is_accepting()) return;
  anytls_->async_accept(
      [self = self()](std::error_code error, std::unique_ptr<mux::anytls_request> request) {
        self->accepted_request(error, std::move(request));
      });
}

void tunnel_server_driver::accepted_request(std::error_code error,
                                            std::unique_ptr<mux::anytls_request> request) {
  if (!is_accepting() || is_end(error)) return;
  if (error) return rest_then([this] { accept_request(); });
  const auto on = std::make_shared<ride>();
  spawn_stream(serve_request(self(), on, std::move(request)), on, std::make_shared<std::size_t>(0));
  accept_request();
}

void tunnel_server_driver::begin(std::unique_ptr<transport::stream> carrier) {
  if (!is_accepting()) return;
  ++statistics_.accepted;
  const std::string source = carrier->remote_address().ip_string();
  if (statistics_.sessions >= options_.max_sessions ||
      clients_of(source) >= options_.max_per_source) {
    ++statistics_.refused_by_limits;
    return;
  }
  add_client(source);
  ++statistics_.sessions;
  const auto on = std::make_shared<ride>();
  on->report.client = carrier->remote_address();
  spawn(serve(self(), on, std::move(carrier)), on, [this, source, on] {
    report(*on);
    --statistics_.sessions;
    remove_client(source);
  });
}

void tunnel_server_driver::spawn(asio::awaitable<void> what, const shared_ride& on,
                                 std::function<void()> done) {
  const auto one = std::make_shared<task>();
  one->on = on;
  tasks_.push_back(one);
  asio::co_spawn(executor(), std::move(what),
                 asio::bind_cancellation_slot(
                     one->stop.slot(),
                     [self = self(), one, done = std::move(done)](std::exception_ptr thrown) {
                       if (self->is_dead()) return;
                       self->tasks_.remove(one);
                       done();
                       self->on_served();
                       // Ended, or out of memory: then this one has gone, and others go on.
                       try {
                         if (thrown) std::rethrow_exception(thrown);
                       } catch (const std::system_error&) {
                       } catch (const std::bad_alloc&) {}
                     }));
}

void tunnel_server_driver::spawn_stream(asio::awaitable<void> what, const shared_ride& on,
                                        const std::shared_ptr<std::size_t>& of_session) {
  ++*of_session;
  ++statistics_.streams;
  spawn(std::move(what), on, [this, on, of_session] {
    --*of_session;
    --statistics_.streams;
    report(*on);
  });
}

void tunnel_server_driver::use(std::shared_ptr<outbound> way_out, std::string name) {
  way_out_ = std::move(way_out);
  options_.outbound = std::move(name);
}

std::error_code tunnel_server_driver::use(tunnel_server_options options) {
  if (options.uuid.empty()) return errc::authentication_required;
  if (options.anytls.has_value() != options_.anytls.has_value())
    return transport::errc::invalid_argument;
  if (anytls_) anytls_->use(options.anytls->session.users);
  options.outbound = options_.outbound;
  options_ = completed(std::move(options));
  return {};
}

tunnel_report tunnel_server_driver::current(const ride& of) {
  tunnel_report made = of.report;
  made.moved = *of.counters;
  made.lasted = std::chrono::steady_clock::now() - of.began;
  return made;
}

std::vector<tunnel_report> tunnel_server_driver::streams() const {
  std::vector<tunnel_report> made;
  for (const auto& each : tasks_) {
    if (!each->on->has_target) continue;
    made.push_back(current(*each->on));
    made.back().error.clear();
  }
  return made;
}

void tunnel_server_driver::report(const ride& of) {
  if (!of.has_target) return;
  const tunnel_report last = current(of);
  last.error ? ++statistics_.failed : ++statistics_.succeeded;
  statistics_.moved.forth += last.moved.forth;
  statistics_.moved.back += last.moved.back;
  const auto told = options_.on_ended;  // Whoever it is may exchange it.
  if (told) told(last);
}

void tunnel_server_driver::stop_accepting() noexcept {
  if (anytls_) anytls_->close();
  if (carriers_) carriers_->close();
}

void tunnel_server_driver::announce_drain(transport::duration limit) {
  for (const auto& weak : muxes_) {
    // The peer is told to open no more; who has no stream goes at once.
    if (const auto link = weak.lock())
      link->async_shutdown(limit, 0, [link](std::error_code) { (void)link; });
  }
}

void tunnel_server_driver::end_all() noexcept {
  const auto all = tasks_;
  for (const auto& each : all) each->stop.emit(asio::cancellation_type::terminal);
}

/// Whoever is told of streams may be gone next.
void tunnel_server_driver::abandon() noexcept {
  close();
  options_.on_ended = nullptr;
  end_all();
}

}  // namespace detail

tunnel_server::tunnel_server(std::shared_ptr<detail::tunnel_server_driver> driver) noexcept
    : driver_(std::move(driver)) {}

transport::result<std::unique_ptr<tunnel_server>> tunnel_server::start(
    std::unique_ptr<transport::stream_listener> carriers, std::shared_ptr<outbound> way_out,
    tunnel_server_options options) {
  if (options.uuid.empty()) return std::unexpected(make_error_code(errc::authentication_required));
  const transport::ready_list ready(carriers->get_executor());
  auto driver = transport::make_driver<detail::tunnel_server_driver>(
      ready.executor(), ready, std::move(way_out), std::move(options));
  driver->start(std::move(carriers));
  return std::unique_ptr<tunnel_server>(new tunnel_server(std::move(driver)));
}

tunnel_server::~tunnel_server() { driver_->abandon(); }

tunnel_server::executor_type tunnel_server::get_executor() noexcept { return driver_->executor(); }
transport::address tunnel_server::local_address() const noexcept {
  return driver_->local_address();
}
void tunnel_server::use(std::shared_ptr<outbound> way_out, std::string name) {
  driver_->use(std::move(way_out), std::move(name));
}
std::error_code tunnel_server::use(tunnel_server_options options) {
  return driver_->use(std::move(options));
}
tunnel_server_statistics tunnel_server::statistics() const { return driver_->statistics(); }
std::vector<tunnel_report> tunnel_server::streams() const { return driver_->streams(); }
void tunnel_server::close() noexcept { driver_->close(); }
void tunnel_server::drain(transport::duration deadline,
                          transport::completion<transport::status_signature> waiting) {
  driver_->drain(deadline, std::move(waiting));
}

}  // namespace v0
}  // namespace strata::proxy
