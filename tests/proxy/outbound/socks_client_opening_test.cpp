// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "proxy/outbound/opening_run.hpp"

using namespace strata;
using namespace strata::proxy::core;
using namespace strata::proxy::core::testing;
using strata::proxy::refusal;
namespace errors = strata::proxy;

namespace {

const target named("a.example", 443);
const credentials login{"user", "pass"};
const std::string name_request = octets(
    "\5\1\0\3\x9"
    "a.example\1\xbb");
const std::string v4_reply = octets("\5\0\0\1\xc0\0\2\7\1\0");

auto opening_of(command asked = command::connect, const target& where = named,
                std::optional<credentials> who = std::nullopt) {
  return [=] { return socks_client_opening(asked, where, who); };
}

outcome played(std::string_view text, std::optional<credentials> who = std::nullopt) {
  return play_all(opening_of(command::connect, named, std::move(who)), text);
}

std::error_code error_after(std::string_view text, std::optional<credentials> who = std::nullopt) {
  const outcome seen = played(text, std::move(who));
  CHECK(seen.at == kind::failed);
  return seen.error;
}

std::error_code refused(command asked, const target& where,
                        std::optional<credentials> who = std::nullopt) {
  socks_client_opening opening(asked, where, who);
  CHECK(opening.next().kind == kind::failed);
  CHECK(drain(opening).empty());
  return opening.next().error;
}

}  // namespace

TEST_CASE("socks client: targets of each type, and nothing taken behind the answer",
          "[proxy][socks]") {
  const target v4(address::parse("192.0.2.7:80").value());
  const target v6(address::parse("[2001:db8::1]:80").value());
  for (const auto& [where, request] :
       {std::pair(named, name_request), std::pair(v4, octets("\5\1\0\1\xc0\0\2\7\0\x50")),
        std::pair(v6, octets("\5\1\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\x50")),
        std::pair(target(std::string(255, 'n'), 1),
                  octets("\5\1\0\3\xff") + std::string(255, 'n') + octets("\0\1"))}) {
    const outcome seen =
        play_all(opening_of(command::connect, where), octets("\5\0") + v4_reply + "tunnel");
    CHECK(seen.at == kind::done);
    CHECK(seen.sent == octets("\5\1\0") + request);
    CHECK(seen.taken == 2 + v4_reply.size());
  }
  socks_client_opening opening(command::connect, named);
  CHECK(opening.bound() == address());
  play(opening, octets("\5\0") + v4_reply);
  CHECK(opening.bound() == address::parse("192.0.2.7:256").value());
  CHECK(opening.receive(transport::as_bytes("more")) == 0);
  opening.receive_end();
  CHECK(opening.next().kind == kind::done);
}

TEST_CASE("socks client: what the proxy says it is bound to", "[proxy][socks]") {
  const std::string name(255, '\0');
  for (const auto& [reply, bound] :
       {std::pair(octets("\5\0\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\x50"),
                  address::parse("[2001:db8::1]:80").value()),
        std::pair(octets("\5\0\xff\1\0\0\0\0\0\0"), address::any_v4(0)),
        std::pair(octets("\5\0\0\3\1x\0\x50"), address()),
        std::pair(octets("\5\0\0\3\0\0\x50"), address()),
        std::pair(octets("\5\0\0\3\xff") + name + octets("\0\x50"), address())}) {
    socks_client_opening opening(command::udp_associate, target(address::any_v4(0)));
    const outcome seen = play(opening, octets("\5\0") + reply + "x");
    CHECK(seen.at == kind::done);
    CHECK(seen.sent == octets("\5\1\0\5\3\0\1\0\0\0\0\0\0"));
    CHECK(seen.taken == 2 + reply.size());
    CHECK(opening.bound() == bound);
    CHECK(played(octets("\5\0") + reply + "x").at == kind::done);
  }
}

TEST_CASE("socks client: credentials are offered when there are some, and sent when asked for",
          "[proxy][socks]") {
  const std::string request = octets("\5\2\0\2\1\4user\4pass") + name_request;
  const outcome asked = played(octets("\5\2\1\0") + v4_reply, login);
  CHECK(asked.at == kind::done);
  CHECK(asked.sent == request);
  const outcome open = played(octets("\5\0") + v4_reply, login);
  CHECK(open.at == kind::done);
  CHECK(open.sent == octets("\5\2\0\2") + name_request);
  for (const std::string& no : {octets("\1\1"), octets("\1\xff")}) {
    CHECK(error_after(octets("\5\2") + no, login) == errors::errc::authentication_failed);
    CHECK(played(octets("\5\2") + no, login).sent == octets("\5\2\0\2\1\4user\4pass"));
  }
  CHECK(error_after(octets("\5\xff")) == errors::errc::authentication_required);
  CHECK(error_after(octets("\5\xff"), login) == errors::errc::upstream_failed);
  const credentials longest{std::string(255, 'u'), std::string(255, 'p')};
  CHECK(played(octets("\5\2\1\0") + v4_reply, longest).sent.size() ==
        4 + 513 + name_request.size());
}

TEST_CASE("socks client: what is no answer", "[proxy][socks]") {
  const auto broken = transport::errc::protocol_error;
  CHECK(error_after(octets("\4\0")) == broken);
  CHECK(error_after("HTTP/1.1 400 Bad Request\r\n\r\n") == broken);
  for (const std::string& method :
       {octets("\5\1"), octets("\5\2"), octets("\5\3"), octets("\5\x80")}) {
    CHECK(error_after(method) == broken);
    CHECK(played(method).sent == octets("\5\1\0"));
  }
  CHECK(error_after(octets("\5\1"), login) == broken);
  CHECK(error_after(octets("\5\2\0\0"), login) == broken);
  CHECK(error_after(octets("\5\2\5\0"), login) == broken);
  CHECK(error_after(octets("\5\0\4\0")) == broken);
  CHECK(error_after(octets("\5\0\0\0")) == broken);
  for (const int type : {0, 2, 5, 0x7f, 0x80, 0xff}) {
    const outcome seen =
        played(octets("\5\0\5\0\0") + static_cast<char>(type) + std::string(300, '\1'));
    CHECK(seen.error == broken);
    CHECK(seen.taken == 2 + 4);
  }
}

TEST_CASE("socks client: a refusal, with or without an address behind it", "[proxy][socks]") {
  for (unsigned code = 1; code < 256; ++code) {
    const std::error_code why =
        code <= 8 ? error_of(static_cast<refusal>(code - 1)) : errors::errc::upstream_failed;
    const std::string reply = octets("\5\0\5") + static_cast<char>(code);
    CHECK(error_after(reply) == why);
    CHECK(error_after(reply + octets("\0\1\0\0\0\0\0\0")) == why);
  }
  CHECK(error_after(octets("\5\0\5\2")) == errors::errc::not_allowed);
  CHECK(error_after(octets("\5\0\5\5")) == transport::errc::refused);
  CHECK(error_after(octets("\5\0\5\6")) == transport::errc::timed_out);
}

TEST_CASE("socks client: targets and credentials that cannot be written", "[proxy][socks]") {
  const auto bad = transport::errc::invalid_argument;
  using enum command;
  for (const target& where :
       {target(address()), target("", 1), target(std::string(256, 'n'), 1), target("a b", 1),
        target("a", 0), target(address::parse("[fe80::1%2]:1").value())})
    CHECK(refused(connect, where) == bad);
  CHECK(refused(forward, named) == bad);
  CHECK(refused(page, named) == bad);
  for (const credentials& who :
       {credentials{"", "p"}, credentials{"u", ""}, credentials{std::string(256, 'u'), "p"},
        credentials{"u", std::string(256, 'p')}})
    CHECK(refused(connect, named, who) == bad);
}

TEST_CASE("socks client: nothing is taken before the question is out", "[proxy][socks]") {
  socks_client_opening opening(command::connect, named);
  CHECK(opening.receive(transport::as_bytes(octets("\5\0"))) == 0);
  opening.sent(2);
  CHECK(opening.receive(transport::as_bytes(octets("\5\0"))) == 0);
  opening.sent(1);
  CHECK(opening.receive(transport::as_bytes(octets("\5\0") + v4_reply)) == 2);
  CHECK(opening.next().kind == kind::send);
}

TEST_CASE("socks client: a carrier that ends", "[proxy][socks]") {
  const std::string text = octets("\5\2\1\0") + v4_reply;
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    socks_client_opening opening(command::connect, named, login);
    play(opening, text.substr(0, cut));
    opening.receive_end();
    CHECK(opening.next().kind == kind::failed);
    CHECK(opening.next().error == transport::errc::truncated);
    CHECK(opening.receive(transport::as_bytes(text)) == 0);
  }
}

TEST_CASE("socks client: a BIND has two answers", "[proxy][socks]") {
  const std::string second = octets("\5\0\0\1\xc0\0\2\x8\1\1");
  const std::string text = octets("\5\0") + v4_reply + second + "tunnel";
  const outcome seen = play_all(opening_of(command::bind), text);
  CHECK(seen.at == kind::done);
  CHECK(seen.taken == text.size() - 6);
  CHECK(seen.sent == octets("\5\1\0\5\2") + name_request.substr(2));
  socks_client_opening opening(command::bind, target(address::any_v4(0)));
  drain(opening);
  opening.receive(transport::as_bytes(text));
  drain(opening);
  CHECK(opening.receive(transport::as_bytes(text).subspan(2)) == v4_reply.size());
  CHECK(opening.next().kind == kind::need_input);
  CHECK(opening.bound() == address::parse("192.0.2.7:256").value());
  CHECK(opening.receive(transport::as_bytes(second)) == second.size());
  CHECK(opening.next().kind == kind::done);
  CHECK(opening.bound() == address::parse("192.0.2.8:257").value());
  CHECK(play_all(opening_of(command::bind), octets("\5\0") + v4_reply + octets("\5\6")).error ==
        transport::errc::timed_out);
}
