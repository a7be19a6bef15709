// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/core/tunnel_wire.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "strata/proxy/core/limits.hpp"
#include "strata/transport/core/error.hpp"

using namespace strata;
namespace core = strata::proxy::core;
namespace limits = strata::proxy::core::limits;
using transport::as_bytes;
using transport::errc;
using transport::target;
using transport::websocket_kind;

TEST_CASE("tunnel wire: the line of a yamux stream", "[proxy][tunnel]") {
  CHECK(core::make_tunnel_request({"example.org", 443}) == "example.org:443\n");
  CHECK(core::make_tunnel_request({"::1", 443}) == "[::1]:443\n");
  CHECK(core::make_tunnel_request({"192.0.2.1", 1}) == "192.0.2.1:1\n");
  for (const target& odd : {target("", 1), target("a b", 1), target("a\nb", 1), target("a", 0),
                            target("a:1", 2), target("a|b", 1), target(std::string(256, 'a'), 1)})
    CHECK(core::make_tunnel_request(odd).error() == errc::invalid_argument);
}

TEST_CASE("tunnel wire: it is read whole, in pieces, and without its end", "[proxy][tunnel]") {
  const std::string text = "example.org:443\nGET";
  core::tunnel_request_parser whole;
  CHECK(whole.receive(as_bytes(text)) == 16);
  REQUIRE(whole.is_done());
  CHECK(whole.where() == target("example.org", 443));
  CHECK(whole.receive(as_bytes(text)) == 0);

  core::tunnel_request_parser pieces;
  for (std::size_t i = 0; i < 16; ++i) {
    CHECK_FALSE(pieces.is_done());
    CHECK(pieces.receive(as_bytes(text.substr(i, 1))) == 1);
  }
  CHECK(pieces.where() == target("example.org", 443));

  core::tunnel_request_parser endless;
  CHECK(endless.is_empty());
  CHECK(endless.receive(as_bytes("[2001:db8::1]:8080")) == 18);
  CHECK_FALSE(endless.is_done());
  REQUIRE(endless.conclude());
  CHECK(endless.where() == target("2001:db8::1", 8080));

  core::tunnel_request_parser windows;
  REQUIRE(windows.receive(as_bytes("a.test:1\r\n")));
  CHECK(windows.where() == target("a.test", 1));
}

TEST_CASE("tunnel wire: what is no line", "[proxy][tunnel]") {
  for (const char* odd : {"\n", "example.org\n", ":443\n", "example.org:\n", "example.org:0\n",
                          "example.org:65536\n", "::1:443x\n", "a b:1\n", "a:1:2\n"}) {
    core::tunnel_request_parser parser;
    CHECK(parser.receive(as_bytes(odd)).error() == errc::malformed);
    CHECK_FALSE(parser.is_done());
  }
  CHECK(core::tunnel_request_parser().conclude().error() == errc::malformed);
}

TEST_CASE("tunnel wire: a line ends within its limit", "[proxy][tunnel][limits]") {
  const auto line = [](std::size_t size) {
    return std::string(size - 2, 'x') + "y\n";  // no target, but a line
  };
  constexpr std::size_t limit = limits::max_tunnel_request;
  core::tunnel_request_parser parser;
  CHECK(parser.receive(as_bytes(line(limit - 1))).error() == errc::malformed);
  parser = {};
  CHECK(parser.receive(as_bytes(line(limit))).error() == errc::malformed);
  parser = {};
  CHECK(parser.receive(as_bytes(line(limit + 1))).error() == errc::limit_exceeded);
  parser = {};
  CHECK(parser.receive(as_bytes(std::string(limit, 'x'))) == limit);
  CHECK(parser.receive(as_bytes("\n")).error() == errc::limit_exceeded);
}

TEST_CASE("tunnel wire: the mode shows in the first message", "[proxy][tunnel]") {
  using core::tunnel_mode;
  const std::string zero(1, '\0');
  CHECK(core::tunnel_mode_of(websocket_kind::binary, zero) == tunnel_mode::yamux);
  CHECK(core::tunnel_mode_of(websocket_kind::text, zero) == std::nullopt);
  CHECK(core::tunnel_mode_of(websocket_kind::text, "CONNECT:a:1|") == tunnel_mode::simple);
  CHECK(core::tunnel_mode_of(websocket_kind::binary, "CONNECT:a:1|") == std::nullopt);
  CHECK(core::tunnel_mode_of(websocket_kind::text, "connect:a:1|") == std::nullopt);
  CHECK(core::tunnel_mode_of(websocket_kind::binary, "") == std::nullopt);
}

TEST_CASE("tunnel wire: the words of the simple mode", "[proxy][tunnel]") {
  CHECK(core::make_tunnel_connect({"a.test", 80}) == "CONNECT:a.test:80|");
  CHECK(core::make_tunnel_connect({"a|b", 80}).error() == errc::invalid_argument);
  const auto plain = core::parse_tunnel_connect("CONNECT:[::1]:443|");
  REQUIRE(plain);
  CHECK(plain->where == target("::1", 443));
  CHECK(plain->initial.empty());
  const auto begun = core::parse_tunnel_connect("CONNECT:a.test:80|GET / | x");
  REQUIRE(begun);
  CHECK(begun->initial == "GET / | x");
  CHECK(core::parse_tunnel_connect("CONNECT:a.test:80")->where == target("a.test", 80));
  for (const char* odd : {"CONNECTED", "CONNECT:", "CONNECT:a.test|80", "CONNECT:|", "CLOSE"})
    CHECK(core::parse_tunnel_connect(odd).error() == errc::malformed);

  CHECK(core::make_tunnel_error("no\nway\xff") == "ERROR:no?way?");
  CHECK(core::make_tunnel_error(std::string(1000, 'x')).size() == 6 + limits::max_tunnel_reason);
  CHECK(core::parse_tunnel_error("ERROR:refused") == "refused");
  CHECK(core::parse_tunnel_error("CONNECTED") == std::nullopt);
}
