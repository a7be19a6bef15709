// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "proxy/inbound/opening_run.hpp"

using namespace strata;
using namespace strata::proxy::core;
using namespace strata::proxy::core::testing;
using strata::proxy::refusal;
namespace errors = strata::proxy;

namespace {

const std::string rejected = octets("\0\x5b\0\0\0\0\0\0");
const std::string v4 = octets("\4\1\1\xbb\xc0\0\2\7");

/// SOCKS4a.
std::string named(std::string_view name, std::string_view user_id = "") {
  return octets("\4\1\1\xbb\0\0\0\1") + std::string(user_id) + '\0' + std::string(name) + '\0';
}

void check_rejected(const std::string& text, std::error_code why,
                    const inbound_config& config = {}) {
  const outcome seen = outcome_of(text, config);
  CHECK(seen.at == kind::failed);
  CHECK(seen.error == why);
  CHECK(seen.answer == rejected);
}

}  // namespace

TEST_CASE("socks4 inbound: addresses and names, with nothing taken behind the request",
          "[proxy][socks]") {
  for (const auto& [text, where] : {std::pair(v4 + octets("me\0"), "192.0.2.7:443"),
                                    std::pair(v4 + octets("\0"), "192.0.2.7:443"),
                                    std::pair(named("a.example"), "a.example:443"),
                                    std::pair(named("a.example", "somebody"), "a.example:443"),
                                    std::pair(named("2001:db8::1"), "[2001:db8::1]:443"),
                                    std::pair(octets("\4\1\1\xbb\0\0\0\xff\0x\0"), "x:443"),
                                    std::pair(octets("\4\1\1\xbb\0\0\0\0me\0"), "0.0.0.0:443"),
                                    std::pair(octets("\4\1\1\xbb\0\0\1\1me\0"), "0.0.1.1:443")}) {
    INFO(where);
    const outcome seen = outcome_of(text + std::string("tunnel\0", 7));
    CHECK(seen.at == kind::need_decision);
    CHECK(seen.taken == text.size());
    CHECK(seen.where == where);
    CHECK(seen.user.empty());
    CHECK(seen.answer.empty());
  }
  opening_run run;
  run.send(named("a"));
  CHECK(run.wanted().spoken == protocol::socks4);
  CHECK(run.wanted().asked == command::connect);
}

TEST_CASE("socks4 inbound: answers", "[proxy][socks]") {
  for (const auto& [bound, answer] :
       {std::pair(address::parse("192.0.2.7:256").value(), octets("\0\x5a\1\0\xc0\0\2\7")),
        std::pair(address(), octets("\0\x5a\0\0\0\0\0\0")),
        std::pair(address::parse("[2001:db8::1]:256").value(), octets("\0\x5a\1\0\0\0\0\0"))}) {
    opening_run run;
    run.send(named("a"));
    run.accept(bound);
    CHECK(run.take_answer() == answer);
    CHECK(run.at() == kind::done);
  }
  for (int why = 0; why <= static_cast<int>(refusal::overloaded); ++why) {
    opening_run run;
    run.send(named("a"));
    run.refuse(static_cast<refusal>(why));
    CHECK(run.take_answer() == rejected);
    CHECK(run.error() == error_of(static_cast<refusal>(why)));
  }
}

TEST_CASE("socks4 inbound: BIND where it is offered, and no other command", "[proxy][socks]") {
  std::string text = v4 + octets("\0");
  for (const int command : {0, 2, 3, 0x80, 0xff}) {
    text[1] = static_cast<char>(command);
    check_rejected(text, errors::errc::command_not_supported);
  }
  text[1] = 2;
  text[2] = text[3] = 0;
  opening_run run(with_all());
  run.send(text);
  CHECK(run.wanted().asked == command::bind);
  run.accept(address::parse("192.0.2.7:256").value());
  CHECK(run.take_answer() == octets("\0\x5a\1\0\xc0\0\2\7"));
  CHECK(run.at() == kind::need_decision);
  run.refuse(refusal::timed_out);
  CHECK(run.take_answer() == rejected);
  CHECK(run.at() == kind::failed);
}

TEST_CASE("socks4 inbound: port 0, and names that are none", "[proxy][socks]") {
  const auto why = transport::errc::not_supported;
  check_rejected(octets("\4\1\0\0\xc0\0\2\7\0"), why);
  check_rejected(octets("\4\1\0\0\0\0\0\1\0a\0"), why);
  for (const std::string_view name : {"", "a b", "a\x7f", "a:80", "fe80::1%2", "a/b"})
    check_rejected(named(name), why);
}

TEST_CASE("socks4 inbound: refused where users have passwords", "[proxy][socks]") {
  check_rejected(v4 + octets("user\0"), errors::errc::authentication_failed, with_users());
  check_rejected(named("a", "user"), errors::errc::authentication_failed, with_users());
  opening_run run(with_users());
  run.send(named("a", "user"));
  CHECK(run.wanted().user.empty());
}

TEST_CASE("socks4 inbound: names and user ids of 254, 255 and 256 bytes", "[proxy][socks]") {
  for (const std::size_t size : {254u, 255u}) {
    const std::string longest(size, 'n');
    const outcome seen = outcome_of(named(longest, longest) + "tunnel");
    CHECK(seen.at == kind::need_decision);
    CHECK(seen.where == longest + ":443");
  }
  const auto why = transport::errc::not_supported;
  for (const std::string& text :
       {named("n", std::string(256, 'u')), named(std::string(256, 'n')),
        v4 + std::string(256, 'u') + '\0', v4 + std::string(100000, 'u')}) {
    opening_run run;
    run.send(text);
    CHECK(run.at() == kind::failed);
    CHECK(run.error() == why);
    CHECK(run.take_answer() == rejected);
    opening_run bytewise;
    CHECK(bytewise.send(text, 1) <= 8 + 255 + 1 + 256);
    CHECK(bytewise.error() == why);
  }
}
