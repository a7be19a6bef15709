// SPDX-License-Identifier: Apache-2.0
#include "driver/tcp_dial.hpp"

#include <spdlog/logger.h>

#include <chrono>
#include <utility>

#include "driver/asio_address.hpp"
#include "driver/tcp_congestion.hpp"
#include "driver/tcp_connection.hpp"
#include "driver/tcp_error.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {

tcp_dial::tcp_dial(const ready_list& ready, const tcp_dialer_options& options)
    : ready_(ready), options_(options) {}

/// What runs when something the dial waits for has happened: `method` with the arguments, unless
/// the dial is over.
template <class Method>
auto tcp_dial::bind(Method method) {
  return [self = std::static_pointer_cast<tcp_dial>(shared_from_this()), method](auto&&... args) {
    if (!self->is_done()) method(*self, std::forward<decltype(args)>(args)...);
  };
}

void tcp_dial::hold(completion<stream_signature> waiting) {
  waiting_.start(std::move(waiting), [weak = weak_from_this()] {
    if (const auto self = std::static_pointer_cast<tcp_dial>(weak.lock())) self->abort();
  });
}

void tcp_dial::start(const std::vector<address>& resolved, completion<stream_signature> waiting) {
  hold(std::move(waiting));
  race(resolved);
}

void tcp_dial::start(const target& where, completion<stream_signature> waiting) {
  hold(std::move(waiting));
  if (options_.log) name_ = where.string();
  if (!where.is_valid()) return finish(errc::invalid_argument, nullptr);
  if (!where.is_name()) return race({where.ip()});
  resolve(where);
}

void tcp_dial::resolve(const target& where) {
  resolver_.emplace(ready_.executor());
  resolver_->async_resolve(
      where.name(), std::to_string(where.port()), asio::ip::tcp::resolver::numeric_service,
      bind([](tcp_dial& self, const std::error_code& error,
              const asio::ip::tcp::resolver::results_type& found) {
        std::vector<address> resolved;
        for (const auto& entry : found) resolved.push_back(to_address(entry.endpoint()));
        if (error || resolved.empty()) {
          if (self.options_.log)
            self.options_.log->debug("dial {}: no address: {}", self.name_, error.message());
          return self.finish(
              error ? from_system_error(error) : make_error_code(errc::name_not_found), nullptr);
        }
        self.race(resolved);
      }));
}

void tcp_dial::race(const std::vector<address>& resolved) {
  resolver_.reset();
  race_.emplace(interleave_families(resolved), options_.attempt_delay);
  sockets_.resize(race_->addresses().size());
  timer_.emplace(ready_.executor());
  turn();
}

void tcp_dial::turn() {
  // An attempt can fail at once, which makes the next one due.
  while (const auto attempt = race_->poll_attempt(std::chrono::steady_clock::now())) {
    connect(*attempt);
    if (is_done()) return;
  }
  if (race_->is_exhausted()) return finish(race_->error(), nullptr);
  const auto next = race_->next_timeout();
  if (!next) return;
  timer_->expires_at(*next);
  timer_->async_wait(bind([](tcp_dial& self, std::error_code error) {
    if (!error) self.turn();
  }));
}

void tcp_dial::connect(std::size_t attempt) {
  const auto to = to_tcp_endpoint(race_->addresses()[attempt]);
  auto& socket = sockets_[attempt].emplace(ready_.executor());
  std::error_code error;
  socket.open(to.protocol(), error);
  if (!error) error = set_congestion_control(socket.native_handle(), options_.congestion_control);
  if (error) return failed(attempt, error);
  socket.async_connect(to, bind([attempt](tcp_dial& self, const std::error_code& failure) {
                         if (!failure) return self.connected(attempt);
                         self.failed(attempt, failure);
                         self.turn();
                       }));
}

void tcp_dial::connected(std::size_t attempt) {
  auto socket = std::move(*sockets_[attempt]);
  finish({}, make_tcp_stream(ready_, std::move(socket), options_.no_delay));
}

void tcp_dial::failed(std::size_t attempt, const std::error_code& error) {
  const auto failure = from_system_error(error);
  if (options_.log) {
    options_.log->debug("dial {}: {}: {}", name_, race_->addresses()[attempt].string(),
                        failure.message());
  }
  sockets_[attempt].reset();
  race_->attempt_failed(std::chrono::steady_clock::now(), failure);
}

void tcp_dial::finish(std::error_code error, std::unique_ptr<stream> made) {
  auto waiting = waiting_.take();
  close();
  ready_.complete(std::move(waiting), error, std::move(made));
}

void tcp_dial::abort() noexcept {
  if (!is_done()) finish(errc::aborted, nullptr);
}

void tcp_dial::close() noexcept {
  resolver_.reset();
  timer_.reset();
  sockets_.clear();
}

void tcp_dial::shutdown() noexcept {
  const auto waiting = waiting_.take();
  close();
}

}  // namespace v0
}  // namespace strata::transport
