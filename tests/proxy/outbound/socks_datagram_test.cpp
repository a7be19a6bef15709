// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/core/socks_datagram.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "strata/transport/core/address.hpp"

using namespace strata;
using namespace strata::proxy::core;
using strata::transport::address;
using strata::transport::as_bytes;
using strata::transport::as_text;
using strata::transport::target;

namespace {

std::string header_of(const target& where) {
  std::array<std::byte, socks_datagram::max_header_size> memory{};
  const std::size_t size = encode_socks_datagram_header(where, memory);
  return std::string(as_text(memory).substr(0, size));
}

std::optional<socks_datagram> decode(std::string_view packet) {
  return decode_socks_datagram(as_bytes(packet));
}

/// A datagram to a name of these octets.
std::string named(std::string_view name) {
  return std::string("\0\0\0\3", 4) + static_cast<char>(name.size()) + std::string(name) +
         std::string("\0\x35", 2);
}

}  // namespace

TEST_CASE("socks_datagram: what is written is read", "[proxy][socks]") {
  for (const target& where :
       {target(address::parse("192.0.2.7:53").value()), target("a.example", 443),
        target(address::parse("[2001:db8::9]:65535").value()), target(std::string(255, 'n'), 1),
        target(address::any_v4(0))}) {
    INFO(where.string());
    const std::string packet = header_of(where);
    REQUIRE_FALSE(packet.empty());
    CHECK(packet.size() <= socks_datagram::max_header_size);
    for (const std::string_view payload : {"", "x", "a longer one"}) {
      const std::string whole = packet + std::string(payload);
      const auto read = decode(whole);
      REQUIRE(read);
      CHECK(read->where == where);
      CHECK(as_text(read->payload) == payload);
    }
    for (std::size_t cut = 0; cut < packet.size(); ++cut)
      CHECK_FALSE(decode(packet.substr(0, cut)));
  }
  CHECK(header_of(target(address::parse("192.0.2.7:53").value())) ==
        std::string("\0\0\0\1\xc0\0\2\7\0\x35", 10));
  CHECK(header_of(target(std::string(255, 'n'), 1)).size() == socks_datagram::max_header_size);
}

TEST_CASE("socks_datagram: targets that cannot be written", "[proxy][socks]") {
  CHECK(header_of(target(address())).empty());
  CHECK(header_of(target(std::string(256, 'n'), 1)).empty());
  CHECK(header_of(target("", 1)).empty());
  CHECK(header_of(target("a b", 1)).empty());
  CHECK(header_of(target(address::parse("[fe80::1%2]:53").value())).empty());
}

TEST_CASE("socks_datagram: fragments are dropped, the reserved octets are ignored",
          "[proxy][socks]") {
  std::string packet = header_of(target("a.example", 53)) + "x";
  for (const char fragment : {'\1', '\2', '\x7f', '\x80', '\xff'}) {
    packet[2] = fragment;
    CHECK_FALSE(decode(packet));
  }
  packet[2] = 0;
  packet[0] = packet[1] = '\xff';
  CHECK(decode(packet));
}

TEST_CASE("socks_datagram: unknown types, and names that are none", "[proxy][socks]") {
  for (unsigned type = 0; type < 256; ++type) {
    std::string packet(300, '\1');
    packet[0] = packet[1] = packet[2] = 0;
    packet[3] = static_cast<char>(type);
    INFO(type);
    // Of type 3 it is the name "\1".
    CHECK(decode(packet).has_value() == (type == 1 || type == 4));
  }
  CHECK(decode(named("a")));
  CHECK(decode(named(std::string(255, 'a'))));
  CHECK(decode(named("127.0.0.1"))->where.ip().is_v4());
  for (const std::string_view name :
       {std::string_view(""), std::string_view("a\0b", 3), std::string_view("a b"),
        std::string_view("a\r\nb"), std::string_view("fe80::1%2"), std::string_view("fe80::1%lo"),
        std::string_view("a:80"), std::string_view("[::1]"), std::string_view("a/b"),
        std::string_view("u@a")})
    CHECK_FALSE(decode(named(name)));
}
