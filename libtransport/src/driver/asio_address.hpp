// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>

#include "strata/transport/core/address.hpp"

namespace strata::transport {
inline namespace v0 {

inline asio::ip::tcp::endpoint to_tcp_endpoint(const address& from) {
  const bytes octets = from.octets();
  if (from.is_v4()) {
    asio::ip::address_v4::bytes_type out;
    std::ranges::transform(octets, out.begin(), std::to_integer<unsigned char>);
    return {asio::ip::address_v4(out), from.port()};
  }
  asio::ip::address_v6::bytes_type out{};
  std::ranges::transform(octets, out.begin(), std::to_integer<unsigned char>);
  return {asio::ip::address_v6(out, from.scope_id()), from.port()};
}

/// An IPv4 address that a dual-stack socket shows as IPv6 comes out as IPv4.
inline address to_address(const asio::ip::tcp::endpoint& from) {
  const asio::ip::address& ip = from.address();
  if (ip.is_v4() || ip.to_v6().is_v4_mapped()) {
    const auto octets = ip.is_v4()
                            ? ip.to_v4().to_bytes()
                            : asio::ip::make_address_v4(asio::ip::v4_mapped, ip.to_v6()).to_bytes();
    return {std::as_bytes(std::span(octets)), from.port()};
  }
  const auto octets = ip.to_v6().to_bytes();
  return {std::as_bytes(std::span(octets)), from.port(),
          static_cast<std::uint32_t>(ip.to_v6().scope_id())};
}

}  // namespace v0
}  // namespace strata::transport
