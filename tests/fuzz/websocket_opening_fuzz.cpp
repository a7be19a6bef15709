// SPDX-License-Identifier: Apache-2.0
// Opening handshakes of WebSocket: a server and a client get what the input spells, in pieces; the
// first byte says how both are used.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/websocket_opening.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::transport;
using kind = next_action::kind_type;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

/// Feeds while input is wanted; says what was left.
template <class Opening>
bytes feed(Opening& opening, bytes input, std::size_t step) {
  while (!input.empty() && opening.next().kind == kind::need_input) {
    const std::size_t taken = opening.receive(input.first(std::min(step, input.size())));
    check(taken <= input.size());
    input = input.subspan(taken);
    if (taken == 0) check(opening.next().kind != kind::need_input);
  }
  return input;
}

template <class Opening>
std::string drain(Opening& opening) {
  std::string out;
  while (opening.next().kind == kind::send) {
    const bytes output = opening.next().output;
    check(!output.empty());
    const std::size_t size = std::min<std::size_t>(output.size(), 50);
    out += as_text(output.first(size));
    opening.sent(size);
  }
  return out;
}

void play_server(bytes input, unsigned flags) {
  websocket_server_opening server;
  feed(server, input, 1 + flags % 16);
  server.receive_end();
  if (server.next().kind == kind::failed) return;
  check(server.next().kind == kind::need_decision);
  const std::string_view chosen =
      server.subprotocols().empty() ? std::string_view() : server.subprotocols().back();
  const bool may_accept = server.problem() == nullptr;
  check(!may_accept || server.request() != nullptr);
  if ((flags & 16) != 0) {
    check(server.accept(chosen).has_value() == may_accept);
    if (!may_accept) server.refuse();
  } else {
    server.refuse();
  }
  const std::string answer = drain(server);
  http1_head_parser parser = http1_head_parser::of_responses({.upgrade = true});
  check(parser.receive(as_bytes(answer)).has_value() && parser.is_done());
  const bool done = server.next().kind == kind::done;
  check(done == (parser.head().status_line().status == 101));
  check(done || server.next().kind == kind::failed);
}

void play_client(bytes input, unsigned flags) {
  testkit::fake_random random(flags);
  websocket_client_opening client(
      {.authority = "a", .subprotocols = {"one", "two"}, .fields = {{"X", "y"}}}, random);
  drain(client);
  feed(client, input, 1 + flags % 16);
  client.receive_end();
  const next_action last = client.next();
  check(last.kind == kind::failed || last.kind == kind::done);
  // Nobody guesses the answer to a key.
  check(last.kind == kind::failed && last.error);
}

/// A server that echoes the input as its fields, and a client that gets its answer.
void play_both(bytes input, unsigned flags) {
  testkit::fake_random random(flags);
  const std::string value(as_text(input).substr(0, 200));
  websocket_request request{.authority = "a", .path = "/" + value.substr(0, 20)};
  if (flags % 3 == 0) request.subprotocols = {value.substr(0, 5), "chat"};
  if (flags % 3 == 1) request.fields = {{"X-Field", value}};
  if (flags % 5 == 0) request.origin = value;
  websocket_client_opening client(request, random);
  if (client.next().kind == kind::failed) {
    check(client.next().error == errc::invalid_argument);
    return;
  }
  const std::string asked = drain(client);
  websocket_server_opening server;
  check(feed(server, as_bytes(asked), 33).empty() && server.problem() == nullptr);
  const http1_field field{"X-Answer", value};
  if (!server.accept(flags % 3 == 0 ? "chat" : "", {&field, 1}).has_value())
    check(server.accept(flags % 3 == 0 ? "chat" : "").has_value());
  check(feed(client, as_bytes(drain(server)), 7).empty());
  check(client.next().kind == kind::done && server.next().kind == kind::done);
  check(client.subprotocol() == (flags % 3 == 0 ? "chat" : ""));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size == 0) return 0;
  const bytes text = std::as_bytes(std::span(input, size)).subspan(1);
  play_server(text, input[0]);
  play_client(text, input[0]);
  play_both(text, input[0]);
  return 0;
}
