// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/dns_name.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "octets.hpp"
#include "strata/transport/core/error.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::transport;
using strata::testkit::fake_random;
using strata::testkit::name;

namespace {

std::string label(std::size_t size) { return std::string(size, 'a'); }

/// A name of exactly so many octets on the wire.
std::string name_of(std::size_t size) {
  std::string out;
  for (size -= 1; size > 64; size -= 64) out += label(63) + ".";
  return out + label(size - 1);
}

}  // namespace

TEST_CASE("dns_name: text and labels", "[transport][dns]") {
  const dns_name host = name("www.Example.org");
  CHECK(host.labels() == "\3www\7Example\3org");
  CHECK(host.wire_size() == 17);
  CHECK(host.string() == "www.Example.org");
  CHECK(name("www.example.org.") == host);
  CHECK_FALSE(host.is_root());
  CHECK(name(".").is_root());
  CHECK(name(".") == dns_name());
  CHECK(dns_name().string() == ".");
  CHECK(dns_name().wire_size() == 1);
}

TEST_CASE("dns_name: what cannot stand in text is escaped, both ways", "[transport][dns]") {
  const dns_name odd = dns_name::from_labels(std::string_view("\6a.b\0\xff \1\\", 9)).value();
  CHECK(odd.string() == "a\\.b\\000\\255\\032.\\\\");
  CHECK(name(odd.string()).is_exactly(odd));
  CHECK(name("\\097b").string() == "ab");
  CHECK(name("x\\\"y").string() == "x\\\"y");
  CHECK(name("\\126\\127").string() == "~\\127");
}

TEST_CASE("dns_name: refuses text that is no name", "[transport][dns]") {
  for (const std::string text :
       {"", "..", ".a", "a..b", "a..", "a b", "a\tb", "a\x7f", "a\\", "a\\1", "a\\25", "a\\256",
        "a\\ b", "a\\2x5", "a\\1/1", "a\\10/", "a\\\x7f"}) {
    INFO(text);
    const auto parsed = dns_name::parse(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error() == errc::invalid_argument);
  }
  CHECK_FALSE(dns_name::parse(std::string_view("a\0b", 3)));
  // An escape ends where the text does, whatever lies behind it in memory.
  for (const std::string_view cut : {"a\\", "a\\0", "a\\09"}) {
    const std::vector<char> exact(cut.begin(), cut.end());
    CHECK_FALSE(dns_name::parse(std::string_view(exact.data(), exact.size())));
  }
}

TEST_CASE("dns_name: labels of 63 octets and names of 255", "[transport][dns]") {
  CHECK(dns_name::parse(label(62)));
  CHECK(dns_name::parse(label(63)));
  CHECK_FALSE(dns_name::parse(label(64)));
  CHECK_FALSE(dns_name::parse(label(64) + ".a"));
  CHECK(dns_name::parse(name_of(254)).value().wire_size() == 254);
  CHECK(dns_name::parse(name_of(255)).value().wire_size() == 255);
  CHECK_FALSE(dns_name::parse(name_of(256)));
  CHECK_FALSE(dns_name::parse(name_of(255) + ".a"));
}

TEST_CASE("dns_name: refuses labels that do not fill the name", "[transport][dns]") {
  CHECK_FALSE(dns_name::from_labels("\2a"));
  CHECK_FALSE(dns_name::from_labels(std::string_view("\1a\0", 3)));
  CHECK_FALSE(dns_name::from_labels("\100" + label(64)));
  CHECK_FALSE(dns_name::from_labels("\1"));
  CHECK(dns_name::from_labels(""));
}

TEST_CASE("dns_name: compared without case, in ASCII only", "[transport][dns]") {
  CHECK(name("EXAMPLE.org") == name("example.ORG"));
  CHECK_FALSE(name("EXAMPLE.org").is_exactly(name("example.ORG")));
  CHECK(name("EXAMPLE.org").folded().is_exactly(name("example.org")));
  CHECK_FALSE(name("a\\064").folded() == name("a`"));
  CHECK_FALSE(name("a[") == name("a{"));
  CHECK_FALSE(name("\\195\\132") == name("\\195\\164"));
  // "a.b" as one label is another name than two labels.
  CHECK_FALSE(name("a\\.b") == name("a.b"));
}

TEST_CASE("dns_name: within a zone by whole labels", "[transport][dns]") {
  const dns_name zone = name("example.org");
  CHECK(name("example.org").is_within(zone));
  CHECK(name("a.b.EXAMPLE.org").is_within(zone));
  CHECK_FALSE(name("badexample.org").is_within(zone));
  CHECK_FALSE(name("org").is_within(zone));
  CHECK_FALSE(name("example.org.evil").is_within(zone));
  CHECK_FALSE(name("x\\007example\\003org").is_within(zone));
  CHECK(zone.is_within(dns_name()));
}

TEST_CASE("dns_name: the case of letters is shuffled and nothing else", "[transport][dns]") {
  fake_random random(1);
  const dns_name host = name("a1-z.example_example.org");
  std::size_t upper = 0;
  for (int i = 0; i < 100; ++i) {
    const dns_name shuffled = host.shuffled_case(random);
    CHECK(shuffled == host);
    CHECK(shuffled.folded().is_exactly(host));
    for (const char letter : shuffled.labels()) upper += letter >= 'A' && letter <= 'Z' ? 1 : 0;
  }
  CHECK(upper > 100 * 19 / 3);
  CHECK(upper < 100 * 19 * 2 / 3);
}

TEST_CASE("dns_name: one more label in front", "[transport][dns]") {
  CHECK(name("example.org").below("_8443").value() == name("_8443.example.org"));
  CHECK_FALSE(name("example.org").below(""));
  CHECK(name("example.org").below(label(62)));
  CHECK(name("example.org").below(label(63)));
  CHECK_FALSE(name("example.org").below(label(64)));
  CHECK(name(name_of(253)).below("a"));
  CHECK_FALSE(name(name_of(254)).below("a"));
}
