// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

constexpr std::array<std::byte, 16> loopback_v6_octets = [] {
  std::array<std::byte, 16> octets{};
  octets[15] = std::byte{1};
  return octets;
}();

template <class Number>
bool parse_number(std::string_view text, Number& out) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && failure == std::errc{} && end == text.data() + text.size();
}

std::unexpected<std::error_code> invalid() {
  return std::unexpected(make_error_code(errc::invalid_argument));
}

/// ::ffff:0:0/96, under which IPv6 sockets show IPv4.
bool is_mapped_v4(bytes octets) {
  const auto prefix = octets.first(10);
  return octets[10] == std::byte{0xff} && octets[11] == std::byte{0xff} &&
         std::ranges::all_of(prefix, [](std::byte octet) { return octet == std::byte{0}; });
}

}  // namespace

address::address(bytes octets, std::uint16_t port, std::uint32_t scope_id) noexcept {
  if (octets.size() != 4 && octets.size() != 16) return;
  // Else 127.0.0.1 had two names, and a check for loopback would miss one.
  if (octets.size() == 16 && is_mapped_v4(octets)) octets = octets.last(4);
  std::ranges::copy(octets, octets_.begin());
  family_ = octets.size() == 4 ? family::v4 : family::v6;
  port_ = port;
  scope_id_ = is_v6() ? scope_id : 0;
}

address address::loopback_v4(std::uint16_t port) noexcept {
  return {std::array{std::byte{127}, std::byte{0}, std::byte{0}, std::byte{1}}, port};
}
address address::loopback_v6(std::uint16_t port) noexcept { return {loopback_v6_octets, port}; }
address address::any_v4(std::uint16_t port) noexcept { return {std::array<std::byte, 4>{}, port}; }
address address::any_v6(std::uint16_t port) noexcept { return {std::array<std::byte, 16>{}, port}; }

result<address> address::parse_ip(std::string_view text, std::uint16_t port) {
  // inet_pton stops at a zero byte, so what follows one would be accepted unseen.
  if (text.find('\0') != text.npos) return invalid();
  std::uint32_t scope_id = 0;
  const auto percent = text.find('%');
  const bool scoped = percent != text.npos;
  if (scoped) {
    if (!parse_number(text.substr(percent + 1), scope_id)) return invalid();
    text = text.substr(0, percent);
  }
  const std::string terminated(text);
  std::array<std::byte, 16> octets;
  if (!scoped && inet_pton(AF_INET, terminated.c_str(), octets.data()) == 1) {
    return address(bytes(octets).first(4), port);
  }
  if (inet_pton(AF_INET6, terminated.c_str(), octets.data()) == 1)
    return address(octets, port, scope_id);
  return invalid();
}

result<address> address::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  std::uint16_t port = 0;
  if (colon == text.npos || !parse_number(text.substr(colon + 1), port)) return invalid();
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto parsed = parse_ip(host, port);
  // Brackets go with colons, also around mapped IPv4.
  const bool has_colons = host.find(':') != host.npos;
  if (!parsed || has_colons != bracketed) return invalid();
  return parsed;
}

bool address::is_unspecified() const noexcept {
  return std::ranges::all_of(octets(), [](std::byte octet) { return octet == std::byte{0}; });
}

bool address::is_loopback() const noexcept {
  return is_v4() ? octets_[0] == std::byte{127} : is_v6() && octets_ == loopback_v6_octets;
}

address address::with_port(std::uint16_t port) const noexcept {
  return {octets(), port, scope_id_};
}

bool address::same_ip(const address& other) const noexcept {
  return family_ == other.family_ && octets_ == other.octets_ && scope_id_ == other.scope_id_;
}

std::string address::ip_string() const {
  if (family_ == family::none) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(is_v4() ? AF_INET : AF_INET6, octets_.data(), text.data(), text.size());
  std::string out(text.data());
  if (scope_id_ != 0) out += '%' + std::to_string(scope_id_);
  return out;
}

std::string address::string() const {
  if (family_ == family::none) return {};
  const std::string port = std::to_string(port_);
  return is_v4() ? ip_string() + ':' + port : '[' + ip_string() + "]:" + port;
}

std::size_t address::hash() const noexcept {
  // FNV-1a; tables keyed by addresses of peers must not rely on it against chosen collisions.
  std::uint64_t value = 0xcbf29ce484222325;
  const auto mix = [&value](std::uint64_t part) { value = (value ^ part) * 0x100000001b3; };
  for (const std::byte octet : octets()) mix(std::to_integer<std::uint64_t>(octet));
  mix(port_);
  mix(scope_id_);
  return static_cast<std::size_t>(value);
}

}  // namespace v0
}  // namespace strata::transport
