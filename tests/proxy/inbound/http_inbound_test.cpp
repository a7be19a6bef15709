// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "proxy/inbound/opening_run.hpp"

using namespace strata;
using namespace strata::proxy::core;
using namespace strata::proxy::core::testing;
using strata::proxy::refusal;
namespace errors = strata::proxy;

namespace {

std::string request_of(std::string_view line, std::string_view fields = "") {
  return std::string(line) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

const std::string connect = request_of("CONNECT a.example:443");
constexpr std::string_view good_login = "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n";
constexpr std::string_view wrong_login = "Proxy-Authorization: Basic dXNlcjp3b3Jk\r\n";

unsigned status_of(std::string_view answer) {
  auto parser = transport::http1_head_parser::of_responses({});
  const auto taken = parser.receive(transport::as_bytes(answer));
  REQUIRE(taken);
  REQUIRE(parser.is_done());
  const transport::http1_head& head = parser.head();
  CHECK(head.find("Connection") == "close");
  CHECK(head.find("Content-Type") == "text/plain");
  CHECK(head.count("Server") + head.count("Via") == 0);
  // All that was announced, and nothing more.
  CHECK(head.framing().body == transport::http1_body::length);
  CHECK(head.framing().length == answer.size() - *taken);
  CHECK(head.framing().length > 10);
  return head.status_line().status;
}

unsigned refused(std::string_view text, const inbound_config& config = {}) {
  INFO(text);
  const outcome seen = outcome_of(text, config);
  CHECK(seen.at == kind::failed);
  CHECK(seen.error);
  return status_of(seen.answer);
}

}  // namespace

TEST_CASE("http inbound: CONNECT, with nothing taken behind the head", "[proxy][http]") {
  for (const auto& [text, where] :
       {std::pair(connect, "a.example:443"),
        std::pair(request_of("CONNECT [2001:db8::1]:22"), "[2001:db8::1]:22"),
        std::pair(request_of("CONNECT 192.0.2.7:22"), "192.0.2.7:22"),
        std::pair(std::string("CONNECT a:1 HTTP/1.0\r\n\r\n"), "a:1"),
        std::pair("\r\n" + connect, "a.example:443"),
        std::pair(request_of("CONNECT a:1", "Content-Length: 0\r\n"), "a:1"),
        std::pair(request_of("CONNECT a:1", "Expect: 100-continue\r\nUpgrade: x\r\n"), "a:1")}) {
    INFO(text);
    const outcome seen = outcome_of(text + "GET http://b/ HTTP/1.1\r\n\r\n");
    CHECK(seen.at == kind::need_decision);
    CHECK(seen.taken == text.size());
    CHECK(seen.where == where);
    CHECK(seen.answer.empty());
  }
  opening_run run;
  run.send(connect);
  CHECK(run.wanted().spoken == protocol::http);
  CHECK(run.wanted().asked == command::connect);
  REQUIRE(run.opening.head() != nullptr);
  CHECK(run.opening.head()->request_line().method == "CONNECT");
  run.accept(address::parse("192.0.2.7:256").value());
  CHECK(run.take_answer() == "HTTP/1.1 200 Connection established\r\n\r\n");
  CHECK(run.at() == kind::done);
}

TEST_CASE("http inbound: a CONNECT that announces content", "[proxy][http]") {
  for (const std::string_view fields :
       {"Content-Length: 1\r\n", "Content-Length: 00\r\n",
        "Content-Length: 0\r\nContent-Length: 0\r\n", "Content-Length: x\r\n",
        "Content-Length:\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"})
    CHECK(refused(request_of("CONNECT a:1", fields)) == 400);
}

TEST_CASE("http inbound: targets that are none", "[proxy][http]") {
  for (const std::string_view line : {"CONNECT a",
                                      "CONNECT a:0",
                                      "CONNECT a:65536",
                                      "CONNECT :1",
                                      "CONNECT http://a:1/",
                                      "CONNECT /",
                                      "CONNECT a:1/",
                                      "CONNECT u@a:1",
                                      "CONNECT [fe80::1%251]:1",
                                      "CONNECT [fe80::1%1]:1",
                                      "CONNECT a%2eb:1",
                                      "GET http://a:0/",
                                      "GET http:///",
                                      "GET a:1",
                                      "GET http://u@a/",
                                      "GET http://a%00/",
                                      "GET *",
                                      "OPTIONS *",
                                      "GET https://a/",
                                      "GET ftp://a/",
                                      "GET htt\x50s://a/"}) {
    CHECK(refused(request_of(line)) == 400);
  }
  const std::string longest(255, 'n');
  CHECK(outcome_of(request_of("CONNECT " + longest + ":1")).at == kind::need_decision);
  CHECK(refused(request_of("CONNECT n" + longest + ":1")) == 400);
  CHECK(outcome_of(request_of("GET http://" + longest + "/")).at == kind::need_decision);
  CHECK(refused(request_of("GET http://n" + longest + "/")) == 400);
}

TEST_CASE("http inbound: an absolute target is fetched", "[proxy][http]") {
  for (const auto& [line, where] : {std::pair("GET http://a.example/x", "a.example:80"),
                                    std::pair("POST HTTP://a:8080", "a:8080"),
                                    std::pair("TRACE http://[2001:db8::1]/", "[2001:db8::1]:80"),
                                    std::pair("OPTIONS http://a?q", "a:80")}) {
    const std::string text = request_of(line, "Content-Length: 4\r\n");
    const outcome seen = outcome_of(text + "body");
    CHECK(seen.at == kind::need_decision);
    CHECK(seen.where == where);
    CHECK(seen.taken == text.size());
  }
  opening_run run;
  run.send(request_of("GET http://a/x"));
  CHECK(run.wanted().asked == command::forward);
  run.accept();
  CHECK(run.at() == kind::done);
  CHECK(run.take_answer().empty());
  CHECK(run.opening.head()->target().path == "/x");
}

TEST_CASE("http inbound: each refusal has its status", "[proxy][http]") {
  using enum refusal;
  for (const auto& [why, status] :
       {std::pair(general_failure, 502u), std::pair(not_allowed, 403u),
        std::pair(network_unreachable, 502u), std::pair(host_unreachable, 502u),
        std::pair(connection_refused, 502u), std::pair(timed_out, 504u),
        std::pair(command_not_supported, 405u), std::pair(address_not_supported, 400u),
        std::pair(overloaded, 503u)}) {
    opening_run run;
    run.send(connect);
    run.refuse(why);
    CHECK(run.error() == error_of(why));
    const std::string answer = run.take_answer();
    CHECK(status_of(answer) == status);
    CHECK((answer.find("\r\nAllow: \r\n") != answer.npos) == (status == 405));
    CHECK(answer.ends_with(std::string(text_of(why)) + "\n"));
  }
  opening_run head;
  head.send(request_of("HEAD http://a/"));
  head.refuse(timed_out);
  const std::string answer = head.take_answer();
  CHECK(answer.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"));
  CHECK(answer.ends_with("Connection: close\r\n\r\n"));
}

TEST_CASE("http inbound: a head that is no request is answered by what is wrong with it",
          "[proxy][http]") {
  CHECK(refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n") == 400);
  CHECK(refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
  CHECK(refused("GET http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n") == 501);
  CHECK(refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505);
  CHECK(refused("GET\n") == 400);
  inbound_config config;
  config.head.bytes = 100;
  config.head.fields = 2;
  CHECK(refused("GET http://a/ HTTP/1.1\r\nHost: a\r\nX: " + std::string(100, 'x'), config) == 431);
  CHECK(refused("GET http://" + std::string(100, 'x'), config) == 414);
  CHECK(refused(request_of("GET http://a/", "A: b\r\nC: d\r\n"), config) == 431);
  CHECK(outcome_of(request_of("GET http://a/", "A: b\r\n"), config).at == kind::need_decision);
}

TEST_CASE("http inbound: pages of the proxy itself", "[proxy][http]") {
  for (const std::string_view line : {"GET /proxy.pac", "HEAD /proxy.pac?x"})
    CHECK(outcome_of(request_of(line)).answer.starts_with("HTTP/1.1 400 "));
  for (const bool guarded : {false, true}) {
    inbound_config config = guarded ? with_users() : inbound_config();
    config.pages = true;
    opening_run run(config);
    CHECK(run.send(request_of("GET /proxy.pac?x=y") + "more") ==
          request_of("GET /proxy.pac?x=y").size());
    CHECK(run.at() == kind::need_decision);
    CHECK(run.wanted().asked == command::page);
    CHECK(run.wanted().path == "/proxy.pac");
    CHECK_FALSE(run.wanted().where.ip() != address());
    run.opening.answer("application/x-ns-proxy-autoconfig", transport::as_bytes("content"));
    CHECK(run.take_answer() ==
          "HTTP/1.1 200 OK\r\nContent-Type: application/x-ns-proxy-autoconfig\r\n"
          "Content-Length: 7\r\nConnection: close\r\n\r\ncontent");
    CHECK(run.at() == kind::done);
  }
  opening_run head(with_all());
  head.send(request_of("HEAD /"));
  head.opening.answer("a/b", transport::as_bytes("content"));
  CHECK(head.take_answer().ends_with("Content-Length: 7\r\nConnection: close\r\n\r\n"));
  for (const bool by_accepting : {false, true}) {
    opening_run none(with_all());
    none.send(request_of("GET /x"));
    if (by_accepting)
      none.accept();
    else
      none.opening.answer({}, {});
    CHECK(status_of(none.take_answer()) == 404);
    CHECK(none.at() == kind::done);
  }
  opening_run split(with_all());
  split.send(request_of("GET /x"));
  split.opening.answer("a/b\r\nX: y", {});
  CHECK(status_of(split.take_answer()) == 502);
  CHECK(split.at() == kind::failed);
  const outcome post = outcome_of(request_of("POST /"), with_all());
  CHECK(status_of(post.answer) == 405);
  CHECK(post.answer.find("\r\nAllow: GET, HEAD\r\n") != post.answer.npos);
  opening_run tunnel(with_all());
  tunnel.send(connect);
  tunnel.opening.answer("a/b", transport::as_bytes("content"));
  CHECK(tunnel.at() == kind::need_decision);
}

TEST_CASE("http inbound: credentials of RFC 7617", "[proxy][http]") {
  for (const std::string_view line : {"CONNECT a:1", "GET http://a/"}) {
    const outcome seen = outcome_of(request_of(line, good_login), with_users());
    CHECK(seen.at == kind::need_decision);
    CHECK(seen.user == "user");
    for (const auto& [fields, tried] :
         {std::pair(std::string(), false), std::pair(std::string(wrong_login), true),
          std::pair(std::string("Authorization: Basic dXNlcjpwYXNz\r\n"), false),
          std::pair(std::string("Proxy-Authorization: Bearer dXNlcjpwYXNz\r\n"), true),
          std::pair(std::string(good_login) + std::string(good_login), true)}) {
      const outcome refused = outcome_of(request_of(line, fields), with_users());
      CHECK(refused.error == errors::errc::authentication_failed);
      CHECK(status_of(refused.answer) == 407);
      CHECK(refused.user.empty());
      CHECK(refused.answer.find("\r\nProxy-Authenticate: Basic realm=\"strata\"\r\n") !=
            refused.answer.npos);
      opening_run run(with_users());
      run.send(request_of(line, fields));
      CHECK(run.opening.rejects_credentials() == tried);
    }
  }
  CHECK(outcome_of(request_of("GET http://a/", wrong_login)).at == kind::need_decision);
  CHECK(outcome_of(request_of("GET http://a/", good_login)).user.empty());
}

TEST_CASE("http inbound: a head that was refused is answered once", "[proxy][http]") {
  opening_run run;
  run.send("x\n");
  const std::string answer = run.take_answer();
  CHECK(answer.starts_with("HTTP/1.1 400 "));
  CHECK(run.opening.receive(transport::as_bytes("x\n")) == 0);
  CHECK(run.take_answer().empty());
}

TEST_CASE("inbound: the first byte says the protocol, and only one that is offered",
          "[proxy][inbound]") {
  for (unsigned first = 0; first < 256; ++first) {
    INFO(first);
    const bool letter = (first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z');
    const bool known = first == 4 || first == 5 || first == '\r' || letter;
    opening_run run;
    CHECK(run.opening.is_idle());
    run.send(std::string(1, static_cast<char>(first)));
    CHECK_FALSE(run.opening.is_idle());
    CHECK(run.at() == (known ? kind::need_input : kind::failed));
    if (!known) CHECK(run.error() == errors::errc::unknown_protocol);
    CHECK(run.take_answer().empty());
  }
  inbound_config config;
  config.socks4 = config.socks5 = config.http = false;
  for (const std::string_view text : {"\4", "\5", "G", "\r"}) {
    opening_run run(config);
    run.send(text);
    CHECK(run.error() == errors::errc::unknown_protocol);
  }
}
