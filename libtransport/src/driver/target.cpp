// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/target.hpp"

#include <algorithm>
#include <charconv>

#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {

target::target(std::string_view host, std::uint16_t port) : port_(port) {
  if (const auto ip = address::parse_ip(host, port)) {
    ip_ = *ip;
  } else {
    name_ = host;
  }
}

result<target> target::parse(std::string_view text) {
  if (const auto ip = address::parse(text)) return target(*ip);
  const auto colon = text.rfind(':');
  const auto refused = std::unexpected(make_error_code(errc::invalid_argument));
  if (colon == text.npos) return refused;
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || failure != std::errc{} || end != digits.data() + digits.size())
    return refused;
  const target out(text.substr(0, colon), port);
  // A colon left in the host is an IPv6 literal without brackets, or a second port.
  if (!out.is_name() || !out.is_valid() || out.name_.find_first_of(":[]") != std::string::npos)
    return refused;
  return out;
}

std::string target::string() const {
  return is_name() ? name_ + ':' + std::to_string(port_) : ip_.string();
}

bool target::is_valid() const noexcept {
  if (!is_name()) return true;
  return !name_.empty() && name_.size() <= max_name && std::ranges::none_of(name_, [](char letter) {
    return static_cast<unsigned char>(letter) <= ' ' || letter == 0x7f;
  });
}

}  // namespace v0
}  // namespace strata::transport
