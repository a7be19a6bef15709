// SPDX-License-Identifier: Apache-2.0
#include "core/inbound/forwarded_head.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "core/ascii_case.hpp"
#include "core/inbound/forward_target.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::http1_body;
using transport::http1_field;
using transport::http1_head;
using transport::http1_problem;
using transport::http1_target;
using transport::http1_version;

namespace {

constexpr http1_problem not_forwardable{400, "a request that cannot be forwarded"};
constexpr http1_problem bad_max_forwards{400, "a Max-Forwards that is no number"};

/// Of this hop although no Connection names them, or written anew.
constexpr std::array<std::string_view, 6> replaced_names{
    "host",        "content-length", "trailer", "http2-settings", "proxy-authentication-info",
    "max-forwards"};

bool is_replaced(std::string_view name) noexcept {
  return std::ranges::any_of(
      replaced_names, [&](std::string_view known) { return equal_ignoring_case(name, known); });
}

std::string via_of(http1_version version) {
  return version == http1_version::v1_0 ? "1.0 strata" : "1.1 strata";
}

/// RFC 9112 section 3.2.4: an OPTIONS for the whole server has no path in its absolute form.
std::string origin_form(std::string_view method, std::string_view path) {
  if (path.empty()) return method == "OPTIONS" ? "*" : "/";
  return path.starts_with('/') ? std::string(path) : std::string("/").append(path);
}

/// How many hops TRACE and OPTIONS may still go; other methods don't count (RFC 9110 section
/// 7.6.2). False for a value that is none.
bool read_max_forwards(const http1_head& head, std::optional<std::uint32_t>& left) {
  const std::string_view method = head.request_line().method;
  if (method != "TRACE" && method != "OPTIONS") return true;
  const auto value = head.find("Max-Forwards");
  if (!value) return true;
  constexpr std::size_t most_digits = 9;
  std::uint32_t number = 0;
  const auto [end, failure] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (head.count("Max-Forwards") != 1 || value->empty() || value->size() > most_digits ||
      failure != std::errc{} || end != value->data() + value->size())
    return false;
  left = number;
  return true;
}

/// What goes on to the next hop as it is.
std::vector<http1_field> end_to_end_fields(const http1_head& head) {
  std::vector<http1_field> fields;
  fields.reserve(head.size() + 4);
  for (std::size_t i = 0; i < head.size(); ++i)
    if (!head.is_hop_by_hop(i) && !is_replaced(head[i].name)) fields.push_back(head[i]);
  return fields;
}

void drop(std::vector<http1_field>& fields, std::string_view name) {
  std::erase_if(fields,
                [&](const http1_field& field) { return equal_ignoring_case(field.name, name); });
}

bool write_request(forwarded_request& made, const http1_head& head,
                   std::optional<std::uint32_t> hops_left) {
  const auto line = head.request_line();
  const http1_target named = head.target();
  const std::string length = std::to_string(head.framing().length);
  const std::string via = via_of(line.version);
  const std::string hops = std::to_string(hops_left.value_or(1) - 1);
  std::vector<http1_field> fields = end_to_end_fields(head);
  // The target's authority, whatever Host said (RFC 9112 section 3.2.2).
  fields.insert(fields.begin(), {"Host", named.authority});
  // HTTP/1.0 has no interim responses, so nobody waits for one.
  if (line.version == http1_version::v1_0) drop(fields, "Expect");
  if (hops_left)
    fields.push_back({"Max-Forwards", hops});
  else if (const auto counted = head.find("Max-Forwards"))
    fields.push_back({"Max-Forwards", *counted});
  if (head.framing().body == http1_body::length) fields.push_back({"Content-Length", length});
  if (head.framing().body == http1_body::chunked) {
    fields.push_back({"Transfer-Encoding", "chunked"});
    made.body = forwarded_body::form::chunked;
  }
  fields.push_back({"Via", via});
  return transport::append_http1_request(made.head, line.method,
                                         origin_form(line.method, named.path), fields)
      .has_value();
}

/// Of a response without content that announces what a GET would have had.
bool keeps_length(const http1_head& head) {
  const std::uint16_t status = head.status_line().status;
  return head.framing().body == http1_body::none && status >= 200 && status != 204;
}

}  // namespace

std::variant<forwarded_request, http1_problem> forward_request(const http1_head& head) {
  http1_problem problem{};
  const auto where = target_of_forward(head.target(), problem);
  if (!where) return problem;
  forwarded_request made;
  made.where = *where;
  std::optional<std::uint32_t> hops_left;
  if (!read_max_forwards(head, hops_left)) return bad_max_forwards;
  made.is_for_proxy = hops_left == 0u;
  if (!made.is_for_proxy && !write_request(made, head, hops_left)) return not_forwardable;
  return made;
}

std::optional<forwarded_body::form> append_forwarded_response(
    std::string& out, const http1_head& head, const forwarded_response_options& options) {
  using enum forwarded_body::form;
  const auto line = head.status_line();
  const http1_body body = head.framing().body;
  const bool is_measured = body == http1_body::length || body == http1_body::none;
  const bool is_chunked = !is_measured && !options.to_http_1_0;
  const std::string length = std::to_string(head.framing().length);
  const std::string via = via_of(line.version);
  std::vector<http1_field> fields = end_to_end_fields(head);
  if (body == http1_body::length) fields.push_back({"Content-Length", length});
  if (keeps_length(head))
    if (const auto announced = head.find("Content-Length"))
      fields.push_back({"Content-Length", *announced});
  if (is_chunked) fields.push_back({"Transfer-Encoding", "chunked"});
  if (options.closes) fields.push_back({"Connection", "close"});
  fields.push_back({"Via", via});
  if (!transport::append_http1_response(out, line.status, line.reason, fields)) return std::nullopt;
  return is_chunked ? chunked : plain;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
