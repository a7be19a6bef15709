// SPDX-License-Identifier: Apache-2.0
// Attacks on HTTP/1 by their ids in tests/hostile/catalogue.md.
#include <array>
#include <catch2/catch_test_macros.hpp>

#include "heads.hpp"
#include "strata/transport/core/http1_chunked.hpp"

using namespace strata::transport;
using namespace strata::transport::tests;
using namespace std::string_literals;

namespace {

std::error_code decode_error(std::string_view body) {
  http1_chunked_decoder decoder;
  std::size_t at = 0;
  while (at < body.size() && !decoder.is_done()) {
    const auto piece = decoder.next(as_bytes(body.substr(at)));
    if (!piece) return piece.error();
    at += piece->consumed;
  }
  return {};
}

}  // namespace

TEST_CASE("http1: a head that trickles for ever ends at its limit", "[attack][P13]") {
  http1_head_parser parser = http1_head_parser::of_requests();
  std::size_t taken = 0;
  while (parser.receive(as_bytes("G"))) ++taken;
  CHECK(taken == limits::max_http1_head_bytes);
  CHECK(parser.problem()->status == 414);
}

TEST_CASE("http1: huge heads, thousands of fields, a line without end", "[attack][P14]") {
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 10'000; ++i) many += "A:\r\n";
  CHECK(request(many + "\r\n").status() == 431);
  CHECK(request("GET / HTTP/1.1\r\nHost: a\r\nA: " + std::string(64 << 10, 'x')).status() == 431);
  CHECK(request("GET /" + std::string(64 << 10, 'x')).status() == 414);
  CHECK(response("HTTP/1.1 200 " + std::string(64 << 10, 'x'), {.connect = true}).error ==
        errc::limit_exceeded);
  CHECK(response("HTTP/1.1 200 OK\r\nA: " + std::string(64 << 10, 'x'), {.connect = true}).error ==
        errc::limit_exceeded);
}

TEST_CASE("http1: two framings at once", "[attack][P15]") {
  for (const char* lines : {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                            "Transfer-Encoding: chunked\r\ncontent-length: 0\r\n"}) {
    CHECK(post_with(lines).error == errc::malformed);
    CHECK(ok_with(lines).error == errc::malformed);
    CHECK(ok_with(lines, {.head = true}).error == errc::malformed);
  }
}

TEST_CASE("http1: transfer codings that only some readers see", "[attack][P15]") {
  for (const std::string& value :
       {"chunked, chunked"s, "chunked,identity"s, "identity"s, "gzip, chunked"s, "chunked, gzip"s,
        "xchunked"s, "chunked;a=b"s, "\"chunked\""s, "chunked,"s, ", chunked"s, ""s, "chunked\x0b"s,
        "chunk ed"s, "chu\0nked"s}) {
    INFO(value);
    CHECK(post_with("Transfer-Encoding: " + value + "\r\n").error);
    CHECK(ok_with("Transfer-Encoding: " + value + "\r\n").error);
  }
  CHECK(post_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n").error);
  CHECK(post_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n").error);
  CHECK(post_with("Transfer-Encoding : chunked\r\n").error == errc::malformed);
  CHECK(post_with("Transfer-Encoding\t: chunked\r\n").error == errc::malformed);
  CHECK(post_with("X: y\nTransfer-Encoding: chunked\r\n").error == errc::malformed);
  CHECK(post_with("Transfer-Encoding:\r\n chunked\r\n").error == errc::malformed);
  CHECK(post_with(" Transfer-Encoding: chunked\r\n").error == errc::malformed);
  // A blank around the value is none of it (RFC 9112 section 5).
  CHECK(post_with("Transfer-Encoding: \t chunked \t\r\n").is_done());
  // Another field altogether.
  CHECK(post_with("Transfer_Encoding: chunked\r\n").head().framing().body == http1_body::none);
}

TEST_CASE("http1: lengths twice or odd", "[attack][P15]") {
  for (const std::string& value :
       {"+5"s, "-5"s, "0x5"s, "5 5"s, "5, 5"s, "5,5"s, ""s, "5."s, "5e0"s, "٥"s, "5;a"s,
        "18446744073709551621"s, "00000000000000000005"s, "5\0"s}) {
    INFO(value);
    CHECK(post_with("Content-Length: " + value + "\r\n").error == errc::malformed);
    CHECK(ok_with("Content-Length: " + value + "\r\n").error == errc::malformed);
  }
  for (const char* second : {"5", "6", "0"}) {
    const std::string lines =
        "Content-Length: 5\r\nContent-length: " + std::string(second) + "\r\n";
    CHECK(post_with(lines).error == errc::malformed);
    CHECK(ok_with(lines).error == errc::malformed);
  }
}

TEST_CASE("http1: a coding in a message of HTTP/1.0", "[attack][P15]") {
  CHECK(request("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").error == errc::malformed);
  CHECK(response("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").error == errc::malformed);
}

TEST_CASE("http1: line ends that only some readers see", "[attack][P15]") {
  for (const std::string& text :
       {"GET / HTTP/1.1\nHost: a\r\n\r\n"s, "GET / HTTP/1.1\r\nHost: a\n\r\n"s,
        "GET / HTTP/1.1\r\nHost: a\r\n\n"s, "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"s,
        "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"s, "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"s,
        "GET / HTTP/1.1\r\nHost: a\r\nX\0: y\r\n\r\n"s, "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s,
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"s, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"s,
        "GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n"s, "GET / HTTP/1.1\r\nHost: a\r\n\r \n"s}) {
    INFO(text);
    CHECK(request(text).error == errc::malformed);
  }
  for (const char* body :
       {"5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5;\nhello\r\n0\r\n\r\n", "0\r\n\n"})
    CHECK(decode_error(body) == errc::malformed);
}

TEST_CASE("http1: the absolute form wins over Host", "[attack][P15]") {
  const outcome seen = request("GET http://true.example/ HTTP/1.1\r\nHost: false.example\r\n\r\n");
  REQUIRE(seen.is_done());
  CHECK(seen.head().target().host == "true.example");
}

TEST_CASE("http1: a switch or a tunnel that the server did not grant", "[attack][P15]") {
  // The bytes after the request are its body, not the new protocol's, until a 101 has come.
  const outcome asked =
      post_with("Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 3\r\n");
  CHECK(asked.head().framing() == http1_framing{http1_body::length, 3, true});
  CHECK(response("HTTP/1.1 101 x\r\n\r\n").error == errc::malformed);
  CHECK(ok_with("Upgrade: websocket\r\nContent-Length: 1\r\n", {.upgrade = true})
            .head()
            .framing()
            .body == http1_body::length);
}

TEST_CASE("http1: a connection is not reused where somebody may still be speaking",
          "[attack][P16]") {
  CHECK_FALSE(request("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n").head().framing().persistent);
  CHECK_FALSE(ok_with("", {.connect = true}).head().framing().persistent);
  CHECK_FALSE(response("HTTP/1.1 101 x\r\n\r\n", {.upgrade = true}).head().framing().persistent);
  CHECK_FALSE(ok_with("").head().framing().persistent);
  CHECK_FALSE(ok_with("Content-Length: 1\r\nConnection: close\r\n").head().framing().persistent);
}

TEST_CASE("http1: what Connection names, and what it must not take away", "[attack][P17]") {
  const outcome seen = post_with(
      "X-Auth: 1\r\nCONNECTION: x-auth, host, content-length, Transfer-Encoding\r\nContent-Length: "
      "1\r\n"
      "Proxy-Authorization: Basic x\r\nProxy-Connection: x\r\nX-Real: 1\r\n");
  REQUIRE(seen.is_done());
  for (std::size_t i = 0; i < seen.head().size(); ++i) {
    const std::string_view name = seen.head()[i].name;
    const bool forwarded = name == "Host" || name == "Content-Length" || name == "X-Real";
    CHECK(seen.head().is_hop_by_hop(i) != forwarded);
  }
}

TEST_CASE("http1: Connection may come first, or more than once", "[attack][P17]") {
  const outcome seen = request(
      "GET / HTTP/1.1\r\nConnection: x-a\r\nHost: a\r\nX-A: 1\r\nX-B: 1\r\nConnection: "
      "X-B\r\n\r\n");
  REQUIRE(seen.is_done());
  CHECK(seen.head().is_hop_by_hop(2));
  CHECK(seen.head().is_hop_by_hop(3));
  CHECK_FALSE(seen.head().is_hop_by_hop(1));
}

TEST_CASE("http1: lists and chunks without end cost no stack and little time", "[attack][P18]") {
  const std::string commas(15'000, ',');
  const outcome seen = post_with("Connection: " + commas + "close\r\n");
  REQUIRE(seen.is_done());
  CHECK_FALSE(seen.head().framing().persistent);
  CHECK(seen.head().has_token("connection", "close"));
  std::string body;
  for (int i = 0; i < 100'000; ++i) body += "1\r\nx\r\n";
  CHECK_FALSE(decode_error(body + "0\r\n\r\n"));
}
