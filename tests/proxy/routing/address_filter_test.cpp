// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/core/address_filter.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "strata/proxy/core/ip_network.hpp"

using namespace strata;
using proxy::core::address_filter;
using proxy::core::ip_network;

namespace {

transport::address at(const char* text) { return transport::address::parse(text).value(); }

std::vector<ip_network> networks(std::initializer_list<const char*> texts) {
  std::vector<ip_network> made;
  for (const char* each : texts) made.push_back(ip_network::parse(each).value());
  return made;
}

}  // namespace

TEST_CASE("a network has the addresses of its block") {
  const auto ten = ip_network::parse("10.128.0.0/9").value();
  CHECK(ten.contains(at("10.128.0.0:1")));
  CHECK(ten.contains(at("10.255.255.255:1")));
  CHECK_FALSE(ten.contains(at("10.127.255.255:1")));
  CHECK_FALSE(ten.contains(at("11.128.0.0:1")));
  CHECK_FALSE(ten.contains(at("[::1]:1")));
  const auto six = ip_network::parse("2001:db8::/33").value();
  CHECK(six.contains(at("[2001:db8:7fff::1]:1")));
  CHECK_FALSE(six.contains(at("[2001:db8:8000::1]:1")));
  CHECK(ip_network::parse("0.0.0.0/0").value().contains(at("1.2.3.4:5")));
  CHECK(ip_network::parse("1.2.3.4").value().contains(at("1.2.3.4:5")));
  CHECK_FALSE(ip_network::parse("1.2.3.4").value().contains(at("1.2.3.5:5")));
  CHECK(ten.string() == "10.128.0.0/9");
}

TEST_CASE("what is no network") {
  const auto text =
      GENERATE("", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "example.org/8", "10.0.0/8", "::/129",
               "fe80::1/10", "10.0.0.0/-1", "10.0.0.0/8 ", "10.0.0.0/8/8");
  CAPTURE(text);
  CHECK_FALSE(ip_network::parse(text));
}

TEST_CASE("what only this host can reach is not admitted, in no notation", "[attack][P05][proxy]") {
  const address_filter filter;
  const auto text = GENERATE(
      "127.0.0.1:80", "127.255.255.254:80", "10.1.2.3:80", "172.31.0.1:80", "192.168.1.1:80",
      "169.254.169.254:80", "100.64.0.1:80", "0.0.0.0:80", "0.1.2.3:80", "224.0.0.1:80",
      "255.255.255.255:80", "[::1]:80", "[::]:80", "[fe80::1]:80", "[fd00::1]:80", "[ff02::1]:80",
      "[::ffff:127.0.0.1]:80", "[::ffff:10.0.0.1]:80", "[64:ff9b::7f00:1]:80", "[2002:7f00:1::]:80",
      "[::7f00:1]:80", "[2001::1]:80", "1.1.1.1:0");
  CAPTURE(text);
  CHECK_FALSE(filter.admits(at(text)));
}

TEST_CASE("the public network is admitted") {
  const address_filter filter;
  const auto text = GENERATE("1.1.1.1:80", "172.32.0.1:80", "9.255.255.255:80", "11.0.0.0:80",
                             "[2606:4700::1]:443", "[64:ff9b::101:101]:80", "[2002:101:101::]:80",
                             "223.255.255.255:1");
  CAPTURE(text);
  CHECK(filter.admits(at(text)));
}

TEST_CASE("what is allowed comes before what is denied, and both before the default") {
  const address_filter filter({.allowed = networks({"127.0.0.1"}),
                               .denied = networks({"127.0.0.0/8", "1.0.0.0/8"}),
                               .special_purpose = true});
  CHECK(filter.admits(at("127.0.0.1:1")));
  CHECK_FALSE(filter.admits(at("127.0.0.2:1")));
  CHECK_FALSE(filter.admits(at("1.1.1.1:1")));
  CHECK(filter.admits(at("10.0.0.1:1")));
  CHECK_FALSE(filter.admits(at("0.0.0.0:1")));
  // Both of a translated address count.
  CHECK_FALSE(filter.admits(at("[64:ff9b::101:101]:1")));
}
