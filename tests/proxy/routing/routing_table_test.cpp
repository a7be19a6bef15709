// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/core/routing_table.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>

using namespace strata;
using namespace strata::proxy::core;

namespace {

struct client {
  std::string_view inbound{};
  std::string_view user{};
};

std::string out(const routing_table& table, const char* where, const client& from = {},
                carried what = carried::stream) {
  const auto to = transport::target::parse(where).value();
  const route found =
      table.find({.where = to, .inbound = from.inbound, .user = from.user, .what = what});
  return found.needs_addresses ? "?" : std::string(found.outbound);
}

rule to(std::string outbound) { return {.outbound = std::move(outbound)}; }

}  // namespace

TEST_CASE("without a rule that matches the fallback is taken") {
  CHECK(out(routing_table({}, "direct"), "a.example:1") == "direct");
  CHECK(out(routing_table(), "a.example:1").empty());
}

TEST_CASE("names match exactly, below, or by a part") {
  rule exact = to("exact"), below = to("below"), part = to("part");
  exact.domains = {"One.example"};
  below.suffixes = {"two.example", ".three.example"};
  part.keywords = {"FOUR"};
  const routing_table table({exact, below, part}, "rest");
  CHECK(out(table, "one.example:1") == "exact");
  CHECK(out(table, "ONE.EXAMPLE:1") == "exact");
  CHECK(out(table, "www.one.example:1") == "rest");
  CHECK(out(table, "two.example:1") == "below");
  CHECK(out(table, "a.b.two.example:1") == "below");
  CHECK(out(table, "nottwo.example:1") == "rest");
  CHECK(out(table, "a.three.example:1") == "below");
  CHECK(out(table, "three.example:1") == "below");
  CHECK(out(table, "xfourx.example:1") == "part");
}

TEST_CASE("the dot of the root is no way around a rule") {
  rule exact = to("exact"), below = to("below");
  exact.domains = {"one.example"};
  below.suffixes = {"two.example."};
  const routing_table table({exact, below}, "rest");
  CHECK(out(table, "one.example.:1") == "exact");
  CHECK(out(table, "a.two.example.:1") == "below");
}

TEST_CASE("the first rule that matches decides, and all its conditions have to") {
  rule first = to("first"), second = to("");
  first.suffixes = {"example"};
  first.ports = {{80, 81}, {443, 443}};
  first.inbounds = {"home"};
  first.users = {"ann", "bob"};
  first.what = carried::stream;
  second.suffixes = {"example"};
  const routing_table table({first, second}, "rest");
  CHECK(out(table, "a.example:80", {"home", "ann"}) == "first");
  CHECK(out(table, "a.example:81", {"home", "bob"}) == "first");
  CHECK(out(table, "a.example:443", {"home", "bob"}) == "first");
  CHECK(out(table, "a.example:82", {"home", "ann"}).empty());
  CHECK(out(table, "a.example:79", {"home", "ann"}).empty());
  CHECK(out(table, "a.example:80", {"other", "ann"}).empty());
  CHECK(out(table, "a.example:80", {"home", "eve"}).empty());
  CHECK(out(table, "a.example:80", {"home", "ann"}, carried::datagrams).empty());
  CHECK(out(table, "b.test:80", {"home", "ann"}) == "rest");
}

TEST_CASE("networks match addresses, and names only where the rule looks them up") {
  rule never = to("never"), lan = to("lan");
  never.networks = {ip_network::parse("10.0.0.0/8").value()};
  lan.networks = {ip_network::parse("192.168.0.0/16").value()};
  lan.resolve = true;
  const routing_table table({never, lan}, "rest");
  CHECK(out(table, "10.1.1.1:1") == "never");
  CHECK(out(table, "192.168.1.1:1") == "lan");
  CHECK(out(table, "1.1.1.1:1") == "rest");
  CHECK(out(table, "a.example:1") == "?");

  const auto name = transport::target::parse("a.example:1").value();
  const std::array inside{transport::address::parse("192.168.1.1:1").value()};
  const std::array outside{transport::address::parse("10.1.1.1:1").value()};
  const auto with = [&](std::span<const transport::address> addresses) {
    return table.find({.where = name, .addresses = addresses});
  };
  CHECK(with(inside).outbound == "lan");
  CHECK(with(inside).rule == 1);
  CHECK(with(outside).outbound == "rest");
  CHECK(with({}).outbound == "rest");
  CHECK(with({}).rule == route::by_default);
}
