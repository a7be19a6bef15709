// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/core/ip_network.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>

#include "strata/transport/core/error.hpp"
#include "strata/transport/target.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {
namespace {

using transport::bytes;

/// The mask of the octet that has bit `length` of an address in it.
std::byte mask_at(std::size_t octet, unsigned length) {
  const std::size_t first = octet * 8;
  if (length >= first + 8) return std::byte{0xff};
  if (length <= first) return std::byte{0};
  return static_cast<std::byte>(0xff00u >> (length - first));
}

}  // namespace

transport::result<ip_network> ip_network::parse(std::string_view text) {
  const std::unexpected malformed(make_error_code(transport::errc::malformed));
  const std::size_t slash = text.find('/');
  const transport::target base(text.substr(0, slash), 0);
  if (base.is_name()) return malformed;
  const bytes octets = base.ip().octets();
  auto length = static_cast<unsigned>(octets.size() * 8);
  if (slash != text.npos) {
    const char* const begin = text.data() + slash + 1;
    const char* const end = text.data() + text.size();
    unsigned given = 0;
    const auto [rest, error] = std::from_chars(begin, end, given);
    if (error != std::errc() || rest != end || given > length) return malformed;
    length = given;
  }
  for (std::size_t i = 0; i < octets.size(); ++i)
    if ((octets[i] & ~mask_at(i, length)) != std::byte{0}) return malformed;
  return ip_network(base.ip(), length);
}

bool ip_network::contains(const transport::address& ip) const noexcept {
  const bytes base = base_.octets();
  const bytes asked = ip.octets();
  if (base.size() != asked.size()) return false;
  for (std::size_t i = 0; i < base.size(); ++i)
    if ((asked[i] & mask_at(i, length_)) != base[i]) return false;
  return true;
}

std::string ip_network::string() const {
  return base_.ip_string() + "/" + std::to_string(unsigned{length_});
}

bool is_in_any(std::span<const ip_network> networks, const transport::address& ip) noexcept {
  return std::ranges::any_of(networks, [&](const ip_network& each) { return each.contains(ip); });
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
