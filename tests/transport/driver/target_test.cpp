// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/target.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace strata::transport;

TEST_CASE("target: an IP literal is an address, anything else a name", "[transport][target]") {
  CHECK(target("192.0.2.1", 80).ip() == *address::parse("192.0.2.1:80"));
  CHECK(target("2001:db8::1", 80).ip() == *address::parse("[2001:db8::1]:80"));
  CHECK_FALSE(target("192.0.2.1", 80).is_name());

  const target named("example.org", 443);
  CHECK(named.is_name());
  CHECK(named.name() == "example.org");
  CHECK(named.port() == 443);
}

TEST_CASE("target: text that parses is written back the same", "[transport][target]") {
  for (const char* text :
       {"example.org:443", "192.0.2.1:1", "[2001:db8::1]:65535", "localhost:0"}) {
    const auto parsed = target::parse(text);
    REQUIRE(parsed);
    CHECK(parsed->string() == text);
  }
}

TEST_CASE("target: text without a host or a port is refused", "[transport][target]") {
  for (const char* text :
       {"", ":", ":80", "example.org", "example.org:", "example.org:65536", "example.org:-1",
        "a b:80", "2001:db8::1:80", "[2001:db8::1]", "[example.org]:80", "a:b:80"}) {
    INFO(text);
    CHECK_FALSE(target::parse(text));
  }
}

TEST_CASE("target: names have a greatest length and no byte that ends or forges them",
          "[transport][target]") {
  CHECK(target(std::string(target::max_name - 1, 'a'), 1).is_valid());
  CHECK(target(std::string(target::max_name, 'a'), 1).is_valid());
  CHECK_FALSE(target(std::string(target::max_name + 1, 'a'), 1).is_valid());
  CHECK_FALSE(target("", 1).is_valid());
  CHECK_FALSE(target(std::string_view("good.example\0.bad", 17), 1).is_valid());
  CHECK_FALSE(target("a\r\nhost: b", 1).is_valid());
  CHECK(target(address::loopback_v4(1)).is_valid());
}
