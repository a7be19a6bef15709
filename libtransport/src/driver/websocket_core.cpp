// SPDX-License-Identifier: Apache-2.0
#include "driver/websocket_core.hpp"

#include <utility>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/next_action.hpp"

namespace strata::transport {
inline namespace v0 {
namespace detail {

websocket_core::opening websocket_core::make_opening(websocket_role role,
                                                     const websocket_options& options,
                                                     random_source& random) {
  if (role == websocket_role::client) return websocket_client_opening(options.request, random);
  return websocket_server_opening();
}

websocket_core::websocket_core(websocket_role role, const websocket_options& options)
    : config_(options.connection),
      decide_(options.decide),
      handshake_timeout_(options.handshake_timeout),
      opening_(make_opening(role, options, random_)) {
  config_.role = role;
  config_.mode = websocket_mode::stream;
}

void websocket_core::begin(time_point now) {
  deadline_ = now + handshake_timeout_;
  step(now);
}

void websocket_core::step(time_point now) {
  while (opening_) {
    const next_action next = std::visit([](const auto& each) { return each.next(); }, *opening_);
    switch (next.kind) {
      case next_action::kind_type::need_input: return;
      case next_action::kind_type::send:
        greeting_.insert(greeting_.end(), next.output.begin(), next.output.end());
        std::visit([&](auto& each) { each.sent(next.output.size()); }, *opening_);
        break;
      case next_action::kind_type::need_decision: decide(); break;
      case next_action::kind_type::done: return open(now);
      case next_action::kind_type::failed: return fail(next.error);
    }
  }
}

void websocket_core::decide() {
  auto& server = std::get<websocket_server_opening>(*opening_);
  if (decide_) decide_(server);
  if (server.next().kind != next_action::kind_type::need_decision) return;
  if (server.problem() != nullptr) return server.refuse();
  const auto offered = server.subprotocols();
  if (!server.accept(offered.empty() ? std::string_view() : offered.front())) server.refuse();
}

void websocket_core::open(time_point) {
  if (const auto* client = std::get_if<websocket_client_opening>(&*opening_)) {
    subprotocol_ = client->subprotocol();
  }
  opening_.reset();
  connection_.emplace(config_, random_);
  tells_ready_ = true;
}

void websocket_core::fail(std::error_code why) {
  if (failure_ || connection_) return;
  failure_ = why;
  opening_.reset();
  tells_failed_ = true;
}

void websocket_core::receive(time_point now, bytes input) {
  if (opening_) {
    const std::size_t taken =
        std::visit([&](auto& each) { return each.receive(input); }, *opening_);
    input = input.subspan(taken);
    step(now);
  }
  if (connection_ && !input.empty()) connection_->receive(now, input);
}

void websocket_core::release_input() {
  if (connection_) connection_->release_input();
}

void websocket_core::receive_end(time_point now) {
  if (connection_) return connection_->receive_end(now);
  if (opening_) std::visit([](auto& each) { each.receive_end(); }, *opening_);
  step(now);
}

void websocket_core::carrier_lost(std::error_code cause) {
  greeting_sent_ = greeting_.size();
  if (connection_) return connection_->carrier_lost(cause);
  fail(cause);
}

void websocket_core::handle_timeout(time_point now) {
  if (connection_) return connection_->handle_timeout(now);
  if (opening_ && now >= deadline_) fail(make_error_code(errc::timed_out));
}

std::optional<time_point> websocket_core::next_timeout() const {
  if (connection_) return connection_->next_timeout();
  return opening_ ? std::optional(deadline_) : std::nullopt;
}

bool websocket_core::poll_event(event& out) {
  if (std::exchange(tells_ready_, false)) return out = event::ready, true;
  if (std::exchange(tells_failed_, false)) return out = event::failed, true;
  websocket_event one;
  while (connection_ && connection_->poll_event(one)) {
    switch (one.kind) {
      case websocket_event_kind::readable: return out = event::readable, true;
      case websocket_event_kind::writable: return out = event::writable, true;
      case websocket_event_kind::closed: return out = event::closed, true;
      case websocket_event_kind::pong: break;
    }
  }
  return false;
}

std::size_t websocket_core::poll_output(time_point now, std::span<bytes> pieces) {
  if (greeting_sent_ < greeting_.size()) {
    pieces[0] = bytes(greeting_).subspan(greeting_sent_);
    return 1;
  }
  return connection_ ? connection_->poll_output(now, pieces) : 0;
}

void websocket_core::sent(std::size_t size) {
  if (greeting_sent_ == greeting_.size()) {
    if (connection_) connection_->sent(size);
    return;
  }
  greeting_sent_ += size;
  if (greeting_sent_ == greeting_.size()) {
    greeting_ = {};
    greeting_sent_ = 0;
  }
}

bool websocket_core::wants_input() const {
  return connection_ ? connection_->wants_input() : opening_.has_value();
}

bool websocket_core::finished() const {
  if (greeting_sent_ < greeting_.size()) return false;
  return connection_ ? connection_->finished() : !opening_;
}

void websocket_core::reset() {
  if (connection_) connection_->reset();
  opening_.reset();
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::transport
