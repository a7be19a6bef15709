// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "proxy/inbound/forward_run.hpp"
#include "strata/proxy/core/limits.hpp"
#include "strata/transport/core/http1_chunked.hpp"

using namespace strata;
using namespace strata::proxy::core;
using namespace strata::proxy::core::testing;

namespace {

constexpr std::string_view via = "Via: 1.1 strata\r\n";
const std::string ok_five = response(200, "Content-Length: 5\r\n") + "hello";

/// What the origin gets for this request.
std::string forwarded(std::string_view request) {
  forward_run run(request);
  run.dial();
  return run.take_origin();
}

/// What the client of such a request gets when the origin says this, whatever the pieces; the
/// connection ends if `ends`.
std::string answered(const std::string& request, const std::string& text, bool ends = false) {
  std::string first;
  for (const std::size_t step :
       {std::size_t{100000}, std::size_t{1}, std::size_t{2}, std::size_t{7}}) {
    forward_run run(request, {}, step);
    run.dial();
    run.origin(text);
    CHECK(run.untaken_by_origin() == 0);
    if (ends) run.end_origin();
    const std::string got = run.take_client();
    // Chunks are as the pieces were.
    if (first.empty()) first = got;
    if (got.find("chunked") == got.npos) CHECK(got == first);
  }
  return first;
}

}  // namespace

TEST_CASE("http_forwarder: a request in the origin form, with the target's Host", "[proxy][http]") {
  for (const auto& [line, origin] :
       {std::pair("GET http://a.example/x?y", "GET /x?y HTTP/1.1\r\nHost: a.example\r\n"),
        std::pair("GET http://a:8080", "GET / HTTP/1.1\r\nHost: a:8080\r\n"),
        std::pair("GET http://[2001:db8::1]?q", "GET /?q HTTP/1.1\r\nHost: [2001:db8::1]\r\n"),
        std::pair("OPTIONS http://a:80", "OPTIONS * HTTP/1.1\r\nHost: a:80\r\n"),
        std::pair("OPTIONS http://a/", "OPTIONS / HTTP/1.1\r\nHost: a\r\n"),
        std::pair("OPTIONS http://a?q", "OPTIONS /?q HTTP/1.1\r\nHost: a\r\n"),
        std::pair("M-SEARCH HTTP://a/", "M-SEARCH / HTTP/1.1\r\nHost: a\r\n")}) {
    const std::string text = head_of(std::string(line) + " HTTP/1.1", "Host: other\r\nA: b\r\n");
    CHECK(forwarded(text) == std::string(origin) + "A: b\r\n" + std::string(via) + "\r\n");
  }
  CHECK(forwarded("GET http://a/ HTTP/1.0\r\n\r\n") ==
        "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 strata\r\n\r\n");
}

TEST_CASE("http_forwarder: whom it wants to be dialled", "[proxy][http]") {
  forward_run run(get("http://a.example:8080/"));
  REQUIRE(run.wants_dial());
  const request& asked = *run.forwarder.wanted();
  CHECK(asked.spoken == protocol::http);
  CHECK(asked.asked == command::forward);
  CHECK(asked.where.string() == "a.example:8080");
  CHECK(asked.user == "user");
  CHECK_FALSE(run.forwarder.wants_client());
  CHECK_FALSE(run.forwarder.wants_origin());
  CHECK(run.forwarder.to_origin().empty());
  CHECK_FALSE(run.forwarder.is_idle());
  run.dial();
  CHECK_FALSE(run.wants_dial());
  run.refuse(proxy::refusal::timed_out);
  CHECK(run.take_client().empty());
}

TEST_CASE("http_forwarder: responses with each framing", "[proxy][http]") {
  const std::string request = get("http://a/");
  const std::string old_request = "GET http://a/ HTTP/1.0\r\n\r\n";
  CHECK(answered(request, response(200, "A: b\r\nContent-Length: 5\r\nC: d\r\n") + "hello") ==
        response(200, "A: b\r\nC: d\r\nContent-Length: 5\r\n" + std::string(via)) + "hello");
  CHECK(answered(request, response(200, "Content-Length: 0\r\n")) ==
        response(200, "Content-Length: 0\r\n" + std::string(via)));
  const std::string chunked = response(200, "Transfer-Encoding: chunked\r\n");
  const std::string chunks = "5;x=y\r\nhello\r\n003\r\nyou\r\n0\r\nX: y\r\n\r\n";
  CHECK(answered(request, chunked + chunks) ==
        response(200, "Transfer-Encoding: chunked\r\n" + std::string(via)) +
            "5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n");
  CHECK(answered(old_request, chunked + chunks) ==
        response(200, "Connection: close\r\n" + std::string(via)) + "helloyou");
  CHECK(answered(request, response(200) + "until the end", true) ==
        response(200, "Transfer-Encoding: chunked\r\n" + std::string(via)) +
            "d\r\nuntil the end\r\n0\r\n\r\n");
  CHECK(answered(old_request, response(200) + "until the end", true) ==
        response(200, "Connection: close\r\n" + std::string(via)) + "until the end");
  CHECK(answered(old_request, ok_five) ==
        response(200, "Content-Length: 5\r\nConnection: close\r\n" + std::string(via)) + "hello");
  CHECK(answered(request, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi") ==
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nVia: 1.0 strata\r\n\r\nhi");
}

TEST_CASE("http_forwarder: a body byte by byte is the same in the end", "[proxy][http]") {
  for (const std::size_t step : {1u, 2u, 3u, 5u, 1000u}) {
    forward_run run(get("http://a/"), {}, step);
    run.dial();
    run.origin(response(200, "Transfer-Encoding: chunked\r\n") +
               "5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n");
    auto parser = transport::http1_head_parser::of_responses({});
    const std::string got = run.take_client();
    const auto head = parser.receive(as_bytes(got));
    REQUIRE(head);
    transport::http1_chunked_decoder decoder;
    std::string content;
    for (transport::bytes rest = as_bytes(got).subspan(*head); !rest.empty();) {
      const auto piece = decoder.next(rest);
      REQUIRE(piece);
      content += as_text(piece->content);
      rest = rest.subspan(piece->consumed);
    }
    CHECK(content == "helloyou");
    CHECK(decoder.is_done());
    CHECK(run.forwarder.is_idle());
  }
}

TEST_CASE("http_forwarder: responses that have no content", "[proxy][http]") {
  const std::string head = head_of("HEAD http://a/ HTTP/1.1", "Host: a\r\n");
  const std::string next = get("http://b/");
  for (const auto& [request, text, kept] :
       {std::tuple(head, response(200, "Content-Length: 5\r\n"), "Content-Length: 5\r\n"),
        std::tuple(head, response(200, "Transfer-Encoding: chunked\r\n"), ""),
        std::tuple(head, response(200), ""),
        std::tuple(next, response(304, "Content-Length: 7\r\n"), "Content-Length: 7\r\n"),
        std::tuple(next, response(304), ""), std::tuple(next, response(204), ""),
        std::tuple(next, response(204, "Content-Length: 7\r\n"), "")}) {
    INFO(text);
    forward_run run(request + next);
    run.dial();
    run.origin(text);
    const std::string status = text.substr(0, text.find("\r\n") + 2);
    CHECK(run.take_client() == status + std::string(kept) + std::string(via) + "\r\n");
    // It is over: the next request is wanted.
    REQUIRE(run.wants_dial());
    CHECK(run.forwarder.wanted()->where.string() == "b:80");
  }
}

TEST_CASE("http_forwarder: bodies of requests", "[proxy][http]") {
  for (const std::size_t step : {1u, 3u, 1000u}) {
    forward_run run(post("http://a/", "Content-Length: 5\r\n"), {}, step);
    run.client("hel");
    CHECK(run.untaken_by_client() == 3);
    run.dial();
    CHECK(run.take_origin() ==
          head_of("POST / HTTP/1.1", "Host: a\r\nContent-Length: 5\r\n" + std::string(via)) +
              "hel");
    run.client("loGET");
    CHECK(run.take_origin() == "lo");
    CHECK(run.untaken_by_client() == 3);
    CHECK_FALSE(run.forwarder.wants_client());
  }
  forward_run chunked(post("http://a/", "Transfer-Encoding: Chunked\r\nTrailer: X\r\n") +
                      "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\nGET");
  chunked.dial();
  CHECK(chunked.take_origin() ==
        head_of("POST / HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\n" + std::string(via)) +
            "5\r\nhello\r\n0\r\n\r\n");
  CHECK(chunked.untaken_by_client() == 3);
  CHECK(forwarded(post("http://a/", "Content-Length: 0\r\n")) ==
        head_of("POST / HTTP/1.1", "Host: a\r\nContent-Length: 0\r\n" + std::string(via)));
}

TEST_CASE("http_forwarder: what is of one hop only goes no further", "[proxy][http]") {
  constexpr std::string_view hop =
      "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
      "Proxy-Connection: keep-alive\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: websocket\r\n"
      "HTTP2-Settings: x\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n"
      "Proxy-Authenticate: Basic\r\nProxy-Authentication-Info: x\r\n";
  constexpr std::string_view kept =
      "Authorization: Basic x\r\nCookie: c\r\nX-Forwarded-For: 1.1.1.1\r\nVia: 1.0 other\r\n";
  CHECK(forwarded(get("http://a/", std::string(hop) + std::string(kept))) ==
        head_of("GET / HTTP/1.1", "Host: a\r\n" + std::string(kept) + std::string(via)));
  CHECK(answered(get("http://a/"), response(204, std::string(hop) + std::string(kept))) ==
        response(204, std::string(kept) + std::string(via)));
}

TEST_CASE("http_forwarder: one request after the other, each to its origin", "[proxy][http]") {
  forward_run run(get("http://a/1") + get("http://a/2") + get("http://b/3"));
  const std::size_t untaken = run.untaken_by_client();
  run.dial();
  CHECK(run.untaken_by_client() == untaken);
  CHECK(run.take_origin().starts_with("GET /1 "));
  CHECK_FALSE(run.forwarder.origin_reusable());
  run.origin(ok_five.substr(0, ok_five.size() - 1));
  CHECK(run.untaken_by_client() == untaken);
  run.origin("o");
  REQUIRE(run.wants_dial());
  CHECK(run.forwarder.origin_reusable());
  CHECK(run.forwarder.wanted()->where.string() == "a:80");
  CHECK(run.forwarder.wanted()->user.empty());
  run.dial();
  CHECK_FALSE(run.forwarder.origin_reusable());
  CHECK(run.take_origin().starts_with("GET /2 "));
  run.origin(response(200, "Content-Length: 0\r\nConnection: close\r\n"));
  REQUIRE(run.wants_dial());
  CHECK_FALSE(run.forwarder.origin_reusable());
  CHECK(run.forwarder.wanted()->where.string() == "b:80");
  run.dial();
  run.origin(ok_five);
  CHECK(run.forwarder.is_idle());
  CHECK(run.forwarder.wants_client());
  CHECK(run.forwarder.wants_origin());
  CHECK_FALSE(run.forwarder.finished());
  run.client("\r\nG");
  CHECK_FALSE(run.forwarder.is_idle());
  run.end_client();
  CHECK(run.forwarder.finished());
  CHECK_FALSE(run.forwarder.broken());
}

TEST_CASE("http_forwarder: a client that closes, and HTTP/1.0, get one answer", "[proxy][http]") {
  for (const std::string& text :
       {get("http://a/", "Connection: close\r\n"), std::string("GET http://a/ HTTP/1.0\r\n\r\n"),
        std::string("GET http://a/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")}) {
    forward_run run(text + get("http://b/"));
    run.dial();
    run.origin(ok_five);
    CHECK(run.take_client().find("\r\nConnection: close\r\n") != std::string::npos);
    CHECK(run.forwarder.finished());
    CHECK_FALSE(run.forwarder.broken());
    CHECK_FALSE(run.wants_dial());
    CHECK_FALSE(run.forwarder.wants_client());
  }
}

TEST_CASE("http_forwarder: expectations and interim responses are passed on", "[proxy][http]") {
  forward_run run(post("http://a/", "Expect: 100-continue\r\nContent-Length: 2\r\n"));
  run.dial();
  CHECK(run.take_origin().find("\r\nExpect: 100-continue\r\n") != std::string::npos);
  run.origin(response(100, "Content-Length: 3\r\nKeep-Alive: x\r\n") +
             response(103, "Link: x\r\n"));
  CHECK(run.take_client() == response(100, via) + response(103, "Link: x\r\n" + std::string(via)));
  run.client("hi");
  CHECK(run.take_origin() == "hi");
  run.origin(ok_five);
  CHECK(run.take_client().ends_with("hello"));
  CHECK(run.forwarder.is_idle());

  forward_run old("POST http://a/ HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
  old.dial();
  CHECK(old.take_origin().find("Expect") == std::string::npos);
  old.origin(response(100) + response(204));
  CHECK(old.take_client().starts_with("HTTP/1.1 204 "));
}

TEST_CASE("http_forwarder: as many interim responses as there may be", "[proxy][http]") {
  for (unsigned count = limits::max_forwarded_interim_responses - 1;
       count <= limits::max_forwarded_interim_responses + 1; ++count) {
    forward_run run(get("http://a/"));
    run.dial();
    for (unsigned i = 0; i < count; ++i) run.origin(response(103));
    run.origin(ok_five);
    const bool too_many = count > limits::max_forwarded_interim_responses;
    CHECK((run.take_client().find("HTTP/1.1 502 ") != std::string::npos) == too_many);
    CHECK(run.forwarder.finished() == too_many);
  }
}

TEST_CASE("http_forwarder: what one exchange was is forgotten by the next", "[proxy][http]") {
  forward_run run(head_of("HEAD http://a/ HTTP/1.1", "Host: a\r\n"));
  for (int exchange = 0; exchange < 3; ++exchange) {
    run.dial();
    for (unsigned i = 0; i < limits::max_forwarded_interim_responses; ++i)
      run.origin(response(103));
    run.origin(response(204));
    CHECK(run.forwarder.is_idle());
    run.client(head_of("HEAD http://a/ HTTP/1.1", "Host: a\r\n"));
  }
  run.dial();
  run.origin(response(204));
  run.take_client();
  // Nobody knows whether that was a HEAD.
  run.client("x\r\n");
  CHECK_FALSE(run.take_client().ends_with("\r\n\r\n"));
}

TEST_CASE("http_forwarder: whose turn it is shows before a head is whole", "[proxy][http]") {
  forward_run run(get("http://a/"));
  CHECK(run.forwarder.request_count() == 1);
  run.dial();
  CHECK_FALSE(run.forwarder.is_reading_head());
  run.origin(response(204));
  CHECK_FALSE(run.forwarder.is_reading_head());
  run.client("G");
  CHECK(run.forwarder.is_reading_head());
  CHECK_FALSE(run.forwarder.is_idle());
  CHECK(run.forwarder.request_count() == 1);
  run.client(get("http://a/").substr(1));
  CHECK_FALSE(run.forwarder.is_reading_head());
  CHECK(run.forwarder.request_count() == 2);
  // Asked again, it is still the same.
  run.dial();
  run.end_origin();
  REQUIRE(run.wants_dial());
  CHECK(run.forwarder.request_count() == 2);
}

TEST_CASE("http_forwarder: Max-Forwards of TRACE and OPTIONS", "[proxy][http]") {
  const auto asked = [](std::string_view method, std::string_view value) {
    return head_of(std::string(method) + " http://a/ HTTP/1.1",
                   "Host: a\r\nMax-Forwards: " + std::string(value) + "\r\n");
  };
  for (const std::string_view method : {"TRACE", "OPTIONS"}) {
    CHECK(forwarded(asked(method, "1")).find("\r\nMax-Forwards: 0\r\n") != std::string::npos);
    CHECK(forwarded(asked(method, "10")).find("\r\nMax-Forwards: 9\r\n") != std::string::npos);
    forward_run last(asked(method, "0") + get("http://b/"));
    last.client("");
    CHECK_FALSE(last.wants_dial());
    CHECK(last.take_client().starts_with(method == "TRACE" ? "HTTP/1.1 405 " : "HTTP/1.1 200 "));
    CHECK(last.forwarder.finished());
    for (const std::string_view bad :
         {"", "-1", "x", "1x", "+1", "0x1", "1000000000", "1, 1", "1\r\nMax-Forwards: 1"}) {
      forward_run run(asked(method, bad));
      run.client("");
      CHECK(run.take_client().starts_with("HTTP/1.1 400 "));
    }
    CHECK(forwarded(asked(method, "999999999")).find(": 999999998\r\n") != std::string::npos);
  }
  CHECK(forwarded(asked("GET", "0")).find("\r\nMax-Forwards: 0\r\n") != std::string::npos);
}

TEST_CASE("http_forwarder: later requests have to say who sends them, too", "[proxy][http]") {
  auto users = std::make_shared<user_table>();
  REQUIRE(users->add("user", "pass"));
  http_forwarder_config config;
  config.users = users;
  for (const auto& [fields, granted, tried] :
       {std::tuple("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n", true, false),
        std::tuple("Proxy-Authorization: Basic dXNlcjp3b3Jk\r\n", false, true),
        std::tuple("", false, false)}) {
    forward_run run(get("http://a/"), config);
    run.dial();
    run.origin(ok_five);
    run.take_client();
    run.client(get("http://b/", fields) + get("http://c/"));
    CHECK(run.wants_dial() == granted);
    CHECK(run.forwarder.rejects_credentials() == tried);
    if (granted) {
      CHECK(run.forwarder.wanted()->user == "user");
      run.dial();
      CHECK(run.take_origin().ends_with("Host: b\r\nVia: 1.1 strata\r\n\r\n"));
      continue;
    }
    const std::string answer = run.take_client();
    CHECK(answer.starts_with("HTTP/1.1 407 "));
    CHECK(answer.find("Proxy-Authenticate: Basic realm=\"strata\"\r\n") != answer.npos);
    CHECK(run.forwarder.finished());
    CHECK_FALSE(run.forwarder.wants_client());
  }
}

TEST_CASE("http_forwarder: what cannot be forwarded is answered, and the connection ends",
          "[proxy][http]") {
  for (const auto& [text, status] :
       {std::pair(get("/x"), "400"), std::pair(get("https://a/"), "400"),
        std::pair(get("http://a:0/"), "400"),
        std::pair(head_of("CONNECT a:1 HTTP/1.1", "Host: a\r\n"), "400"),
        std::pair(head_of("OPTIONS * HTTP/1.1", "Host: a\r\n"), "400"),
        std::pair(get("http://a/", "Host: b\r\n"), "400"), std::pair(std::string("x\r\n"), "400"),
        std::pair(get("http://a/", "X: " + std::string(20000, 'x') + "\r\n"), "431")}) {
    INFO(text.substr(0, 40));
    forward_run run(get("http://a/"));
    run.dial();
    run.origin(ok_five);
    run.take_client();
    run.client(text + get("http://b/"));
    const std::string answer = run.take_client();
    CHECK(answer.starts_with("HTTP/1.1 " + std::string(status) + " "));
    CHECK(answer.find("\r\nConnection: close\r\n") != answer.npos);
    CHECK(run.forwarder.finished());
    CHECK_FALSE(run.forwarder.broken());
    CHECK_FALSE(run.wants_dial());
  }
}

TEST_CASE("http_forwarder: a dial that failed is answered", "[proxy][http]") {
  using enum proxy::refusal;
  for (const auto& [why, status] :
       {std::pair(not_allowed, "403"), std::pair(host_unreachable, "502"),
        std::pair(timed_out, "504"), std::pair(overloaded, "503")}) {
    forward_run run(post("http://a/", "Content-Length: 5\r\n") + "hello");
    run.refuse(why);
    CHECK(run.take_client().starts_with("HTTP/1.1 " + std::string(status) + " "));
    CHECK(run.forwarder.finished());
    CHECK_FALSE(run.forwarder.broken());
    CHECK(run.untaken_by_client() == 5);
    run.forwarder.connected();
    CHECK(run.forwarder.to_origin().empty());
  }
  forward_run head(head_of("HEAD http://a/ HTTP/1.1", "Host: a\r\n"));
  head.refuse(timed_out);
  CHECK(head.take_client().ends_with("Connection: close\r\n\r\n"));
}
