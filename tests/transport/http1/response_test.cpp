// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "heads.hpp"

using namespace strata::transport;
using namespace strata::transport::tests;

namespace {

http1_framing framing_of(std::string_view status, std::string_view lines,
                         const http1_exchange& answered = {}) {
  const outcome seen = response(
      "HTTP/1.1 " + std::string(status) + " x\r\n" + std::string(lines) + "\r\n", answered);
  INFO(status << " " << lines);
  REQUIRE(seen.is_done());
  return seen.head().framing();
}

}  // namespace

TEST_CASE("http1_head: a response is taken apart", "[transport][http1]") {
  const outcome seen = response("HTTP/1.0 404 Not  found\xe4\r\nServer: x\r\n\r\nbody");
  REQUIRE(seen.is_done());
  CHECK(seen.head().kind() == http1_kind::response);
  CHECK(seen.head().status_line().status == 404);
  CHECK(seen.head().status_line().version == http1_version::v1_0);
  CHECK(seen.head().status_line().reason == "Not  found\xe4");
  CHECK(seen.head().find("server") == "x");
  CHECK(response("HTTP/1.1 200 \r\n\r\n").head().status_line().reason.empty());
  CHECK(response("HTTP/1.1 200\r\n\r\n").head().status_line().reason.empty());
  CHECK(response("HTTP/1.1 999 x\r\n\r\n").is_done());
}

TEST_CASE("http1_head: status lines of another shape are refused", "[transport][http1]") {
  for (const std::string_view line :
       {"HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 20x OK",
        "HTTP/1.1 099 x", "HTTP/1.1 000 x", "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK",
        "HTTP/1.1 200\tOK", "http/1.1 200 OK", "HTTP/1.1 +20 OK", "HTTP/1.1 200 O\x01K",
        "HTTP/1.1 200 O\rK", "ICY 200 OK", "200 OK"}) {
    INFO(line);
    CHECK(response(std::string(line) + "\r\n\r\n").error == errc::malformed);
  }
  CHECK(response("HTTP/2.0 200 OK\r\n\r\n").error == errc::not_supported);
}

TEST_CASE("http1_head: what follows a response", "[transport][http1]") {
  CHECK(framing_of("200", "") == http1_framing{http1_body::until_close, 0, false});
  CHECK(framing_of("200", "Content-Length: 3\r\n") == http1_framing{http1_body::length, 3, true});
  CHECK(framing_of("200", "Transfer-Encoding: chunked\r\n") ==
        http1_framing{http1_body::chunked, 0, true});
  CHECK_FALSE(framing_of("200", "Content-Length: 3\r\nConnection: close\r\n").persistent);
  CHECK(framing_of("205", "").body == http1_body::until_close);
}

TEST_CASE("http1_head: responses that never have content", "[transport][http1]") {
  const http1_framing nothing{http1_body::none, 0, true};
  for (const char* status : {"100", "103", "199", "204", "304"}) {
    CHECK(framing_of(status, "") == nothing);
    CHECK(framing_of(status, "Content-Length: 5\r\n") == nothing);
  }
  CHECK(framing_of("304", "Transfer-Encoding: chunked\r\n") == nothing);
  for (const char* lines : {"", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"})
    CHECK(framing_of("200", lines, {.head = true}) == nothing);
  // RFC 9112 section 6.1.
  for (const char* status : {"100", "204"}) {
    const std::string text =
        "HTTP/1.1 " + std::string(status) + " x\r\nTransfer-Encoding: chunked\r\n\r\n";
    CHECK(response(text).error == errc::malformed);
  }
}

TEST_CASE("http1_head: a granted CONNECT ignores lengths and codings", "[transport][http1]") {
  const http1_exchange connect{.connect = true};
  const http1_framing tunnel{http1_body::tunnel, 0, false};
  for (const char* lines : {"", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n",
                            "Content-Length: x\r\nContent-Length: 2\r\nTransfer-Encoding: y\r\n"}) {
    CHECK(framing_of("200", lines, connect) == tunnel);
    CHECK(framing_of("299", lines, connect) == tunnel);
  }
  CHECK(framing_of("407", "Content-Length: 5\r\n", connect) ==
        http1_framing{http1_body::length, 5, true});
  CHECK(framing_of("300", "", connect).body == http1_body::until_close);
  CHECK(framing_of("103", "", connect).body == http1_body::none);
  CHECK(framing_of("200", "", {}).body == http1_body::until_close);
}

TEST_CASE("http1_head: 101 only where an upgrade was offered", "[transport][http1]") {
  const http1_framing tunnel{http1_body::tunnel, 0, false};
  CHECK(framing_of("101", "", {.upgrade = true}) == tunnel);
  CHECK(framing_of("101", "Content-Length: 4\r\n", {.upgrade = true}) == tunnel);
  CHECK(framing_of("200", "", {.upgrade = true}).body == http1_body::until_close);
  CHECK(response("HTTP/1.1 101 x\r\n\r\n").error == errc::malformed);
  CHECK(response("HTTP/1.1 101 x\r\n\r\n", {.connect = true, .upgrade = true}).error ==
        errc::malformed);
}

TEST_CASE("http1_head: a parser reads interim responses, then the last", "[transport][http1]") {
  const std::string text =
      "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!";
  http1_head_parser parser = http1_head_parser::of_responses({.head = true});
  const auto first = parser.receive(as_bytes(text));
  REQUIRE(first);
  CHECK(parser.head().status_line().status == 103);
  parser.restart();
  CHECK(parser.receive(as_bytes(text).subspan(*first)));
  CHECK(parser.head().framing().body == http1_body::none);
  parser.restart({});
  CHECK(parser.receive(as_bytes(text).subspan(*first)) == text.size() - *first - 1);
  CHECK(parser.head().framing().body == http1_body::length);
}

TEST_CASE("http1_head: after an interim response the final one comes, whatever it says",
          "[transport][http1]") {
  for (const char* status : {"100", "103", "199"}) {
    CHECK(framing_of(status, "Connection: close\r\n").persistent);
    CHECK(response("HTTP/1.0 " + std::string(status) + " x\r\n\r\n").head().framing().persistent);
  }
  CHECK_FALSE(framing_of("204", "Connection: close\r\n").persistent);
  CHECK_FALSE(framing_of("101", "", {.upgrade = true}).persistent);
}

TEST_CASE("http1_head: a response needs no Host and may have any", "[transport][http1]") {
  CHECK(ok_with("Host: a\r\nHost: b b\r\n").is_done());
}
