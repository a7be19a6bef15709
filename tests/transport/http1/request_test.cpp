// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "heads.hpp"

using namespace strata::transport;
using namespace strata::transport::tests;
using namespace std::string_literals;

namespace {

constexpr std::string_view simple =
    "GET /where?q=now HTTP/1.1\r\nHost: example.com\r\nAccept:  text/html, */*\t "
    "\r\nX-Empty:\r\n\r\n";

}  // namespace

TEST_CASE("http1_head: a request is taken apart", "[transport][http1]") {
  const std::string text = std::string(simple) + "and more";
  const outcome seen = request(text);
  REQUIRE(seen.is_done());
  CHECK(seen.consumed == simple.size());
  const http1_head& head = seen.head();
  CHECK(head.kind() == http1_kind::request);
  CHECK(head.request_line().method == "GET");
  CHECK(head.request_line().target == "/where?q=now");
  CHECK(head.request_line().version == http1_version::v1_1);
  REQUIRE(head.size() == 3);
  CHECK(head[0].name == "Host");
  CHECK(head[0].value == "example.com");
  CHECK(head[1].value == "text/html, */*");
  CHECK(head[2].name == "X-Empty");
  CHECK(head[2].value.empty());
  CHECK(head.find("accept") == "text/html, */*");
  CHECK(head.find("none") == std::nullopt);
  CHECK(head.count("HOST") == 1);
  CHECK(head.framing() == http1_framing{http1_body::none, 0, true});
}

TEST_CASE("http1_head: every way to cut a request gives the same head", "[transport][http1]") {
  for (std::size_t step = 1; step <= simple.size(); ++step) {
    const outcome seen = request(simple, step);
    REQUIRE(seen.is_done());
    CHECK(seen.consumed == simple.size());
    REQUIRE(seen.head().size() == 3);
    CHECK(seen.head()[1].value == "text/html, */*");
  }
  for (std::size_t size = 0; size < simple.size(); ++size) {
    const outcome seen = request(simple.substr(0, size));
    CHECK_FALSE(seen.is_done());
    CHECK_FALSE(seen.error);
    CHECK(seen.consumed == size);
    CHECK(seen.parser.is_idle() == (size == 0));
  }
}

TEST_CASE("http1_head: a head that was moved keeps its text", "[transport][http1]") {
  outcome seen = request("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const http1_head moved = std::move(seen.parser).head();
  seen.parser.restart();
  CHECK(moved.request_line().method == "GET");
  CHECK(moved[0].value == "a");
}

TEST_CASE("http1_head: a parser reads one head after another", "[transport][http1]") {
  const std::string two =
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /2 HTTP/1.0\r\n\r\n";
  http1_head_parser parser = http1_head_parser::of_requests();
  const auto first = parser.receive(as_bytes(two));
  REQUIRE(first);
  CHECK(parser.head().framing() == http1_framing{http1_body::length, 5, true});
  CHECK(parser.receive(as_bytes(two)) == 0);
  parser.restart();
  CHECK(parser.is_idle());
  REQUIRE(parser.receive(as_bytes(two).subspan(*first)) == two.size() - *first);
  CHECK(parser.is_done());
  CHECK(parser.head().request_line().target == "/2");
  CHECK(parser.head().size() == 0);
  CHECK(parser.head().framing() == http1_framing{});
}

TEST_CASE("http1_head: one empty line before a request is skipped", "[transport][http1]") {
  CHECK(request("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", GENERATE(1u, 2u, 100u)).is_done());
  CHECK(request("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").error == errc::malformed);
  CHECK(request("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").error == errc::malformed);
  CHECK(response("\r\nHTTP/1.1 200 OK\r\n\r\n").error == errc::malformed);
}

TEST_CASE("http1_head: request lines of another shape are refused", "[transport][http1]") {
  for (const std::string_view line : {"GET",
                                      "GET /",
                                      "GET  / HTTP/1.1",
                                      "GET /  HTTP/1.1",
                                      " GET / HTTP/1.1",
                                      "GET / HTTP/1.1 ",
                                      "GET\t/ HTTP/1.1",
                                      "GET /\tHTTP/1.1",
                                      "G(T / HTTP/1.1",
                                      "GET / HTTP/1",
                                      "GET / HTTP/1.1.1",
                                      "GET / http/1.1",
                                      "GET / HTTP/1,1",
                                      "GET / HTTPS/1.1",
                                      "GET / HTTP/11",
                                      "GET / HTTP/01.1",
                                      "GET / \rHTTP/1.1",
                                      "/ HTTP/1.1",
                                      "GET HTTP/1.1",
                                      "GET / HTTP/+1.1",
                                      "GET /a b HTTP/1.1"}) {
    INFO(line);
    const outcome seen = request(std::string(line) + "\r\nHost: a\r\n\r\n");
    CHECK(seen.error == errc::malformed);
    CHECK(seen.status() == 400);
  }
}

TEST_CASE("http1_head: versions other than 1.0 and 1.1 are named so", "[transport][http1]") {
  for (const std::string_view version : {"0.9", "1.2", "1.9", "2.0", "3.0"}) {
    const outcome seen = request("GET / HTTP/" + std::string(version) + "\r\nHost: a\r\n\r\n");
    CHECK(seen.error == errc::not_supported);
    CHECK(seen.status() == 505);
  }
}

TEST_CASE("http1_head: a failed parser stays failed", "[transport][http1]") {
  outcome seen = request("GET / HTTP/1.1\r\nHost : a\r\n\r\n");
  CHECK(seen.error == errc::malformed);
  const auto again = seen.parser.receive(as_bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  REQUIRE_FALSE(again);
  CHECK(again.error() == errc::malformed);
  CHECK_FALSE(seen.parser.receive(as_bytes("X: y\r\n\r\n")));
  seen.parser.restart();
  CHECK(seen.parser.problem() == nullptr);
  CHECK(seen.parser.receive(as_bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
}

TEST_CASE("http1_head: targets in the four forms", "[transport][http1]") {
  const auto origin = parse_http1_target("GET", "/a?b=c/d:e");
  REQUIRE(origin);
  CHECK(origin->form == http1_target_form::origin);
  CHECK(origin->path == "/a?b=c/d:e");
  CHECK(origin->authority.empty());

  const auto absolute = parse_http1_target("GET", "http://example.com:8080/a?b");
  REQUIRE(absolute);
  CHECK(absolute->form == http1_target_form::absolute);
  CHECK(absolute->scheme == "http");
  CHECK(absolute->host == "example.com");
  CHECK(absolute->port == 8080);
  CHECK(absolute->authority == "example.com:8080");
  CHECK(absolute->path == "/a?b");
  CHECK(parse_http1_target("GET", "http://a")->path.empty());
  CHECK(parse_http1_target("GET", "http://a?q")->path == "?q");
  CHECK(parse_http1_target("GET", "svn+ssh://a/b")->scheme == "svn+ssh");

  const auto six = parse_http1_target("CONNECT", "[2001:db8::1]:443");
  REQUIRE(six);
  CHECK(six->form == http1_target_form::authority);
  CHECK(six->host == "2001:db8::1");
  CHECK(six->port == 443);

  CHECK(parse_http1_target("GET", "http://a%C3%a4/")->host == "a%C3%a4");
  CHECK(parse_http1_target("OPTIONS", "*")->form == http1_target_form::asterisk);
}

TEST_CASE("http1_head: bad targets are refused", "[transport][http1]") {
  for (const std::string_view target : {"",
                                        "*",
                                        "a",
                                        "example.com",
                                        "example.com:80",
                                        "?a",
                                        "/a#b",
                                        "/a b",
                                        "/\x7f",
                                        "/\xc3\xa4",
                                        "http:/a",
                                        "http://",
                                        "http:///a",
                                        "http://:80/",
                                        "http://a:/",
                                        "http://a:65536/",
                                        "http://a:8o/",
                                        "http://a:+1/",
                                        "http://u@a/",
                                        "http://u:p@a/",
                                        "http://[::1/",
                                        "1http://a/",
                                        "http://[::1%25eth0]/",
                                        "http://[::1%1]/",
                                        "http://[v1.a]/",
                                        "http://[1.2.3.4]/",
                                        "http://a\\b/",
                                        "http://a%2/",
                                        "http://a%zz/",
                                        "://a",
                                        "http://a#b",
                                        "http://[::1]a/"}) {
    INFO(target);
    CHECK_FALSE(parse_http1_target("GET", target));
  }
  for (const std::string_view target : {"", "*", "/", "a", "a:", "a:0", "a:65536", ":80", "u@a:1",
                                        "http://a:80", "a:80/", "::1:80", "[::1]", "a:00000080"}) {
    INFO(target);
    CHECK_FALSE(parse_http1_target("CONNECT", target));
  }
  CHECK_FALSE(parse_http1_target("GET", "/a\0b"s));
  CHECK(request("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n").status() == 400);
}

TEST_CASE("http1_head: a request of HTTP/1.1 has one Host that is one", "[transport][http1]") {
  const auto with = [](std::string_view lines, std::string_view version = "1.1") {
    return request("GET / HTTP/" + std::string(version) + "\r\n" + std::string(lines) + "\r\n");
  };
  CHECK(with("").status() == 400);
  CHECK(with("", "1.0").is_done());
  CHECK(with("Host:\r\n").is_done());
  CHECK(with("host: a_b.example:80\r\n").is_done());
  CHECK(with("Host: [::1]:80\r\n").is_done());
  CHECK(with("Host: a\r\nhost: a\r\n").status() == 400);
  CHECK(with("Host: a\r\nHost: b\r\n", "1.0").status() == 400);
  for (const std::string_view value :
       {"a, b", "a b", "u@a", "a/b", "a:b", "a:", "http://a", "a#", "\"a\""}) {
    INFO(value);
    CHECK(with("Host: " + std::string(value) + "\r\n").status() == 400);
  }
}

TEST_CASE("http1_head: field names are tokens and nothing else", "[transport][http1]") {
  for (const char* lines : {": a\r\n", "A B: c\r\n", "A : b\r\n", "A\t: b\r\n", "A\r\n",
                            "A(: b\r\n", "\"A\": b\r\n", "A/B: c\r\n", "A@: b\r\n", "A[: b\r\n",
                            "\xc3\xa4: b\r\n", "A\x01: b\r\n", "A;: b\r\n", "A={}: b\r\n"}) {
    INFO(lines);
    CHECK(post_with(lines).status() == 400);
  }
  CHECK(post_with("!#$%&'*+-.^_`|~09azAZ: b\r\n").is_done());
}

TEST_CASE("http1_head: field values have no control characters", "[transport][http1]") {
  for (unsigned octet = 0; octet < 256; ++octet) {
    if (octet == '\n') continue;
    const bool allowed = octet == '\t' || (octet >= 0x20 && octet != 0x7f);
    const std::string line = "A: x" + std::string(1, static_cast<char>(octet)) + "y\r\n";
    INFO(octet);
    CHECK(post_with(line).is_done() == allowed);
  }
}

TEST_CASE("http1_head: lists are compared by element and without case", "[transport][http1]") {
  const outcome seen = post_with("Connection: keep-alive , UPGRADE\r\nconnection: ,x-a,\r\n");
  REQUIRE(seen.is_done());
  CHECK(seen.head().has_token("Connection", "upgrade"));
  CHECK(seen.head().has_token("connection", "X-A"));
  CHECK_FALSE(seen.head().has_token("connection", "x"));
  CHECK_FALSE(seen.head().has_token("connection", "keep"));
  CHECK_FALSE(seen.head().has_token("upgrade", "upgrade"));
}

TEST_CASE("http1_head: Connection says whether the connection goes on", "[transport][http1]") {
  CHECK(post_with("").head().framing().persistent);
  CHECK_FALSE(post_with("Connection: Close\r\n").head().framing().persistent);
  CHECK_FALSE(post_with("Connection: a\r\nConnection: b,CLOSE\r\n").head().framing().persistent);
  CHECK(post_with("Connection: closed\r\n").head().framing().persistent);
  CHECK_FALSE(
      request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").head().framing().persistent);
  CHECK(post_with("Connection: a b\r\n").status() == 400);
}

TEST_CASE("http1_head: what follows a request", "[transport][http1]") {
  const auto framing = [](std::string_view lines) { return post_with(lines).head().framing(); };
  CHECK(framing("") == http1_framing{http1_body::none, 0, true});
  CHECK(framing("Content-Length: 0\r\n") == http1_framing{http1_body::length, 0, true});
  CHECK(framing("content-length: 0012\r\n") == http1_framing{http1_body::length, 12, true});
  CHECK(framing("Transfer-Encoding: chunked\r\n") == http1_framing{http1_body::chunked, 0, true});
  CHECK(framing("transfer-encoding: ChunKed\r\n").body == http1_body::chunked);
  const outcome tunnel = request(
      "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: x\r\nTransfer-Encoding: y\r\n\r\nz");
  REQUIRE(tunnel.is_done());
  CHECK(tunnel.head().framing() == http1_framing{http1_body::tunnel, 0, false});
}

TEST_CASE("http1_head: what an intermediary must not forward", "[transport][http1]") {
  const outcome seen = post_with(
      "Connection: close, X-Auth, Content-Length, Host\r\nKeep-Alive: 1\r\nx-auth: s\r\n"
      "Proxy-Authorization: b\r\nTE: trailers\r\nUpgrade: h2c\r\nContent-Length: 0\r\nX-Other: "
      "o\r\n");
  REQUIRE(seen.is_done());
  std::string kept;
  for (std::size_t i = 0; i < seen.head().size(); ++i)
    if (!seen.head().is_hop_by_hop(i)) kept += std::string(seen.head()[i].name) + " ";
  CHECK(kept == "Host Content-Length X-Other ");
}

TEST_CASE("http1_head: a head as large as the limit and one byte more",
          "[transport][http1][limits]") {
  constexpr std::size_t most = limits::max_http1_head_bytes;
  const auto head_of = [](std::size_t size) {
    const std::string begin = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    return begin + std::string(size - begin.size() - 4, 'x') + "\r\n\r\n";
  };
  for (const std::size_t step : {std::size_t{1}, std::size_t{1000}, SIZE_MAX}) {
    CHECK(request(head_of(most - 1), step).is_done());
    CHECK(request(head_of(most), step).is_done());
    const outcome beyond = request(head_of(most + 1), step);
    CHECK(beyond.error == errc::limit_exceeded);
    CHECK(beyond.status() == 431);
  }
  const outcome endless = request(std::string(most + 1, 'G'), 7);
  CHECK(endless.error == errc::limit_exceeded);
  CHECK(endless.status() == 414);
}

TEST_CASE("http1_head: as many fields as the limit and one more", "[transport][http1][limits]") {
  const auto with = [](std::size_t count) {
    std::string lines;
    for (std::size_t i = 1; i < count; ++i) lines += "X:\r\n";
    return post_with(lines);
  };
  CHECK(with(limits::max_http1_fields - 1).is_done());
  CHECK(with(limits::max_http1_fields).is_done());
  CHECK(with(limits::max_http1_fields + 1).error == errc::limit_exceeded);
  CHECK(with(limits::max_http1_fields + 1).status() == 431);
}

TEST_CASE("http1_head: as many Connection options as the limit and one more",
          "[transport][http1][limits]") {
  const auto with = [](std::size_t count) {
    std::string line = "Connection: a";
    for (std::size_t i = 1; i < count; ++i) line += ",a";
    return post_with(line + "\r\n");
  };
  CHECK(with(limits::max_http1_connection_options - 1).is_done());
  CHECK(with(limits::max_http1_connection_options).is_done());
  CHECK(with(limits::max_http1_connection_options + 1).error == errc::limit_exceeded);
}

TEST_CASE("http1_head: Content-Length up to its limit", "[transport][http1][limits]") {
  const auto with = [](std::string_view value) {
    return post_with("Content-Length: " + std::string(value) + "\r\n");
  };
  CHECK(with("9223372036854775806").head().framing().length ==
        limits::max_http1_content_length - 1);
  CHECK(with("9223372036854775807").head().framing().length == limits::max_http1_content_length);
  CHECK(with("9223372036854775808").error == errc::malformed);
}

TEST_CASE("http1_head: bounds of one's own", "[transport][http1]") {
  const http1_head_limits bounds{.bytes = 27, .fields = 1};
  const std::string_view fits = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  CHECK(feed(http1_head_parser::of_requests(bounds), fits).is_done());
  CHECK(feed(http1_head_parser::of_requests({.bytes = 26}), fits).status() == 431);
  CHECK(feed(http1_head_parser::of_requests({.fields = 0}), fits).status() == 431);
}
