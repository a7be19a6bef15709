// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// An IP address and a port, as a value: no system types, so that cores and the simulator use it
/// too. IPv4 is kept as four bytes, never mapped into IPv6; a dual-stack socket maps at its own
/// edge.
class STRATA_TRANSPORT_API address {
 public:
  enum class family : std::uint8_t { none, v4, v6 };

  address() = default;
  /// `octets` in network order, four or sixteen of them; any other count gives the empty address.
  /// Sixteen that map an IPv4 address (::ffff:0:0/96) give that IPv4 address.
  address(bytes octets, std::uint16_t port, std::uint32_t scope_id = 0) noexcept;

  static address loopback_v4(std::uint16_t port) noexcept;
  static address loopback_v6(std::uint16_t port) noexcept;
  static address any_v4(std::uint16_t port) noexcept;
  static address any_v6(std::uint16_t port) noexcept;
  /// "192.0.2.1:443", "[2001:db8::1]:443", "[fe80::1%2]:443". Names are not resolved:
  /// errc::invalid_argument.
  static result<address> parse(std::string_view text);
  /// An IP literal without port or brackets.
  static result<address> parse_ip(std::string_view text, std::uint16_t port);

  family ip_family() const noexcept { return family_; }
  bool is_v4() const noexcept { return family_ == family::v4; }
  bool is_v6() const noexcept { return family_ == family::v6; }
  bool is_unspecified() const noexcept;
  bool is_loopback() const noexcept;
  /// Four, sixteen or no bytes, in network order.
  bytes octets() const noexcept { return {octets_.data(), is_v4() ? 4u : is_v6() ? 16u : 0u}; }
  std::uint16_t port() const noexcept { return port_; }
  /// The interface index that a link-local IPv6 address is valid on; zero otherwise.
  std::uint32_t scope_id() const noexcept { return scope_id_; }
  address with_port(std::uint16_t port) const noexcept;
  bool same_ip(const address& other) const noexcept;

  std::string ip_string() const;
  /// What parse() reads; "" for the empty address.
  std::string string() const;
  std::size_t hash() const noexcept;

  friend bool operator==(const address&, const address&) = default;

 private:
  std::array<std::byte, 16> octets_{};
  std::uint32_t scope_id_ = 0;
  std::uint16_t port_ = 0;
  family family_ = family::none;
};

}  // namespace v0
}  // namespace strata::transport

template <>
struct std::hash<strata::transport::address> {
  std::size_t operator()(const strata::transport::address& value) const noexcept {
    return value.hash();
  }
};
