// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "proxy/outbound/opening_run.hpp"
#include "strata/proxy/core/limits.hpp"

using namespace strata;
using namespace strata::proxy::core;
using namespace strata::proxy::core::testing;
namespace errors = strata::proxy;
namespace bound = strata::proxy::core::limits;

namespace {

const target named("a.example", 443);
const credentials login{"Aladdin", "open sesame"};

outcome played(std::string_view text, std::optional<credentials> who = std::nullopt) {
  return play_all([&] { return http_connect_opening(named, who); }, text);
}

std::string status(unsigned code, std::string_view fields = "") {
  return "HTTP/1.1 " + std::to_string(code) + " x\r\n" + std::string(fields) + "\r\n";
}

std::error_code error_after(const std::string& text,
                            std::optional<credentials> who = std::nullopt) {
  const outcome seen = played(text, std::move(who));
  CHECK(seen.at == kind::failed);
  return seen.error;
}

std::string request_to(const target& where) {
  http_connect_opening opening(where);
  const std::string sent = drain(opening);
  const bool failed = opening.next().kind == kind::failed;
  if (failed) CHECK(opening.next().error == transport::errc::invalid_argument);
  CHECK(failed == sent.empty());
  return sent;
}

}  // namespace

TEST_CASE("http connect: the request", "[proxy][http]") {
  CHECK(request_to(named) == "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
  CHECK(request_to(target(address::parse("[2001:db8::1]:80").value())) ==
        "CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n");
  http_connect_opening opening(named, login);
  CHECK(drain(opening) ==
        "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n"
        "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
  CHECK(opening.status() == 0);
  for (const target& where :
       {target(address()), target("", 1), target(std::string(256, 'n'), 1), target("a b", 1),
        target("a", 0), target("a:1", 1), target("a/b", 1), target("u@a", 1),
        target("a\r\nX: y", 1), target(address::parse("[fe80::1%2]:1").value())})
    CHECK(request_to(where).empty());
  for (const credentials& who :
       {credentials{"a:b", "c"}, credentials{"a\r\n", "c"}, credentials{"a", "c\n"}}) {
    http_connect_opening refused(named, who);
    CHECK(refused.next().error == transport::errc::invalid_argument);
  }
}

TEST_CASE("http connect: any 2xx grants, whatever it says of content", "[proxy][http]") {
  for (const std::string& head :
       {status(200), status(299), std::string("HTTP/1.0 200\r\n\r\n"),
        status(200, "Content-Length: 5\r\n"), status(200, "Transfer-Encoding: chunked\r\n"),
        status(204),
        status(200, "Content-Length: 1\r\nContent-Length: 2\r\nConnection: close\r\n")}) {
    const outcome seen = played(head + "HTTP/1.1 tunnel");
    CHECK(seen.at == kind::done);
    CHECK(seen.taken == head.size());
  }
  http_connect_opening opening(named);
  drain(opening);
  opening.receive(transport::as_bytes(status(201)));
  CHECK(opening.status() == 201);
  opening.receive_end();
  CHECK(opening.next().kind == kind::done);
}

TEST_CASE("http connect: refusals", "[proxy][http]") {
  for (const auto& [code, why] :
       {std::pair(403u, make_error_code(errors::errc::not_allowed)),
        std::pair(405u, make_error_code(errors::errc::command_not_supported)),
        std::pair(501u, make_error_code(errors::errc::command_not_supported)),
        std::pair(407u, make_error_code(errors::errc::authentication_required)),
        std::pair(502u, make_error_code(errors::errc::upstream_failed)),
        std::pair(503u, make_error_code(errors::errc::upstream_failed)),
        std::pair(504u, make_error_code(transport::errc::timed_out)),
        std::pair(300u, make_error_code(errors::errc::upstream_failed)),
        std::pair(302u, make_error_code(errors::errc::upstream_failed)),
        std::pair(400u, make_error_code(errors::errc::upstream_failed)),
        std::pair(999u, make_error_code(errors::errc::upstream_failed))}) {
    CHECK(error_after(status(code, "Content-Length: 5\r\n") + "hello") == why);
    http_connect_opening opening(named);
    play(opening, status(code));
    CHECK(opening.status() == code);
  }
  CHECK(error_after(status(407), login) == errors::errc::authentication_failed);
  CHECK(error_after(status(403), login) == errors::errc::not_allowed);
}

TEST_CASE("http connect: interim responses, up to a number", "[proxy][http]") {
  std::string text;
  for (unsigned i = 0; i < bound::max_connect_interim_responses; ++i) {
    CHECK(played(text + status(200)).at == kind::done);
    text += status(100 + (i % 2) * 3);
  }
  CHECK(played(text + status(200) + "x").taken == text.size() + status(200).size());
  CHECK(error_after(text + status(103)) == transport::errc::protocol_error);
}

TEST_CASE("http connect: what is no answer", "[proxy][http]") {
  for (const std::string& text :
       {std::string("SSH-2.0-x\r\n"), octets("\5\0"), status(101, "Upgrade: x\r\n"), status(99),
        status(200, "a b: c\r\n"), status(200, "a: b\n"), std::string("HTTP/2 200\r\n\r\n"),
        status(403, "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        "HTTP/1.1 200 " + std::string(20000, 'x'), status(200, "X: " + std::string(20000, 'x'))}) {
    INFO(text.substr(0, 50));
    http_connect_opening opening(named);
    outcome seen = play(opening, text + "\r\n");
    CHECK(seen.error == transport::errc::protocol_error);
    CHECK(seen.at == kind::failed);
    CHECK(opening.status() == 0);
  }
}

TEST_CASE("http connect: a grant before the request is out, and a carrier that ends",
          "[proxy][http]") {
  http_connect_opening early(named);
  early.sent(10);
  early.receive(transport::as_bytes(status(200)));
  CHECK(early.next().error == transport::errc::protocol_error);
  http_connect_opening refused(named);
  refused.receive(transport::as_bytes(status(403)));
  CHECK(refused.next().error == errors::errc::not_allowed);
  for (std::size_t cut = 0; cut < status(200).size(); ++cut) {
    http_connect_opening opening(named);
    play(opening, status(200).substr(0, cut));
    opening.receive_end();
    CHECK(opening.next().error == transport::errc::truncated);
  }
}
