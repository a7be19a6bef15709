// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "proxy/inbound/opening_run.hpp"

using namespace strata;
using namespace strata::proxy::core;
using namespace strata::proxy::core::testing;
using strata::proxy::refusal;
namespace errors = strata::proxy;

namespace {

const std::string no_methods_but_none = octets("\5\1\0");
const std::string password_method = octets("\5\1\2");
const std::string good_login = octets("\1\4user\4pass");

std::string to(std::uint8_t command, std::string_view address, std::uint16_t port = 443) {
  return std::string("\5") + static_cast<char>(command) + std::string(1, '\0') +
         std::string(address) + static_cast<char>(port >> 8) + static_cast<char>(port & 0xff);
}
std::string named(std::string_view name) {
  return std::string("\3") + static_cast<char>(name.size()) + std::string(name);
}
std::string connect_to(std::string_view address, std::uint16_t port = 443) {
  return no_methods_but_none + to(1, address, port);
}
std::string reply(char code) { return octets("\5\0\5") + code + octets("\0\1\0\0\0\0\0\0"); }

const std::string v4 = octets("\1\xc0\0\2\7");
const std::string v6 = octets("\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1");

/// The code that a request is refused with at once; its outcome for `why`.
void check_refused(const std::string& text, char code, std::error_code why,
                   const inbound_config& config = {}) {
  const outcome seen = outcome_of(text, config);
  CHECK(seen.at == kind::failed);
  CHECK(seen.error == why);
  CHECK(seen.answer == reply(code));
}

}  // namespace

TEST_CASE("socks5 inbound: targets of each type, with nothing taken behind the request",
          "[proxy][socks]") {
  for (const auto& [address, where] :
       {std::pair(v4, "192.0.2.7:443"), std::pair(v6, "[2001:db8::1]:443"),
        std::pair(named("a.example"), "a.example:443"),
        std::pair(named("192.0.2.7"), "192.0.2.7:443"),
        std::pair(octets("\4\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\7"), "192.0.2.7:443")}) {
    INFO(where);
    const std::string text = connect_to(address);
    const outcome seen = outcome_of(text + "\5\1 the tunnel");
    CHECK(seen.at == kind::need_decision);
    CHECK(seen.taken == text.size());
    CHECK(seen.where == where);
    CHECK(seen.user.empty());
    CHECK(seen.answer == octets("\5\0"));
  }
  opening_run run;
  run.send(connect_to(named("A.Example")));
  CHECK(run.wanted().where.name() == "A.Example");
  CHECK(run.wanted().spoken == protocol::socks5);
  CHECK(run.wanted().asked == command::connect);
  CHECK(run.opening.head() == nullptr);
}

TEST_CASE("socks5 inbound: what is granted is told where it is bound", "[proxy][socks]") {
  for (const auto& [bound, tail] :
       {std::pair(address(), octets("\1\0\0\0\0\0\0")),
        std::pair(address::parse("192.0.2.7:256").value(), v4 + octets("\1\0")),
        std::pair(address::parse("[2001:db8::1]:1").value(), v6 + octets("\0\1"))}) {
    opening_run run;
    run.send(connect_to(v4));
    CHECK(run.take_answer() == octets("\5\0"));
    run.accept(bound);
    CHECK(run.take_answer() == octets("\5\0\0") + tail);
    CHECK(run.at() == kind::done);
    CHECK(run.send("more") == 0);
    run.opening.receive_end();
    run.refuse(refusal::general_failure);
    CHECK(run.at() == kind::done);
  }
}

TEST_CASE("socks5 inbound: each refusal has its code of RFC 1928 section 6", "[proxy][socks]") {
  using enum refusal;
  for (const auto& [why, code] :
       {std::pair(general_failure, '\1'), std::pair(not_allowed, '\2'),
        std::pair(network_unreachable, '\3'), std::pair(host_unreachable, '\4'),
        std::pair(connection_refused, '\5'), std::pair(timed_out, '\6'),
        std::pair(command_not_supported, '\7'), std::pair(address_not_supported, '\x8'),
        std::pair(overloaded, '\1')}) {
    opening_run run;
    run.send(connect_to(v4));
    run.refuse(why);
    CHECK(run.take_answer() == reply(code));
    CHECK(run.at() == kind::failed);
    CHECK(run.error() == error_of(why));
    CHECK_FALSE(run.opening.rejects_credentials());
    CHECK(run.send("more") == 0);
  }
}

TEST_CASE("socks5 inbound: a method is chosen only if it was offered", "[proxy][socks]") {
  for (const auto& [greeting, open, closed] :
       {std::tuple(octets("\5\0"), '\xff', '\xff'), std::tuple(octets("\5\1\0"), '\0', '\xff'),
        std::tuple(octets("\5\1\2"), '\xff', '\2'), std::tuple(octets("\5\2\0\2"), '\0', '\2'),
        std::tuple(octets("\5\3\2\1\0"), '\0', '\2'), std::tuple(octets("\5\1\1"), '\xff', '\xff'),
        std::tuple(octets("\5\2\1\x80"), '\xff', '\xff'),
        std::tuple(octets("\5\xff") + std::string(255, '\0'), '\0', '\xff'),
        std::tuple(octets("\5\xff") + std::string(254, '\1') + '\2', '\xff', '\2')}) {
    const outcome without = outcome_of(greeting);
    CHECK(without.answer == std::string("\5") + open);
    CHECK(without.taken == greeting.size());
    CHECK(without.at == (open == '\xff' ? kind::failed : kind::need_input));
    const outcome with = outcome_of(greeting, with_users());
    CHECK(with.answer == std::string("\5") + closed);
    CHECK(with.taken == greeting.size());
    CHECK(with.at == (closed == '\xff' ? kind::failed : kind::need_input));
  }
  CHECK(outcome_of(no_methods_but_none, with_users()).error == errors::errc::authentication_failed);
  CHECK(outcome_of(password_method).error == transport::errc::not_supported);
  inbound_config config;
  config.users = std::make_shared<user_table>();
  CHECK(outcome_of(no_methods_but_none, config).answer == octets("\5\0"));
}

TEST_CASE("socks5 inbound: user and password", "[proxy][socks]") {
  const std::string text = password_method + good_login + to(1, v4);
  const outcome seen = outcome_of(text + "tunnel", with_users());
  CHECK(seen.at == kind::need_decision);
  CHECK(seen.answer == octets("\5\2\1\0"));
  CHECK(seen.taken == text.size());
  CHECK(seen.user == "user");
  for (const std::string& wrong :
       {octets("\1\4user\4word"), octets("\1\0\0"), octets("\1\4user\0"), octets("\1\0\4pass"),
        octets("\1\5user:\4pass"), octets("\1\3use\5rpass"),
        octets("\1\xff") + std::string(255, 'u') + '\xff' + std::string(255, 'p')}) {
    const outcome refused = outcome_of(password_method + wrong + to(1, v4), with_users());
    CHECK(refused.at == kind::failed);
    CHECK(refused.error == errors::errc::authentication_failed);
    CHECK(refused.answer == octets("\5\2\1\1"));
    CHECK(refused.user.empty());
    CHECK(refused.taken == password_method.size() + wrong.size());
  }
  opening_run run(with_users());
  run.send(password_method);
  CHECK_FALSE(run.opening.rejects_credentials());
  // It is known before the answer has been sent, so that this can wait.
  run.opening.receive(transport::as_bytes(octets("\1\4user\4word")));
  CHECK(run.at() == kind::send);
  CHECK(run.opening.rejects_credentials());
}

TEST_CASE("socks5 inbound: names and passwords of 255 bytes fit", "[proxy][socks]") {
  const std::string longest(255, 'x');
  auto users = std::make_shared<user_table>();
  REQUIRE(users->add(longest, longest));
  inbound_config config;
  config.users = users;
  const std::string methods = octets("\5\xff") + std::string(255, '\2');
  const outcome seen = outcome_of(methods + octets("\1\xff") + longest + '\xff' + longest +
                                      to(1, named(std::string(255, 'n'))) + "tunnel",
                                  config);
  CHECK(seen.at == kind::need_decision);
  CHECK(seen.user == longest);
  CHECK(seen.where == std::string(255, 'n') + ":443");
}

TEST_CASE("socks5 inbound: other versions behind the greeting", "[proxy][socks]") {
  const outcome login = outcome_of(password_method + octets("\5\1\0\1"), with_users());
  CHECK(login.at == kind::failed);
  CHECK(login.error == transport::errc::protocol_error);
  CHECK(login.answer == octets("\5\2"));
  CHECK(login.taken == password_method.size() + 2);
  // Read no further than its version.
  check_refused(no_methods_but_none + octets("\4\1\0\3"), '\1', transport::errc::protocol_error);
  check_refused(no_methods_but_none + octets("\4\1\0\1\1\1\1\1\0\x50"), '\1',
                transport::errc::protocol_error);
}

TEST_CASE("socks5 inbound: commands that are not offered", "[proxy][socks]") {
  const auto why = errors::errc::command_not_supported;
  for (const int command : {0, 2, 4, 0x7f, 0x80, 0xff})
    check_refused(no_methods_but_none + to(static_cast<std::uint8_t>(command), v4), '\7', why);
  inbound_config config;
  config.udp_associate = false;
  check_refused(no_methods_but_none + to(3, v4), '\7', why, config);
  const outcome udp = outcome_of(no_methods_but_none + to(3, octets("\1\0\0\0\0"), 0));
  CHECK(udp.at == kind::need_decision);
  CHECK(udp.where == "0.0.0.0:0");
  opening_run run;
  run.send(no_methods_but_none + to(3, named("a"), 0));
  CHECK(run.wanted().asked == command::udp_associate);
}

TEST_CASE("socks5 inbound: a BIND is answered twice", "[proxy][socks]") {
  opening_run run(with_all());
  run.send(no_methods_but_none + to(2, v4, 0));
  CHECK(run.wanted().asked == command::bind);
  CHECK(run.take_answer() == octets("\5\0"));
  run.accept(address::parse("192.0.2.7:256").value());
  CHECK(run.take_answer() == octets("\5\0\0") + v4 + octets("\1\0"));
  CHECK(run.at() == kind::need_decision);
  CHECK(run.send("early") == 0);
  run.accept(address::parse("192.0.2.7:257").value());
  CHECK(run.take_answer() == octets("\5\0\0") + v4 + octets("\1\1"));
  CHECK(run.at() == kind::done);

  opening_run lost(with_all());
  lost.send(no_methods_but_none + to(2, v4));
  lost.accept();
  lost.take_answer();
  lost.refuse(refusal::timed_out);
  CHECK(lost.take_answer() == reply('\6').substr(2));
  CHECK(lost.error() == transport::errc::timed_out);
}

TEST_CASE("socks5 inbound: ends of the carrier", "[proxy][socks]") {
  const std::string text = connect_to(named("abc"));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    opening_run run;
    CHECK(run.send(text.substr(0, cut)) == cut);
    CHECK(run.opening.is_idle() == (cut == 0));
    run.opening.receive_end();
    if (cut == text.size()) {
      CHECK(run.at() == kind::need_decision);
      continue;
    }
    CHECK(run.at() == kind::failed);
    CHECK(run.error() == (cut == 0 ? transport::errc::eof : transport::errc::truncated));
  }
}
