// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "octets.hpp"
#include "strata/transport/core/dns_cache.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::transport;
using namespace std::chrono_literals;
using strata::testkit::name;
using outcome = dns_answer::outcome_type;

namespace {

const time_point start{1h};

dns_question about(std::string_view host, dns_type type = dns_type::a) {
  return {name(host), type};
}

dns_answer found(std::chrono::seconds ttl, std::size_t records = 1) {
  dns_answer out{
      .outcome = outcome::found, .canonical = name("example.org"), .records = {}, .ttl = ttl};
  for (std::size_t i = 0; i < records; ++i)
    out.records.push_back({out.canonical, dns_type::a, dns_internet, 1, address::loopback_v4(0)});
  return out;
}

dns_answer missing(std::chrono::seconds ttl, outcome which = outcome::no_name) {
  return {.outcome = which, .canonical = name("example.org"), .records = {}, .ttl = ttl};
}

}  // namespace

TEST_CASE("dns_cache: an answer is good for its TTL", "[transport][dns]") {
  dns_cache cache;
  cache.store(start, about("example.org"), found(60s));
  REQUIRE(cache.find(start, about("EXAMPLE.org")));
  CHECK(cache.find(start, about("example.org")) == found(60s));
  CHECK(cache.find(start + 20s, about("example.org"))->ttl == 40s);
  CHECK(cache.find(start + 59'500ms, about("example.org"))->ttl == 1s);
  CHECK_FALSE(cache.find(start, about("example.org", dns_type::aaaa)));
  CHECK_FALSE(cache.find(start, {name("example.org"), dns_type::a, 3}));
  CHECK_FALSE(cache.find(start, about("www.example.org")));
  CHECK_FALSE(cache.find(start + 60s, about("example.org")));
  CHECK(cache.entries() == 0);
  CHECK(cache.bytes() == 0);
}

TEST_CASE("dns_cache: that something is not there is remembered, for less long",
          "[transport][dns]") {
  dns_cache cache({.longest = 100s, .longest_negative = 10s});
  for (const outcome which : {outcome::no_name, outcome::no_records}) {
    cache.store(start, about("a"), missing(9s, which));
    CHECK(cache.find(start, about("a"))->ttl == 9s);
    cache.store(start, about("a"), missing(10s, which));
    CHECK(cache.find(start, about("a"))->ttl == 10s);
    cache.store(start, about("a"), missing(11s, which));
    CHECK(cache.find(start, about("a"))->ttl == 10s);
    CHECK(cache.find(start, about("a"))->outcome == which);
  }
  cache.store(start, about("a"), found(99s));
  CHECK(cache.find(start, about("a"))->ttl == 99s);
  cache.store(start, about("a"), found(100s));
  CHECK(cache.find(start, about("a"))->ttl == 100s);
  cache.store(start, about("a"), found(101s));
  CHECK(cache.find(start, about("a"))->ttl == 100s);
}

TEST_CASE("dns_cache: TTLs of zero and of ages", "[transport][dns]") {
  dns_cache cache;
  cache.store(start, about("a"), found(60s));
  // What replaces an answer and may not be kept leaves nothing behind.
  cache.store(start, about("a"), found(0s));
  CHECK(cache.entries() == 0);
  CHECK_FALSE(cache.find(start, about("a")));
  cache.store(start, about("a"), found(std::chrono::seconds::max()));
  CHECK(cache.find(start, about("a"))->ttl == limits::dns_longest_ttl);
  cache.store(start, about("b"), missing(0s));
  CHECK_FALSE(cache.find(start, about("b")));
  cache.store(start, about("b"), missing(0x7fffffffs));
  CHECK(cache.find(start, about("b"))->ttl == limits::dns_longest_negative_ttl);
}

TEST_CASE("dns_cache: as many answers as the limit, then the one asked for longest ago goes",
          "[transport][dns]") {
  dns_cache cache({.entries = 3});
  for (const char* each : {"a", "b", "c"}) cache.store(start, about(each), found(60s));
  CHECK(cache.entries() == 3);
  REQUIRE(cache.find(start, about("a")));
  cache.store(start, about("d"), found(60s));
  CHECK(cache.entries() == 3);
  CHECK(cache.find(start, about("a")));
  CHECK_FALSE(cache.find(start, about("b")));
  CHECK(cache.find(start, about("c")));
  CHECK(cache.find(start, about("d")));
  dns_cache none({.entries = 0});
  none.store(start, about("a"), found(60s));
  CHECK(none.entries() == 0);
}

TEST_CASE("dns_cache: its bytes are bounded, too", "[transport][dns]") {
  dns_cache measuring;
  measuring.store(start, about("a"), found(60s, 10));
  const std::size_t one = measuring.bytes();
  CHECK(one > 10 * sizeof(dns_record));
  dns_cache cache({.bytes = 2 * one});
  for (const char* each : {"a", "b", "c"}) {
    cache.store(start, about(each), found(60s, 10));
    CHECK(cache.bytes() <= 2 * one);
  }
  CHECK(cache.entries() == 2);
  CHECK_FALSE(cache.find(start, about("a")));
  // One that is larger than everything changes nothing for the others.
  cache.store(start, about("d"), found(60s, 30));
  CHECK(cache.entries() == 2);
  dns_cache exact({.bytes = one});
  exact.store(start, about("a"), found(60s, 10));
  CHECK(exact.entries() == 1);
  dns_cache small({.bytes = one - 1});
  small.store(start, about("a"), found(60s, 10));
  CHECK(small.entries() == 0);
}

TEST_CASE("dns_cache: its own limits", "[transport][dns]") {
  const auto host = [](std::size_t number) { return about(std::to_string(10'000 + number)); };
  dns_cache many({.bytes = 64 << 20});
  for (std::size_t i = 1; i <= limits::dns_cache_entries + 1; ++i) {
    many.store(start, host(i), missing(60s));
    CHECK(many.entries() == std::min(i, limits::dns_cache_entries));
  }
  CHECK_FALSE(many.find(start, host(1)));
  CHECK(many.find(start, host(2)));
  dns_cache measuring;
  measuring.store(start, host(0), found(60s));
  const std::size_t fit = limits::dns_cache_bytes / measuring.bytes();
  dns_cache large({.entries = 2 * fit});
  for (std::size_t i = 1; i <= fit + 1; ++i) {
    large.store(start, host(i), found(60s));
    CHECK(large.entries() == std::min(i, fit));
  }
  dns_cache cache;
  const auto kept = [&](dns_answer answer) {
    cache.store(start, about("a"), std::move(answer));
    return cache.find(start, about("a"))->ttl;
  };
  for (const std::chrono::seconds more : {-1s, 0s, 1s}) {
    CHECK(kept(found(limits::dns_longest_ttl + more)) ==
          std::min<std::chrono::seconds>(limits::dns_longest_ttl, limits::dns_longest_ttl + more));
    CHECK(kept(missing(limits::dns_longest_negative_ttl + more)) ==
          std::min<std::chrono::seconds>(limits::dns_longest_negative_ttl,
                                         limits::dns_longest_negative_ttl + more));
  }
}

TEST_CASE("dns_cache: every kind of content weighs", "[transport][dns]") {
  const auto weight = [](dns_record::content_type content) {
    dns_cache cache;
    dns_answer answer = found(60s, 0);
    answer.records.push_back({answer.canonical, dns_type::a, dns_internet, 1, std::move(content)});
    cache.store(start, about("a"), answer);
    return cache.bytes();
  };
  const std::size_t least = weight(address());
  CHECK(weight(std::vector<std::byte>(1000)) == least + 1000);
  CHECK(weight(dns_broken_record{std::vector<std::byte>(1000), "why"}) == least + 1003);
  CHECK(weight(name("example.org")) == least + 13);
  CHECK(weight(dns_soa{.primary = name("a"), .mailbox = name("b")}) == least + 6);
  https_record service{.priority = 1};
  const std::size_t plain = weight(service);
  service.ech.resize(1000);
  CHECK(weight(service) == plain + 1000);
  service.mandatory = {1, 2};
  CHECK(weight(service) == plain + 1004);
  service.ipv4_hints = {address::loopback_v4(0)};
  service.ipv6_hints = {address::loopback_v6(0)};
  CHECK(weight(service) == plain + 1004 + 2 * sizeof(address));
  service.alpn = {std::string(100, 'a')};
  CHECK(weight(service) >= plain + 1100);
  service.others = {{9, std::vector<std::byte>(100)}};
  CHECK(weight(service) >= plain + 1200);
}

TEST_CASE("dns_cache: names weigh, too", "[transport][dns]") {
  const auto weight = [](std::string_view asked, std::string_view canonical,
                         std::string_view owner) {
    dns_cache cache;
    dns_answer answer = found(60s, 1);
    answer.canonical = name(canonical);
    answer.records[0].owner = name(owner);
    cache.store(start, about(asked), answer);
    return cache.bytes();
  };
  const std::size_t least = weight("a", "a", "a");
  CHECK(weight("aaa", "a", "a") == least + 4);
  CHECK(weight("a", "aaa", "a") == least + 2);
  CHECK(weight("a", "a", "aaa") == least + 2);
}

TEST_CASE("dns_cache: any order of use keeps the books", "[transport][dns]") {
  strata::testkit::fake_random random(7);
  dns_cache cache({.entries = 20, .bytes = 20'000});
  time_point now = start;
  for (int step = 0; step < 20'000; ++step) {
    now += std::chrono::seconds(random.below(3));
    const auto question = about("host" + std::to_string(random.below(60)));
    if (random.happens(0.5)) {
      cache.store(now, question, found(std::chrono::seconds(random.below(100)), random.below(5)));
    } else if (const auto answer = cache.find(now, question)) {
      REQUIRE(answer->ttl >= 1s);
      REQUIRE(answer->ttl <= 100s);
    }
    REQUIRE(cache.entries() <= 20);
    REQUIRE(cache.bytes() <= 20'000);
    REQUIRE((cache.entries() == 0) == (cache.bytes() == 0));
  }
  cache.clear();
  CHECK(cache.entries() == 0);
  CHECK(cache.bytes() == 0);
}
