// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/address.hpp"

#include <catch2/catch_test_macros.hpp>
#include <unordered_set>

#include "strata/transport/core/error.hpp"

using namespace strata::transport;
using namespace std::string_literals;

TEST_CASE("address: text with a port parses and comes back in its canonical form",
          "[transport][address]") {
  struct pair {
    const char *text, *canonical;
  };
  for (const auto& [text, canonical] :
       {pair{"192.0.2.1:443", "192.0.2.1:443"}, pair{"0.0.0.0:0", "0.0.0.0:0"},
        pair{"255.255.255.255:65535", "255.255.255.255:65535"},
        pair{"[2001:db8::1]:443", "[2001:db8::1]:443"}, pair{"[::]:1", "[::]:1"},
        pair{"[2001:DB8:0:0:0:0:0:1]:80", "[2001:db8::1]:80"},
        pair{"[fe80::1%2]:443", "[fe80::1%2]:443"},
        pair{"[fe80::1%4294967295]:443", "[fe80::1%4294967295]:443"},
        pair{"[::ffff:192.0.2.1]:443", "192.0.2.1:443"}, pair{"[fe80::1%0]:1", "[fe80::1]:1"},
        pair{"192.0.2.1:00443", "192.0.2.1:443"}}) {
    CAPTURE(text);
    const auto parsed = address::parse(text);
    REQUIRE(parsed.has_value());
    CHECK(parsed->string() == canonical);
    CHECK(address::parse(parsed->string()) == parsed);
  }
}

TEST_CASE("address: whatever is not an address is refused", "[transport][address]") {
  for (const std::string& text : {""s,
                                  ":"s,
                                  ":443"s,
                                  "443"s,
                                  "192.0.2.1"s,
                                  "192.0.2.1:"s,
                                  "192.0.2.1:65536"s,
                                  "192.0.2.1:-1"s,
                                  "192.0.2.1:+1"s,
                                  "192.0.2.1: 1"s,
                                  "192.0.2.1:1 "s,
                                  " 192.0.2.1:1"s,
                                  "192.0.2.1:0x50"s,
                                  "192.0.2.1:99999999999999999999"s,
                                  "192.0.2:1"s,
                                  "192.0.2.1.5:1"s,
                                  "192.0.2.256:1"s,
                                  "192.0.2.-1:1"s,
                                  "0300.0.2.1:1"s,
                                  "0xc0.0.2.1:1"s,
                                  "3221225985:1"s,
                                  "[192.0.2.1]:1"s,
                                  "2001:db8::1:443"s,
                                  "::1:443"s,
                                  "[2001:db8::1]"s,
                                  "[2001:db8::1]443"s,
                                  "[2001:db8::1:443"s,
                                  "2001:db8::1]:443"s,
                                  "[]:443"s,
                                  "[[::1]]:443"s,
                                  "[:::]:1"s,
                                  "[1::2::3]:1"s,
                                  "[12345::]:1"s,
                                  "[g::]:1"s,
                                  "[1:2:3:4:5:6:7:8:9]:1"s,
                                  "[fe80::1%]:1"s,
                                  "[fe80::1%eth0]:1"s,
                                  "[fe80::1%-1]:1"s,
                                  "[fe80::1%4294967296]:1"s,
                                  "[fe80::1%1%2]:1"s,
                                  "192.0.2.1%0:1"s,
                                  "192.0.2.1%2:1"s,
                                  "localhost:443"s,
                                  "example.test:443"s,
                                  "192.0.2.1\0:443"s,
                                  "192.0.2.1\0.evil:443"s,
                                  "[::1\0]:443"s,
                                  "[::1\0garbage]:443"s,
                                  std::string(100'000, '[') + ":1",
                                  std::string(100'000, '1') + ":1"}) {
    CAPTURE(text.substr(0, 60));
    const auto parsed = address::parse(text);
    REQUIRE(!parsed.has_value());
    CHECK(parsed.error() == errc::invalid_argument);
  }
}

TEST_CASE("address: an IP literal needs neither port nor brackets", "[transport][address]") {
  CHECK(address::parse_ip("192.0.2.1", 7)->string() == "192.0.2.1:7");
  CHECK(address::parse_ip("2001:db8::1", 7)->string() == "[2001:db8::1]:7");
  CHECK(address::parse_ip("fe80::1%3", 7)->scope_id() == 3);
  CHECK(!address::parse_ip("[2001:db8::1]", 7));
  CHECK(!address::parse_ip("192.0.2.1:7", 7));
  CHECK(!address::parse_ip("", 7));
  CHECK(!address::parse_ip("name", 7));
}

TEST_CASE("address: mapped IPv4 becomes IPv4, so that one peer has one address",
          "[transport][address]") {
  const auto mapped = address::parse_ip("::ffff:127.0.0.1", 443).value();
  CHECK(mapped.is_v4());
  CHECK(mapped == address::loopback_v4(443));
  CHECK(mapped.is_loopback());
}

TEST_CASE("address: only the prefix ::ffff:0:0/96 maps", "[transport][address]") {
  for (const char* text : {"::127.0.0.1", "::fffe:127.0.0.1", "::1:ffff:7f00:1", "1::ffff:7f00:1",
                           "64:ff9b::7f00:1"}) {
    CAPTURE(text);
    CHECK(address::parse_ip(text, 443)->is_v6());
  }
  CHECK(address::parse_ip("::ffff:7f00:1%4", 443)->scope_id() == 0);
}

TEST_CASE("address: four or sixteen octets make one, other counts the empty address",
          "[transport][address]") {
  const std::array<std::byte, 17> octets{std::byte{1}, std::byte{2}};
  for (std::size_t count = 0; count <= octets.size(); ++count) {
    const address made(bytes(octets).first(count), 443, 5);
    CAPTURE(count);
    if (count == 4) {
      CHECK(made.is_v4());
      CHECK(made.scope_id() == 0);
      CHECK(made.string() == "1.2.0.0:443");
    } else if (count == 16) {
      CHECK(made.is_v6());
      CHECK(made.scope_id() == 5);
    } else {
      CHECK(made == address());
      CHECK(made.port() == 0);
    }
    CHECK(made.octets().size() == (count == 4 || count == 16 ? count : 0));
  }
}

TEST_CASE("address: the empty address is none of the others", "[transport][address]") {
  const address empty;
  CHECK(empty.ip_family() == address::family::none);
  CHECK(!empty.is_v4());
  CHECK(!empty.is_v6());
  CHECK(!empty.is_loopback());
  CHECK(empty.string().empty());
  CHECK(empty.ip_string().empty());
  CHECK(empty.octets().empty());
  CHECK(empty != address::any_v4(0));
  CHECK(!empty.same_ip(address::any_v4(0)));
  CHECK(empty.with_port(7) == address());
}

TEST_CASE("address: the special addresses know what they are", "[transport][address]") {
  CHECK(address::any_v4(1).is_unspecified());
  CHECK(address::any_v6(1).is_unspecified());
  CHECK(!address::loopback_v4(1).is_unspecified());
  CHECK(!address::loopback_v6(1).is_unspecified());
  CHECK(address::loopback_v4(1).is_loopback());
  CHECK(address::loopback_v6(1).is_loopback());
  CHECK(address::parse("127.255.255.254:1")->is_loopback());
  CHECK(!address::parse("128.0.0.1:1")->is_loopback());
  CHECK(!address::parse("[::2]:1")->is_loopback());
  CHECK(!address::any_v6(1).is_loopback());
}

TEST_CASE("address: port and scope count for equality, same_ip leaves the port out",
          "[transport][address]") {
  const address one = address::parse("[fe80::1%2]:443").value();
  const address other_port = one.with_port(444);
  const address other_scope = address::parse("[fe80::1%3]:443").value();
  CHECK(one != other_port);
  CHECK(one.same_ip(other_port));
  CHECK(other_port.scope_id() == 2);
  CHECK(one != other_scope);
  CHECK(!one.same_ip(other_scope));
  std::unordered_set<address> set{one, other_port, other_scope, one};
  CHECK(set.size() == 3);
  CHECK(set.contains(other_port.with_port(443)));
  CHECK(one.hash() != other_port.hash());
  CHECK(one.hash() != other_scope.hash());
}
