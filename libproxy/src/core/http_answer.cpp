// SPDX-License-Identifier: Apache-2.0
#include "core/http_answer.hpp"

#include <array>
#include <vector>

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::http1_field;

namespace {

std::uint16_t status_of(refusal why) noexcept {
  switch (why) {
    case refusal::not_allowed: return 403;
    case refusal::timed_out: return 504;
    case refusal::command_not_supported: return 405;
    case refusal::address_not_supported: return 400;
    case refusal::overloaded: return 503;
    default: return 502;
  }
}

std::string_view reason_of(std::uint16_t status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 407: return "Proxy Authentication Required";
    case 414: return "URI Too Long";
    case 417: return "Expectation Failed";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "";
  }
}

}  // namespace

bool append_http_answer(std::string& out, const http_answer& answer) {
  const std::string length = std::to_string(answer.content.size());
  std::vector<http1_field> fields(answer.fields.begin(), answer.fields.end());
  fields.push_back({"Content-Type", answer.content_type});
  fields.push_back({"Content-Length", length});
  fields.push_back({"Connection", "close"});
  if (!transport::append_http1_response(out, answer.status, reason_of(answer.status), fields))
    return false;
  if (!answer.head_only) out.append(answer.content);
  return true;
}

void append_http_refusal(std::string& out, refusal why, bool head_only) {
  http_answer answer{.status = status_of(why), .head_only = head_only};
  const std::string content = std::string(text_of(why)).append("\n");
  answer.content = content;
  // RFC 9110 section 15.5.6 demands the field; empty, it says that no method is of use.
  const std::array<http1_field, 1> allow{{{"Allow", ""}}};
  if (answer.status == 405) answer.fields = allow;
  append_http_answer(out, answer);
}

void append_http_challenge(std::string& out, bool head_only) {
  const std::array<http1_field, 1> challenge{{{"Proxy-Authenticate", "Basic realm=\"strata\""}}};
  append_http_answer(out, {.status = 407,
                           .content = "this proxy wants a user and a password\n",
                           .head_only = head_only,
                           .fields = challenge});
}

http_credentials_check check_http_credentials(const user_table* users,
                                              const transport::http1_head& head) {
  if (users == nullptr || users->empty()) return {.granted = true};
  const std::size_t count = head.count("Proxy-Authorization");
  if (count == 0) return {};
  http_credentials_check checked;
  // Two of them may be read as the one or the other.
  if (count == 1) checked.user = users->authorized(*head.find("Proxy-Authorization"));
  checked.granted = !checked.user.empty();
  checked.wrong = !checked.granted;
  return checked;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
