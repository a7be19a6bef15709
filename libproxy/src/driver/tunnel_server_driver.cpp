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

constexpr auto accept_rest = std::chrono::milliseconds(100);

bool is_end(const std::error_code& error) {
  return error == transport::errc::closed || error == transport::errc::aborted;
}

}  // namespace

tunnel_server_driver::tunnel_server_driver(const transport::ready_list& ready,
                                           std::shared_ptr<outbound> way_out,
                                           tunnel_server_options options)
    : ready_(ready),
      way_out_(std::move(way_out)),
      options_(std::move(options)),
      pages_(std::size_t{64} * 1024, 4),
      rest_(std::in_place, ready.executor()),
      drain_deadline_(std::in_place, ready.executor()) {
  options_.session.session.keep_alive_interval = options_.health_interval;
  options_.session.session.max_incoming_streams = options_.max_streams;
}

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
  dead_ = true;
  const auto waiting = draining_.take();
  const auto carriers = std::move(carriers_);
  const auto anytls = std::move(anytls_);
  const auto tasks = std::move(tasks_);
  const auto way_out = std::move(way_out_);
  rest_.reset();
  drain_deadline_.reset();
}

void tunnel_server_driver::accept_next() {
  if (dead_ || closed_) return;
  carriers_->async_accept(
      [self = self()](std::error_code error, std::unique_ptr<transport::stream> carrier) {
        self->accepted(error, std::move(carrier));
      });
}

void tunnel_server_driver::accepted(std::error_code error,
                                    std::unique_ptr<transport::stream> carrier) {
  if (dead_ || closed_ || is_end(error)) return;
  if (error) return rest_then(&tunnel_server_driver::accept_next);
  begin(std::move(carrier));
  accept_next();
}

void tunnel_server_driver::accept_request() {
  if (dead_ || closed_) return;
  anytls_->async_accept(
      [self = self()](std::error_code error, std::unique_ptr<mux::anytls_request> request) {
        self->accepted_request(error, std::move(request));
      });
}

void tunnel_server_driver::accepted_request(std::error_code error,
                                            std::unique_ptr<mux::anytls_request> request) {
  if (dead_ || closed_ || is_end(error)) return;
  if (error) return rest_then(&tunnel_server_driver::accept_request);
  const auto on = std::make_shared<ride>();
  spawn_stream(serve_request(self(), on, std::move(request)), on, std::make_shared<std::size_t>(0));
  accept_request();
}

/// For want of descriptors, say: some come back.
void tunnel_server_driver::rest_then(void (tunnel_server_driver::*what)()) {
  rest_->expires_after(accept_rest);
  rest_->async_wait([self = self(), what](std::error_code) { ((*self).*what)(); });
}

void tunnel_server_driver::begin(std::unique_ptr<transport::stream> carrier) {
  if (dead_ || closed_) return;
  ++statistics_.accepted;
  const std::string source = carrier->remote_address().ip_string();
  std::size_t& of_source = by_source_[source];
  if (statistics_.sessions >= options_.max_sessions || of_source >= options_.max_per_source) {
    ++statistics_.refused_by_limits;
    if (of_source == 0) by_source_.erase(source);
    return;
  }
  ++of_source;
  ++statistics_.sessions;
  const auto on = std::make_shared<ride>();
  on->report.client = carrier->remote_address();
  spawn(serve(self(), on, std::move(carrier)), on, [this, source, on] {
    report(*on);
    --statistics_.sessions;
    const auto found = by_source_.find(source);
    if (found != by_source_.end() && --found->second == 0) by_source_.erase(found);
  });
}

void tunnel_server_driver::spawn(asio::awaitable<void> what, const shared_ride& on,
                                 std::function<void()> done) {
  const auto one = std::make_shared<task>();
  one->on = on;
  tasks_.push_back(one);
  asio::co_spawn(ready_.executor(), std::move(what),
                 asio::bind_cancellation_slot(
                     one->stop.slot(),
                     [self = self(), one, done = std::move(done)](std::exception_ptr thrown) {
                       if (self->dead_) return;
                       self->tasks_.remove(one);
                       done();
                       if (self->draining_ && self->tasks_.empty()) self->finish_drain({});
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
  if (options_.on_ended) options_.on_ended(last);
}

void tunnel_server_driver::close() noexcept {
  if (dead_ || std::exchange(closed_, true)) return;
  if (anytls_) anytls_->close();
  if (carriers_) carriers_->close();
  rest_->cancel();
}

void tunnel_server_driver::drain(transport::duration limit,
                                 transport::completion<transport::status_signature> waiting) {
  if (dead_) return;
  close();
  for (const auto& weak : muxes_) {
    // The peer is told to open no more; who has no stream goes at once.
    if (const auto link = weak.lock())
      link->async_shutdown(limit, 0, [link](std::error_code) { (void)link; });
  }
  if (tasks_.empty()) return ready_.complete(std::move(waiting), std::error_code());
  draining_.start(std::move(waiting), [weak = weak_from_this()] {
    const auto held = std::static_pointer_cast<tunnel_server_driver>(weak.lock());
    if (held) held->finish_drain(make_error_code(transport::errc::aborted));
  });
  drain_deadline_->expires_after(limit);
  drain_deadline_->async_wait([self = self()](std::error_code error) {
    if (error || self->dead_ || !self->draining_) return;
    self->finish_drain(make_error_code(transport::errc::timed_out));
    self->end_all();
  });
}

void tunnel_server_driver::finish_drain(std::error_code error) noexcept {
  if (!draining_) return;
  drain_deadline_->cancel();
  ready_.complete(draining_.take(), error);
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
tunnel_server_statistics tunnel_server::statistics() const { return driver_->statistics(); }
std::vector<tunnel_report> tunnel_server::streams() const { return driver_->streams(); }
void tunnel_server::close() noexcept { driver_->close(); }
void tunnel_server::drain(transport::duration deadline,
                          transport::completion<transport::status_signature> waiting) {
  driver_->drain(deadline, std::move(waiting));
}

}  // namespace v0
}  // namespace strata::proxy
