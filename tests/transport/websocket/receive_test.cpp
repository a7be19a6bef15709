// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "subject.hpp"

using namespace strata::transport;
using namespace strata::transport::tests;
using namespace std::string_literals;

namespace {

/// What one end makes of a frame that it must not accept.
struct verdict {
  unsigned code = 0;
  std::error_code error;
};

verdict after(subject& it) {
  verdict found;
  for (const raw_frame& frame : it.frames())
    if (frame.opcode == closing) found.code = code_of(frame);
  std::string out(64, '\0');
  const websocket_close* closed = it.core.closed();
  if (closed != nullptr) found.error = closed->cause;
  return found;
}

verdict after_stream(std::string_view stream, const websocket_config& config) {
  subject it(config);
  it.feed(stream);
  return after(it);
}

bool is_protocol_error(const verdict& found) {
  return found.code == 1002 && found.error == errc::protocol_error;
}

}  // namespace

TEST_CASE("websocket: a stream is the bytes of all messages", "[transport][websocket]") {
  const bool server = GENERATE(true, false);
  const std::size_t step = GENERATE(1u, 2u, 3u, 7u, 100u, 1u << 20);
  subject it(server ? server_stream() : client_stream());
  std::string expected;
  std::string stream;
  const auto add = [&](unsigned opcode, const std::string& payload, bool fin) {
    stream += encode(it.from_peer(opcode, payload, fin));
    if (opcode <= binary) expected += payload;
  };
  add(binary, "one", true);
  add(binary, "", true);
  add(binary, "two ", false);
  add(ping, "p", true);
  add(continuation, "", false);
  add(continuation, std::string(300, 'x'), false);
  add(continuation, "!", true);
  add(binary, std::string(70'000, 'y'), true);
  std::string seen;
  while (!stream.empty()) {
    it.feed(std::string_view(stream).substr(0, step));
    stream.erase(0, step);
    while (const auto text = it.read(1000)) seen += *text;
  }
  CHECK(seen == expected);
  CHECK(it.read_error() == errc::would_block);
  CHECK(it.shown() == "ap ");
}

TEST_CASE("websocket: what is read within the loan is not kept", "[transport][websocket]") {
  const bool server = GENERATE(true, false);
  subject it(server ? server_stream() : client_stream());
  const std::string input =
      encode(it.from_peer(binary, "hello")) + encode(it.from_peer(binary, " you"));
  it.core.receive(it.now, as_bytes(input));
  CHECK(it.read(3) == "hel"s);
  it.core.release_input();
  CHECK(it.read(3) == "lo "s);
  CHECK(it.read() == "you"s);
}

TEST_CASE("websocket: a peek shows bytes without taking them", "[transport][websocket]") {
  const bool server = GENERATE(true, false);
  subject it(server ? server_stream() : client_stream());
  CHECK(it.core.peek().error() == errc::would_block);
  const std::string input =
      encode(it.from_peer(binary, "hello")) + encode(it.from_peer(binary, "you"));
  it.core.receive(it.now, as_bytes(input));
  CHECK(as_text(it.core.peek().value()) == "hello");
  it.core.consume(2);
  it.core.consume(0);
  CHECK(as_text(it.core.peek().value()) == "llo");
  it.core.release_input();
  CHECK(as_text(it.core.peek().value()) == "lloyou");
  it.core.consume(6);
  it.feed(closing, close_payload(1000));
  CHECK(it.core.peek().error() == errc::eof);
}

TEST_CASE("websocket: messages keep their kind and their end", "[transport][websocket]") {
  const bool server = GENERATE(true, false);
  const std::size_t step = GENERATE(1u, 5u, 1u << 20);
  subject it(server ? server_messages() : client_messages());
  const auto feed = [&](unsigned opcode, std::string payload, bool fin = true) {
    it.feed(it.from_peer(opcode, std::move(payload), fin), step);
  };
  CHECK(it.message().error() == errc::would_block);
  feed(text, "caf\xc3", false);
  feed(ping, "now");
  feed(continuation, "\xa9");
  feed(binary, "");
  feed(binary, "\xff\x00"s);
  feed(text, "open", false);
  CHECK(it.message() == "t:caf\xc3\xa9"s);
  CHECK(it.message() == "b:"s);
  CHECK(it.message(1) == "b:\xff+"s);
  CHECK(it.message(1) == "b:\0"s);
  CHECK(it.message() == "t:open+"s);
  CHECK(it.message().error() == errc::would_block);
  feed(continuation, "");
  CHECK(it.message() == "t:"s);
  CHECK(it.shown() == "anow ");
}

TEST_CASE("websocket: text that is not UTF-8 is 1007, as soon as it is seen",
          "[transport][websocket]") {
  const bool server = GENERATE(true, false);
  const auto outcome = [&](std::initializer_list<std::pair<std::string, bool>> fragments) {
    subject it(server ? server_messages() : client_messages());
    unsigned opcode = text;
    for (const auto& [payload, fin] : fragments) {
      it.feed(opcode, payload, fin);
      opcode = continuation;
    }
    return after(it);
  };
  CHECK(outcome({{"\xff", false}}).code == 1007);
  CHECK(outcome({{"ok\xf4", false}, {"\x90", false}}).code == 1007);
  CHECK(outcome({{"\xed\xa0\x80", true}}).code == 1007);
  CHECK(outcome({{"cut\xc3", true}}).code == 1007);
  CHECK(outcome({{"cut\xc3", false}, {"", true}}).code == 1007);
  CHECK(outcome({{"cut\xc3", true}}).error == errc::protocol_error);
  CHECK(outcome({{"\xf4", false}, {"\x8f", false}, {"\xbf\xbf", true}}).code == 0);
  // Long enough for the piecewise check of masked text.
  CHECK(outcome({{std::string(5000, 'x') + "\xff", true}}).code == 1007);
  CHECK(outcome({{std::string(2047, 'x') + "\xc3\xa9" + std::string(3000, 'y'), true}}).code == 0);
  // Wrong before the frame is complete.
  subject it(server ? server_messages() : client_messages());
  const std::string frame = encode(it.from_peer(text, "a\xff" + std::string(100, 'b')));
  it.feed(std::string_view(frame).substr(0, frame.size() - 99));
  CHECK(after(it).code == 1007);
}

TEST_CASE("websocket: binary messages may be any bytes", "[transport][websocket]") {
  subject it(server_messages());
  it.feed(binary, "\xff\xfe");
  CHECK(it.message() == "b:\xff\xfe"s);
}

TEST_CASE("websocket: text has no place in a stream", "[transport][websocket]") {
  subject it(server_stream());
  it.feed(text, "CLOSE");
  const verdict found = after(it);
  CHECK(found.code == 1003);
  CHECK(found.error == errc::protocol_error);
  CHECK(it.read_error() == errc::protocol_error);
}

TEST_CASE("websocket: frames that break the rules end the connection with 1002",
          "[transport][websocket]") {
  const bool server = GENERATE(true, false);
  const websocket_config config = server ? server_messages() : client_messages();
  const subject maker(config);
  const auto broken = [&](const raw_frame& frame, std::string_view before = "") {
    INFO(frame.opcode << " " << frame.reserved << " " << frame.payload.size());
    const std::string stream = std::string(before) + encode(frame);
    return is_protocol_error(after_stream(stream, config));
  };
  const auto with = [&](unsigned opcode, auto change) {
    raw_frame frame = maker.from_peer(opcode, "x");
    change(frame);
    return frame;
  };
  for (unsigned reserved = 1; reserved < 8; ++reserved)
    for (const unsigned opcode : {binary, ping, closing, text})
      CHECK(broken(with(opcode, [&](raw_frame& frame) { frame.reserved = reserved; })));
  for (const unsigned opcode : {3u, 4u, 5u, 6u, 7u, 11u, 12u, 13u, 14u, 15u})
    CHECK(broken(maker.from_peer(opcode, "")));
  for (const unsigned opcode : {binary, text, ping, pong, closing})
    CHECK(broken(with(opcode, [](raw_frame& frame) { frame.masked = !frame.masked; })));
  for (const unsigned opcode : {ping, pong, closing}) {
    CHECK(broken(with(opcode, [](raw_frame& frame) { frame.fin = false; })));
    CHECK(broken(with(opcode, [](raw_frame& frame) { frame.payload.assign(126, 'x'); })));
  }
  CHECK(broken(with(binary, [](raw_frame& frame) { frame.length_bytes = 2; })));
  CHECK(broken(with(binary, [](raw_frame& frame) { frame.length_bytes = 8; })));
  CHECK(broken(with(binary, [](raw_frame& frame) { frame.length = std::uint64_t{1} << 63; })));
  CHECK(broken(maker.from_peer(continuation, "x")));
  CHECK(broken(maker.from_peer(continuation, "x", false)));
  const std::string begun = encode(maker.from_peer(binary, "x", false));
  CHECK(broken(maker.from_peer(binary, "x"), begun));
  CHECK(broken(maker.from_peer(text, "x"), begun));
  const std::string ended = begun + encode(maker.from_peer(continuation, "x"));
  CHECK(broken(maker.from_peer(continuation, "x"), ended));
}

TEST_CASE("websocket: two bytes are enough to see what is not WebSocket",
          "[transport][websocket]") {
  subject it(server_stream());
  it.feed("HT");
  CHECK(is_protocol_error(after(it)));
  subject other(client_stream());
  other.feed("\x81");
  CHECK(after(other).code == 0);
  other.feed("\x80");
  CHECK(is_protocol_error(after(other)));
}

TEST_CASE("websocket: after an error nothing of the peer counts", "[transport][websocket]") {
  subject it(server_stream());
  it.feed(binary, "before");
  it.feed(3u, "");
  it.feed(binary, "after");
  it.feed(ping, "p");
  it.feed(closing, close_payload(1000));
  CHECK(it.core.wants_input());
  CHECK(it.shown() == "81002 ");
  CHECK(it.read() == "before"s);
  CHECK(it.read_error() == errc::protocol_error);
  CHECK(it.core.finished());
}

TEST_CASE("websocket: close codes that may come, and those that may not",
          "[transport][websocket]") {
  const auto outcome = [](const std::string& payload) {
    subject it(server_stream());
    it.feed(closing, payload);
    return after(it).code;
  };
  for (const unsigned code : {1000u, 1001u, 1002u, 1003u, 1007u, 1008u, 1009u, 1010u, 1011u, 1012u,
                              1013u, 1014u, 3000u, 3999u, 4000u, 4999u})
    CHECK(outcome(close_payload(code)) == code);
  for (const unsigned code :
       {0u, 999u, 1004u, 1005u, 1006u, 1015u, 1016u, 1100u, 2000u, 2999u, 5000u, 65535u})
    CHECK(outcome(close_payload(code)) == 1002);
  CHECK(outcome("") == 1005);
  CHECK(outcome("\x03") == 1002);
  CHECK(outcome(close_payload(1000, std::string(123, 'r'))) == 1000);
  CHECK(outcome(close_payload(1000, "\xff")) == 1007);
  CHECK(outcome(close_payload(1000, "cut\xc3")) == 1007);
  CHECK(outcome(close_payload(1000, "gut \xc3\xa4")) == 1000);
}

TEST_CASE("websocket: pings are answered, the latest when there is no time for all",
          "[transport][websocket]") {
  const bool server = GENERATE(true, false);
  subject it(server ? server_stream() : client_stream());
  it.feed(ping, "");
  CHECK(it.shown() == "a ");
  it.feed(ping, std::string(125, 'p'));
  CHECK(it.shown() == "a" + std::string(125, 'p') + " ");
  for (int i = 0; i < 100; ++i) it.feed(ping, std::to_string(i));
  CHECK(it.shown() == "a99 ");
  for (int i = 0; i < 10; ++i) {
    const std::string payload(125, static_cast<char>('0' + i));
    it.feed(ping, payload);
    CHECK(it.shown() == "a" + payload + " ");
  }
  it.feed(pong, "nobody asked");
  CHECK(it.shown().empty());
  CHECK(it.events().empty());
}

TEST_CASE("websocket: readable is told once until there is a read", "[transport][websocket]") {
  subject it(server_stream());
  CHECK(it.events().empty());
  it.feed(binary, "");
  CHECK(it.events().empty());
  it.feed(binary, "a");
  it.feed(binary, "b");
  CHECK(it.events() == "r");
  it.feed(binary, "c");
  CHECK(it.events().empty());
  CHECK(it.read() == "abc"s);
  CHECK(it.events().empty());
  it.feed(binary, "d");
  CHECK(it.events() == "r");
  subject messages(server_messages());
  messages.feed(binary, "");
  CHECK(messages.events() == "r");
}

TEST_CASE("websocket: reading into nothing", "[transport][websocket]") {
  subject it(server_stream());
  CHECK(it.core.read({}) == 0);
  it.feed(binary, "a");
  CHECK(it.core.read({}) == 0);
  CHECK(it.read() == "a"s);
}
