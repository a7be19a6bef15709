// SPDX-License-Identifier: Apache-2.0
#include "driver/anytls_dialer_driver.hpp"

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <utility>

#include "strata/transport/driver/with_timeout.hpp"

namespace strata::mux {
inline namespace v0 {
namespace detail {

using choice = core::anytls_pool::choice;
using transport::errc;

anytls_dialer_driver::anytls_dialer_driver(const anytls_setting& setting,
                                           std::shared_ptr<transport::stream_dialer> carriers,
                                           transport::target server)
    : setting_(setting),
      carriers_(std::move(carriers)),
      server_(std::move(server)),
      pool_(setting.options.pool),
      timer_(std::in_place, setting.ready.executor()),
      server_answers_(setting.options.session.version >= 2) {}

template <class Signature>
void anytls_dialer_driver::start(const attempt_pointer& one,
                                 transport::pending_operation<Signature>& waits,
                                 completion<Signature> waiting) {
  waits.start(std::move(waiting), [weak = weak_from_this(), of = std::weak_ptr(one)] {
    const auto self = std::static_pointer_cast<anytls_dialer_driver>(weak.lock());
    const auto held = of.lock();
    if (self && held) self->abort(held);
  });
  attempts_.push_back(one);
  if (closed_) return settle(one, make_error_code(errc::closed), nullptr);
  if (!one->where.is_valid()) return settle(one, make_error_code(errc::invalid_argument), nullptr);
  place(one, pool_.acquire(clock_now()));
  close_surplus();
}

void anytls_dialer_driver::dial(const transport::target& where,
                                completion<stream_signature> waiting) {
  if (dead_) return;
  const auto one = std::make_shared<anytls_attempt>(anytls_attempt{.where = where});
  start(one, one->stream_waits, std::move(waiting));
}

void anytls_dialer_driver::dial_datagrams(std::optional<transport::target> connected_to,
                                          completion<datagrams_signature> waiting) {
  if (dead_) return;
  namespace uot = core::udp_over_tcp;
  const auto name = setting_.options.udp_version >= 2 ? uot::name_v2 : uot::name_v1;
  const auto one = std::make_shared<anytls_attempt>(
      anytls_attempt{.where = transport::target(name, 0), .wants_datagrams = true});
  one->connected_to = std::move(connected_to);
  start(one, one->datagrams_wait, std::move(waiting));
}

void anytls_dialer_driver::place(const attempt_pointer& one, const choice& where) {
  switch (where.kind) {
    case choice::kind_type::wait:
      wait_until_ = where.until;
      waiting_.push_back(one);
      return arm_timer();
    case choice::kind_type::reuse:
      one->in_used_session = true;
      return open_stream(one, where.session);
    case choice::kind_type::dial:
      one->in_used_session = false;
      return dial_carrier(one, where.session);
  }
}

/// It is not given up when `one` is: another dial, or a later one, can use it.
void anytls_dialer_driver::dial_carrier(const attempt_pointer& one, number which) {
  ++dialled_;
  carrier_dial& made = dials_[which];
  made.stop = std::make_unique<asio::cancellation_signal>();
  made.wanted_by = one;
  auto dialling =
      transport::with_timeout(carriers_->async_dial(server_), setting_.options.dial_timeout);
  std::move(dialling)(asio::bind_cancellation_slot(
      made.stop->slot(),
      [self = std::static_pointer_cast<anytls_dialer_driver>(shared_from_this()), which](
          std::error_code error, std::unique_ptr<transport::stream> carrier) {
        self->on_carrier(which, error, std::move(carrier));
      }));
}

void anytls_dialer_driver::on_carrier(number which, std::error_code error,
                                      std::unique_ptr<transport::stream> carrier) {
  if (dead_) return;
  attempt_pointer one;
  if (auto dial = dials_.extract(which)) one = dial.mapped().wanted_by.lock();
  if (closed_) return;
  if (error) {
    pool_.lost(clock_now(), which);
    if (one) settle(one, error, nullptr);
    return serve_waiting();
  }
  core::anytls_config config = setting_.options.session;
  config.padding = pool_.padding();
  anytls_client_session::place_in_pool at{
      std::static_pointer_cast<anytls_dialer_driver>(shared_from_this()), which};
  const auto made = transport::make_driver<anytls_client_session>(
      executor(), setting_, config, std::move(carrier), std::move(at));
  sessions_.emplace(which, made);
  made->start();
  if (one && one->is_waiting()) return open_stream(one, which);
  pool_.release(clock_now(), which);
  serve_waiting();
}

void anytls_dialer_driver::open_stream(const attempt_pointer& one, number which) {
  const auto session = sessions_.at(which);
  const auto id = session->open(one->where);
  if (!id) {
    on_lost(which);
    session->retire();
    return fail_or_retry(one, id.error());
  }
  if (one->in_used_session) ++reused_;
  // Of datagrams a server may know nothing to answer before the first has told it what is asked.
  if (!setting_.options.await_answer || !server_answers_ || one->datagrams_wait)
    return settle(one, {}, session->hand_out(*id));
  one->session = which;
  session->await_answer(one, *id, setting_.options.version_timeout);
}

void anytls_dialer_driver::fail_or_retry(const attempt_pointer& one, std::error_code error) {
  if (!one->is_waiting() || closed_) return;
  one->session = 0;
  if (!one->in_used_session || std::exchange(one->retried, true))
    return settle(one, error, nullptr);
  place(one, pool_.acquire_new(clock_now()));
}

void anytls_dialer_driver::settle(const attempt_pointer& one, std::error_code error,
                                  std::unique_ptr<transport::stream> made) {
  std::erase(attempts_, one);
  if (one->stream_waits)
    return setting_.ready.complete(one->stream_waits.take(), error, std::move(made));
  if (!one->datagrams_wait) return;
  std::unique_ptr<transport::datagram_socket> socket;
  if (made != nullptr) {
    const udp_over_tcp_options options{.version = setting_.options.udp_version,
                                       .connected_to = one->connected_to};
    socket = std::make_unique<udp_over_tcp_socket>(
        make_udp_over_tcp(setting_.sockets, std::move(made), role::client, options));
  }
  setting_.ready.complete(one->datagrams_wait.take(), error, std::move(socket));
}

void anytls_dialer_driver::abort(const attempt_pointer& one) noexcept {
  if (const auto place = std::ranges::find(waiting_, one); place != waiting_.end())
    waiting_.erase(place);
  settle(one, make_error_code(errc::aborted), nullptr);
  if (one->session == 0) return;
  const auto answering = sessions_.find(std::exchange(one->session, 0));
  if (answering != sessions_.end()) std::shared_ptr(answering->second)->forget_answer();
}

// What sessions say.

void anytls_dialer_driver::on_alive(number which) {
  pool_.came_alive(which);
  serve_waiting();
}

void anytls_dialer_driver::on_free(number which) {
  if (dead_ || closed_) return;
  pool_.release(clock_now(), which);
  close_surplus();
  serve_waiting();
}

void anytls_dialer_driver::on_lost(number which) {
  if (dead_) return;
  pool_.lost(clock_now(), which);
  sessions_.erase(which);
  serve_waiting();
}

void anytls_dialer_driver::on_answer(const attempt_pointer& one,
                                     std::unique_ptr<transport::stream> made) {
  if (dead_) return;
  one->session = 0;
  settle(one, {}, std::move(made));
}

void anytls_dialer_driver::on_no_answer(const attempt_pointer& one, std::error_code error,
                                        bool session_lost) {
  if (dead_) return;
  one->session = 0;
  session_lost ? fail_or_retry(one, error) : settle(one, error, nullptr);
}

void anytls_dialer_driver::serve_waiting() {
  while (!waiting_.empty()) {
    const choice where = pool_.acquire(clock_now());
    if (where.kind == choice::kind_type::wait) {
      wait_until_ = where.until;
      break;
    }
    const auto first = std::move(waiting_.front());
    waiting_.pop_front();
    place(first, where);
  }
  arm_timer();
}

void anytls_dialer_driver::close_surplus() {
  while (const auto which = pool_.poll_closing()) {
    const auto found = sessions_.extract(*which);
    if (!found.empty()) found.mapped()->retire();
  }
  arm_timer();
}

void anytls_dialer_driver::arm_timer() {
  if (dead_ || closed_) return;
  auto next = pool_.next_timeout();
  if (!waiting_.empty() && (!next || wait_until_ < *next)) next = wait_until_;
  if (!next) next = transport::time_point::min();
  if (timer_->expiry() == *next) return;
  timer_->expires_at(*next);
  if (*next == transport::time_point::min()) return;
  timer_->async_wait([weak = weak_from_this()](std::error_code error) {
    const auto self = std::static_pointer_cast<anytls_dialer_driver>(weak.lock());
    if (error || !self || self->dead_ || self->closed_) return;
    self->pool_.handle_timeout(clock_now());
    self->timer_->expires_at(transport::time_point::min());
    self->close_surplus();
    self->serve_waiting();
  });
}

void anytls_dialer_driver::close() noexcept {
  if (dead_ || closed_) return;
  closed_ = true;
  timer_->cancel();
  const auto all = attempts_;
  for (const auto& one : all) abort(one);
  for (auto& [which, dial] : dials_) dial.stop->emit(asio::cancellation_type::terminal);
  const auto sessions = std::move(sessions_);
  sessions_.clear();
  for (const auto& [which, session] : sessions) session->retire();
}

anytls_dialer_statistics anytls_dialer_driver::statistics() const noexcept {
  return {.idle = pool_.idle(),
          .busy = pool_.busy(),
          .dialled = dialled_,
          .reused = reused_,
          .dead_on_arrival = pool_.dead_on_arrival()};
}

void anytls_dialer_driver::shutdown() noexcept {
  dead_ = true;
  const auto all = std::move(attempts_);
  for (const auto& one : all) {
    const auto stream = one->stream_waits.take();
    const auto datagrams = one->datagrams_wait.take();
  }
  const auto waiting = std::move(waiting_);
  const auto sessions = std::move(sessions_);
  const auto dials = std::move(dials_);
  const auto carriers = std::move(carriers_);
  timer_.reset();
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::mux
