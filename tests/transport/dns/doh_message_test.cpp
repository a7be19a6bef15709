// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/doh_message.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "octets.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

using namespace strata::transport;
using namespace std::chrono_literals;
using strata::testkit::name;

TEST_CASE("doh_message: the paths of RFC 8484 section 4.1.1", "[transport][dns][doh]") {
  const auto path = [](std::string_view host, std::string_view of = "/dns-query") {
    return doh_path(of, encode_dns_query({name(host), dns_type::a}, {.payload_size = 0}));
  };
  CHECK(path("www.example.com") == "/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB");
  CHECK(
      path("a.62characterlabel-makes-base64url-distinct-from-standard-base64.example.com") ==
      "/dns-query?dns=AAABAAABAAAAAAAAAWE-NjJjaGFyYWN0ZXJsYWJlbC1tYWtlcy1iYXNlNjR1cmwtZGlzdGluY3Qt"
      "ZnJvbS1zdGFuZGFyZC1iYXNlNjQHZXhhbXBsZQNjb20AAAEAAQ");
  CHECK(path(".", "/q?ct=1").starts_with("/q?ct=1&dns=AAAB"));
}

TEST_CASE("doh_message: requests of HTTP/1.1", "[transport][dns][doh]") {
  std::string out;
  REQUIRE(append_doh_request(out, {"dns.test", "/dns-query"}, as_bytes("abc")));
  CHECK(out ==
        "POST /dns-query HTTP/1.1\r\nHost: dns.test\r\nAccept: application/dns-message\r\n"
        "Content-Type: application/dns-message\r\nContent-Length: 3\r\n\r\nabc");
  out.clear();
  REQUIRE(append_doh_request(out, {"dns.test", "/dns-query?dns=AAAA"}, {}));
  CHECK(out ==
        "GET /dns-query?dns=AAAA HTTP/1.1\r\nHost: dns.test\r\nAccept: "
        "application/dns-message\r\n\r\n");
  out.clear();
  const auto refused = append_doh_request(out, {"dns.test\r\nX: y", "/"}, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == errc::invalid_argument);
  CHECK_FALSE(append_doh_request(out, {"dns.test", "no path"}, {}));
  CHECK_FALSE(append_doh_request(out, {"dns.test", "no path"}, as_bytes("abc")));
  CHECK(out.empty());
}

TEST_CASE("doh_message: what a reply has to be", "[transport][dns][doh]") {
  const auto judged = [](unsigned status, std::string_view type, std::string_view age = "") {
    return judge_doh_reply({status, type, age});
  };
  CHECK(judged(200, doh_media_type) == 0s);
  CHECK(judged(200, "application/DNS-message ; x=y", "7") == 7s);
  CHECK(judged(200, doh_media_type, "4294967295") == 4294967295s);
  CHECK(judged(200, doh_media_type, "4294967296") == 24h * 365);
  CHECK(judged(200, doh_media_type, "7x") == 0s);
  CHECK(judged(206, doh_media_type).error() == errc::name_server_failed);
  CHECK(judged(200, "application/dns-messag").error() == errc::protocol_error);
  CHECK(judged(200, "").error() == errc::protocol_error);
}

TEST_CASE("doh_message: content up to the limit, however it is delimited",
          "[transport][dns][doh]") {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\n";
  const auto read = [](const std::string& response) -> std::error_code {
    doh_reply_reader reader;
    const auto taken = reader.receive(as_bytes(response));
    if (!taken) return taken.error();
    const auto ended = reader.receive_end();
    return ended ? std::error_code() : ended.error();
  };
  for (const std::size_t size : {limits::max_dns_message - 1, limits::max_dns_message}) {
    const std::string content(size, 'x');
    CHECK_FALSE(read(head + "Content-Length: " + std::to_string(size) + "\r\n\r\n" + content));
    CHECK_FALSE(read(head + "\r\n" + content));
    CHECK_FALSE(read(head + "Transfer-Encoding: chunked\r\n\r\nff\r\n" + content.substr(0, 255) +
                     "\r\n0\r\n\r\n"));
  }
  const std::string more(limits::max_dns_message + 1, 'x');
  CHECK(read(head + "Content-Length: 65536\r\n\r\n" + more) == errc::message_too_large);
  CHECK(read(head + "\r\n" + more) == errc::message_too_large);
  CHECK(read(head + "Transfer-Encoding: chunked\r\n\r\n10000\r\n" + more) ==
        errc::message_too_large);
  CHECK(read(head + "Content-Length: 3\r\n\r\nab") == errc::truncated);
  CHECK(read("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"));
}

TEST_CASE("doh_message: responses before the one that counts, up to the limit",
          "[transport][dns][doh]") {
  const auto with = [](unsigned interim) {
    std::string response;
    for (unsigned i = 0; i < interim; ++i)
      response += i % 2 == 0 ? "HTTP/1.1 100 Continue\r\n\r\n" : "HTTP/1.1 199 So\r\n\r\n";
    response +=
        "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nContent-Length: 1\r\n\r\na";
    doh_reply_reader reader;
    const auto taken = reader.receive(as_bytes(response));
    return taken && reader.is_done() ? std::error_code() : taken.error();
  };
  CHECK_FALSE(with(limits::max_doh_interim_responses - 1));
  CHECK_FALSE(with(limits::max_doh_interim_responses));
  CHECK(with(limits::max_doh_interim_responses + 1) == errc::limit_exceeded);
}

TEST_CASE("doh_message: a reply without content, and one that ends with its connection",
          "[transport][dns][doh]") {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\n";
  doh_reply_reader empty;
  CHECK(empty.receive(as_bytes(head + "Content-Length: 0\r\n\r\nHTTP")) == head.size() + 21);
  CHECK(empty.is_done());
  CHECK(empty.receive_end());
  CHECK(empty.message().empty());
  doh_reply_reader at_once;
  CHECK(at_once.receive(as_bytes(head + "Content-Length: 0\r\n\r\n")));
  CHECK(at_once.is_done());
  doh_reply_reader open;
  CHECK(open.receive(as_bytes(head + "\r\nab")) == head.size() + 4);
  CHECK_FALSE(open.is_done());
  CHECK(open.receive_end());
  CHECK(open.is_done());
  CHECK_FALSE(open.is_persistent());
  CHECK(as_text(open.message()) == "ab");
  doh_reply_reader nothing;
  CHECK(nothing.receive_end().error() == errc::truncated);
}

TEST_CASE("doh_message: bytes beyond the reply are not taken", "[transport][dns][doh]") {
  const std::string one =
      "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nContent-Length: 2\r\n\r\nab";
  doh_reply_reader reader;
  CHECK(reader.receive(as_bytes(one + one)) == one.size());
  CHECK(reader.is_done());
  CHECK(reader.is_persistent());
  CHECK(as_text(reader.message()) == "ab");
  doh_reply_reader closing;
  const std::string last =
      "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nConnection: close\r\n"
      "Content-Length: 2\r\n\r\nab";
  CHECK(closing.receive(as_bytes(last)) == last.size());
  CHECK_FALSE(closing.is_persistent());
}
