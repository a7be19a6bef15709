// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "proxy/inbound/opening_run.hpp"

// The attacks of tests/hostile/catalogue.md on what a client begins with.

using namespace strata;
using namespace strata::proxy::core;
using namespace strata::proxy::core::testing;
namespace errors = strata::proxy;

namespace {

const std::string socks5_request = octets("\5\1\0\1\xc0\0\2\7\1\xbb");
const std::string http_request = "GET http://a/ HTTP/1.1\r\nHost: a\r\n";

/// A SOCKS5 request to a name of these octets, with this length before it.
std::string to_name(char size, std::string_view name, std::string_view port = "\1\1") {
  return octets("\5\1\0\5\1\0\3") + size + std::string(name) + std::string(port);
}

bool is_refused_name(const std::string& text) {
  const outcome seen = outcome_of(text);
  return seen.at == kind::failed && seen.error == transport::errc::not_supported &&
         seen.answer == octets("\5\0\5\x8\0\1\0\0\0\0\0\0");
}

bool is_400(const std::string& text) {
  const outcome seen = outcome_of(text);
  return seen.at == kind::failed && seen.answer.starts_with("HTTP/1.1 400 ");
}

}  // namespace

TEST_CASE("inbound: whoever goes on after a failed authentication is not heard",
          "[attack][P01][proxy]") {
  for (const std::string& said :
       {octets("\5\1\2\1\4user\4word"), octets("\5\1\2\1\0\0"), octets("\5\1\0"), octets("\5\0"),
        octets("\5\1\1"), octets("\5\1\2\5\1")}) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{1000}}) {
      opening_run run(with_users());
      const std::string text = said + socks5_request + socks5_request;
      CHECK(run.send(text, step) == said.size());
      CHECK(run.at() == kind::failed);
      CHECK(run.opening.receive(transport::as_bytes(socks5_request)) == 0);
      run.accept();
      CHECK(run.at() == kind::failed);
      CHECK(run.wanted().where == target(address()));
      CHECK(run.wanted().user.empty());
      CHECK_FALSE(run.take_answer().ends_with(octets("\5\0")));
    }
  }
  // In HTTP the connection is over, too: the rest may be a body.
  opening_run run(with_users());
  const std::string text = "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n";
  CHECK(run.send(text + text) == text.size());
  CHECK(run.at() == kind::failed);
}

TEST_CASE("inbound: no way around the password by the methods that are offered",
          "[attack][P02][proxy]") {
  std::string every = octets("\5\xff");
  for (unsigned method = 0; method < 255; ++method) every += static_cast<char>(method);
  CHECK(outcome_of(every, with_users()).answer == octets("\5\2"));
  CHECK(outcome_of(every).answer == octets("\5\0"));
  for (const std::string& greeting :
       {octets("\5\0"), octets("\5\1\1"), octets("\5\1\xff"), octets("\5\1\0"),
        octets("\5\xff") + std::string(255, '\0'), octets("\5\xff") + std::string(255, '\xff')}) {
    const outcome seen = outcome_of(greeting + socks5_request, with_users());
    CHECK(seen.answer == octets("\5\xff"));
    CHECK(seen.at == kind::failed);
    CHECK(seen.taken == greeting.size());
  }
}

TEST_CASE("inbound: lengths and names that make another target of one", "[attack][P03][proxy]") {
  CHECK(is_refused_name(to_name('\0', "")));
  CHECK(is_refused_name(to_name('\3', octets("a\0b"))));
  CHECK(is_refused_name(to_name('\3', "a b")));
  CHECK(is_refused_name(to_name('\4', "a\r\nb")));
  CHECK(is_refused_name(to_name('\3',
                                "a\x7f"
                                "b")));
  CHECK(is_refused_name(to_name('\4', "a:80")));
  CHECK(is_refused_name(to_name('\3', "u@a")));
  CHECK(is_refused_name(to_name('\x9', "fe80::1%2")));
  CHECK(is_refused_name(to_name('\xc', "fe80::1%eth0")));
  CHECK(is_refused_name(to_name('\1', "a", octets("\0\0"))));
  CHECK(is_refused_name(octets("\5\1\0\5\1\0\1\xc0\0\2\7\0\0")));
  for (const int type : {0, 2, 5, 0x7f, 0x80, 0xff})
    CHECK(is_refused_name(octets("\5\1\0\5\1\0") + static_cast<char>(type)));
  const std::string longest(255, 'n');
  CHECK(outcome_of(to_name('\xff', longest)).where == longest + ":257");
  CHECK(outcome_of(to_name('\xff', longest.substr(1))).at == kind::need_input);
  // The same by SOCKS4a and HTTP.
  for (const std::string& name : {octets(""), octets("a b"), octets("a:80"), octets("fe80::1%2")})
    CHECK(outcome_of(octets("\4\1\1\1\0\0\0\1\0") + name + '\0').answer ==
          octets("\0\x5b\0\0\0\0\0\0"));
  for (const std::string_view name : {"", "a:80", "[fe80::1%2]", "[fe80::1%252]", "a%00b", "u@a"})
    CHECK(is_400("CONNECT " + std::string(name) + ":80 HTTP/1.1\r\nHost: a\r\n\r\n"));
}

TEST_CASE("inbound: a wrong password is known before it is answered, and looks like no user",
          "[attack][P11][proxy]") {
  const outcome wrong = outcome_of(octets("\5\1\2\1\4user\4word"), with_users());
  const outcome nobody = outcome_of(octets("\5\1\2\1\4nope\4word"), with_users());
  CHECK(wrong == nobody);
  // "user" + "pass" cut elsewhere is somebody else's key.
  CHECK(outcome_of(octets("\5\1\2\1\5userp\3ass"), with_users()).at == kind::failed);
  const std::string login = "Proxy-Authorization: Basic ";
  const outcome basic = outcome_of(http_request + login + "dXNlcjp3b3Jk\r\n\r\n", with_users());
  CHECK(basic == [&] {
    outcome other = outcome_of(http_request + login + "bm9wZTp3b3Jk\r\n\r\n", with_users());
    return other;
  }());
  for (const std::string_view text : {"dXNlcjp3b3Jk", "dXNlcjpwYXNz="}) {
    opening_run run(with_users());
    const std::string whole = http_request + login + std::string(text) + "\r\n\r\n";
    run.opening.receive(transport::as_bytes(whole));
    CHECK(run.at() == kind::send);
    CHECK(run.opening.rejects_credentials());
  }
}

TEST_CASE("inbound: what never ends is bounded", "[attack][P14][proxy]") {
  std::string fields;
  for (int i = 0; i < 10000; ++i) fields += "a: b\r\n";
  for (const std::string& text :
       {http_request + "X: " + std::string(65536, 'x') + "\r\n\r\n", http_request + fields + "\r\n",
        http_request + std::string(65536, 'x'), "G" + std::string(65536, 'x'),
        octets("\4\1\1\1\1\1\1\1") + std::string(65536, 'x'),
        octets("\4\1\1\1\0\0\0\1\0") + std::string(65536, 'x')}) {
    opening_run run;
    std::size_t taken = 0;
    while (run.at() == kind::need_input && taken < text.size())
      taken += run.send(text.substr(taken, 100));
    CHECK(run.at() == kind::failed);
    CHECK(taken <= 16 * 1024 + 100);
  }
}

TEST_CASE("inbound: requests that two readers frame differently", "[attack][P15][proxy]") {
  for (const std::string_view fields :
       {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n", "Content-Length: +4\r\n",
        "Content-Length: 0x4\r\n", "Content-Length: 4, 4\r\n", "Content-Length : 4\r\n",
        "X: y\r\n Content-Length: 4\r\n", "Content-Length: 4\nX: y\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Host: b\r\n"})
    CHECK(is_400(http_request + std::string(fields) + "\r\n"));
  CHECK(is_400("POST http://a/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"));
  const std::string connect = "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n";
  CHECK(is_400(connect + "Content-Length: 4\r\n\r\n"));
  CHECK(is_400(connect + "Transfer-Encoding: chunked\r\n\r\n"));
}

TEST_CASE("inbound: behind a CONNECT that is refused nothing is read as a request",
          "[attack][P16][proxy]") {
  opening_run run;
  const std::string connect = "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n";
  CHECK(run.send(connect + http_request + "\r\n") == connect.size());
  run.refuse(errors::refusal::not_allowed);
  const std::string answer = run.take_answer();
  CHECK(answer.starts_with("HTTP/1.1 403 "));
  CHECK(answer.find("\r\nConnection: close\r\n") != answer.npos);
  CHECK(run.at() == kind::failed);
  CHECK(run.opening.receive(transport::as_bytes(http_request)) == 0);
}
