// SPDX-License-Identifier: Apache-2.0
#include "driver/anytls_listener_driver.hpp"

#include <asio/post.hpp>
#include <utility>

namespace strata::mux {
inline namespace v0 {
namespace detail {

using transport::errc;
using request_pointer = std::unique_ptr<anytls_request>;

anytls_listener_driver::anytls_listener_driver(const anytls_setting& setting,
                                               std::unique_ptr<transport::stream_listener> carriers)
    : setting_(setting), carriers_(std::move(carriers)) {
  setting_.options.session.fallback = static_cast<bool>(setting_.options.fallback);
}

void anytls_listener_driver::accept(completion<anytls_request_signature> waiting) {
  if (dead_) return;
  if (closed_)
    return setting_.ready.complete(std::move(waiting), make_error_code(errc::closed),
                                   request_pointer());
  waiting_.start(std::move(waiting), [weak = weak_from_this()] {
    if (const auto self = std::static_pointer_cast<anytls_listener_driver>(weak.lock()))
      self->abort();
  });
  serve();
  listen();
}

void anytls_listener_driver::abort() noexcept {
  if (waiting_)
    setting_.ready.complete(waiting_.take(), make_error_code(errc::aborted), request_pointer());
}

/// Goes on without being asked, as long as the listener is open: sessions need nobody to begin.
void anytls_listener_driver::listen() {
  if (listening_ || closed_ || sessions_.size() >= setting_.options.max_sessions) return;
  listening_ = true;
  carriers_->async_accept(
      [weak = weak_from_this()](std::error_code error, std::unique_ptr<transport::stream> carrier) {
        if (const auto self = std::static_pointer_cast<anytls_listener_driver>(weak.lock()))
          self->on_carrier(error, std::move(carrier));
      });
}

void anytls_listener_driver::on_carrier(std::error_code error,
                                        std::unique_ptr<transport::stream> carrier) {
  listening_ = false;
  if (dead_ || closed_) return;
  if (error) {
    // Such as: out of descriptors. It is told, and tried again when somebody asks.
    if (waiting_) setting_.ready.complete(waiting_.take(), error, request_pointer());
    return;
  }
  const auto made = transport::make_driver<anytls_server_session>(
      executor(), setting_, setting_.options.session, std::move(carrier),
      std::static_pointer_cast<anytls_listener_driver>(shared_from_this()));
  sessions_.emplace(made.get(), made);
  made->begin();
  listen();
}

void anytls_listener_driver::serve() {
  while (waiting_ && !requests_.empty()) {
    auto first = std::move(requests_.front());
    requests_.pop_front();
    setting_.ready.complete(waiting_.take(), std::error_code(), std::move(first));
  }
  if (held_up_.empty() || requests_.size() >= setting_.options.max_requests) return;
  const auto waiting = std::move(held_up_);
  held_up_.clear();
  for (const auto& each : waiting)
    if (const auto session = each.lock()) session->resume();
}

bool anytls_listener_driver::has_room(anytls_server_session& asking) {
  if (requests_.size() < setting_.options.max_requests) return true;
  held_up_.push_back(std::static_pointer_cast<anytls_server_session>(asking.shared_from_this()));
  return false;
}

void anytls_listener_driver::on_request(request_pointer made) {
  if (dead_ || closed_) return;
  requests_.push_back(std::move(made));
  serve();
}

void anytls_listener_driver::on_over(anytls_server_session& session) {
  if (dead_) return;
  sessions_.erase(&session);
  listen();
}

/// Not within the turn of the session: it may do anything.
void anytls_listener_driver::on_fallback(std::unique_ptr<transport::stream> carrier) {
  if (dead_ || closed_) return;
  asio::post(executor(), [to = setting_.options.fallback, carrier = std::move(carrier)]() mutable {
    to(std::move(carrier));
  });
}

transport::address anytls_listener_driver::local_address() const noexcept {
  return carriers_ && !closed_ ? carriers_->local_address() : transport::address();
}

void anytls_listener_driver::close() noexcept {
  if (dead_ || closed_) return;
  closed_ = true;
  carriers_->close();
  abort();
  const auto nobodys = std::move(requests_);
  requests_.clear();
  const auto sessions = sessions_;
  for (const auto& [key, each] : sessions)
    if (const auto session = each.lock()) session->retire();
}

void anytls_listener_driver::shutdown() noexcept {
  dead_ = true;
  const auto waiting = waiting_.take();
  const auto nobodys = std::move(requests_);
  const auto carriers = std::move(carriers_);
  const auto sessions = std::move(sessions_);
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::mux
