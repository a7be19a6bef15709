// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace strata::transport {
inline namespace v0 {
namespace http1 {

struct authority {
  std::string_view host;  // IPv6 without its brackets
  std::optional<std::uint16_t> port;
};

/// uri-host [ ":" port ] as Host and the absolute form have it: no user information, no empty host,
/// no IPv6 zone, no port that is empty or beyond 65535.
std::optional<authority> parse_authority(std::string_view text);

}  // namespace http1
}  // namespace v0
}  // namespace strata::transport
