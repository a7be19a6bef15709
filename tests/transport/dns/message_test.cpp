// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/dns_message.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "octets.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

using namespace strata::transport;
using strata::testkit::name;
using strata::testkit::octets;

namespace {

constexpr std::string_view header = "0000 8180 0001 0001 0000 0000";
constexpr std::string_view question = "03'www'07'example'03'com'00 0001 0001";

dns_message decode(std::string_view text) {
  const auto decoded = decode_dns_message(octets(text));
  if (!decoded) FAIL(decoded.error().text);
  return *decoded;
}

std::string error_of(bytes input, errc code = errc::malformed) {
  const auto decoded = decode_dns_message(input);
  if (decoded) return "accepted";
  CHECK(decoded.error().code == code);
  return decoded.error().text;
}

std::string error_of(std::string_view text, errc code = errc::malformed) {
  return error_of(octets(text), code);
}

/// A response with these octets as its one answer, behind the question.
std::string answer(std::string_view record) {
  return std::string(header) + std::string(question) + std::string(record);
}

}  // namespace

TEST_CASE("dns_message: the query of RFC 8484 section 4.1.1", "[transport][dns]") {
  const dns_question asked{name("www.example.com"), dns_type::a};
  CHECK(encode_dns_query(asked, {.payload_size = 0}) ==
        octets("0000 0100 0001 0000 0000 0000 03777777076578616d706c6503636f6d00 0001 0001"));
}

TEST_CASE("dns_message: the answer of RFC 8484 section 4.2.2", "[transport][dns]") {
  const auto message = decode(
      "0000 8180 0001 0001 0000 0000 03777777076578616d706c6503636f6d00 001c 0001"
      "c00c 001c 0001 00000e7d 0010 20010db8abcd0012 0001000200030004");
  CHECK(message.header ==
        dns_header{.is_response = true, .recursion_desired = true, .recursion_available = true});
  CHECK(message.response_code == dns_response_code::no_error);
  CHECK(message.question == dns_question{name("www.example.com"), dns_type::aaaa});
  REQUIRE(message.answers.size() == 1);
  const dns_record& record = message.answers[0];
  CHECK(record.owner == name("www.example.com"));
  CHECK(record.ttl == 3709);
  CHECK(std::get<address>(record.content).ip_string() == "2001:db8:abcd:12:1:2:3:4");
}

TEST_CASE("dns_message: queries have EDNS(0) and fill whole blocks when asked to",
          "[transport][dns]") {
  const dns_question asked{name("www.example.com"), dns_type::https};
  const auto plain = encode_dns_query(asked, {.id = 0x1234});
  CHECK(plain == octets("1234 0100 0001 0000 0000 0001 03'www'07'example'03'com'00 0041 0001"
                        "00 0029 04d0 00000000 0000"));
  // RFC 8467 section 4.1: queries are padded to multiples of 128 octets.
  for (std::size_t size = 1; size <= 63; ++size) {
    const dns_question padded{name(std::string(size, 'a') + ".example"), dns_type::a};
    const auto query = encode_dns_query(padded, {.padding_block = 128});
    CHECK(query.size() == 128);
    CHECK(decode_dns_message(query).value().extension->padding.has_value());
  }
  const std::string part(60, 'a');
  const dns_question large{name(part + '.' + part + '.' + part), dns_type::a};
  CHECK(encode_dns_query(large, {.padding_block = 128}).size() == 256);
  // With 31 octets of header, fields and OPT: one less than a block, a block, and one more.
  for (const std::size_t size : {30u, 31u, 32u}) {
    const dns_question near{name(std::string(63, 'a') + '.' + std::string(size, 'a'))};
    CHECK(encode_dns_query(near, {.padding_block = 128}).size() == (size <= 31 ? 128 : 256));
  }
}

TEST_CASE("dns_message: everything there is, written and read again", "[transport][dns]") {
  dns_message message;
  message.header = {.id = 0xbeef,
                    .is_response = true,
                    .opcode = 5,
                    .authoritative = true,
                    .truncated = true,
                    .recursion_desired = true,
                    .recursion_available = true,
                    .authentic_data = true,
                    .checking_disabled = true};
  message.response_code = dns_response_code::bad_version;
  message.question = dns_question{name("example.org"), dns_type::https, 3};
  const auto add = [](std::vector<dns_record>& to, dns_type type, auto content) {
    to.push_back({name("a.example.org"), type, dns_internet, 300, content});
  };
  add(message.answers, dns_type::a, address::parse_ip("192.0.2.1", 0).value());
  add(message.answers, dns_type::aaaa, address::parse_ip("2001:db8::1", 0).value());
  add(message.answers, dns_type::aaaa, address::parse_ip("192.0.2.2", 0).value());
  add(message.answers, dns_type::cname, name("b.example.org"));
  add(message.answers, dns_type::ptr, name("p.example.org"));
  add(message.answers, static_cast<dns_type>(257), octets("000102"));
  message.answers.push_back({name("c"), dns_type::a, 3, 1, octets("ff")});
  add(message.authorities, dns_type::soa,
      dns_soa{name("ns.example.org"), name("root.example.org"), 1, 2, 3, 4, 5});
  add(message.authorities, dns_type::ns, name("ns.example.org"));
  add(message.additionals, dns_type::https,
      https_record{.priority = 1, .alpn = {"h3"}, .port = 8443, .ech = octets("0001")});
  message.extension = dns_extension{1400, 1, true, std::uint16_t{7}};
  const auto encoded = encode_dns_message(message);
  REQUIRE(encoded);
  const auto decoded = decode_dns_message(*encoded);
  REQUIRE(decoded);
  CHECK(*decoded == message);
  // Cut short anywhere, it is refused.
  for (std::size_t size = 0; size < encoded->size(); ++size)
    CHECK_FALSE(decode_dns_message(bytes(*encoded).first(size)));
}

TEST_CASE("dns_message: names point back to earlier names", "[transport][dns]") {
  const auto message = decode(answer("c010 0005 0001 00000001 0004 01'x'c00c"));
  CHECK(message.answers[0].owner == name("example.com"));
  CHECK(std::get<dns_name>(message.answers[0].content) == name("x.www.example.com"));
}

TEST_CASE("dns_message: names that point in a circle, forward or outside", "[transport][dns]") {
  // The owner of the answer begins at octet 33.
  const auto wrong = [](std::string_view name) {
    return error_of(answer(std::string(name) + "0001 0001 00000001 0004 c0000201"));
  };
  const std::string forward =
      "DNS message: in the answer section: a name points forward or at itself";
  CHECK(wrong("c021") == forward);
  CHECK(wrong("c022") == forward);
  CHECK(wrong("01'a'c021") == forward);
  CHECK(wrong("01'a'c023") == forward);
  CHECK(wrong("ffff") == forward);
  CHECK(error_of("0000 8180 0001 0000 0000 0000 c00c 0001 0001") ==
        "DNS message: in the question: a name points forward or at itself");
  // A pointer to one that points to itself: each has to lead further back.
  CHECK(error_of("0000 8180 0000 0002 0000 0000 00 0101 0001 00000001 0002 c017"
                 "c017 0001 0001 00000001 0004 c0000201") == forward);
  CHECK(wrong("40'a'") == "DNS message: in the answer section: a label of an unknown kind");
  CHECK(wrong("80'a'") == "DNS message: in the answer section: a label of an unknown kind");
}

TEST_CASE("dns_message: a pointer has fourteen bits", "[transport][dns]") {
  auto message = octets("0000 8180 0000 0003 0000 0000 00 0101 0001 00000000 2f00");
  message.resize(message.size() + 0x2f00);
  const std::size_t at = message.size();
  for (const auto& part :
       {octets("01'a'00 0101 0001 00000000 0000"),
        std::vector{static_cast<std::byte>(0xc0 | at >> 8), static_cast<std::byte>(at)},
        octets("0101 0001 00000000 0000")})
    message.insert(message.end(), part.begin(), part.end());
  const auto decoded = decode_dns_message(message);
  REQUIRE(decoded);
  CHECK(decoded->answers[2].owner == name("a"));
}

TEST_CASE("dns_message: a name ends where its first pointer does", "[transport][dns]") {
  // RFC 1035 section 4.1.4: what the pointer leads to is read, and then goes on behind it.
  const auto message = decode(
      "0000 8180 0000 0002 0000 0000 03'com'00 0005 0001 00000001 0006 03'www'c00c"
      "01'a'c01b 0002 0001 00000001 0004 01'b'c01b");
  CHECK(std::get<dns_name>(message.answers[0].content) == name("www.com"));
  CHECK(message.answers[1].owner == name("a.www.com"));
  CHECK(std::get<dns_name>(message.answers[1].content) == name("b.www.com"));
}

TEST_CASE("dns_message: each bit of the header is itself", "[transport][dns]") {
  const auto flags = [](std::string_view word) {
    return decode("0000" + std::string(word) + "0000 0000 0000 0000");
  };
  CHECK(flags("8000").header == dns_header{.is_response = true});
  CHECK(flags("4000").header == dns_header{.opcode = 8});
  CHECK(flags("0800").header == dns_header{.opcode = 1});
  CHECK(flags("0400").header == dns_header{.authoritative = true});
  CHECK(flags("0200").header == dns_header{.truncated = true});
  CHECK(flags("0100").header == dns_header{.recursion_desired = true});
  CHECK(flags("0080").header == dns_header{.recursion_available = true});
  CHECK(flags("0040").header == dns_header{});
  CHECK(flags("0020").header == dns_header{.authentic_data = true});
  CHECK(flags("0010").header == dns_header{.checking_disabled = true});
  for (const unsigned code : {0u, 1u, 8u, 15u}) {
    dns_message message;
    message.response_code = static_cast<dns_response_code>(code);
    CHECK(decode_dns_message(encode_dns_message(message).value()) == message);
  }
}

TEST_CASE("dns_message: octets up to the limit, read and written", "[transport][dns]") {
  // Header and root owner of one record with content of no known type.
  const auto of_size = [](std::size_t size) {
    dns_message message;
    message.answers.push_back({{}, static_cast<dns_type>(257), 1, 1, {}});
    message.answers[0].content = std::vector<std::byte>(size - 12 - 11);
    return message;
  };
  for (const std::size_t size : {limits::max_dns_message - 1, limits::max_dns_message}) {
    const auto encoded = encode_dns_message(of_size(size));
    REQUIRE(encoded);
    CHECK(encoded->size() == size);
    CHECK(decode_dns_message(*encoded) == of_size(size));
  }
  CHECK(encode_dns_message(of_size(limits::max_dns_message + 1)).error().code ==
        errc::message_too_large);
}

TEST_CASE("dns_message: pointers to pointers, up to the limit", "[transport][dns]") {
  // In the content of a record: the root, then pointers, each to the one before.
  const auto chain = [](std::size_t pointers) {
    auto out = octets("0000 8180 0000 0002 0000 0000 00 0101 0001 00000000");
    std::vector<std::byte> content(1);
    const std::size_t begin = out.size() + 2;
    for (std::size_t i = 0; i + 1 < pointers; ++i) {
      const std::size_t to = i == 0 ? begin : begin + 1 + 2 * (i - 1);
      content.push_back(static_cast<std::byte>(0xc0 | to >> 8));
      content.push_back(static_cast<std::byte>(to));
    }
    out.push_back(static_cast<std::byte>(content.size() >> 8));
    out.push_back(static_cast<std::byte>(content.size()));
    out.insert(out.end(), content.begin(), content.end());
    const std::size_t last = pointers == 1 ? begin : out.size() - 2;
    out.push_back(static_cast<std::byte>(0xc0 | last >> 8));
    out.push_back(static_cast<std::byte>(last));
    const auto rest = octets("0001 0001 00000001 0004 c0000201");
    out.insert(out.end(), rest.begin(), rest.end());
    return out;
  };
  CHECK(error_of(chain(1)) == "accepted");
  CHECK(error_of(chain(limits::max_dns_pointers - 1)) == "accepted");
  CHECK(error_of(chain(limits::max_dns_pointers)) == "accepted");
  CHECK(error_of(chain(limits::max_dns_pointers + 1)) ==
        "DNS message: in the answer section: a name of too many pointers");
}

TEST_CASE("dns_message: names put together stay below 256 octets", "[transport][dns]") {
  // The question has 1 + 63 four times, less one octet or none, and the answer adds to that.
  const auto with = [](std::size_t last, std::string_view front) {
    auto out = octets("0000 8180 0001 0001 0000 0000");
    for (const std::size_t size : {std::size_t{63}, std::size_t{63}, std::size_t{63}, last}) {
      out.push_back(static_cast<std::byte>(size));
      out.resize(out.size() + size, std::byte{'a'});
    }
    for (const auto& part :
         {octets("00 0001 0001"), octets(front), octets("c00c 0001 0001 00000001 0004 c0000201")})
      out.insert(out.end(), part.begin(), part.end());
    return out;
  };
  CHECK(error_of(with(58, "01'b'")) == "accepted");
  CHECK(error_of(with(59, "01'b'")) == "accepted");
  CHECK(error_of(with(60, "01'b'")) ==
        "DNS message: in the answer section: a name longer than 255 octets");
  CHECK(error_of(with(61, "")) == "accepted");
  CHECK(error_of(with(62, "")) == "DNS message: in the question: a name longer than 255 octets");
}

TEST_CASE("dns_message: content fits its type", "[transport][dns]") {
  const auto wrong = [](std::string_view rest) {
    return error_of(answer("c00c" + std::string(rest)));
  };
  const std::string shorter =
      "DNS message: in the answer section: a record whose content is cut short or has a broken "
      "name";
  const std::string longer =
      "DNS message: in the answer section: a record with more content than its type has";
  CHECK(wrong("0001 0001 00000001 0003 c00002") == shorter);
  CHECK(wrong("0001 0001 00000001 0005 c000020100") == longer);
  CHECK(wrong("001c 0001 00000001 0004 c0000201") == shorter);
  CHECK(wrong("0005 0001 00000001 0001 c0") == shorter);
  CHECK(wrong("0005 0001 00000001 0003 c00c00") == longer);
  CHECK(wrong("0006 0001 00000001 0004 c00cc00c") == shorter);
  // A name ends with its record, though there are octets after it.
  CHECK(error_of("0000 8180 0000 0002 0000 0000 00 0005 0001 00000001 0003 05'ab'"
                 "'cde'00 0101 0001 00000001 0000") == shorter);
}

TEST_CASE("dns_message: the shape of the whole", "[transport][dns]") {
  CHECK(error_of("0000 8180 0001 0000 0000 00") == "DNS message: shorter than its header");
  CHECK(error_of("0000 8180 0002 0000 0000 0000") == "DNS message: more than one question");
  CHECK(error_of(answer("c00c 0001 0001 00000001 0004 c0000201 00")) ==
        "DNS message: octets after the last record");
  const auto empty = decode("0000 8180 0000 0000 0000 0000");
  CHECK_FALSE(empty.question);
  std::vector<std::byte> large(limits::max_dns_message + 1);
  CHECK(error_of(large, errc::limit_exceeded) == "DNS message: more than 65,535 octets");
}

TEST_CASE("dns_message: as many records as the limit", "[transport][dns]") {
  const auto with = [](std::size_t records) {
    auto out = octets("0000 8180 0000");
    // Over all three sections.
    for (const std::size_t count : {records - 2, std::size_t{1}, std::size_t{1}}) {
      out.push_back(static_cast<std::byte>(count >> 8));
      out.push_back(static_cast<std::byte>(count));
    }
    const auto record = octets("00 0101 0001 00000001 0000");
    for (std::size_t i = 0; i < records; ++i) out.insert(out.end(), record.begin(), record.end());
    return out;
  };
  const auto most = decode_dns_message(with(limits::max_dns_records));
  const auto fewer = decode_dns_message(with(limits::max_dns_records - 1));
  REQUIRE(fewer);
  CHECK(encode_dns_message(*fewer).value() == with(limits::max_dns_records - 1));
  REQUIRE(most);
  CHECK(error_of(with(limits::max_dns_records + 1), errc::limit_exceeded) ==
        "DNS message: 1025 records");
  CHECK(encode_dns_message(*most).value() == with(limits::max_dns_records));
  auto more = *most;
  more.answers.push_back(more.answers.front());
  CHECK(encode_dns_message(more).error().code == errc::limit_exceeded);
}

TEST_CASE("dns_message: a TTL with its highest bit set is none", "[transport][dns]") {
  CHECK(decode(answer("c00c 0001 0001 7fffffff 0004 c0000201")).answers[0].ttl == 0x7fffffff);
  CHECK(decode(answer("c00c 0001 0001 80000000 0004 c0000201")).answers[0].ttl == 0);
  CHECK(decode(answer("c00c 0001 0001 ffffffff 0004 c0000201")).answers[0].ttl == 0);
}

TEST_CASE("dns_message: OPT says more about the message", "[transport][dns]") {
  const std::string start = "0000 8182 0000 0000 0000";
  const auto message =
      decode(start + "0001 00 0029 04d0 01 00 8000 000c 000c 0002 0000 000a 0002 abcd");
  CHECK(message.response_code == static_cast<dns_response_code>(18));
  CHECK(describe(message.response_code) == "RCODE18");
  CHECK(message.additionals.empty());
  CHECK(message.extension == dns_extension{1232, 0, true, std::uint16_t{2}});
  CHECK(decode(start + "0001 00 0029 04d0 00 02 4000 0006 000a 0002 abcd").extension ==
        dns_extension{1232, 2, false, std::nullopt});
  CHECK(error_of(start + "0002 00 0029 04d0 00000000 0000 00 0029 04d0 00000000 0000") ==
        "DNS message: in the additional section: two OPT records");
  CHECK(error_of(start + "0001 01'a'00 0029 04d0 00000000 0000") ==
        "DNS message: in the additional section: an OPT record that is not of the root");
  CHECK(error_of(start + "0001 00 0029 04d0 00000000 0003 000c 00") ==
        "DNS message: in the additional section: an OPT record that ends within an option");
  CHECK(error_of(start + "0001 00 0029 04d0 00000000 0004 000c 0001") ==
        "DNS message: in the additional section: an OPT record that ends within an option");
  CHECK(error_of("0000 8182 0000 0001 0000 0000 00 0029 04d0 00000000 0000") ==
        "DNS message: in the answer section: an OPT record outside of the additional section");
}

TEST_CASE("dns_message: what is written fits", "[transport][dns]") {
  dns_message message;
  const auto add = [&](dns_type type, dns_record::content_type content) {
    message.answers = {{name("a"), type, dns_internet, 1, std::move(content)}};
    const auto encoded = encode_dns_message(message);
    return encoded ? std::error_code() : encoded.error().code;
  };
  CHECK(add(dns_type::a, address::loopback_v6(0)) == errc::invalid_argument);
  CHECK(add(dns_type::aaaa, address()) == errc::invalid_argument);
  CHECK(add(dns_type::cname, address::loopback_v4(0)) == errc::invalid_argument);
  CHECK(add(dns_type::a, name("b")) == errc::invalid_argument);
  CHECK(add(dns_type::a, dns_soa()) == errc::invalid_argument);
  CHECK(add(dns_type::a, https_record()) == errc::invalid_argument);
  const auto opaque = static_cast<dns_type>(999);
  message.response_code = dns_response_code::bad_version;
  CHECK(add(opaque, std::vector<std::byte>()) == errc::invalid_argument);
  message.response_code = dns_response_code::no_error;
  // 12 of the header, 3 of the name, 10 of the record's other fields.
  CHECK_FALSE(add(opaque, std::vector<std::byte>(65'535 - 25)));
  CHECK(add(opaque, std::vector<std::byte>(65'535 - 24)) == errc::message_too_large);
}

TEST_CASE("dns_message: names of types and codes", "[transport][dns]") {
  CHECK(describe(dns_type::a) == "A");
  CHECK(describe(dns_type::https) == "HTTPS");
  CHECK(describe(static_cast<dns_type>(257)) == "TYPE257");
  CHECK(describe(dns_response_code::name_error) == "NXDOMAIN");
  CHECK(describe(dns_response_code::server_failure) == "SERVFAIL");
}
