// SPDX-License-Identifier: Apache-2.0
#include "core/field/section_checker.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

using namespace strata::h3;
using namespace strata::h3::core;

namespace {

using lines = std::vector<std::pair<std::string, std::string>>;

std::string verdict(section_kind kind, const lines& input, bool extended_connect = false) {
  field_section section;
  for (const auto& [name, value] : input) section.add(name, value);
  section_checker checker(kind, extended_connect);
  const char* reason = checker.check_all(section);
  return reason == nullptr ? "ok" : reason;
}

const lines get{
    {":method", "GET"}, {":scheme", "https"}, {":authority", "example.org"}, {":path", "/"}};

lines with(lines base, const lines& more) {
  base.insert(base.end(), more.begin(), more.end());
  return base;
}

lines without(const lines& base, std::string_view name) {
  lines result;
  for (const auto& line : base)
    if (line.first != name) result.push_back(line);
  return result;
}

lines replaced(lines base, std::string_view name, std::string value) {
  for (auto& line : base)
    if (line.first == name) line.second = value;
  return base;
}

std::string request(const lines& input) { return verdict(section_kind::request, input); }
std::string response(const lines& input) { return verdict(section_kind::response, input); }
std::string trailers(const lines& input) { return verdict(section_kind::trailers, input); }

}  // namespace

TEST_CASE("section_checker: any method token, any scheme and path of theirs is fine",
          "[h3][field]") {
  CHECK(request(get) == "ok");
  for (const char* method : {"QUERY", "PROPFIND", "M-SEARCH", "get", "!#$%&'*+-.^_`|~09azAZ"})
    CHECK(request(replaced(get, ":method", method)) == "ok");
  CHECK(request({{":method", "GET"}, {":scheme", "coap+tcp"}, {":path", ""}}) == "ok");
  CHECK(request(replaced(replaced(get, ":method", "OPTIONS"), ":path", "*")) == "ok");
  CHECK(request(with(without(get, ":authority"), {{"host", "example.org:443"}})) == "ok");
  CHECK(request(with(
            get,
            {{"host", "Example.org"}, {"cookie", "a=1"}, {"cookie", "b=2"}, {"te", "trailers"}})) ==
        "ok");
}

//= RFC 9114 section 4.3.1
//= type=test
//# All HTTP/3 requests MUST include exactly one value for the :method, :scheme,
//# and :path pseudo-header fields, unless the request is a CONNECT request;
TEST_CASE("section_checker H20: a missing or repeated pseudo-header field is malformed",
          "[h3][field][attack][H20]") {
  for (const char* name : {":method", ":scheme", ":authority", ":path"}) {
    INFO(name);
    CHECK(request(without(get, name)) != "ok");
    CHECK(request(with(get, {{name, "x"}})) == "repeated pseudo-header field");
  }
  CHECK(response({{":status", "200"}, {":status", "200"}}) == "repeated pseudo-header field");
}

//= RFC 9114 section 4.3
//= type=test
//# Endpoints MUST treat a
//# request or response that contains undefined or invalid pseudo-header fields as
//# malformed.
//= RFC 9114 section 4.3
//# Endpoints MUST NOT generate pseudo-header fields other than those defined in this document.
//= RFC 9114 section 4.3
//# Pseudo-header fields defined for requests MUST NOT appear in responses; pseudo-header fields
//# defined for responses MUST NOT appear in requests.
TEST_CASE(
    "section_checker H20: undefined pseudo-header fields, or those of the other direction, are "
    "malformed",
    "[h3][field][attack][H20]") {
  CHECK(request(with(get, {{":autority", "x"}})) == "undefined pseudo-header field");
  CHECK(request(with(get, {{":foo", "x"}})) == "undefined pseudo-header field");
  CHECK(request(with(get, {{":", "x"}})) == "undefined pseudo-header field");
  CHECK(request(with(get, {{":Path", "/"}})) == "undefined pseudo-header field");
  CHECK(request(with(get, {{":status", "200"}})) == "pseudo-header field of the other direction");
  for (const auto& [name, value] : get)
    CHECK(response({{":status", "200"}, {name, value}}) != "ok");
}

//= RFC 9114 section 4.3
//= type=test
//# Any request or response that contains a pseudo-header field that
//# appears in a header section after a regular header field MUST be treated as
//# malformed.
//= RFC 9114 section 4.3
//# All pseudo-header fields MUST appear in the header section before regular header fields.
TEST_CASE("section_checker H20: pseudo-header fields come first", "[h3][field][attack][H20]") {
  CHECK(request(with(with(without(get, ":path"), {{"accept", "*/*"}}), {{":path", "/"}})) ==
        "pseudo-header field after a regular field");
  CHECK(response({{"server", "x"}, {":status", "200"}}) != "ok");
}

//= RFC 9114 section 4.3.1
//# The authority MUST NOT include the deprecated userinfo subcomponent for URIs of scheme "http"
//# or "https".
//= RFC 9114 section 4.3.1
//# This pseudo-header field MUST NOT be empty for "http" or "https" URIs; "http" or "https" URIs
//# that do not contain a path component MUST include a value of / (ASCII 0x2f).
TEST_CASE("section_checker H20: empty and invalid pseudo-header values are malformed",
          "[h3][field][attack][H20]") {
  for (const char* path : {"", "a", "*", "/a b", "/a#b", "/\x01", "http://x/", "/\x7f", "/a\tb"}) {
    INFO(path);
    CHECK(request(replaced(get, ":path", path)) != "ok");
  }
  for (const char* method : {"", "GET ", "G\x01T", "G(T", "\"GET\""})
    CHECK(request(replaced(get, ":method", method)) != "ok");
  for (const char* scheme : {"", "1http", "ht tp", "https:"})
    CHECK(request(replaced(get, ":scheme", scheme)) != "ok");
  for (const char* authority :
       {"", "user@example.org", "a b", "a/b", "a\\b", "a?b", "a#b", "<x>", "a\"b"})
    CHECK(request(replaced(get, ":authority", authority)) != "ok");
}

//= RFC 9114 section 4.3.1
//= type=test
//# If both fields are present, they
//# MUST contain the same value.
//= RFC 9114 section 4.3.1
//# If the :scheme pseudo-header field identifies a scheme that has a mandatory authority component
//# (including "http" and "https"), the request MUST contain either an :authority pseudo-header
//# field or a Host header field.
//= RFC 9114 section 4.3.1
//# If these fields are present, they MUST NOT be empty.
TEST_CASE("section_checker H21: host and :authority agree, and one of them is there",
          "[h3][field][attack][H21]") {
  CHECK(request(with(get, {{"host", "example.net"}})) == "host differs from :authority");
  CHECK(request(with(get, {{"host", "example.org:443"}})) == "host differs from :authority");
  CHECK(request(with(get, {{"host", "example.org"}, {"host", "example.org"}})) == "repeated host");
  CHECK(request(without(get, ":authority")) == "neither :authority nor host");
  CHECK(request(with(without(get, ":authority"), {{"host", ""}})) == "empty host");
  CHECK(request(with(without(get, ":authority"), {{"host", "a@b"}})) == "invalid host");
}

//= RFC 9114 section 4.2
//= type=test
//# A request or response containing uppercase characters in field
//# names MUST be treated as malformed.
//= RFC 9114 section 10.3
//# Requests or responses containing invalid field names MUST be treated as malformed.
TEST_CASE("section_checker H21: every octet in a name is allowed or malformed as RFC 9110 says",
          "[h3][field][attack][H21]") {
  const std::string allowed = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
  for (int octet = 0; octet < 256; ++octet) {
    const char c = static_cast<char>(octet);
    const bool fine = allowed.find(c) != std::string::npos;
    INFO(octet);
    CHECK((request(with(get, {{std::string("x") + c, "v"}})) == "ok") == fine);
    CHECK((request(with(get, {{std::string("x-longer-name-") + c + "y", "v"}})) == "ok") == fine);
    if (c != ':') CHECK((trailers({{std::string(1, c), "v"}}) == "ok") == fine);
  }
  CHECK(request(with(get, {{"", "v"}})) == "empty field name");
  CHECK(request(with(get, {{"Content-Type", "v"}})) != "ok");
  CHECK(request(with(get, {{"content-typE", "v"}})) != "ok");
}

//= RFC 9114 section 10.3
//= type=test
//# Any request or
//# response that contains a character not permitted in a field value MUST be
//# treated as malformed.
TEST_CASE("section_checker H21: every octet in a value, at every place of a word",
          "[h3][field][attack][H21]") {
  for (int octet = 0; octet < 256; ++octet) {
    const bool fine = octet == '\t' || (octet >= 0x20 && octet != 0x7f);
    for (std::size_t place = 1; place < 19; ++place) {
      std::string value(20, 'v');
      value[place] = static_cast<char>(octet);
      if ((request(with(get, {{"x", value}})) == "ok") != fine)
        FAIL("octet " << octet << " at " << place);
    }
  }
  for (const char* value : {" v", "v ", "\tv", "v\t", " ", "\t"})
    CHECK(request(with(get, {{"x", value}})) == "invalid field value");
  CHECK(request(with(get, {{"x", ""}, {"y", "a b\tc"}})) == "ok");
}

//= RFC 9114 section 4.2
//= type=test
//# any message containing connection-specific fields
//# MUST be treated as malformed.
//= RFC 9114 section 4.1
//# the Transfer-Encoding header field MUST NOT be used
TEST_CASE("section_checker: connection-specific fields are malformed everywhere", "[h3][field]") {
  for (const char* name :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    INFO(name);
    CHECK(request(with(get, {{name, "x"}})) == "connection-specific field");
    CHECK(response({{":status", "200"}, {name, ""}}) == "connection-specific field");
    CHECK(trailers({{name, "close"}}) == "connection-specific field");
  }
}

//= RFC 9114 section 4.2
//= type=test
//# The only exception to this is the TE header field, which MAY be present in an
//# HTTP/3 request header; when it is, it MUST NOT contain any value other than
//# "trailers".
TEST_CASE("section_checker: te is trailers in a request and nothing else", "[h3][field]") {
  for (const char* value : {"", "gzip", "trailers, gzip", "Trailers"})
    CHECK(request(with(get, {{"te", value}})) == "invalid te");
  CHECK(response({{":status", "200"}, {"te", "trailers"}}) == "invalid te");
  CHECK(trailers({{"te", "trailers"}}) == "invalid te");
}

TEST_CASE("section_checker H17: content-length is digits, once", "[h3][field][attack][H17]") {
  for (const char* value : {"0", "10", "00010", "999999999999999999"})
    CHECK(request(with(get, {{"content-length", value}})) == "ok");
  for (const char* value :
       {"", "+1", "-1", "1,1", "1, 1", "0x1", "1.0", "1 ", "9999999999999999999"})
    CHECK(request(with(get, {{"content-length", value}})) != "ok");
  CHECK(request(with(get, {{"content-length", "5"}, {"content-length", "5"}})) ==
        "repeated content-length");
  CHECK(request(with(get, {{"content-length", "5"}, {"content-length", "6"}})) ==
        "repeated content-length");
  CHECK(trailers({{"content-length", "5"}}) != "ok");
}

//= RFC 9114 section 4.3.2
//= type=test
//# This pseudo-header
//# field MUST be included in all responses; otherwise, the response is malformed
TEST_CASE("section_checker H26: status is three digits from 100, not 101",
          "[h3][field][attack][H26]") {
  for (const char* status : {"100", "103", "200", "299", "404", "599", "999"})
    CHECK(response({{":status", status}}) == "ok");
  for (const char* status : {"", "20", "2000", "0200", "099", "2x0", "+20", "-20", " 20", "101"})
    CHECK(response({{":status", status}}) != "ok");
  CHECK(response({{"server", "x"}}) == "no :status");
  CHECK(response({}) == "no :status");
}

//= RFC 9114 section 4.3
//= type=test
//# Pseudo-header fields MUST NOT appear in trailer sections.
TEST_CASE("section_checker: trailers are plain fields", "[h3][field]") {
  CHECK(trailers({}) == "ok");
  CHECK(trailers({{"x-checksum", "1"}, {"server-timing", "a"}}) == "ok");
  CHECK(trailers({{":status", "200"}}) == "pseudo-header field in trailers");
  CHECK(trailers({{":path", "/"}}) == "pseudo-header field in trailers");
  CHECK(trailers({{"host", "x"}}) == "host in trailers");
}

//= RFC 9114 section 4.4
//= type=test
//# The :scheme and :path pseudo-header fields are omitted
//= RFC 9114 section 4.4
//# A CONNECT request MUST be constructed as follows:
TEST_CASE("section_checker H30: CONNECT names host and port and nothing more",
          "[h3][field][attack][H30]") {
  const lines connect{{":method", "CONNECT"}, {":authority", "example.org:443"}};
  CHECK(request(connect) == "ok");
  CHECK(request(with(connect, {{":path", "/"}})) == "CONNECT with :scheme or :path");
  CHECK(request(with(connect, {{":scheme", "https"}})) == "CONNECT with :scheme or :path");
  CHECK(request(without(connect, ":authority")) != "ok");
  for (const char* authority : {"example.org", "example.org:", ":443", "example.org:0",
                                "example.org:65536", "example.org:x", "a:999999"})
    CHECK(request(replaced(connect, ":authority", authority)) != "ok");
  CHECK(request(replaced(connect, ":authority", "[2001:db8::1]:65535")) == "ok");
}

TEST_CASE("section_checker H30: extended CONNECT is refused unless it was negotiated",
          "[h3][field][attack][H30]") {
  const lines extended = with(replaced(get, ":method", "CONNECT"), {{":protocol", "websocket"}});
  CHECK(verdict(section_kind::request, extended, true) == "ok");
  CHECK(request(extended) == ":protocol that was not negotiated");
  CHECK(verdict(section_kind::request, with(get, {{":protocol", "websocket"}}), true) ==
        ":protocol without CONNECT");
  CHECK(verdict(section_kind::request, without(extended, ":path"), true) != "ok");
  CHECK(verdict(section_kind::request, without(extended, ":scheme"), true) != "ok");
  CHECK(verdict(section_kind::request, without(extended, ":authority"), true) != "ok");
  CHECK(verdict(section_kind::request, replaced(extended, ":protocol", ""), true) != "ok");
}
