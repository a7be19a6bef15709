// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "core/websocket/opening_key.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/websocket_opening.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::transport;
using kind = next_action::kind_type;

namespace {

/// A client that has sent its request, and what it sent.
struct asked {
  explicit asked(const websocket_request& request = {.authority = "example.com"})
      : client(request, random) {
    while (client.next().kind == kind::send) {
      sent += as_text(client.next().output.first(1));
      client.sent(1);
    }
  }

  std::string field(std::string_view name) const {
    http1_head_parser parser = http1_head_parser::of_requests();
    REQUIRE(parser.receive(as_bytes(sent)) == sent.size());
    return std::string(parser.head().find(name).value_or("none"));
  }
  std::string accept() const { return websocket::accept_of(field("sec-websocket-key")); }

  /// What the client makes of a 101 with these lines after the three that it needs.
  void answer(std::string_view more = "", std::string_view upgrade = "Upgrade: websocket\r\n",
              std::string_view connection = "Connection: Upgrade\r\n") {
    answer_with(std::string(upgrade) + std::string(connection) +
                "Sec-WebSocket-Accept: " + accept() + "\r\n" + std::string(more));
  }
  void answer_with(std::string_view lines) {
    client.receive(as_bytes("HTTP/1.1 101 Switching Protocols\r\n" + std::string(lines) + "\r\n"));
  }

  testkit::fake_random random{1};
  websocket_client_opening client;
  std::string sent;
};

bool is_refused_request(const websocket_request& request) {
  testkit::fake_random random(1);
  const websocket_client_opening client(request, random);
  const next_action action = client.next();
  return action.kind == kind::failed && action.error == errc::invalid_argument;
}

}  // namespace

TEST_CASE("websocket_opening: what a client asks for", "[transport][websocket]") {
  const asked plain;
  CHECK(plain.sent.starts_with("GET / HTTP/1.1\r\nHost: example.com\r\n"));
  CHECK(plain.field("upgrade") == "websocket");
  CHECK(plain.field("connection") == "Upgrade");
  CHECK(plain.field("sec-websocket-version") == "13");
  CHECK(websocket::is_key(plain.field("sec-websocket-key")));
  CHECK(plain.field("origin") == "none");
  CHECK(plain.field("sec-websocket-protocol") == "none");
  CHECK(plain.field("sec-websocket-extensions") == "none");
  CHECK(plain.client.next().kind == kind::need_input);

  const asked full({.authority = "[::1]:8080",
                    .path = "/a?b=c",
                    .origin = "https://example.com",
                    .subprotocols = {"one", "two"},
                    .fields = {{"User-Agent", "x y"}, {"Cookie", "a=b"}}});
  CHECK(full.sent.starts_with("GET /a?b=c HTTP/1.1\r\nHost: [::1]:8080\r\n"));
  CHECK(full.field("origin") == "https://example.com");
  CHECK(full.field("sec-websocket-protocol") == "one, two");
  CHECK(full.field("user-agent") == "x y");
  CHECK(full.field("cookie") == "a=b");
}

TEST_CASE("websocket_opening: every handshake has a key of its own", "[transport][websocket]") {
  testkit::fake_random random(1);
  const websocket_client_opening first({.authority = "a"}, random);
  const websocket_client_opening second({.authority = "a"}, random);
  CHECK_FALSE(equal_bytes(first.next().output, second.next().output));
}

TEST_CASE("websocket_opening: requests that cannot be written", "[transport][websocket]") {
  CHECK(is_refused_request({}));
  CHECK(is_refused_request({.authority = "a b"}));
  CHECK(is_refused_request({.authority = "a\r\nX: y"}));
  CHECK(is_refused_request({.authority = "a", .path = ""}));
  CHECK(is_refused_request({.authority = "a", .path = "*"}));
  CHECK(is_refused_request({.authority = "a", .path = "http://b/"}));
  CHECK(is_refused_request({.authority = "a", .path = "/ HTTP/1.1\r\nX: y"}));
  CHECK(is_refused_request({.authority = "a", .origin = "a\nb"}));
  CHECK(is_refused_request({.authority = "a", .subprotocols = {"a b"}}));
  CHECK(is_refused_request({.authority = "a", .subprotocols = {""}}));
  CHECK(is_refused_request({.authority = "a", .subprotocols = {"x", "y", "x"}}));
  CHECK(is_refused_request({.authority = "a", .fields = {{"X", "a\r\nb"}}}));
  CHECK(is_refused_request({.authority = "a", .fields = {{"Host", "b"}}}));
  for (const char* own : {"Upgrade", "connection", "Sec-WebSocket-Key", "sec-websocket-version",
                          "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions",
                          "Sec-WebSocket-Accept", "Content-Length", "Transfer-Encoding"})
    CHECK(is_refused_request({.authority = "a", .fields = {{own, "1"}}}));
}

TEST_CASE("websocket_opening: a 101 that proves the key opens the connection",
          "[transport][websocket]") {
  asked it({.authority = "a", .subprotocols = {"one", "Two"}});
  const std::string head =
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n"
      "connection: keep-alive, UPGRADE\r\nSec-WebSocket-Protocol: Two\r\n"
      "Sec-WebSocket-Accept: " +
      it.accept() + "\r\nX-Other: 1\r\n\r\n";
  const std::string stream = head + "\x82\x01x";
  std::size_t taken = 0;
  while (it.client.next().kind == kind::need_input)
    taken += it.client.receive(as_bytes(stream).subspan(taken, 1));
  CHECK(it.client.next().kind == kind::done);
  CHECK(taken == head.size());
  CHECK(it.client.receive(as_bytes(stream).subspan(taken)) == 0);
  CHECK(it.client.subprotocol() == "Two");
  REQUIRE(it.client.response() != nullptr);
  CHECK(it.client.response()->find("x-other") == "1");
  it.client.receive_end();
  CHECK(it.client.next().kind == kind::done);
}

TEST_CASE("websocket_opening: answers that open nothing", "[transport][websocket]") {
  const auto outcome = [](auto act) {
    asked it({.authority = "a", .subprotocols = {"one", "two"}});
    act(it);
    CHECK(it.client.next().kind == kind::failed);
    return it.client.next().error;
  };
  const std::string good = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
  CHECK(outcome([](asked& it) { it.answer("", ""); }) == errc::protocol_error);
  CHECK(outcome([](asked& it) { it.answer("", "Upgrade: websocket, h2c\r\n"); }) ==
        errc::protocol_error);
  CHECK(outcome([](asked& it) { it.answer("Upgrade: websocket\r\n"); }) == errc::protocol_error);
  CHECK(outcome([](asked& it) { it.answer("", "Upgrade: websocket\r\n", ""); }) ==
        errc::protocol_error);
  CHECK(outcome([](asked& it) {
          it.answer("", "Upgrade: websocket\r\n", "Connection: close\r\n");
        }) == errc::protocol_error);
  CHECK(outcome([&](asked& it) { it.answer_with(good); }) == errc::protocol_error);
  CHECK(outcome([&](asked& it) {
          it.answer_with(good + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
        }) == errc::protocol_error);
  CHECK(outcome([&](asked& it) {
          it.answer_with(good + "Sec-WebSocket-Accept: " + it.field("sec-websocket-key") + "\r\n");
        }) == errc::protocol_error);
  CHECK(outcome([&](asked& it) { it.answer("Sec-WebSocket-Accept: " + it.accept() + "\r\n"); }) ==
        errc::protocol_error);
  CHECK(outcome([](asked& it) { it.answer("Sec-WebSocket-Protocol: three\r\n"); }) ==
        errc::protocol_error);
  CHECK(outcome([](asked& it) { it.answer("Sec-WebSocket-Protocol: One\r\n"); }) ==
        errc::protocol_error);
  CHECK(outcome([](asked& it) { it.answer("Sec-WebSocket-Protocol: one, two\r\n"); }) ==
        errc::protocol_error);
  CHECK(outcome([](asked& it) { it.answer("Sec-WebSocket-Protocol:\r\n"); }) ==
        errc::protocol_error);
  CHECK(outcome([](asked& it) {
          it.answer("Sec-WebSocket-Protocol: one\r\nSec-WebSocket-Protocol: one\r\n");
        }) == errc::protocol_error);
  CHECK(outcome([](asked& it) { it.answer("Sec-WebSocket-Extensions: permessage-deflate\r\n"); }) ==
        errc::protocol_error);
  CHECK(outcome([](asked& it) {
          it.client.receive(
              as_bytes("HTTP/1.0 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Accept: " +
                       it.accept() + "\r\n\r\n"));
        }) == errc::protocol_error);
  CHECK(outcome([](asked& it) {
          it.client.receive(as_bytes("HTTP/1.1 101 x\nUpgrade: w\r\n\r\n"));
        }) == errc::malformed);
  CHECK(outcome([](asked& it) { it.client.receive_end(); }) == errc::truncated);
}

TEST_CASE("websocket_opening: a refusal shows its status", "[transport][websocket]") {
  asked it;
  const std::string answer = "HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\nbody";
  CHECK(it.client.receive(as_bytes(answer)) == answer.size() - 4);
  CHECK(it.client.next().kind == kind::failed);
  CHECK(it.client.next().error == errc::refused);
  REQUIRE(it.client.response() != nullptr);
  CHECK(it.client.response()->status_line().status == 401);
  asked early;
  CHECK(early.client.response() == nullptr);
}

TEST_CASE("websocket_opening: interim responses up to their limit",
          "[transport][websocket][limits]") {
  const auto after = [](unsigned count) {
    asked it;
    for (unsigned i = 0; i < count; ++i)
      it.client.receive(as_bytes("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"));
    if (it.client.next().kind == kind::need_input) it.answer();
    return it.client.next();
  };
  CHECK(after(limits::max_websocket_interim_responses - 1).kind == kind::done);
  CHECK(after(limits::max_websocket_interim_responses).kind == kind::done);
  CHECK(after(limits::max_websocket_interim_responses + 1).error == errc::limit_exceeded);
}

TEST_CASE("websocket_opening: an acceptance before the request is out is none",
          "[transport][websocket]") {
  testkit::fake_random random(1);
  websocket_client_opening client({.authority = "a"}, random);
  const std::string request(as_text(client.next().output));
  const std::size_t at = request.find("Key: ") + 5;
  const std::string accept = websocket::accept_of(request.substr(at, 24));
  client.sent(request.size() - 1);
  client.receive(
      as_bytes("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: " +
               accept + "\r\n\r\n"));
  CHECK(client.next().error == errc::protocol_error);
  websocket_client_opening refused({.authority = "a"}, random);
  refused.receive(as_bytes("HTTP/1.1 503 x\r\n\r\n"));
  CHECK(refused.next().error == errc::refused);
}

TEST_CASE("websocket_opening: as many subprotocols offered as the limit",
          "[transport][websocket][limits]") {
  const auto with = [](std::size_t count) {
    websocket_request request{.authority = "a"};
    for (std::size_t i = 0; i < count; ++i) request.subprotocols.push_back("p" + std::to_string(i));
    return is_refused_request(request);
  };
  CHECK_FALSE(with(limits::max_websocket_subprotocols - 1));
  CHECK_FALSE(with(limits::max_websocket_subprotocols));
  CHECK(with(limits::max_websocket_subprotocols + 1));
}
