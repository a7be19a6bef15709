// SPDX-License-Identifier: Apache-2.0
// What a client of a mixed port begins with: however it is cut, the same comes out; nobody without
// a password is let in; and all answers are whole. The first two bytes say what is offered and how
// it is decided.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "strata/proxy/core/inbound_opening.hpp"

using namespace strata;
using namespace strata::proxy::core;
using strata::transport::bytes;
using kind = strata::transport::next_action::kind_type;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

inbound_config config_of(unsigned flags) {
  inbound_config config;
  config.bind = (flags & 1) != 0;
  config.udp_associate = (flags & 2) == 0;
  config.pages = (flags & 4) != 0;
  if ((flags & 8) != 0) {
    auto users = std::make_shared<user_table>();
    check(users->add("user", "pass").has_value());
    config.users = users;
  }
  return config;
}

struct outcome {
  kind at = kind::need_input;
  std::error_code error;
  std::string answer;
  std::string where;
  std::size_t taken = 0;

  friend bool operator==(const outcome&, const outcome&) = default;
};

void drain(inbound_opening& opening, std::string& answer, std::size_t step) {
  while (opening.next().kind == kind::send) {
    const bytes output = opening.next().output;
    check(!output.empty());
    const std::size_t size = std::min(output.size(), step);
    answer += transport::as_text(output.first(size));
    opening.sent(size);
  }
}

outcome feed(inbound_opening& opening, bytes input, std::size_t step) {
  outcome seen;
  while (opening.next().kind == kind::need_input && seen.taken < input.size()) {
    const bytes rest = input.subspan(seen.taken);
    const std::size_t taken = opening.receive(rest.first(std::min(step, rest.size())));
    seen.taken += taken;
    drain(opening, seen.answer, step);
    if (taken == 0) check(opening.next().kind != kind::need_input);
  }
  seen.at = opening.next().kind;
  seen.error = opening.next().error;
  seen.where = opening.wanted().where.string() + opening.wanted().user + opening.wanted().path;
  const bool is_http = opening.wanted().spoken == protocol::http;
  // Of what is no head nobody knows the end.
  if (seen.at == kind::failed &&
      (is_http ? opening.head() == nullptr : seen.answer.starts_with('\0')))
    seen.taken = 0;
  return seen;
}

void check_http_answer(const inbound_opening& opening, const std::string& answer) {
  const bool connects = opening.wanted().asked == command::connect;
  const bool head = opening.head() && opening.head()->request_line().method == "HEAD";
  auto parser = transport::http1_head_parser::of_responses({.head = head, .connect = connects});
  const auto taken = parser.receive(transport::as_bytes(answer));
  check(taken.has_value() && parser.is_done());
  const auto framing = parser.head().framing();
  if (framing.body == transport::http1_body::length)
    check(framing.length == answer.size() - *taken && !framing.persistent);
  else
    check(answer.size() == *taken);
}

void check_request(const inbound_opening& opening, const inbound_config& config) {
  const request& wanted = opening.wanted();
  check(wanted.asked == command::page || wanted.where.is_valid());
  check(wanted.asked == command::page || !config.users || wanted.user == "user");
  check(wanted.spoken != protocol::socks4 || !config.users);
  if (wanted.asked == command::connect || wanted.asked == command::forward)
    check(wanted.where.port() != 0);
  check(wanted.asked != command::bind || config.bind);
  check(wanted.asked != command::udp_associate || config.udp_associate);
  check((wanted.asked == command::page) == !wanted.path.empty());
}

void decide(inbound_opening& opening, unsigned how, std::string& answer) {
  while (opening.next().kind == kind::need_decision) {
    if (how % 3 == 0)
      opening.accept(transport::address::loopback_v4(static_cast<std::uint16_t>(how)));
    else if (how % 3 == 1)
      opening.refuse(static_cast<proxy::refusal>(how / 3 % 9));
    else if (opening.wanted().asked == command::page)
      opening.answer(how % 2 == 0 ? "a/b" : "", transport::as_bytes("content"));
    else
      opening.accept();
    drain(opening, answer, 100);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size < 2) return 0;
  const inbound_config config = config_of(input[0]);
  const bytes text = std::as_bytes(std::span(input, size)).subspan(2);
  inbound_opening whole(config);
  const outcome first = feed(whole, text, text.size() + 1);
  inbound_opening pieces(config);
  check(feed(pieces, text, 1 + input[0] / 16) == first);
  pieces.receive_end();
  check(pieces.next().kind != kind::need_input);

  std::string answer = first.answer;
  if (first.at == kind::need_decision) check_request(whole, config);
  decide(whole, input[1], answer);
  const kind last = whole.next().kind;
  check(last == kind::done || last == kind::failed || last == first.at);
  check((last == kind::failed) == static_cast<bool>(whole.next().error));
  if (last != kind::need_input) check(whole.receive(text) == 0);
  if (whole.wanted().spoken == protocol::http && !answer.empty()) check_http_answer(whole, answer);
  return 0;
}
