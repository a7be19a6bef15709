// SPDX-License-Identifier: Apache-2.0
// Dialling through another proxy: whatever that says, however it is cut, the same comes out and
// nothing but the question is sent; and our own proxy understands the question. The first byte says
// what is asked for.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "strata/proxy/core/inbound_opening.hpp"
#include "strata/proxy/core/outbound_opening.hpp"

using namespace strata;
using namespace strata::proxy::core;
using strata::transport::bytes;
using kind = strata::transport::next_action::kind_type;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

struct outcome {
  kind at = kind::need_input;
  std::error_code error;
  std::string sent;
  std::size_t taken = 0;
};

template <class Opening>
void drain(Opening& opening, std::string& sent) {
  while (opening.next().kind == kind::send) {
    const bytes output = opening.next().output;
    check(!output.empty());
    const std::size_t size = std::min<std::size_t>(output.size(), 100);
    sent += transport::as_text(output.first(size));
    opening.sent(size);
  }
}

template <class Opening>
outcome feed(Opening opening, bytes input, std::size_t step) {
  outcome seen;
  drain(opening, seen.sent);
  while (opening.next().kind == kind::need_input && seen.taken < input.size()) {
    const bytes rest = input.subspan(seen.taken);
    const std::size_t taken = opening.receive(rest.first(std::min(step, rest.size())));
    check(taken <= rest.size());
    check(taken != 0 || opening.next().kind != kind::need_input);
    seen.taken += taken;
    drain(opening, seen.sent);
  }
  opening.receive_end();
  seen.at = opening.next().kind;
  seen.error = opening.next().error;
  check(seen.at == kind::done || (seen.at == kind::failed && seen.error));
  return seen;
}

template <class Make>
void play(const Make& make, bytes input, std::size_t step) {
  const outcome whole = feed(make(), input, input.size() + 1);
  const outcome pieces = feed(make(), input, step);
  check(whole.at == pieces.at && whole.error == pieces.error && whole.sent == pieces.sent);
  check(whole.at != kind::done || whole.taken == pieces.taken);
}

/// The client's opening with our own server's, which lets everybody in who has the password.
template <class Opening>
void meet(Opening client, const transport::target& where, const credentials& who) {
  if (client.next().kind == kind::failed) return;
  auto users = std::make_shared<user_table>();
  if (!users->add(who.user, who.password)) return;
  inbound_config config;
  config.users = users;
  inbound_opening server(config);
  for (int turn = 0; turn < 20; ++turn) {
    std::string text;
    drain(client, text);
    check(server.receive(transport::as_bytes(text)) == text.size());
    if (server.next().kind == kind::need_decision) {
      check(server.wanted().where == where && server.wanted().user == who.user);
      server.accept();
    }
    text.clear();
    drain(server, text);
    const std::size_t taken = client.receive(transport::as_bytes(text));
    // What is not a name for our server: its rules are stricter than those of the format.
    if (server.next().kind == kind::failed) return check(client.next().kind == kind::failed);
    check(taken == text.size());
  }
  check(client.next().kind == kind::done && server.next().kind == kind::done);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size == 0) return 0;
  const unsigned flags = input[0];
  const bytes text = std::as_bytes(std::span(input, size)).subspan(1);
  const transport::target named("a.example", 443);
  const auto who = (flags & 1) != 0 ? std::optional(credentials{"user", "pass"}) : std::nullopt;
  const auto asked = static_cast<command>(flags / 2 % 3);
  const std::size_t step = 1 + flags / 16;
  play([&] { return socks_client_opening(asked, named, who); }, text, step);
  play([&] { return http_connect_opening(named, who); }, text, step);

  const std::string_view said = transport::as_text(text);
  const std::size_t third = said.size() / 3;
  const credentials login{std::string(said.substr(0, third)),
                          std::string(said.substr(third, third))};
  const transport::target where(said.substr(2 * third), static_cast<std::uint16_t>(size));
  meet(socks_client_opening(command::connect, where, login), where, login);
  meet(http_connect_opening(where, login), where, login);
  return 0;
}
