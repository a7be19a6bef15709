// SPDX-License-Identifier: Apache-2.0
// What one attempt at a question makes of the next, and of answers that come too late.
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
using strata::testkit::with_code;
using asked = dns_world::asked;
using said = std::vector<dns_world::said>;

namespace {

/// How the queries went: 'd'atagram or 's'tream.
std::string routes(const dns_world& world) {
  std::string out;
  for (const asked& each : world.log) out += each.route.by_stream ? 's' : 'd';
  return out;
}

void cut_short(dns_message& message) {
  message.header.truncated = true;
  message.answers.clear();
}

void forge(dns_message& message) {
  message.answers = {{message.question->name, dns_type::a, dns_internet, 60,
                      address::parse_ip("203.0.113.66", 0).value()}};
}

const dns_world::server silent = [](const asked&) { return said{}; };

}  // namespace

TEST_CASE("lookup attempts: the wait doubles from round to round, up to 256 times",
          "[transport][dns]") {
  const auto wait = [](unsigned rounds) {
    simple_world world;
    world.options.inquiries.rounds = rounds;
    const time_point start = world.now;
    CHECK(world.ask(silent) == message_of(errc::timed_out));
    return world.now - start;
  };
  CHECK(wait(1) == 1500ms);
  CHECK(wait(4) == 15 * 1500ms);
  CHECK(wait(9) == 511 * 1500ms);
  CHECK(wait(10) == 767 * 1500ms);
}

TEST_CASE("lookup attempts: no rounds, no answer", "[transport][dns]") {
  simple_world world;
  world.options.inquiries.rounds = 0;
  CHECK(world.ask(silent) == message_of(errc::name_server_failed));
  CHECK(world.log.empty());
}

TEST_CASE("lookup attempts: IDs are of sixteen bits", "[transport][dns][attack][P20]") {
  std::uint16_t all = 0;
  simple_world world;
  for (int i = 0; i < 30; ++i) {
    world.ask([&](const asked& query) { return said{world.honest(query)}; });
    all |= world.log[0].query.header.id;
  }
  CHECK(all == 0xffff);
}

TEST_CASE("lookup attempts: what is over takes no answer any more",
          "[transport][dns][attack][P20]") {
  // A forger who guessed an ID must not profit from that of an attempt that has had its answer.
  using change = void (*)(dns_message&);
  const change firsts[] = {
      cut_short,
      [](dns_message& m) { m.response_code = dns_response_code::server_failure; },
      [](dns_message& m) { m.response_code = dns_response_code::format_error; },
      [](dns_message& m) {
        m.answers = {{m.question->name, dns_type::cname, dns_internet, 60, name("b.example.org")}};
      },
  };
  for (const change first : firsts) {
    simple_world world;
    world.zone.ip("b.example.org", "192.0.2.1");
    CHECK(world.ask([&](const asked& query) {
      if (world.log.size() > 1) return said{world.honest(query, 50ms)};
      return said{world.changed(query, first, 1ms), world.changed(query, forge, 2ms)};
    }) == "192.0.2.1");
    CHECK(world.log.size() == 2);
  }
}

TEST_CASE("lookup attempts: a carrier that fails late starts nothing anew", "[transport][dns]") {
  simple_world world;
  world.kinds.resize(3);
  CHECK(world.ask([&](const asked& query) {
    if (query.route.path == 0) return said{{1600ms, make_error_code(errc::unreachable)}};
    return said{world.honest(query, 500ms)};
  }) == "192.0.2.1");
  CHECK(world.log.size() == 2);
}

TEST_CASE("lookup attempts: the first to say what is wrong has the word", "[transport][dns]") {
  simple_world world;
  world.kinds.resize(2);
  const auto fails = [](const asked& query) {
    return said{dns_world::message(with_code(query, dns_response_code::refused))};
  };
  const auto lost = [](const asked&) { return said{{10ms, make_error_code(errc::unreachable)}}; };
  const auto both = [&](auto first, auto second) {
    return world.ask(
        [&](const asked& query) { return query.route.path == 0 ? first(query) : second(query); });
  };
  CHECK(both(fails, lost) == message_of(errc::name_server_failed));
  CHECK(both(lost, fails) == message_of(errc::unreachable));
  CHECK(both(silent, fails) == message_of(errc::name_server_failed));
  CHECK(both(fails, silent) == message_of(errc::name_server_failed));
}

TEST_CASE("lookup attempts: by stream, and what follows that", "[transport][dns]") {
  simple_world world;
  const auto by_stream = [&](auto answer) {
    return world.ask([&world, answer](const asked& query) {
      if (!query.route.by_stream && query.query.question->name == name("example.org") &&
          world.log.size() == 1)
        return said{world.changed(query, cut_short)};
      return answer(query);
    });
  };
  SECTION("it has time of its own") {
    CHECK(world.ask([&](const asked& query) {
      if (query.route.by_stream) return said{world.honest(query, 1400ms)};
      return said{world.changed(query, cut_short, 1400ms)};
    }) == "192.0.2.1");
    CHECK(routes(world) == "ds");
  }
  SECTION("a wrong answer ends it at once") {
    CHECK(by_stream([&](const asked& query) {
            if (!query.route.by_stream) return said{world.honest(query)};
            return said{world.changed(query, [](dns_message& m) { m.header.id ^= 1; })};
          }) == "192.0.2.1");
    CHECK(routes(world) == "dsd");
    CHECK(world.log[2].when - world.log[1].when == 10ms);
  }
  SECTION("without EDNS by stream again") {
    CHECK(by_stream([&](const asked& query) {
            if (!query.query.extension) return said{world.honest(query)};
            return said{dns_world::message(with_code(query, dns_response_code::format_error))};
          }) == "192.0.2.1");
    CHECK(routes(world) == "dss");
  }
  SECTION("a CNAME is asked about by datagram") {
    world.zone = strata::testkit::dns_zone();
    world.zone.alias("example.org", "b.example").ip("b.example", "192.0.2.1");
    CHECK(by_stream([&](const asked& query) {
            return said{world.changed(query, [](dns_message& m) { m.answers.resize(1); })};
          }) == "192.0.2.1");
    CHECK(routes(world) == "dsd");
  }
}

TEST_CASE("lookup attempts: what is not there is not asked again for want of an SOA",
          "[transport][dns]") {
  simple_world world;
  const auto ends_at_once = [&](auto change) {
    CHECK(world.ask([&](const asked& query) { return said{world.changed(query, change)}; }) ==
          message_of(errc::name_not_found));
    CHECK(world.log.size() == 1);
  };
  ends_at_once([](dns_message& m) { m.answers.clear(); });
  ends_at_once([](dns_message& m) {
    m.answers = {{m.question->name, dns_type::cname, dns_internet, 60, name("b.example.org")}};
    m.response_code = dns_response_code::name_error;
  });
}

TEST_CASE("lookup attempts: encrypted queries stay padded whatever a plain server lacks",
          "[transport][dns]") {
  simple_world world;
  world.kinds = {dns::path_kind{.has_stream = false},
                 dns::path_kind{.is_datagram = false, .has_stream = false, .is_encrypted = true}};
  CHECK(world.ask([&](const asked& query) {
    if (query.route.path == 1) return said{world.honest(query)};
    return said{dns_world::message(with_code(query, dns_response_code::format_error))};
  }) == "192.0.2.1");
  REQUIRE(world.log.size() == 3);
  CHECK_FALSE(world.log[1].query.extension);
  CHECK(world.log[2].raw.size() == 128);
}

TEST_CASE("lookup attempts: the case of names where it is shuffled, and where not",
          "[transport][dns]") {
  dns_world world;
  world.options.inquiries.shuffles_case = true;
  world.zone.ip("example.org", "192.0.2.1").soa(".", 60);
  world.zone.https("example.org", {.priority = 1});
  const auto& done = world.resolve("example.org");
  REQUIRE(done.found().services.size() == 1);
  // What the queries looked like is nobody's business.
  CHECK(done.found().services[0].record.target.is_exactly(name("example.org")));
  // An encrypted server may say the name in its own way.
  world.kinds = {dns::path_kind{.is_datagram = false, .has_stream = false, .is_encrypted = true}};
  CHECK_FALSE(world
                  .resolve("EXAMPLE.org",
                           [&](const asked& query) {
                             auto response = world.zone.answer(query.query);
                             response.question->name = response.question->name.folded();
                             return said{dns_world::message(response)};
                           })
                  .error());
}

TEST_CASE("lookup attempts: what failed of both families says more than a silence",
          "[transport][dns]") {
  simple_world world;
  world.wanted = {.https = false};
  const auto fails = [](const asked& query) {
    return said{dns_world::message(with_code(query, dns_response_code::refused))};
  };
  for (const dns_type family : {dns_type::a, dns_type::aaaa}) {
    // At once, and when the other has long been given up.
    CHECK(world.ask([&](const asked& query) {
      return query.query.question->type == family ? fails(query) : said{};
    }) == message_of(errc::name_server_failed));
    std::size_t asked_for = 0;
    CHECK(world.ask([&](const asked& query) {
      if (query.query.question->type != family) return said{};
      if (query.route.by_stream) return said{{1s, make_error_code(errc::unreachable)}};
      if (++asked_for < 3) return said{};
      return said{world.changed(query, cut_short, 5900ms)};
    }) == message_of(errc::unreachable));
  }
}

TEST_CASE("lookup attempts: an address that is there twice", "[transport][dns]") {
  simple_world world;
  world.zone.ip("example.org", "192.0.2.1").ip("example.org", "192.0.2.2");
  CHECK(world.ask([&](const asked& query) { return said{world.honest(query)}; }) ==
        "192.0.2.1 192.0.2.2");
}

TEST_CASE("lookup attempts: a host without addresses is that, whatever befell a service's",
          "[transport][dns]") {
  dns_world world;
  world.zone.https("example.org", {.priority = 1, .target = name("t.example")}).soa(".", 60);
  const auto& done = world.resolve("example.org", [&](const asked& query) {
    if (query.query.question->name == name("example.org")) return said{world.honest(query)};
    return said{dns_world::message(with_code(query, dns_response_code::refused))};
  });
  CHECK(done.error() == errc::name_not_found);
}
