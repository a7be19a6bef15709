// SPDX-License-Identifier: Apache-2.0
#include "core/inbound/http_inbound.hpp"

#include <algorithm>
#include <array>

#include "core/http_answer.hpp"
#include "core/inbound/forward_target.hpp"
#include "core/socks_target.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::bytes;
using transport::http1_field;
using transport::http1_head;
using transport::http1_problem;
using transport::http1_target;
using target_form = transport::http1_target_form;

namespace {

constexpr http1_problem tunnel_with_content{400, "a CONNECT has no content"};
constexpr http1_problem not_for_a_proxy{400, "a proxy wants a whole URI, or CONNECT"};
constexpr http1_problem not_a_page{405, "pages of the proxy are for GET and HEAD"};

/// A reader of content and one of a tunnel see two different things behind such a head. Old clients
/// write a length of zero, which is none.
bool announces_content(const http1_head& head) {
  if (head.count("Transfer-Encoding") != 0) return true;
  return head.count("Content-Length") > 1 || head.find("Content-Length").value_or("0") != "0";
}

}  // namespace

std::size_t http_inbound::receive(bytes input) {
  const auto taken = parser_.receive(input);
  if (!taken) {
    refuse_with(*parser_.problem(), taken.error());
    return input.size();
  }
  if (parser_.is_done()) read_request();
  return *taken;
}

void http_inbound::read_request() {
  const http1_target named = parser_.head().target();
  switch (named.form) {
    case target_form::authority: return read_tunnel(named);
    case target_form::absolute: return read_forward(named);
    case target_form::origin: return read_page(named);
    case target_form::asterisk: return refuse_with(not_for_a_proxy, transport::errc::not_supported);
  }
}

void http_inbound::read_tunnel(const http1_target& named) {
  if (!is_authorized()) return;
  if (announces_content(parser_.head()))
    return refuse_with(tunnel_with_content, transport::errc::malformed);
  const auto where = target_of_name(named.host, named.port.value_or(0));
  if (!where || where->port() == 0) return refuse(refusal::address_not_supported);
  wanted_.where = *where;
  ask();
}

void http_inbound::read_forward(const http1_target& named) {
  wanted_.asked = command::forward;
  if (!is_authorized()) return;
  http1_problem problem{};
  const auto where = target_of_forward(named, problem);
  if (!where) return refuse_with(problem, transport::errc::not_supported);
  wanted_.where = *where;
  ask();
}

/// Without credentials: a browser has none for a page (Proxy-Authorization is for proxying), and a
/// PAC file says where the proxy is.
void http_inbound::read_page(const http1_target& named) {
  wanted_.asked = command::page;
  if (!pages_) return refuse_with(not_for_a_proxy, transport::errc::not_supported);
  const std::string_view method = parser_.head().request_line().method;
  if (method != "GET" && method != "HEAD")
    return refuse_with(not_a_page, transport::errc::not_supported);
  wanted_.path = named.path.substr(0, named.path.find('?'));
  ask();
}

bool http_inbound::is_authorized() {
  http_credentials_check checked = check_http_credentials(users_.get(), parser_.head());
  wanted_.user = std::move(checked.user);
  if (checked.granted) return true;
  append_http_challenge(output_, is_head_request());
  if (checked.wrong)
    fail_credentials();
  else
    fail(errc::authentication_failed);
  return false;
}

void http_inbound::refuse_with(const http1_problem& problem, std::error_code why) {
  const std::string content = std::string(problem.text).append("\n");
  const std::array<http1_field, 1> allow{{{"Allow", "GET, HEAD"}}};
  http_answer answer{.status = problem.status, .content = content, .head_only = is_head_request()};
  if (problem.status == 405) answer.fields = allow;
  append_http_answer(output_, answer);
  fail(why);
}

bool http_inbound::is_head_request() const noexcept {
  return parser_.is_done() && parser_.head().request_line().method == "HEAD";
}

void http_inbound::write_grant(const transport::address&) {
  if (wanted_.asked == command::connect)
    (void)transport::append_http1_response(output_, 200, "Connection established", {});
  if (wanted_.asked == command::page) answer({}, {});
}

void http_inbound::write_refusal(refusal why) {
  append_http_refusal(output_, why, is_head_request());
}

void http_inbound::answer(std::string_view content_type, bytes content) {
  http_answer page{.status = 200,
                   .content = transport::as_text(content),
                   .content_type = content_type,
                   .head_only = is_head_request()};
  if (content_type.empty())
    page = {.status = 404, .content = "no such page\n", .head_only = is_head_request()};
  if (!append_http_answer(output_, page)) return refuse(refusal::general_failure);
  settle();
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
