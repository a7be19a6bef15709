// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/core/address_filter.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace strata::proxy {
inline namespace v0 {
namespace core {
namespace {

using transport::address;
using transport::bytes;

/// RFC 6890 and its registries: what is not of the public network.
constexpr std::array special_purpose_blocks{
    "0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",
    "::/96",         "64:ff9b:1::/48",  "100::/64",       "2001::/23",      "2001:db8::/32",
    "fc00::/7",      "fe80::/10",       "fec0::/10",      "ff00::/8",
};

const std::vector<ip_network>& special_purpose() {
  static const std::vector<ip_network> all = [] {
    std::vector<ip_network> made;
    for (const char* each : special_purpose_blocks) made.push_back(ip_network::parse(each).value());
    return made;
  }();
  return all;
}

/// The IPv4 address that a translator or a tunnel would make of it.
std::optional<address> carried_v4(const address& ip) {
  static const ip_network nat64 = ip_network::parse("64:ff9b::/96").value();     // RFC 6052
  static const ip_network six_to_four = ip_network::parse("2002::/16").value();  // RFC 3056
  if (nat64.contains(ip)) return address(ip.octets().last(4), ip.port());
  if (six_to_four.contains(ip)) return address(ip.octets().subspan(2, 4), ip.port());
  return std::nullopt;
}

}  // namespace

address_filter::address_filter(address_filter_config config) : config_(std::move(config)) {}

bool address_filter::admits(const address& where) const noexcept {
  if (where.port() == 0 || where.octets().empty() || where.is_unspecified()) return false;
  if (!admits_ip(where)) return false;
  const auto inner = carried_v4(where);
  return !inner || admits_ip(*inner);
}

bool address_filter::admits_ip(const address& ip) const noexcept {
  if (is_in_any(config_.allowed, ip)) return true;
  if (is_in_any(config_.denied, ip)) return false;
  return config_.special_purpose || !is_in_any(special_purpose(), ip);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
