// SPDX-License-Identifier: Apache-2.0
// Attacks on WebSocket by their ids in tests/hostile/catalogue.md.
#include <catch2/catch_test_macros.hpp>

#include "core/websocket/opening_key.hpp"
#include "strata/transport/core/websocket_opening.hpp"
#include "subject.hpp"

using namespace strata;
using namespace strata::transport;
using namespace strata::transport::tests;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

unsigned code_after(subject& it) {
  for (const raw_frame& frame : it.frames())
    if (frame.opcode == closing) return code_of(frame);
  return 0;
}

}  // namespace

TEST_CASE("websocket: user data that looks like control", "[attack][W01]") {
  subject it(server_stream());
  for (const std::string& payload :
       {"CLOSE"s, "ERROR:no"s, "CONNECT:a:1|"s, "\x88\x00"s, encode({.opcode = closing})})
    it.feed(binary, payload);
  CHECK(code_after(it) == 0);
  CHECK(it.read() == "CLOSEERROR:noCONNECT:a:1|\x88\x00\x88\x00"s);
}

TEST_CASE("websocket: a client that does not mask, a server that does", "[attack][W02]") {
  for (const unsigned opcode : {text, binary, ping, pong, closing}) {
    subject server(server_stream());
    server.feed(encode({.opcode = opcode, .payload = "GET / HTTP/1.1\r\n"}));
    CHECK(code_after(server) == 1002);
    CHECK(server.read_error() == errc::protocol_error);
    subject client(client_stream());
    client.feed(encode({.opcode = opcode, .payload = "x", .masked = true}));
    CHECK(code_after(client) == 1002);
  }
}

TEST_CASE("websocket: masks that could be foretold", "[attack][W03]") {
  // Keys come from the source of randomness, each four bytes of it, none twice.
  subject it(client_stream());
  std::string stream;
  for (int i = 0; i < 1000; ++i) {
    CHECK(it.write("GET /cached HTTP/1.1\r\n\r\n"));
    stream += it.flush();
  }
  CHECK(stream.find("GET /cached") == std::string::npos);
}

TEST_CASE("websocket: pings by the thousand while the carrier takes nothing", "[attack][W04]") {
  subject it(server_stream());
  CHECK(it.write("busy"));
  CHECK(it.flush(1).size() == 1);
  for (unsigned i = 0; i < limits::websocket_glitch_burst; ++i)
    it.feed(ping, std::string(125, 'p'));
  CHECK(it.flush().size() == 5 + 2 + 125);
  it.feed(ping, "one more");
  CHECK(code_after(it) == 1008);
}

TEST_CASE("websocket: empty fragments without end", "[attack][W05]") {
  subject it(server_messages());
  it.feed(text, "", false);
  unsigned sent = 1;
  for (; code_after(it) == 0 && sent < 100'000; ++sent) it.feed(continuation, "", false);
  CHECK(sent == limits::websocket_glitch_burst + 1);
}

TEST_CASE("websocket: a length that is far beyond what follows", "[attack][W06]") {
  for (const std::uint64_t length : {limits::max_websocket_frame + 1, (std::uint64_t{1} << 63) - 1,
                                     std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    subject it(server_stream());
    raw_frame frame = it.from_peer(binary, "");
    frame.length = length;
    it.feed(frame);
    CHECK(it.core.closed() != nullptr);
  }
}

TEST_CASE("websocket: one message in so many fragments that it grows without bound",
          "[attack][W07]") {
  websocket_config config = server_stream();
  config.max_message = 1000;
  subject it(config);
  it.feed(binary, "x", false);
  unsigned sent = 1;
  for (; code_after(it) == 0 && sent < 10'000; ++sent) {
    it.feed(continuation, "x", false);
    it.read();
  }
  CHECK(sent == 1001);
  CHECK(it.core.closed()->cause == errc::limit_exceeded);
}

TEST_CASE("websocket: a reader that does not read is not sent for", "[attack][W08]") {
  subject it(server_stream());
  std::size_t fed = 0;
  while (it.core.wants_input()) {
    it.feed(binary, std::string(4096, 'x'));
    fed += 4096;
  }
  CHECK(fed <= limits::max_websocket_unread + 4096);
}

TEST_CASE("websocket: text that is no text, cut where it hides", "[attack][W09]") {
  for (const std::string& bad :
       {"\xc0\xaf"s, "\xed\xa0\x80"s, "\xf4\x90\x80\x80"s, "\xe0\x80\xaf"s, "\x80"s, "\xfe"s}) {
    for (std::size_t cut = 0; cut <= bad.size(); ++cut) {
      subject it(server_messages());
      it.feed(text, "ok" + bad.substr(0, cut), false);
      it.feed(continuation, bad.substr(cut), true);
      CHECK(code_after(it) == 1007);
    }
  }
}

TEST_CASE("websocket: an answer that does not prove the key", "[attack][W10]") {
  testkit::fake_random random(1);
  websocket_client_opening client({.authority = "a"}, random);
  client.sent(client.next().output.size());
  // What a cache kept of somebody else's handshake.
  client.receive(
      as_bytes("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"));
  CHECK(client.next().error == errc::protocol_error);
}

TEST_CASE("websocket: an upgrade with a body, whose bytes would be frames", "[attack][W11]") {
  for (const char* line : {"Content-Length: 8\r\n", "Transfer-Encoding: chunked\r\n"}) {
    websocket_server_opening server;
    server.receive(
        as_bytes("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                 std::string(line) + "\r\n"));
    CHECK_FALSE(server.accept());
    server.refuse();
    CHECK(as_text(server.next().output).starts_with("HTTP/1.1 400 "));
  }
}

TEST_CASE("websocket: extensions that nobody offered", "[attack][W12]") {
  testkit::fake_random random(1);
  websocket_client_opening client({.authority = "a"}, random);
  const std::string request(as_text(client.next().output));
  client.sent(request.size());
  const std::string key = request.substr(request.find("Key: ") + 5, 24);
  client.receive(
      as_bytes("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Accept: " +
               websocket::accept_of(key) + "\r\n\r\n"));
  CHECK(client.next().error == errc::protocol_error);
  subject it(client_messages());
  raw_frame compressed = it.from_peer(text, "\xf2\x48\xcd\xc9\xc9\x07");
  compressed.reserved = 4;
  it.feed(compressed);
  CHECK(code_after(it) == 1002);
}

TEST_CASE("websocket: a Close that never comes, and a carrier that never ends", "[attack][W13]") {
  subject it(client_stream());
  CHECK(it.core.finish(it.now));
  for (int turn = 0; turn < 100 && !it.core.finished(); ++turn) {
    it.flush();
    const auto due = it.core.next_timeout();
    REQUIRE(due.has_value());
    it.now = *due;
    it.feed(ping, "");
    it.core.handle_timeout(it.now);
  }
  CHECK(it.core.finished());
  CHECK(it.now <=
        time_point(1000s) + limits::websocket_finish_hold + limits::websocket_close_timeout + 10s);
}

TEST_CASE("websocket: a carrier cut where a message seems to end", "[attack][W14]") {
  for (std::size_t cut = 0; cut < 11; ++cut) {
    subject it(server_stream());
    const std::string stream = encode(it.from_peer(binary, "hello"));
    it.feed(std::string_view(stream).substr(0, cut));
    it.core.receive_end(it.now);
    while (it.read()) {}
    CHECK(it.read_error() == errc::truncated);
  }
}
