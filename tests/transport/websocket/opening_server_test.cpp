// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/websocket_opening.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::transport;
using kind = next_action::kind_type;

namespace {

constexpr std::string_view key_line = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
constexpr std::string_view version_line = "Sec-WebSocket-Version: 13\r\n";
constexpr std::string_view upgrade_lines = "Upgrade: websocket\r\nConnection: Upgrade\r\n";

std::string request_with(std::string_view lines, std::string_view start = "GET /chat HTTP/1.1") {
  return std::string(start) + "\r\nHost: a\r\n" + std::string(lines) + "\r\n";
}

std::string good(std::string_view more = "") {
  return request_with(std::string(upgrade_lines) + std::string(key_line) +
                      std::string(version_line) + std::string(more));
}

std::string drain(websocket_server_opening& server) {
  std::string out;
  while (server.next().kind == kind::send) {
    const bytes output = server.next().output;
    const std::size_t size = std::min<std::size_t>(output.size(), 10);
    out += as_text(output.first(size));
    server.sent(size);
  }
  return out;
}

/// A server to which this was sent.
websocket_server_opening asked(std::string_view request) {
  websocket_server_opening server;
  CHECK(server.next().kind == kind::need_input);
  CHECK(server.receive(as_bytes(request)) == request.size());
  CHECK(server.next().kind == kind::need_decision);
  return server;
}

unsigned problem_of(std::string_view request) {
  const websocket_server_opening server = asked(request);
  INFO(request);
  CHECK(server.request() != nullptr);
  return server.problem() ? server.problem()->status : 0;
}

}  // namespace

TEST_CASE("websocket_opening: a server shows the request and accepts it",
          "[transport][websocket]") {
  const std::string request = good(
      "Sec-WebSocket-Protocol: one, two\r\nsec-websocket-protocol: three\r\n"
      "Sec-WebSocket-Extensions: permessage-deflate; a=\"b\"\r\nOrigin: o\r\n");
  websocket_server_opening server;
  std::size_t taken = 0;
  const std::string stream = request + "\x82\x80";
  while (server.next().kind == kind::need_input)
    taken += server.receive(as_bytes(stream).subspan(taken, 1));
  CHECK(taken == request.size());
  CHECK(server.receive(as_bytes(stream).subspan(taken)) == 0);
  REQUIRE(server.request() != nullptr);
  CHECK(server.problem() == nullptr);
  CHECK(server.request()->request_line().target == "/chat");
  CHECK(server.request()->find("origin") == "o");
  REQUIRE(server.subprotocols().size() == 3);
  CHECK(server.subprotocols()[2] == "three");
  const std::array<http1_field, 1> fields{{{"X-Served-By", "us"}}};
  REQUIRE(server.accept("two", fields));
  CHECK(drain(server) ==
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: two\r\n"
        "X-Served-By: us\r\n\r\n");
  CHECK(server.next().kind == kind::done);
}

TEST_CASE("websocket_opening: what a server may not accept with", "[transport][websocket]") {
  websocket_server_opening server = asked(good("Sec-WebSocket-Protocol: one\r\n"));
  CHECK_FALSE(server.accept("two"));
  CHECK_FALSE(server.accept("One"));
  for (const char* own : {"Upgrade", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol",
                          "Sec-WebSocket-Extensions", "Content-Length", "Transfer-Encoding"}) {
    const http1_field field{own, "1"};
    CHECK_FALSE(server.accept("one", {&field, 1}));
  }
  const http1_field bad{"X", "a\r\nb"};
  CHECK_FALSE(server.accept("one", {&bad, 1}));
  CHECK(server.next().kind == kind::need_decision);
  CHECK(server.accept());
  CHECK_FALSE(server.accept());
  CHECK_FALSE(server.refuse({.status = 400}));
  CHECK(drain(server).find("Sec-WebSocket-Protocol") == std::string::npos);
}

TEST_CASE("websocket_opening: requests that open nothing", "[transport][websocket]") {
  const std::string rest = std::string(key_line) + std::string(version_line);
  const std::string all = std::string(upgrade_lines) + rest;
  CHECK(problem_of(good()) == 0);
  CHECK(problem_of(request_with("Upgrade: h2c, WebSocket\r\nConnection: a, UPGRADE\r\n" + rest)) ==
        0);
  CHECK(problem_of(request_with("")) == 426);
  CHECK(problem_of(request_with("Connection: Upgrade\r\n" + rest)) == 426);
  CHECK(problem_of(request_with("Upgrade: websocket\r\n" + rest)) == 426);
  CHECK(problem_of(request_with("Upgrade: websockets\r\nConnection: Upgrade\r\n" + rest)) == 426);
  CHECK(problem_of(request_with(all, "POST / HTTP/1.1")) == 405);
  CHECK(problem_of(request_with(all, "GET / HTTP/1.0")) == 400);
  CHECK(problem_of("GET / HTTP/1.1\r\nHost:\r\n" + all + "\r\n") == 400);
  CHECK(problem_of(good("Content-Length: 5\r\n")) == 400);
  CHECK(problem_of(good("Transfer-Encoding: chunked\r\n")) == 400);
  CHECK(problem_of(good("Content-Length: 0\r\n")) == 0);
  CHECK(problem_of(request_with(std::string(upgrade_lines) + std::string(version_line))) == 400);
  CHECK(problem_of(good(key_line)) == 400);
  CHECK(problem_of(request_with(std::string(upgrade_lines) + std::string(version_line) +
                                "Sec-WebSocket-Key: short==\r\n")) == 400);
  CHECK(problem_of(request_with(std::string(upgrade_lines) + std::string(key_line))) == 426);
  CHECK(problem_of(good(version_line)) == 426);
  for (const char* version : {"8", "14", "13, 8", "", "013"})
    CHECK(problem_of(request_with(std::string(upgrade_lines) + std::string(key_line) +
                                  "Sec-WebSocket-Version: " + version + "\r\n")) == 426);
  CHECK(problem_of(good("Sec-WebSocket-Protocol: a b\r\n")) == 400);
  CHECK(problem_of(good("Sec-WebSocket-Protocol: a, a\r\n")) == 400);
  CHECK(problem_of(good("Sec-WebSocket-Protocol: ,a,\r\n")) == 0);
}

TEST_CASE("websocket_opening: offers of extensions are read, and declined",
          "[transport][websocket]") {
  for (const char* value : {"a", "a, b", "a;b", "a ; b = c ;d", "a;b=\"c\"", "a;b=\"c\" , d;e",
                            "permessage-deflate; client_max_window_bits, x-other"}) {
    const std::string request = good("Sec-WebSocket-Extensions: " + std::string(value) + "\r\n");
    CHECK(problem_of(request) == 0);
    websocket_server_opening server = asked(request);
    CHECK(server.accept());
    CHECK(drain(server).find("Extensions") == std::string::npos);
  }
  for (const char* value : {"", ",", "a,", "a;", "a;=b", "a;b=", "a;b=\"c", "a;b=\"c d\"", "a b",
                            "a;b=c d", "a;b=\"c\"d", "a;b=\"\"", "=", "a=b", "(a)", "a;;b"})
    CHECK(problem_of(good("Sec-WebSocket-Extensions: " + std::string(value) + "\r\n")) == 400);
}

TEST_CASE("websocket_opening: a server refuses as its owner says", "[transport][websocket]") {
  websocket_server_opening server = asked(good());
  const std::array<http1_field, 1> fields{{{"Server", "nginx"}}};
  const websocket_refusal page{
      .status = 200, .reason = "OK", .fields = fields, .content = as_bytes("<p>")};
  REQUIRE(server.refuse(page));
  CHECK(drain(server) ==
        "HTTP/1.1 200 OK\r\nServer: nginx\r\nConnection: close\r\nContent-Length: 3\r\n\r\n<p>");
  CHECK(server.next().kind == kind::failed);
  CHECK(server.next().error == errc::refused);

  websocket_server_opening empty = asked(request_with("", "HEAD / HTTP/1.1"));
  REQUIRE(empty.refuse(page));
  CHECK(drain(empty).ends_with("Content-Length: 3\r\n\r\n"));
  websocket_server_opening nothing = asked(good());
  REQUIRE(nothing.refuse({.status = 204, .content = as_bytes("x")}));
  CHECK(drain(nothing) == "HTTP/1.1 204 \r\nConnection: close\r\n\r\n");

  websocket_server_opening careless = asked(good());
  const http1_field length{"Content-Length", "5"};
  CHECK_FALSE(careless.refuse({.status = 400, .fields = {&length, 1}}));
  CHECK_FALSE(careless.refuse({.status = 101}));
  CHECK_FALSE(careless.refuse({.status = 400, .reason = "a\r\nb"}));
  CHECK(careless.next().kind == kind::need_decision);
}

TEST_CASE("websocket_opening: a server that is not asked refuses fittingly",
          "[transport][websocket]") {
  const auto refusal = [](std::string_view request) {
    websocket_server_opening server = asked(request);
    server.refuse();
    const std::string out = drain(server);
    CHECK(server.next().kind == kind::failed);
    CHECK(out.find("Connection: close\r\n") != out.npos);
    return out;
  };
  CHECK(refusal(good()).starts_with("HTTP/1.1 403 "));
  CHECK(refusal(good(version_line)).find("\r\nSec-WebSocket-Version: 13\r\n") != std::string::npos);
  CHECK(refusal(good(version_line)).starts_with("HTTP/1.1 426 "));
  CHECK(refusal(request_with("")).find("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n") !=
        std::string::npos);
  CHECK(refusal(request_with(upgrade_lines, "PUT / HTTP/1.1")).find("\r\nAllow: GET\r\n") !=
        std::string::npos);
}

TEST_CASE("websocket_opening: what is no request is the owner's to answer, too",
          "[transport][websocket]") {
  websocket_server_opening server = asked("\x16\x03\x01 hello\n and more");
  CHECK(server.request() == nullptr);
  REQUIRE(server.problem() != nullptr);
  CHECK(server.problem()->status == 400);
  CHECK_FALSE(server.accept());
  server.refuse();
  CHECK(drain(server) == "HTTP/1.1 400 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  CHECK(server.next().error == errc::malformed);

  websocket_server_opening large{{.bytes = 20}};
  large.receive(as_bytes("GET /a-long-target-and HTTP/1.1\r\n"));
  CHECK(large.problem()->status == 414);
  large.refuse();
  drain(large);
  CHECK(large.next().error == errc::limit_exceeded);
}

TEST_CASE("websocket_opening: a carrier that ends before the request does",
          "[transport][websocket]") {
  websocket_server_opening idle;
  idle.receive_end();
  CHECK(idle.next().kind == kind::failed);
  CHECK(idle.next().error == errc::eof);
  websocket_server_opening begun;
  begun.receive(as_bytes("GET"));
  begun.receive_end();
  CHECK(begun.next().error == errc::truncated);
  websocket_server_opening decided = asked(good());
  decided.receive_end();
  CHECK(decided.next().kind == kind::need_decision);
}

TEST_CASE("websocket_opening: as many subprotocols asked as the limit",
          "[transport][websocket][limits]") {
  const auto with = [](std::size_t count) {
    std::string line = "Sec-WebSocket-Protocol: p";
    for (std::size_t i = 1; i < count; ++i) line += ",p" + std::to_string(i);
    return problem_of(good(line + "\r\n"));
  };
  CHECK(with(limits::max_websocket_subprotocols - 1) == 0);
  CHECK(with(limits::max_websocket_subprotocols) == 0);
  CHECK(with(limits::max_websocket_subprotocols + 1) == 431);
}

TEST_CASE("websocket_opening: client and server open a connection with each other",
          "[transport][websocket]") {
  testkit::fake_random random(9);
  websocket_client_opening client({.authority = "a", .path = "/p?q", .subprotocols = {"x", "y"}},
                                  random);
  websocket_server_opening server;
  const std::string request(as_text(client.next().output));
  client.sent(request.size());
  CHECK(server.receive(as_bytes(request)) == request.size());
  CHECK(server.request()->request_line().target == "/p?q");
  REQUIRE(server.accept("y"));
  const std::string answer = drain(server);
  CHECK(client.receive(as_bytes(answer)) == answer.size());
  CHECK(client.next().kind == kind::done);
  CHECK(server.next().kind == kind::done);
  CHECK(client.subprotocol() == "y");
}
