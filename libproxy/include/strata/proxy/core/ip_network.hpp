// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "strata/proxy/export.hpp"
#include "strata/transport/core/address.hpp"
#include "strata/transport/core/result.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// A block of IP addresses in the notation of RFC 4632: "10.0.0.0/8", "fe80::/10"; without a length
/// it is one address.
class STRATA_PROXY_API ip_network {
 public:
  /// malformed for other text, a length that is too long, and bits set behind it.
  static transport::result<ip_network> parse(std::string_view text);
  /// Ports and scopes do not matter; IPv4 addresses are in no IPv6 network.
  bool contains(const transport::address& ip) const noexcept;
  std::string string() const;

 private:
  ip_network(const transport::address& base, unsigned length) noexcept
      : base_(base), length_(static_cast<std::uint8_t>(length)) {}

  transport::address base_;
  std::uint8_t length_;
};

/// Whether one of `networks` contains it.
STRATA_PROXY_API bool is_in_any(std::span<const ip_network> networks,
                                const transport::address& ip) noexcept;

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
