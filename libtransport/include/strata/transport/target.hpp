// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "strata/transport/core/address.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// Where to dial or send to: a host, by name or by IP address, and a port. Names are carried as
/// they are: only TCP and UDP resolve them, a proxy hands them on.
class STRATA_TRANSPORT_API target {
 public:
  /// The longest name that is dialled, in bytes (a length octet in SOCKS5; DNS names end at 253).
  static constexpr std::size_t max_name = 255;

  target(const address& ip) noexcept : ip_(ip), port_(ip.port()) {}
  /// An IP literal becomes an address; anything else is kept as a name.
  target(std::string_view host, std::uint16_t port);
  /// "example.org:443", "192.0.2.1:443", "[2001:db8::1]:443".
  static result<target> parse(std::string_view text);

  bool is_name() const noexcept { return ip_.ip_family() == address::family::none; }
  /// The name; empty for an IP address.
  std::string_view name() const noexcept { return name_; }
  /// The IP address and port; empty for a name.
  const address& ip() const noexcept { return ip_; }
  std::uint16_t port() const noexcept { return port_; }
  /// The name or IP literal without port and brackets.
  std::string host() const { return is_name() ? name_ : ip_.ip_string(); }
  /// What parse() reads.
  std::string string() const;
  /// Whether the name can be asked for at all: not empty, at most max_name bytes, no byte that
  /// would end or forge it where names are text (controls and spaces). Always so for IP addresses.
  bool is_valid() const noexcept;

  friend bool operator==(const target&, const target&) = default;

 private:
  std::string name_;
  address ip_;
  std::uint16_t port_;
};

}  // namespace v0
}  // namespace strata::transport
