// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace strata::proxy {
inline namespace v0 {
namespace core {

inline constexpr std::uint16_t default_http_port = 80;

/// Schemes are compared without case (RFC 3986 section 3.1).
constexpr bool is_http_scheme(std::string_view scheme) noexcept {
  constexpr std::string_view http = "http";
  if (scheme.size() != http.size()) return false;
  for (std::size_t i = 0; i < http.size(); ++i)
    if ((scheme[i] | 0x20) != http[i]) return false;
  return true;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
