// SPDX-License-Identifier: Apache-2.0
#include "core/http1/target.hpp"

#include "core/http1/syntax.hpp"
#include "strata/transport/core/address.hpp"
#include "strata/transport/core/http1_head.hpp"

namespace strata::transport {
inline namespace v0 {
namespace http1 {
namespace {

/// Where the host ends: at the closing bracket, or at the colon of the port.
std::size_t host_size(std::string_view text) noexcept {
  if (!text.starts_with('[')) return std::min(text.find(':'), text.size());
  const std::size_t bracket = text.find(']');
  return bracket == text.npos ? 0 : bracket + 1;
}

bool is_ipv6(std::string_view text) {
  return text.find('%') == text.npos && text.find(':') != text.npos &&
         address::parse_ip(text, 0).has_value();
}

}  // namespace

std::optional<authority> parse_authority(std::string_view text) {
  const std::size_t size = host_size(text);
  authority found{text.substr(0, size), std::nullopt};
  if (size < text.size()) {
    if (text[size] != ':') return std::nullopt;
    const std::string_view digits = text.substr(size + 1);
    const auto port = digits.size() <= 5 ? parse_decimal(digits, 65535) : std::nullopt;
    if (!port) return std::nullopt;
    found.port = static_cast<std::uint16_t>(*port);
  }
  if (!found.host.starts_with('['))
    return is_host_name(found.host) ? std::optional(found) : std::nullopt;
  found.host = found.host.substr(1, size - 2);
  return is_ipv6(found.host) ? std::optional(found) : std::nullopt;
}

}  // namespace http1

namespace {

/// Only CONNECT has it, and there it is the only one (RFC 9112 section 3.2.3); without a port
/// nobody knows where the tunnel goes.
std::optional<http1_target> parse_tunnel_target(std::string_view text) {
  const auto parts = http1::parse_authority(text);
  if (!parts || parts->port.value_or(0) == 0) return std::nullopt;
  http1_target target;
  target.form = http1_target_form::authority;
  target.host = parts->host;
  target.port = parts->port;
  target.authority = text;
  return target;
}

std::optional<http1_target> parse_absolute_target(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == text.npos || !http1::is_scheme(text.substr(0, colon))) return std::nullopt;
  const std::string_view rest = text.substr(colon + 3);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  const auto parts = http1::parse_authority(rest.substr(0, end));
  if (!parts) return std::nullopt;
  http1_target target;
  target.form = http1_target_form::absolute;
  target.scheme = text.substr(0, colon);
  target.host = parts->host;
  target.port = parts->port;
  target.authority = rest.substr(0, end);
  target.path = rest.substr(end);
  return target;
}

}  // namespace

std::optional<http1_target> parse_http1_target(std::string_view method, std::string_view target) {
  if (!http1::is_target_text(target)) return std::nullopt;
  if (method == "CONNECT") return parse_tunnel_target(target);
  http1_target found;
  if (target == "*") {
    if (method != "OPTIONS") return std::nullopt;
    found.form = http1_target_form::asterisk;
    return found;
  }
  if (!target.starts_with('/')) return parse_absolute_target(target);
  found.path = target;
  return found;
}

}  // namespace v0
}  // namespace strata::transport
