// SPDX-License-Identifier: Apache-2.0
// What a lookup asks, and what it makes of answers that come in order.
#include "core/dns/lookup.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

#include "dns_world.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

using namespace strata::transport;
using namespace std::chrono_literals;
using strata::testkit::dns_world;
using strata::testkit::name;
using strata::testkit::text;

namespace {

std::string numbered(std::string_view stem, std::size_t number) {
  return std::string(stem) + std::to_string(number) + ".example";
}

}  // namespace

TEST_CASE("lookup: asks A, AAAA and HTTPS at once", "[transport][dns]") {
  dns_world world;
  world.zone.ip("example.org", "192.0.2.1").ip("example.org", "2001:db8::1", 200);
  world.zone.ip("example.org", "192.0.2.2");
  world.zone.https("example.org", {.priority = 1, .alpn = {"h3"}, .ech = {std::byte{1}}}, 100);
  const auto& done = world.resolve("example.org");
  CHECK_FALSE(done.error());
  CHECK(text(done.found().addresses) == "2001:db8::1 192.0.2.1 192.0.2.2");
  CHECK(text(done.found().services) ==
        "1 example.org. alpn=h3 ech=AQ== @2001:db8::1 192.0.2.1 192.0.2.2");
  CHECK_FALSE(done.found().services_error);
  CHECK(done.found().ttl == 100s);
  REQUIRE(world.log.size() == 3);
  std::set<std::uint16_t> ids;
  for (const auto& each : world.log) {
    CHECK(each.when == world.log[0].when);
    CHECK(each.query.header.recursion_desired);
    CHECK(each.query.extension->payload_size == 1232);
    ids.insert(each.query.header.id);
  }
  CHECK(ids.size() == 3);
}

TEST_CASE("lookup: asks only what is wanted", "[transport][dns]") {
  dns_world world;
  world.zone.ip("example.org", "192.0.2.1").ip("example.org", "2001:db8::1");
  world.wanted = {.ipv6 = false, .https = false};
  CHECK(text(world.resolve("example.org").found().addresses) == "192.0.2.1");
  CHECK(world.log.size() == 1);
  world.wanted = {.ipv4 = false, .https = false};
  CHECK(text(world.resolve("example.org").found().addresses) == "2001:db8::1");
  CHECK(world.log.size() == 1);
}

TEST_CASE("lookup: names that are not there, and those without what was asked",
          "[transport][dns]") {
  dns_world world;
  world.zone.ip("v4.example", "192.0.2.1").soa("example", 60);
  CHECK(world.resolve("none.example").error() == errc::name_not_found);
  const auto& half = world.resolve("v4.example");
  CHECK_FALSE(half.error());
  CHECK(text(half.found().addresses) == "192.0.2.1");
  CHECK(half.found().services.empty());
  CHECK_FALSE(half.found().services_error);
  CHECK(half.found().ttl == 60s);
  world.wanted.ipv4 = false;
  CHECK(world.resolve("v4.example").error() == errc::name_not_found);
}

TEST_CASE("lookup: what is no name of the DNS is refused", "[transport][dns]") {
  dns_world world;
  for (const char* host : {"", ".", "a..b", "a b", "127.1", "2130706433", "0x7f000001", "0x",
                           "0x7f.1", "1.2.3.4", "example.0X7F", "example.1."}) {
    INFO(host);
    const auto made = dns::lookup::make(host, {}, {}, world.random);
    REQUIRE_FALSE(made);
    CHECK(made.error() == errc::invalid_argument);
  }
  for (const char* host : {"1a", "a1", "0xg", "4.example"})
    CHECK(dns::lookup::make(host, {}, {}, world.random));
}

TEST_CASE("lookup: names that no name server is asked about", "[transport][dns]") {
  dns_world world;
  CHECK(text(world.resolve("LOCALHOST").found().addresses) == "::1 127.0.0.1");
  CHECK(text(world.resolve("a.localhost.").found().addresses) == "::1 127.0.0.1");
  world.wanted.ipv6 = false;
  CHECK(text(world.resolve("localhost").found().addresses) == "127.0.0.1");
  world.wanted = {.ipv4 = false};
  CHECK(text(world.resolve("localhost").found().addresses) == "::1");
  for (const char* host : {"localhost", "x.onion", "onion", "invalid", "a.invalid"}) {
    CHECK(world.resolve(host).error() == (host == std::string_view("localhost")
                                              ? std::error_code()
                                              : make_error_code(errc::name_not_found)));
    CHECK(world.log.empty());
  }
}

TEST_CASE("lookup: CNAMEs are followed within an answer and by asking again", "[transport][dns]") {
  dns_world world;
  world.zone.alias("www.example", "a.example", 50).alias("a.example", "b.example");
  world.zone.ip("b.example", "192.0.2.1").soa("example", 60);
  world.wanted = {.ipv6 = false, .https = false};
  const auto& whole = world.resolve("www.example");
  CHECK(text(whole.found().addresses) == "192.0.2.1");
  CHECK(whole.found().ttl == 50s);
  CHECK(world.log.size() == 1);
  // A server that knows only the first step of each.
  const auto& piecewise = world.resolve("www.example", [&](const dns_world::asked& query) {
    auto response = world.zone.answer(query.query);
    response.answers.resize(1);
    return std::vector{dns_world::message(response)};
  });
  CHECK(text(piecewise.found().addresses) == "192.0.2.1");
  CHECK(piecewise.found().ttl == 50s);
  REQUIRE(world.log.size() == 3);
  CHECK(world.log[2].query.question->name == name("b.example"));
}

TEST_CASE("lookup: a CNAME to a name without addresses", "[transport][dns]") {
  dns_world world;
  world.zone.alias("www.example", "gone.example").soa("example", 60);
  world.wanted = {.ipv6 = false, .https = false};
  CHECK(world.resolve("www.example").error() == errc::name_not_found);
  CHECK(world.log.size() == 1);
  world.zone.alias("other.example", "empty.example").alias("empty.example2", "x");
  world.zone.add("empty.example", dns_type::ns, name("ns.example"));
  CHECK(world.resolve("other.example").error() == errc::name_not_found);
  CHECK(world.log.size() == 1);
}

TEST_CASE("lookup: as many CNAMEs as the limit, in one answer and in many", "[transport][dns]") {
  for (const bool piecewise : {false, true}) {
    const auto with = [piecewise](std::size_t aliases) {
      dns_world world;
      for (std::size_t i = 0; i < aliases; ++i)
        world.zone.alias(numbered("n", i), numbered("n", i + 1));
      world.zone.ip(numbered("n", aliases), "192.0.2.1");
      world.wanted = {.ipv6 = false, .https = false};
      const auto& done = world.resolve("n0.example", [&](const dns_world::asked& query) {
        auto response = world.zone.answer(query.query);
        if (piecewise) response.answers.resize(1);
        return std::vector{dns_world::message(response)};
      });
      return done.error();
    };
    CHECK_FALSE(with(limits::max_dns_aliases - 1));
    CHECK_FALSE(with(limits::max_dns_aliases));
    CHECK(with(limits::max_dns_aliases + 1) == errc::limit_exceeded);
  }
}

TEST_CASE("lookup: HTTPS records of other ports have names of their own", "[transport][dns]") {
  dns_world world;
  world.zone.ip("example.org", "192.0.2.1").soa("org", 60);
  const auto asked_with = [&](std::uint16_t port) {
    world.wanted.port = port;
    world.resolve("example.org");
    for (const auto& each : world.log) {
      if (each.query.question->type == dns_type::https) return each.query.question->name.string();
    }
    return std::string();
  };
  CHECK(asked_with(443) == "example.org");
  CHECK(asked_with(80) == "example.org");
  CHECK(asked_with(8443) == "_8443._https.example.org");
  // Where that name would be too long there are none, and the host's own are not meant.
  const std::string part(61, 'a');
  const std::string longest = part + '.' + part + '.' + part + '.' + part;
  world.zone.ip(longest, "192.0.2.1");
  CHECK(text(world.resolve(longest).found().addresses) == "192.0.2.1");
  CHECK(world.count(dns_type::https) == 0);
}

TEST_CASE("lookup: the owner as target, at the end of CNAMEs", "[transport][dns]") {
  // The example of RFC 9460 section 2.5.2.
  dns_world world;
  world.zone.https("example.com", {.priority = 0, .target = name("svc.example.net")});
  world.zone.alias("svc.example.net", "svc2.example.net");
  world.zone.https("svc2.example.net", {.priority = 1, .port = 8002});
  world.zone.ip("svc2.example.net", "192.0.2.2").ip("svc2.example.net", "2001:db8::2");
  world.zone.ip("example.com", "192.0.2.1").soa(".", 60);
  const auto& done = world.resolve("example.com");
  CHECK(text(done.found().addresses) == "192.0.2.1");
  CHECK(text(done.found().services) ==
        "1 svc2.example.net. port=8002 @2001:db8::2 192.0.2.2; "
        "65535 svc.example.net. @2001:db8::2 192.0.2.2");
}

TEST_CASE("lookup: an alias whose target has no HTTPS records", "[transport][dns]") {
  dns_world world;
  world.zone.https("example.com", {.priority = 0, .target = name("svc.example.net")});
  world.zone.ip("svc.example.net", "192.0.2.2").soa(".", 60);
  const auto& done = world.resolve("example.com");
  CHECK_FALSE(done.error());
  CHECK(done.found().addresses.empty());
  CHECK(text(done.found().services) == "65535 svc.example.net. @192.0.2.2");
}

TEST_CASE("lookup: AliasMode beats ServiceMode in a set, and says there is no service",
          "[transport][dns]") {
  dns_world world;
  world.zone.ip("a.example", "192.0.2.1").ip("b.example", "192.0.2.2").soa(".", 60);
  world.zone.https("a.example", {.priority = 1, .port = 1});
  world.zone.https("a.example", {.priority = 0, .target = name("b.example")});
  // RFC 9460 section 2.4.1: beside AliasMode, ServiceMode is ignored.
  CHECK(text(world.resolve("a.example").found().services) == "65535 b.example. @192.0.2.2");
  world.zone.https("c.example", {.priority = 0}).ip("c.example", "192.0.2.3");
  const auto& none = world.resolve("c.example");
  CHECK(none.found().services.empty());
  CHECK(text(none.found().addresses) == "192.0.2.3");
}

TEST_CASE("lookup: as many aliases as the limit, else as if there were none", "[transport][dns]") {
  const auto with = [](std::size_t aliases) {
    dns_world world;
    for (std::size_t i = 0; i < aliases; ++i)
      world.zone.https(numbered("n", i), {.priority = 0, .target = name(numbered("n", i + 1))});
    world.zone.https(numbered("n", aliases), {.priority = 1, .port = 7});
    world.zone.ip("n0.example", "192.0.2.1").soa(".", 60);
    const auto& done = world.resolve("n0.example");
    CHECK_FALSE(done.error());
    CHECK(text(done.found().addresses) == "192.0.2.1");
    return std::pair(done.found().services.size(), done.found().services_error);
  };
  using pair = std::pair<std::size_t, std::error_code>;
  CHECK(with(limits::max_dns_aliases - 1) == pair(2, {}));
  CHECK(with(limits::max_dns_aliases) == pair(2, {}));
  CHECK(with(limits::max_dns_aliases + 1) == pair(0, make_error_code(errc::limit_exceeded)));
}

TEST_CASE("lookup: services by priority, those of one priority in any order", "[transport][dns]") {
  dns_world world;
  world.zone.ip("example.org", "192.0.2.1").soa(".", 60);
  for (const int port : {21, 22, 23})
    world.zone.https("example.org", {.priority = 2, .port = static_cast<std::uint16_t>(port)});
  world.zone.https("example.org", {.priority = 3, .port = 31});
  world.zone.https("example.org", {.priority = 1, .port = 11});
  std::set<std::string> orders;
  for (int i = 0; i < 100; ++i) {
    const auto& found = world.resolve("example.org").found().services;
    REQUIRE(found.size() == 5);
    CHECK(found[0].record.port == 11);
    CHECK(found[4].record.port == 31);
    orders.insert(text(found));
  }
  CHECK(orders.size() == 6);
}

TEST_CASE("lookup: records that cannot be used are left out, a broken one takes all along",
          "[transport][dns]") {
  dns_world world;
  world.zone.ip("example.org", "192.0.2.1").soa(".", 60);
  world.zone.https("example.org", {.priority = 1, .port = 1});
  world.zone.https("example.org", {.priority = 2, .mandatory = {700}, .others = {{700, {}}}});
  const auto& some = world.resolve("example.org");
  CHECK(text(some.found().services) == "1 example.org. port=1 @192.0.2.1");
  CHECK_FALSE(some.found().services_error);
  world.zone.add("example.org", dns_type::https,
                 strata::transport::dns_broken_record{strata::testkit::octets("0001"), ""});
  const auto& none = world.resolve("example.org");
  CHECK(none.found().services.empty());
  CHECK(none.found().services_error == errc::malformed);
  CHECK(text(none.found().addresses) == "192.0.2.1");
}

TEST_CASE("lookup: a service elsewhere has the addresses from there, else its hints",
          "[transport][dns]") {
  dns_world world;
  const address hint = address::parse_ip("198.51.100.9", 0).value();
  world.zone.ip("example.org", "192.0.2.1").soa(".", 60);
  world.zone.https("example.org",
                   {.priority = 1, .target = name("cdn.example"), .ipv4_hints = {hint}});
  world.zone.https("example.org",
                   {.priority = 2, .target = name("away.example"), .ipv4_hints = {hint}});
  world.zone.ip("cdn.example", "192.0.2.7");
  CHECK(text(world.resolve("example.org").found().services) ==
        "1 cdn.example. ipv4hint=198.51.100.9 @192.0.2.7; "
        "2 away.example. ipv4hint=198.51.100.9 @198.51.100.9");
  world.wanted.ipv4 = false;
  CHECK(world.resolve("example.org").error() == errc::name_not_found);
}

TEST_CASE("lookup: as many services and as many names as the limits", "[transport][dns]") {
  const auto services = [](std::size_t count) {
    dns_world world;
    world.zone.ip("example.org", "192.0.2.1").soa(".", 60);
    for (std::size_t i = 0; i < count; ++i)
      world.zone.https("example.org", {.priority = 1, .port = static_cast<std::uint16_t>(i)});
    return world.resolve("example.org").found().services.size();
  };
  CHECK(services(limits::max_dns_services - 1) == limits::max_dns_services - 1);
  CHECK(services(limits::max_dns_services) == limits::max_dns_services);
  CHECK(services(limits::max_dns_services + 1) == limits::max_dns_services);

  const auto names = [](std::size_t count) {
    dns_world world;
    world.zone.ip("example.org", "192.0.2.1").soa(".", 60);
    for (std::size_t i = 0; i < count; ++i) {
      world.zone.https("example.org", {.priority = 1, .target = name(numbered("t", i))});
      world.zone.ip(numbered("t", i), "192.0.2.2");
    }
    const auto& found = world.resolve("example.org").found().services;
    CHECK(found.size() == count);
    CHECK(world.count(dns_type::a) - 1 <= limits::max_dns_targets);
    return std::ranges::count_if(found, [](const auto& each) { return !each.addresses.empty(); });
  };
  CHECK(names(limits::max_dns_targets - 1) == limits::max_dns_targets - 1);
  CHECK(names(limits::max_dns_targets) == limits::max_dns_targets);
  CHECK(names(limits::max_dns_targets + 1) == limits::max_dns_targets);
}

TEST_CASE("lookup: the owner as target is the prefixed name where there is one",
          "[transport][dns]") {
  // RFC 9460 section 2.5: "." stands for the owner of the record, prefix and all.
  dns_world world;
  world.wanted.port = 8443;
  world.zone.ip("example.org", "192.0.2.1").ip("_8443._https.example.org", "192.0.2.7");
  world.zone.https("_8443._https.example.org", {.priority = 1}).soa(".", 60);
  CHECK(text(world.resolve("example.org").found().services) ==
        "1 _8443._https.example.org. @192.0.2.7");
}

TEST_CASE("lookup: of two aliases one is followed, by chance", "[transport][dns]") {
  dns_world world;
  world.zone.ip("a.example", "192.0.2.1").ip("b.example", "192.0.2.2").soa(".", 60);
  for (const char* each : {"a.example", "b.example"})
    world.zone.https("example.org", {.priority = 0, .target = name(each)});
  std::set<std::string> followed;
  for (int i = 0; i < 40; ++i) followed.insert(text(world.resolve("example.org").found().services));
  CHECK(followed ==
        std::set<std::string>{"65535 a.example. @192.0.2.1", "65535 b.example. @192.0.2.2"});
}

TEST_CASE("lookup: hints of the families that are wanted", "[transport][dns]") {
  dns_world world;
  world.zone.ip("example.org", "192.0.2.1").ip("example.org", "2001:db8::1").soa(".", 60);
  world.zone.https("example.org", {.priority = 1,
                                   .target = name("away.example"),
                                   .ipv4_hints = {address::parse_ip("198.51.100.9", 0).value()},
                                   .ipv6_hints = {address::parse_ip("2001:db8::9", 0).value()}});
  const auto hinted = [&](bool ipv4, bool ipv6) {
    world.wanted = {.ipv4 = ipv4, .ipv6 = ipv6};
    return text(world.resolve("example.org").found().services.at(0).addresses);
  };
  CHECK(hinted(true, true) == "2001:db8::9 198.51.100.9");
  CHECK(hinted(true, false) == "198.51.100.9");
  CHECK(hinted(false, true) == "2001:db8::9");
}

TEST_CASE("lookup: one name of two services is asked about once", "[transport][dns]") {
  dns_world world;
  world.zone.ip("example.org", "192.0.2.1").ip("t.example", "192.0.2.2").soa(".", 60);
  for (const std::uint16_t priority : {std::uint16_t{1}, std::uint16_t{2}})
    world.zone.https("example.org", {.priority = priority, .target = name("t.example")});
  CHECK(text(world.resolve("example.org").found().services) ==
        "1 t.example. @192.0.2.2; 2 t.example. @192.0.2.2");
  CHECK(world.count(dns_type::a) == 2);
}

TEST_CASE("lookup: the patience with what is late", "[transport][dns]") {
  dns_world world;
  world.zone.ip("example.org", "192.0.2.1").ip("example.org", "2001:db8::1").soa(".", 60);
  world.zone.https("example.org", {.priority = 1, .port = 1});
  const auto late = [&](dns_type type, duration after) -> const dns::lookup& {
    return world.resolve("example.org", [&, type, after](const dns_world::asked& query) {
      return std::vector{
          world.honest(query, query.query.question->type == type ? after : duration(10ms))};
    });
  };
  CHECK(text(late(dns_type::aaaa, 310ms).found().addresses) == "2001:db8::1 192.0.2.1");
  CHECK(text(late(dns_type::aaaa, 311ms).found().addresses) == "192.0.2.1");
  CHECK(text(late(dns_type::a, 310ms).found().addresses) == "2001:db8::1 192.0.2.1");
  CHECK(late(dns_type::https, 2010ms).found().services.size() == 1);
  const auto& without = late(dns_type::https, 2011ms);
  CHECK(without.found().services.empty());
  CHECK(without.found().services_error == errc::timed_out);
  CHECK(without.found().ttl == 0s);
  CHECK_FALSE(without.error());
}

TEST_CASE("lookup: what the cache knows is not asked", "[transport][dns]") {
  dns_world world;
  dns_cache cache;
  world.options.cache = &cache;
  world.zone.ip("example.org", "192.0.2.1", 100).soa("org", 30);
  world.zone.https("example.org", {.priority = 1, .target = name("t.example")}, 50);
  world.zone.ip("t.example", "192.0.2.2", 200).soa("example", 30);
  const auto first = world.resolve("example.org").found();
  CHECK(world.log.size() == 5);
  CHECK(first.ttl == 30s);
  world.now += 10s;
  const auto second = world.resolve("example.org").found();
  CHECK(world.log.empty());
  CHECK(second.addresses == first.addresses);
  CHECK(second.services == first.services);
  CHECK(second.ttl == 20s);
  world.now += 25s;
  world.resolve("example.org");
  CHECK(world.log.size() == 2);  // AAAA of both names
  world.now += 20s;
  world.resolve("example.org");
  CHECK(world.count(dns_type::https) == 1);
  CHECK(world.count(dns_type::a) == 0);
  // That a name is not there is remembered, too.
  CHECK(world.resolve("none.example").error() == errc::name_not_found);
  CHECK(world.log.size() == 3);
  CHECK(world.resolve("none.example").error() == errc::name_not_found);
  CHECK(world.log.empty());
}

TEST_CASE("lookup: over an encrypted carrier queries are padded and all alike",
          "[transport][dns]") {
  dns_world world;
  world.kinds = {dns::path_kind{.is_datagram = false, .has_stream = false, .is_encrypted = true}};
  world.options.inquiries.shuffles_case = true;
  world.zone.ip("example.org", "192.0.2.1").soa(".", 60);
  CHECK_FALSE(world.resolve("example.org").error());
  for (const auto& each : world.log) {
    CHECK(each.query.header.id == 0);
    CHECK(each.raw.size() == 128);
    CHECK(each.query.question->name.is_exactly(name("example.org")));
  }
}
