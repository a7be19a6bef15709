// SPDX-License-Identifier: Apache-2.0
#include "core/inbound/forwarder_state.hpp"
#include "strata/proxy/core/limits.hpp"

// The origin's side: interim responses, the final one, and how its carrier ends.

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::bytes;

bool http_forwarder::state::wants_origin() const noexcept {
  // Between requests only its end is expected.
  if (at_ != phase::exchanging) return at_ == phase::reading_head && origin_reusable_;
  return to_client_.size() <= limits::max_forwarder_output;
}

std::size_t http_forwarder::state::receive_origin(bytes input) {
  std::size_t taken = 0;
  while (taken < input.size() && at_ == phase::exchanging && wants_origin()) {
    const bytes rest = input.subspan(taken);
    response_came_ = true;
    taken += response_begun_ ? receive_response_body(rest) : receive_response_head(rest);
  }
  if (taken == input.size() || at_ == phase::exchanging) return taken;
  // Nobody asked for more: whatever is answered next on this carrier may be a lie.
  origin_reusable_ = false;
  return input.size();
}

std::size_t http_forwarder::state::receive_response_head(bytes input) {
  const auto taken = responses_.receive(input);
  if (!taken) {
    end_with(refusal::general_failure);
    return input.size();
  }
  if (responses_.is_done()) begin_response();
  return *taken;
}

void http_forwarder::state::begin_response() {
  if (responses_.head().status_line().status < 200) return forward_interim();
  std::string().swap(request_head_);
  // The request is not through: its rest would be read as another one.
  const bool is_early = !request_body_.is_done() || !to_origin_->empty();
  if (is_early || client_ended_) client_persists_ = false;
  const forwarded_response_options options{.to_http_1_0 = client_is_1_0_,
                                           .closes = !client_persists_};
  const auto form = append_forwarded_response(to_client_.end(), responses_.head(), options);
  if (!form) return end_with(refusal::general_failure);
  response_begun_ = true;
  response_body_.begin(responses_.head().framing(), *form);
  if (response_body_.is_done()) end_response();
}

/// They are for whoever asked (RFC 9110 section 15.2), but not for HTTP/1.0.
void http_forwarder::state::forward_interim() {
  if (++interim_ > limits::max_forwarded_interim_responses)
    return end_with(refusal::general_failure);
  if (!client_is_1_0_ && !append_forwarded_response(to_client_.end(), responses_.head(), {}))
    return end_with(refusal::general_failure);
  responses_.restart();
}

std::size_t http_forwarder::state::receive_response_body(bytes input) {
  const std::size_t room = limits::max_forwarder_output + 1 - to_client_.size();
  const auto taken = response_body_.receive(input, room, to_client_.end());
  if (!taken) {
    end_broken();
    return input.size();
  }
  if (response_body_.is_done()) end_response();
  return *taken;
}

void http_forwarder::state::end_response() {
  // Behind an early answer neither carrier may serve another one.
  if (!client_persists_ || client_ended_) return end();
  origin_reusable_ = responses_.head().framing().persistent;
  to_origin_->shrink();
  former_to_origin_.reset();
  requests_.restart();
  at_ = phase::reading_head;
}

void http_forwarder::state::end_origin(bool in_order) {
  origin_reusable_ = false;
  if (at_ != phase::exchanging) return;
  if (!response_begun_) {
    if (!may_ask_again()) return end_with(refusal::general_failure);
    at_ = phase::dialling;
    return;
  }
  if (!in_order || !response_body_.ends_with_carrier()) return end_broken();
  response_body_.finish(to_client_.end());
  end_response();
}

/// A carrier that has served before may have been closed while the request was on its way. Another
/// one is tried, once, for what may be repeated (RFC 9110 section 9.2.2).
bool http_forwarder::state::may_ask_again() const noexcept {
  return origin_was_used_ && is_safe_to_repeat_ && !response_came_;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
