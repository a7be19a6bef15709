// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "core/http_answer.hpp"
#include "core/inbound/forwarder_state.hpp"
#include "strata/proxy/core/limits.hpp"

// The client's side: requests, and what the proxy answers itself.

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::bytes;
using transport::http1_body;
using transport::http1_head;
using transport::http1_head_parser;
using transport::http1_problem;

namespace {

/// RFC 9110 section 9.2.2.
bool is_idempotent(std::string_view method) noexcept {
  constexpr std::array<std::string_view, 6> known{"GET",   "HEAD", "OPTIONS",
                                                  "TRACE", "PUT",  "DELETE"};
  return std::ranges::find(known, method) != known.end();
}

}  // namespace

http_forwarder::state::state(const http_forwarder_config& config, const http1_head& first,
                             std::string_view user)
    : config_(config),
      requests_(http1_head_parser::of_requests(config.head)),
      responses_(http1_head_parser::of_responses({}, config.head)) {
  wanted_.spoken = protocol::http;
  wanted_.asked = command::forward;
  wanted_.user = user;
  begin_request(first);
}

bool http_forwarder::state::is_idle() const noexcept {
  return at_ == phase::reading_head && requests_.is_idle() && to_client_.empty();
}

bool http_forwarder::state::wants_client() const noexcept {
  if (at_ == phase::reading_head) return to_client_.size() <= limits::max_forwarder_output;
  return at_ == phase::exchanging && !request_body_.is_done() &&
         to_origin_->size() <= limits::max_forwarder_output;
}

std::size_t http_forwarder::state::receive_client(bytes input) {
  std::size_t taken = 0;
  while (taken < input.size() && wants_client()) {
    const bytes rest = input.subspan(taken);
    taken += at_ == phase::reading_head ? receive_request_head(rest) : receive_request_body(rest);
  }
  return taken;
}

std::size_t http_forwarder::state::receive_request_head(bytes input) {
  const auto taken = requests_.receive(input);
  if (!taken) {
    head_requested_ = false;
    answer(*requests_.problem());
    return input.size();
  }
  if (requests_.is_done() && is_authorized(requests_.head())) begin_request(requests_.head());
  return *taken;
}

bool http_forwarder::state::is_authorized(const http1_head& head) {
  http_credentials_check checked = check_http_credentials(config_.users.get(), head);
  wanted_.user = std::move(checked.user);
  if (checked.granted) return true;
  rejects_credentials_ = checked.wrong;
  append_http_challenge(to_client_.end(), head.request_line().method == "HEAD");
  end();
  return false;
}

void http_forwarder::state::begin_request(const http1_head& head) {
  const auto line = head.request_line();
  head_requested_ = line.method == "HEAD";
  response_came_ = response_begun_ = false;
  interim_ = 0;
  auto made = forward_request(head);
  if (const auto* problem = std::get_if<http1_problem>(&made)) return answer(*problem);
  auto& asked = std::get<forwarded_request>(made);
  if (asked.is_for_proxy) return answer_for_origin(line.method);
  request_framing_ = head.framing();
  request_form_ = asked.body;
  request_head_ = std::move(asked.head);
  client_persists_ = request_framing_.persistent;
  client_is_1_0_ = line.version == transport::http1_version::v1_0;
  is_safe_to_repeat_ =
      is_idempotent(line.method) &&
      (request_framing_.body == http1_body::none ||
       (request_framing_.body == http1_body::length && request_framing_.length == 0));
  wanted_.where = asked.where;
  ++request_count_;
  at_ = phase::dialling;
}

void http_forwarder::state::connected() {
  if (at_ != phase::dialling) return;
  origin_was_used_ = origin_reusable_;
  origin_reusable_ = false;
  if (!to_origin_->empty()) {
    former_to_origin_ = std::move(to_origin_);
    to_origin_ = std::make_unique<lent_output>();
  }
  to_origin_->end().append(request_head_);
  request_body_.begin(request_framing_, request_form_);
  if (!is_safe_to_repeat_) std::string().swap(request_head_);
  responses_.restart({.head = head_requested_});
  at_ = phase::exchanging;
}

std::size_t http_forwarder::state::receive_request_body(bytes input) {
  const std::size_t room = limits::max_forwarder_output + 1 - to_origin_->size();
  const auto taken = request_body_.receive(input, room, to_origin_->end());
  if (taken) return *taken;
  // The origin has a part of it, and nothing says that it was all: its carrier must not serve on.
  static constexpr http1_problem bad_body{400, "a body in a chunked coding that is none"};
  if (response_begun_)
    end_broken();
  else
    answer(bad_body);
  return input.size();
}

void http_forwarder::state::end_client() {
  client_ended_ = true;
  if (at_ == phase::reading_head) return end();
  const bool lacks_body = at_ == phase::dialling
                              ? request_framing_.body != http1_body::none
                              : at_ == phase::exchanging && !request_body_.is_done();
  if (!lacks_body) return;
  // The origin sees that its carrier ends too early; who has left is told nothing.
  if (response_begun_)
    end_broken();
  else
    end();
}

/// Max-Forwards has come to its end here. A TRACE shows what was received to whoever can make a
/// browser send one, so it is not offered; the proxy has no options.
void http_forwarder::state::answer_for_origin(std::string_view method) {
  const std::array<transport::http1_field, 1> allow{{{"Allow", "OPTIONS"}}};
  const bool traces = method == "TRACE";
  append_http_answer(to_client_.end(), {.status = traces ? std::uint16_t{405} : std::uint16_t{200},
                                        .content = traces ? "this proxy shows no trace\n" : "",
                                        .fields = allow});
  end();
}

void http_forwarder::state::answer(const http1_problem& problem) {
  const std::string content = std::string(problem.text).append("\n");
  append_http_answer(to_client_.end(),
                     {.status = problem.status, .content = content, .head_only = head_requested_});
  end();
}

void http_forwarder::state::refuse(refusal why) {
  if (at_ == phase::dialling) end_with(why);
}

void http_forwarder::state::end_with(refusal why) {
  append_http_refusal(to_client_.end(), why, head_requested_);
  end();
}

void http_forwarder::state::end_broken() noexcept {
  is_broken_ = true;
  end();
}

void http_forwarder::state::end() noexcept {
  at_ = phase::over;
  origin_reusable_ = false;
}

void http_forwarder::state::sent_to_client(std::size_t size) {
  to_client_.sent(size);
  // Between requests a connection costs little.
  if (at_ == phase::reading_head && to_client_.empty()) to_client_.shrink();
}

bytes http_forwarder::state::to_origin() noexcept {
  return at_ == phase::exchanging ? to_origin_->lend() : bytes{};
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
