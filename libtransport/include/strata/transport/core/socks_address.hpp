// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "strata/transport/core/address.hpp"
#include "strata/transport/core/buffer_writer.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// What the first octet of an address says: RFC 1928 section 5, or the numbers that udp-over-tcp
/// has for its datagrams.
enum class socks_numbering : std::uint8_t {
  socks5,        ///< 1 IPv4, 3 name, 4 IPv6.
  udp_over_tcp,  ///< 0 IPv4, 1 IPv6, 2 name.
};

/// An address as SOCKS5 carries it: type, IP address or name, port. Names are passed on as they
/// are. A view: `name` belongs to whoever made it, or to the input that was decoded.
struct socks_address {
  static constexpr std::size_t max_name = 255;
  static constexpr std::size_t max_encoded_size = 1 + 1 + max_name + 2;

  address ip{};             ///< With the port; the empty address when there is a name.
  std::string_view name{};  ///< Empty when there is an IP address.
  std::uint16_t port = 0;

  static socks_address of(const address& ip) noexcept {
    return {.ip = ip, .name = {}, .port = ip.port()};
  }
  static socks_address of(std::string_view name, std::uint16_t port) noexcept {
    return {.ip = {}, .name = name, .port = port};
  }
  bool is_name() const noexcept { return !name.empty(); }

  friend bool operator==(const socks_address&, const socks_address&) = default;
};

/// A decoded address and how many bytes of the input it had; no bytes: the input ends too early.
struct decoded_socks_address {
  socks_address value{};
  std::size_t size = 0;
};

/// Reads the address at the front of `input`. errc::malformed for an unknown type and for a name
/// that is empty or has a control octet or a space in it, which could end or forge the name where
/// names are text. IPv6 addresses that map an IPv4 address give that address.
STRATA_TRANSPORT_API result<decoded_socks_address> decode_socks_address(
    bytes input, socks_numbering numbering = socks_numbering::socks5) noexcept;

/// How many bytes encode() writes; zero for what cannot be encoded: no address at all, or a name
/// longer than max_name, which is never cut.
STRATA_TRANSPORT_API std::size_t encoded_size(const socks_address& of) noexcept;
/// The writer fails where encoded_size() is zero.
STRATA_TRANSPORT_API void encode(const socks_address& value, buffer_writer& to,
                                 socks_numbering numbering = socks_numbering::socks5) noexcept;

}  // namespace v0
}  // namespace strata::transport
