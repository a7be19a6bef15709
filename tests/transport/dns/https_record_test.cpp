// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/https_record.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "octets.hpp"
#include "strata/transport/core/dns_message.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

using namespace strata::transport;
using strata::testkit::name;
using strata::testkit::octets;

namespace {

constexpr std::string_view foo_example_com = "03'foo'07'example'03'com'00";
constexpr std::string_view foo_example_org = "03'foo'07'example'03'org'00";

/// A response whose one answer is an SVCB record with this content.
std::vector<std::byte> response(const std::vector<std::byte>& content) {
  auto out = octets("0000 8180 0000 0001 0000 0000 07'example'03'com'00 0040 0001 00000e10");
  out.push_back(static_cast<std::byte>(content.size() >> 8));
  out.push_back(static_cast<std::byte>(content.size()));
  out.insert(out.end(), content.begin(), content.end());
  return out;
}

dns_record::content_type content_of(const std::vector<std::byte>& octets) {
  const auto decoded = decode_dns_message(response(octets));
  REQUIRE(decoded);
  REQUIRE(decoded->answers.size() == 1);
  CHECK(encode_dns_message(*decoded).value() == response(octets));
  return decoded->answers.front().content;
}

https_record read(std::string_view target, std::string_view rest) {
  const auto content = content_of(octets(std::string(target) + std::string(rest)));
  if (const auto* broken = std::get_if<dns_broken_record>(&content)) FAIL(broken->reason);
  return std::get<https_record>(content);
}

std::string broken(std::string_view parameters) {
  const auto content = content_of(octets("0001 00" + std::string(parameters)));
  const auto* found = std::get_if<dns_broken_record>(&content);
  return found == nullptr ? "accepted" : found->reason;
}

}  // namespace

TEST_CASE("https_record: the vectors of RFC 9460 appendix D", "[transport][dns]") {
  SECTION("AliasMode") {
    const auto record = read("0000", foo_example_com);
    CHECK(record.is_alias());
    CHECK(record.target == name("foo.example.com"));
    CHECK(describe(record) == "0 foo.example.com.");
  }
  SECTION("the owner as target") {
    const auto record = read("0001", "00");
    CHECK_FALSE(record.is_alias());
    CHECK(record.target.is_root());
    CHECK(describe(record) == "1 .");
  }
  SECTION("a port") {
    const auto record = read("0010", std::string(foo_example_com) + "0003 0002 0035");
    CHECK(record.priority == 16);
    CHECK(record.port == 53);
    CHECK(describe(record) == "16 foo.example.com. port=53");
  }
  SECTION("a generic key") {
    const auto record = read("0001", std::string(foo_example_com) + "029b 0005 'hello'");
    REQUIRE(record.others.size() == 1);
    CHECK(record.others[0] == https_parameter{667, octets("'hello'")});
    CHECK(describe(record) == "1 foo.example.com. key667=hello");
  }
  SECTION("a generic key with an octet that is escaped") {
    const auto record = read("0001", std::string(foo_example_com) + "029b 0009 'hello'd2'qoo'");
    CHECK(describe(record) == "1 foo.example.com. key667=hello\\210qoo");
  }
  SECTION("two IPv6 hints") {
    const auto record = read("0001", std::string(foo_example_com) +
                                         "0006 0020 20010db8000000000000000000000001"
                                         "20010db8000000000000000000530001");
    CHECK(describe(record) == "1 foo.example.com. ipv6hint=2001:db8::1,2001:db8::53:1");
  }
  SECTION("an IPv6 hint with an IPv4 address in it") {
    const auto record = read("0001",
                             "07'example'03'com'00"
                             "0006 0010 20010db8012203440000 0000c0000221");
    REQUIRE(record.ipv6_hints.size() == 1);
    CHECK(record.ipv6_hints[0] == address::parse_ip("2001:db8:122:344::192.0.2.33", 0).value());
  }
  SECTION("keys in their order") {
    const auto record = read("0010", std::string(foo_example_org) +
                                         "0000 0004 0001 0004"
                                         "0001 0009 02'h2'05'h3-19'"
                                         "0004 0004 c0000201");
    CHECK(record.mandatory == std::vector<std::uint16_t>{1, 4});
    CHECK(record.alpn == std::vector<std::string>{"h2", "h3-19"});
    CHECK(record.ipv4_hints == std::vector{address::parse_ip("192.0.2.1", 0).value()});
    CHECK(describe(record) ==
          "16 foo.example.org. mandatory=alpn,ipv4hint alpn=h2,h3-19 ipv4hint=192.0.2.1");
    CHECK(is_compatible(record));
  }
  SECTION("a protocol with a comma and a backslash") {
    const auto record =
        read("0010", std::string(foo_example_org) + "0001 000c 08'f\\oo,bar'02'h2'");
    CHECK(record.alpn == std::vector<std::string>{"f\\oo,bar", "h2"});
    CHECK(describe(record) == "16 foo.example.org. alpn=f\\092\\092oo\\092,bar,h2");
  }
}

TEST_CASE("https_record: what appendix D calls wrong is broken", "[transport][dns]") {
  // RFC 9460 section 2.2: one malformed record makes the whole set useless.
  CHECK(broken("007b 0003 'abc' 007b 0003 'def'") ==
        "its keys are not in increasing order: key123 after key123");
  CHECK(broken("0000 0000") == "mandatory is empty");
  CHECK(broken("0001 0000") == "alpn is empty");
  CHECK(broken("0003 0000") == "port is not two octets");
  CHECK(broken("0004 0000") == "ipv4hint is empty");
  CHECK(broken("0006 0000") == "ipv6hint is empty");
  CHECK(broken("0001 0003 02'h2' 0002 0003 'abc'") == "no-default-alpn has a value");
  CHECK(broken("0000 0002 007b") == "mandatory key123 is missing");
  CHECK(broken("0000 0002 0000") == "mandatory names itself");
  CHECK(broken("0000 0004 007b 007b 007b 0003 'abc'") ==
        "mandatory has keys that are not in increasing order");
}

TEST_CASE("https_record: other ways to be broken", "[transport][dns]") {
  CHECK(broken("0003 0002 0035 0001 0003 02'h2'") ==
        "its keys are not in increasing order: alpn after port");
  CHECK(broken("0003") == "it ends within a parameter");
  CHECK(broken("0003 0002 35") == "it ends within a parameter");
  CHECK(broken("0003 0003 003500") == "port is not two octets");
  CHECK(broken("0001 0002 02'h'") == "alpn ends within a protocol");
  CHECK(broken("0001 0001 00") == "alpn has an empty protocol");
  CHECK(broken("0004 0005 c000020100") == "ipv4hint ends within an address");
  CHECK(broken("0006 0004 c0000201") == "ipv6hint ends within an address");
  CHECK(broken("0000 0003 000100") == "mandatory ends within a key");
  CHECK(broken("0005 0000") == "ech is empty");
  CHECK(broken("0002 0000") == "no-default-alpn without alpn");
  // The priority alone, a target that is cut short, and one that is compressed.
  const auto faulty = [](std::string_view text) {
    return std::get<dns_broken_record>(content_of(octets(text))).reason;
  };
  CHECK(faulty("00") == "the message is cut short");
  CHECK(faulty("0001") == "the message is cut short");
  CHECK(faulty("0001 03'fo'") == "the message is cut short");
  CHECK(faulty("0001 c00c") == "a compressed name where none may be");
  CHECK(faulty("0000 03'foo'c00c") == "a compressed name where none may be");
}

TEST_CASE("https_record: parameters of AliasMode are ignored", "[transport][dns]") {
  // RFC 9460 section 2.4.2: parameters of AliasMode are ignored.
  const auto decoded = decode_dns_message(response(octets("0000 03'foo'00 0003 0001 35 ffff")));
  REQUIRE(decoded);
  const auto& record = std::get<https_record>(decoded->answers[0].content);
  CHECK(record == https_record{.target = name("foo")});
}

TEST_CASE("https_record: a key that is mandatory and unknown", "[transport][dns]") {
  const auto record = read("0001", "00 0000 0002 029b 029b 0000");
  CHECK_FALSE(is_compatible(record));
  CHECK(is_compatible(read("0001", "00 029b 0000")));
  CHECK(is_compatible(read("0001", "00 0000 0004 00040005 0004 0004 c0000201 0005 0002 0000")));
}

TEST_CASE("https_record: all keys together, and an ECHConfigList as base64", "[transport][dns]") {
  const auto record = read("0001",
                           "00 0000 0002 0003 0001 0003 02'h3' 0002 0000 0003 0002 20fb"
                           "0004 0004 c0000201 0005 0003 010203"
                           "0006 0010 00000000000000000000ffffc0000202 0007 0002 '/d'");
  CHECK(record.no_default_alpn);
  CHECK(record.port == 8443);
  CHECK(record.ech == octets("010203"));
  CHECK(describe(record) ==
        "1 . mandatory=port alpn=h3 no-default-alpn port=8443 ipv4hint=192.0.2.1 ech=AQID "
        "ipv6hint=::ffff:192.0.2.2 key7=/d");
}

TEST_CASE("https_record: hints beyond the limit are left out", "[transport][dns]") {
  const auto with = [](std::size_t count, bool ipv6) {
    auto content = octets(ipv6 ? "0001 00 0006" : "0001 00 0004");
    const std::size_t size = count * (ipv6 ? 16 : 4);
    content.push_back(static_cast<std::byte>(size >> 8));
    content.push_back(static_cast<std::byte>(size));
    content.resize(content.size() + size);
    const auto decoded = decode_dns_message(response(content));
    REQUIRE(decoded);
    const auto& record = std::get<https_record>(decoded->answers[0].content);
    return ipv6 ? record.ipv6_hints.size() : record.ipv4_hints.size();
  };
  for (const bool ipv6 : {false, true}) {
    CHECK(with(limits::max_dns_addresses - 1, ipv6) == limits::max_dns_addresses - 1);
    CHECK(with(limits::max_dns_addresses, ipv6) == limits::max_dns_addresses);
    CHECK(with(limits::max_dns_addresses + 1, ipv6) == limits::max_dns_addresses);
  }
}

TEST_CASE("https_record: what cannot be read is not written", "[transport][dns]") {
  const auto writes = [](const https_record& record) {
    dns_message message;
    message.answers.push_back({name("example.org"), dns_type::https, dns_internet, 60, record});
    return encode_dns_message(message).has_value();
  };
  https_record record{.priority = 1};
  CHECK(writes(record));
  CHECK(writes({.priority = 1, .alpn = {std::string(254, 'a'), std::string(255, 'a')}}));
  CHECK_FALSE(writes({.priority = 1, .alpn = {""}}));
  CHECK_FALSE(writes({.priority = 1, .alpn = {std::string(256, 'a')}}));
  CHECK_FALSE(writes({.priority = 1, .ipv4_hints = {address::loopback_v6(0)}}));
  CHECK_FALSE(writes({.priority = 1, .ipv6_hints = {address()}}));
  CHECK_FALSE(writes({.priority = 1, .others = {{6, {}}}}));
  CHECK_FALSE(writes({.priority = 1, .others = {{8, {}}, {8, {}}}}));
}

TEST_CASE("https_record: an alias is written without parameters", "[transport][dns]") {
  const auto written = [](const https_record& record) {
    dns_message message;
    message.answers.push_back({name("example.org"), dns_type::https, dns_internet, 60, record});
    return encode_dns_message(message).value();
  };
  CHECK(written({.target = name("a"), .port = 1}) == written({.target = name("a")}));
  CHECK(written({.priority = 1, .target = name("a"), .port = 1}) !=
        written({.priority = 1, .target = name("a")}));
}

TEST_CASE("https_record: a message that ends anywhere within one is too large",
          "[transport][dns]") {
  const https_record record{.priority = 1, .target = name("a"), .alpn = {"h3"}, .port = 1};
  dns_message message;
  message.answers = {{{}, static_cast<dns_type>(257), 1, 1, {}},
                     {{}, dns_type::https, dns_internet, 60, record}};
  const std::size_t empty = encode_dns_message(message).value().size();
  for (std::size_t beyond = 0; beyond <= 35; ++beyond) {
    message.answers[0].content = std::vector<std::byte>(limits::max_dns_message - empty + beyond);
    const auto encoded = encode_dns_message(message);
    CHECK(encoded.has_value() == (beyond == 0));
    if (!encoded) CHECK(encoded.error().code == errc::message_too_large);
  }
}
