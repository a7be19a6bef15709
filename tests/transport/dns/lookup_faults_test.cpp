// SPDX-License-Identifier: Apache-2.0
// Lookups whose queries or answers are lost, late, damaged, cut short or refused.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "dns_world.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"
#include "testkit/error_text.hpp"

using namespace strata::transport;
using namespace std::chrono_literals;
using strata::testkit::dns_world;
using strata::testkit::message_of;
using strata::testkit::name;
using strata::testkit::simple_world;
using strata::testkit::text;
using strata::testkit::with_code;
using asked = dns_world::asked;
using said = std::vector<dns_world::said>;

TEST_CASE("lookup faults: what is lost is asked again, of every server in turn",
          "[transport][dns]") {
  simple_world world;
  world.kinds.resize(2);
  for (std::size_t lost = 0; lost < 6; ++lost) {
    INFO(lost);
    const time_point start = world.now;
    CHECK(world.ask([&](const asked& query) {
      return world.log.size() <= lost ? said{} : said{world.honest(query, 0ms)};
    }) == "192.0.2.1");
    REQUIRE(world.log.size() == lost + 1);
    for (std::size_t i = 0; i <= lost; ++i) {
      CHECK(world.log[i].route.path == i % 2);
      CHECK_FALSE(world.log[i].route.by_stream);
    }
    const duration waits[] = {0ms, 1500ms, 3000ms, 6000ms, 9000ms, 15000ms};
    CHECK(world.now - start == waits[lost]);
  }
}

TEST_CASE("lookup faults: name servers that never answer", "[transport][dns][attack][P08]") {
  simple_world world;
  const time_point start = world.now;
  CHECK(world.ask([](const asked&) { return said{}; }) == message_of(errc::timed_out));
  CHECK(world.log.size() == 3);
  CHECK(world.now - start == 10'500ms);
  // Nor with everything asked for.
  world.wanted = {};
  CHECK(world.ask([](const asked&) { return said{}; }) == message_of(errc::timed_out));
  CHECK(world.log.size() == 9);
  world.kinds.clear();
  CHECK(world.ask([](const asked&) { return said{}; }) == message_of(errc::name_server_failed));
}

TEST_CASE("lookup faults: an answer to an earlier attempt is good", "[transport][dns]") {
  simple_world world;
  world.kinds.resize(3);
  const time_point start = world.now;
  CHECK(world.ask([&](const asked& query) {
    return world.log.size() == 1 ? said{world.honest(query, 4s)} : said{};
  }) == "192.0.2.1");
  CHECK(world.log.size() == 3);
  CHECK(world.now - start == 4s);
}

TEST_CASE("lookup faults: answers that come when all is over are nobody's", "[transport][dns]") {
  simple_world world;
  CHECK(world.ask([&](const asked& query) {
    return said{world.honest(query, 1ms), world.honest(query, 1ms), world.honest(query, 2h)};
  }) == "192.0.2.1");
}

TEST_CASE("lookup faults: answers to something else are ignored", "[transport][dns][attack][P20]") {
  using change = void (*)(dns_message&);
  const change forgeries[] = {
      [](dns_message& m) { m.header.id ^= 1; },
      [](dns_message& m) { m.header.id = 0; },
      [](dns_message& m) { m.header.is_response = false; },
      [](dns_message& m) { m.header.opcode = 4; },
      [](dns_message& m) { m.question.reset(); },
      [](dns_message& m) { m.question->name = name("example.com"); },
      [](dns_message& m) { m.question->type = dns_type::aaaa; },
      [](dns_message& m) { m.question->query_class = 3; },
  };
  for (const change forge : forgeries) {
    simple_world world;
    CHECK(world.ask([&](const asked& query) {
      const auto evil = [&](dns_message& m) {
        m.answers[0].content = address::parse_ip("203.0.113.66", 0).value();
        forge(m);
      };
      return said{world.changed(query, evil, 1ms), world.honest(query, 100ms)};
    }) == "192.0.2.1");
    CHECK(world.log.size() == 1);
  }
  // What is no message at all, too.
  simple_world world;
  CHECK(world.ask([&](const asked& query) {
    return said{{1ms, strata::testkit::octets("0000")},
                {1ms, std::vector<std::byte>()},
                world.honest(query, 100ms)};
  }) == "192.0.2.1");
}

TEST_CASE("lookup faults: the case of the question has to come back where it was shuffled",
          "[transport][dns][attack][P20]") {
  simple_world world;
  world.options.inquiries.shuffles_case = true;
  const auto in_lower_case = [](dns_message& m) { m.question->name = m.question->name.folded(); };
  const auto forged = [&](dns_message& m) {
    in_lower_case(m);
    m.answers[0].content = address::parse_ip("203.0.113.66", 0).value();
  };
  CHECK(world.ask([&](const asked& query) {
    return said{world.changed(query, forged, 1ms), world.honest(query, 100ms)};
  }) == "192.0.2.1");
  CHECK_FALSE(world.log[0].query.question->name.is_exactly(name("example.org")));
  world.options.inquiries.shuffles_case = false;
  CHECK(world.ask([&](const asked& query) {
    return said{world.changed(query, in_lower_case, 1ms)};
  }) == "192.0.2.1");
}

TEST_CASE("lookup faults: a flood of forged answers makes us ask by TCP",
          "[transport][dns][attack][P20]") {
  const auto with = [](unsigned forged, bool has_stream) {
    simple_world world;
    world.kinds[0].has_stream = has_stream;
    world.ask([&](const asked& query) {
      if (query.route.by_stream) return said{world.honest(query)};
      said out;
      for (unsigned i = 0; i < forged; ++i)
        out.push_back(world.changed(query, [](dns_message& m) { m.header.id ^= 1; }, 1ms));
      out.push_back(world.honest(query, 100ms));
      return out;
    });
    std::string routes;
    for (const asked& each : world.log) routes += each.route.by_stream ? 's' : 'd';
    return routes;
  };
  CHECK(with(limits::max_dns_mismatches - 1, true) == "d");
  CHECK(with(limits::max_dns_mismatches, true) == "ds");
  CHECK(with(limits::max_dns_mismatches + 1, true) == "ds");
  CHECK(with(limits::max_dns_mismatches, false) == "ddd");
}

TEST_CASE("lookup faults: as many queries to one question as the limit",
          "[transport][dns][attack][P08]") {
  // However often a caller lets it ask.
  const auto answered_at = [](std::size_t number) {
    simple_world world;
    world.options.inquiries.rounds = 200;
    const std::string out = world.ask([&](const asked& query) {
      if (world.log.size() == number) return said{world.honest(query)};
      return said{dns_world::message(with_code(query, dns_response_code::server_failure))};
    });
    CHECK(world.log.size() == std::min(number, limits::max_dns_attempts));
    return out;
  };
  CHECK(answered_at(limits::max_dns_attempts - 1) == "192.0.2.1");
  CHECK(answered_at(limits::max_dns_attempts) == "192.0.2.1");
  CHECK(answered_at(limits::max_dns_attempts + 1) == message_of(errc::name_server_failed));
}

TEST_CASE("lookup faults: what does not fit a datagram is asked for by TCP", "[transport][dns]") {
  simple_world world;
  CHECK(world.ask([&](const asked& query) {
    return said{world.changed(query, [&](dns_message& m) {
      m.header.truncated = !query.route.by_stream;
      if (m.header.truncated) m.answers.clear();
    })};
  }) == "192.0.2.1");
  REQUIRE(world.log.size() == 2);
  CHECK(world.log[1].route.by_stream);
  CHECK(world.log[1].query.header.id != world.log[0].query.header.id);
}

TEST_CASE("lookup faults: a truncated answer is never used", "[transport][dns]") {
  simple_world world;
  const auto truncated = [&](const asked& query) {
    return said{world.changed(query, [](dns_message& m) { m.header.truncated = true; })};
  };
  CHECK(world.ask(truncated) == message_of(errc::name_server_failed));
  CHECK(world.log.size() == 6);
  world.kinds[0].has_stream = false;
  CHECK(world.ask(truncated) == message_of(errc::name_server_failed));
  CHECK(world.log.size() == 3);
}

TEST_CASE("lookup faults: a wrong answer on a stream is that server's fault", "[transport][dns]") {
  simple_world world;
  world.kinds = {dns::path_kind{.is_datagram = false, .has_stream = false}, dns::path_kind{}};
  CHECK(world.ask([&](const asked& query) {
    if (query.route.path == 1) return said{world.honest(query)};
    return said{world.changed(query, [](dns_message& m) { m.header.id ^= 1; })};
  }) == "192.0.2.1");
  REQUIRE(world.log.size() == 2);
  CHECK(world.log[1].when - world.log[0].when == 10ms);
}

TEST_CASE("lookup faults: servers that fail or refuse", "[transport][dns][attack][P08]") {
  using enum dns_response_code;
  for (const auto code : {server_failure, refused, static_cast<dns_response_code>(23)}) {
    simple_world world;
    world.kinds.resize(2);
    CHECK(world.ask([&](const asked& query) {
      if (query.route.path == 1) return said{world.honest(query)};
      return said{dns_world::message(with_code(query, code))};
    }) == "192.0.2.1");
    CHECK(world.log.size() == 2);
    CHECK(world.ask([&](const asked& query) {
      return said{dns_world::message(with_code(query, code))};
    }) == message_of(errc::name_server_failed));
    CHECK(world.log.size() == 6);
    // One says so, the other says nothing: the first is the more telling.
    CHECK(world.ask([&](const asked& query) {
      if (query.route.path == 1) return said{};
      return said{dns_world::message(with_code(query, code))};
    }) == message_of(errc::name_server_failed));
  }
}

TEST_CASE("lookup faults: a carrier that fails", "[transport][dns]") {
  simple_world world;
  world.kinds.resize(2);
  CHECK(world.ask([&](const asked& query) {
    if (query.route.path == 1) return said{world.honest(query)};
    return said{{0ms, make_error_code(errc::unreachable)}};
  }) == "192.0.2.1");
  CHECK(world.ask([&](const asked&) { return said{{0ms, make_error_code(errc::unreachable)}}; }) ==
        message_of(errc::unreachable));
  CHECK(world.log.size() == 6);
}

TEST_CASE("lookup faults: a server from before EDNS", "[transport][dns]") {
  using enum dns_response_code;
  for (const auto code : {format_error, not_implemented, bad_version}) {
    simple_world world;
    CHECK(world.ask([&](const asked& query) {
      if (query.query.extension) return said{dns_world::message(with_code(query, code))};
      return said{world.honest(query)};
    }) == "192.0.2.1");
    CHECK(world.log.size() == 2);
    CHECK(world.ask([&](const asked& query) {
      return said{dns_world::message(with_code(query, code))};
    }) == message_of(errc::name_server_failed));
    CHECK(world.log.size() == 4);
    // Where queries are encrypted they stay padded.
    world.kinds = {dns::path_kind{.is_datagram = false, .has_stream = false, .is_encrypted = true}};
    CHECK(world.ask([&](const asked& query) {
      CHECK(query.query.extension->padding);
      return said{dns_world::message(with_code(query, code))};
    }) == message_of(errc::name_server_failed));
    CHECK(world.log.size() == 3);
  }
}

TEST_CASE("lookup faults: HTTPS records that nobody could tell us are not none",
          "[transport][dns]") {
  simple_world world;
  world.wanted.https = true;
  const auto https_only = [&](auto what) {
    return [&world, what](const asked& query) {
      if (query.query.question->type != dns_type::https) return said{world.honest(query)};
      return what(query);
    };
  };
  const auto& silent =
      world.resolve("example.org", https_only([](const asked&) { return said{}; }));
  CHECK(silent.found().services_error == errc::timed_out);
  const auto& failing = world.resolve(
      "example.org", https_only([](const asked& query) {
        return said{dns_world::message(with_code(query, dns_response_code::server_failure))};
      }));
  CHECK(failing.found().services_error == errc::name_server_failed);
  CHECK(text(failing.found().addresses) == "192.0.2.1");
  CHECK(failing.found().ttl == 0s);
}

TEST_CASE("lookup faults: records that the question does not lead to are not believed",
          "[transport][dns][attack][P20]") {
  simple_world world;
  dns_cache cache;
  world.options.cache = &cache;
  const auto evil = address::parse_ip("203.0.113.66", 0).value();
  const auto poisoned = [&](dns_message& m) {
    const auto add = [&](std::vector<dns_record>& to, std::string_view owner, dns_type type,
                         dns_record::content_type content) {
      to.insert(to.begin(), {name(owner), type, dns_internet, 86400, std::move(content)});
    };
    add(m.answers, "bank.example", dns_type::a, evil);
    add(m.answers, "bank.example", dns_type::cname, name("example.org"));
    add(m.answers, "sub.example.org", dns_type::a, evil);
    m.answers.insert(m.answers.begin(),
                     {name("example.org"), dns_type::a, 3, 1, strata::testkit::octets("cb007142")});
    add(m.authorities, "example", dns_type::ns, name("ns.evil.example"));
    add(m.additionals, "example.org", dns_type::a, evil);
    add(m.additionals, "bank.example", dns_type::a, evil);
  };
  CHECK(world.ask([&](const asked& query) { return said{world.changed(query, poisoned)}; }) ==
        "192.0.2.1");
  CHECK(cache.entries() == 1);
  CHECK(cache.find(world.now, {name("example.org"), dns_type::a})->records.size() == 1);
  CHECK(world.resolve("bank.example").error() == errc::name_not_found);
  CHECK(world.log.size() == 1);
}

TEST_CASE("lookup faults: absence is remembered as the SOA of its own zone says",
          "[transport][dns][attack][P20]") {
  using namespace strata::testkit;
  dns_cache cache;
  const auto ttl_with = [&](std::string_view zone, std::uint32_t minimum, std::uint32_t ttl) {
    simple_world world;
    cache.clear();
    world.options.cache = &cache;
    world.zone = dns_zone().soa(zone, minimum, ttl);
    CHECK(world.resolve("none.example").error() == errc::name_not_found);
    const auto kept = cache.find(world.now, {name("none.example"), dns_type::a});
    return kept ? kept->ttl : 0s;
  };
  CHECK(ttl_with("example", 60, 3600) == 60s);
  CHECK(ttl_with("example", 3600, 60) == 60s);
  CHECK(ttl_with(".", 60, 3600) == 60s);
  CHECK(ttl_with("example", 86400, 86400) == limits::dns_longest_negative_ttl);
  CHECK(ttl_with("other", 60, 3600) == 0s);
  CHECK(ttl_with("b.none.example", 60, 3600) == 0s);
  // Though the answer says it.
  for (const char* zone : {"other", "b.none.example"}) {
    simple_world world;
    cache.clear();
    world.options.cache = &cache;
    world.resolve("none.example", [&](const asked& query) {
      return said{world.changed(query, [&](dns_message& m) {
        m.authorities = {{name(zone), dns_type::soa, dns_internet, 60, dns_soa{.minimum = 60}}};
      })};
    });
    CHECK(cache.entries() == 0);
  }
}

TEST_CASE("lookup faults: NXDOMAIN beside records is NXDOMAIN", "[transport][dns]") {
  simple_world world;
  CHECK(world.ask([&](const asked& query) {
    return said{world.changed(
        query, [](dns_message& m) { m.response_code = dns_response_code::name_error; })};
  }) == message_of(errc::name_not_found));
}

TEST_CASE("lookup faults: CNAMEs in a circle", "[transport][dns][attack][P08]") {
  dns_world world;
  world.zone.alias("a.example", "b.example").alias("b.example", "a.example");
  world.zone.alias("self.example", "self.example");
  CHECK(world.resolve("a.example").error() == errc::limit_exceeded);
  CHECK(world.resolve("self.example").error() == errc::limit_exceeded);
  CHECK(world.log.size() == 3);
  // One step at a time, so that every answer looks harmless.
  world.resolve("a.example", [&](const asked& query) {
    auto response = world.zone.answer(query.query);
    response.answers.resize(1);
    return said{dns_world::message(response)};
  });
  CHECK(world.log.size() == 3 * (limits::max_dns_aliases + 1));
  // And of HTTPS records.
  world.zone.https("x.example", {.priority = 0, .target = name("x.example")});
  world.zone.ip("x.example", "192.0.2.1");
  const auto& done = world.resolve("x.example");
  CHECK(done.found().services_error == errc::limit_exceeded);
  CHECK(text(done.found().addresses) == "192.0.2.1");
}

TEST_CASE("lookup faults: a thousand addresses", "[transport][dns][attack][P08]") {
  const auto with = [](std::size_t count) {
    simple_world world;
    for (std::size_t i = 0; i < count; ++i) {
      world.zone.ip("many.example",
                    "198.51." + std::to_string(i / 256) + '.' + std::to_string(i % 256));
    }
    return world.resolve("many.example").found().addresses.size();
  };
  CHECK(with(limits::max_dns_addresses - 1) == limits::max_dns_addresses - 1);
  CHECK(with(limits::max_dns_addresses) == limits::max_dns_addresses);
  CHECK(with(limits::max_dns_addresses + 1) == limits::max_dns_addresses);
  CHECK(with(1000) == limits::max_dns_addresses);
}

namespace {

/// A network that loses, damages, delays and forges, as its seed says.
class wild_network {
 public:
  explicit wild_network(std::uint64_t seed) : chance_(seed * 7919) {
    trouble_ = static_cast<double>(chance_.below(60)) / 100;
  }

  strata::testkit::fake_random& chance() { return chance_; }

  said operator()(const dns_world& world, const asked& query) {
    said out;
    while (chance_.happens(trouble_)) {
      if (chance_.happens(0.25)) return out;
      out.push_back(fault(world, query));
    }
    auto last = world.zone.answer(query.query);
    if (!query.route.by_stream && chance_.happens(trouble_)) {
      last.header.truncated = true;
      last.answers.clear();
    }
    out.push_back(dns_world::message(last, later()));
    return out;
  }

 private:
  duration later() { return std::chrono::milliseconds(chance_.below(4000)); }

  dns_world::said fault(const dns_world& world, const asked& query) {
    switch (chance_.below(4)) {
      case 0: return {later(), make_error_code(errc::unreachable)};
      case 1: {
        // NXDOMAIN from the server itself would be no fault that anybody can see.
        auto code = static_cast<dns_response_code>(chance_.below(24));
        if (code == dns_response_code::name_error || code == dns_response_code::no_error)
          code = dns_response_code::server_failure;
        return dns_world::message(with_code(query, code), later());
      }
      case 2: {
        auto damaged = world.honest(query, later());
        auto& octets = std::get<0>(damaged.what);
        octets.resize(chance_.below(octets.size()));
        return damaged;
      }
      default: {
        auto forged = world.zone.answer(query.query);
        forged.header.id = static_cast<std::uint16_t>(forged.header.id + 1);
        for (dns_record& each : forged.answers) {
          if (each.type == dns_type::a) each.content = address::loopback_v4(0);
        }
        return dns_world::message(forged, later());
      }
    }
  }

  strata::testkit::fake_random chance_;
  double trouble_ = 0;
};

void check_truth(const resolution& found) {
  for (const address& each : found.addresses) {
    const std::string one = each.ip_string();
    CHECK((one == "192.0.2.1" || one == "2001:db8::1"));
  }
  for (const resolved_service& each : found.services) {
    CHECK(each.record.target == name("t.example"));
    if (!each.addresses.empty()) CHECK(text(each.addresses) == "192.0.2.2");
  }
  if (found.services.empty()) CHECK(found.services_error);
}

}  // namespace

TEST_CASE("lookup faults: any network, in the end, gives the truth or an error",
          "[transport][dns][simulation]") {
  std::size_t answered = 0;
  constexpr std::uint64_t seeds = 300;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    INFO(seed);
    dns_world world;
    world.random = strata::testkit::fake_random(seed);
    wild_network network(seed);
    dns_cache cache({.entries = 8});
    world.options.cache = &cache;
    world.options.inquiries.shuffles_case = network.chance().happens(0.5);
    world.kinds.resize(1 + network.chance().below(3));
    world.zone.alias("www.example", "a.example").ip("a.example", "192.0.2.1");
    world.zone.ip("a.example", "2001:db8::1",
                  static_cast<std::uint32_t>(network.chance().below(100)));
    world.zone.https("a.example", {.priority = 1, .target = name("t.example")});
    world.zone.ip("t.example", "192.0.2.2").soa("example", 60);
    for (int round = 0; round < 3; ++round) {
      const auto& done =
          world.resolve("www.example", [&](const asked& query) { return network(world, query); });
      world.now += std::chrono::seconds(network.chance().below(120));
      CHECK(done.error() != errc::name_not_found);
      if (done.error()) continue;
      ++answered;
      check_truth(done.found());
    }
  }
  CHECK(answered > seeds * 3 / 2);
}
