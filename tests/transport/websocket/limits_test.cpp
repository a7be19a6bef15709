// SPDX-License-Identifier: Apache-2.0
// Each bound on what a peer can make a connection hold or do: one below, at it, one above.
#include <catch2/catch_test_macros.hpp>

#include "subject.hpp"

using namespace strata::transport;
using namespace strata::transport::tests;
using namespace std::chrono_literals;

namespace {

/// The close code that the subject answered with; zero while it is content.
unsigned code_after(subject& it) {
  for (const raw_frame& frame : it.frames())
    if (frame.opcode == closing) return code_of(frame);
  return 0;
}

/// A frame's header alone.
std::string header(const subject& of, unsigned opcode, std::uint64_t length, bool fin = true) {
  raw_frame frame = of.from_peer(opcode, "", fin);
  frame.length = length;
  return encode(frame);
}

unsigned code_for_frame(const websocket_config& config, std::uint64_t length) {
  subject it(config);
  it.feed(header(it, binary, length));
  return code_after(it);
}

/// Fragments of these sizes, read as they come.
unsigned code_for_message(const websocket_config& config,
                          std::initializer_list<std::size_t> sizes) {
  subject it(config);
  unsigned opcode = binary;
  for (const std::size_t size : sizes) {
    it.feed(opcode, std::string(size, 'x'), false);
    while (it.read()) {}
    opcode = continuation;
  }
  return code_after(it);
}

}  // namespace

TEST_CASE("websocket: a frame as large as the limit", "[transport][websocket][limits]") {
  constexpr std::uint64_t most = limits::max_websocket_frame;
  CHECK(code_for_frame(server_stream(), most - 1) == 0);
  CHECK(code_for_frame(server_stream(), most) == 0);
  CHECK(code_for_frame(server_stream(), most + 1) == 1009);
  websocket_config config = client_stream();
  config.max_frame = 10;
  CHECK(code_for_frame(config, 10) == 0);
  CHECK(code_for_frame(config, 11) == 1009);
  CHECK(code_for_frame(config, (std::uint64_t{1} << 63) - 1) == 1009);
}

TEST_CASE("websocket: a message as large as the limit", "[transport][websocket][limits]") {
  constexpr std::size_t most = limits::max_websocket_message;
  CHECK(code_for_message(server_stream(), {most - 2, 1}) == 0);
  CHECK(code_for_message(server_stream(), {most - 1, 1}) == 0);
  CHECK(code_for_message(server_stream(), {most - 1, 2}) == 1009);
  websocket_config config = client_stream();
  config.max_message = 10;
  CHECK(code_for_message(config, {4, 4, 2, 0}) == 0);
  CHECK(code_for_message(config, {4, 4, 2, 1}) == 1009);
  CHECK(code_for_message(config, {11}) == 1009);
  subject it(config);
  it.feed(binary, std::string(10, 'x'));
  it.feed(binary, std::string(10, 'x'));
  CHECK(code_after(it) == 0);
  it.feed(binary, std::string(11, 'x'));
  CHECK(it.core.closed()->cause == errc::limit_exceeded);
}

TEST_CASE("websocket: unread bytes hold the carrier back", "[transport][websocket][limits]") {
  const auto wants = [](std::size_t unread) {
    subject it(server_stream());
    it.feed(binary, std::string(unread, 'x'));
    const bool before = it.core.wants_input();
    CHECK(it.read());
    CHECK(it.core.wants_input());
    return before;
  };
  CHECK(wants(limits::max_websocket_unread - 1));
  CHECK_FALSE(wants(limits::max_websocket_unread));
  CHECK_FALSE(wants(limits::max_websocket_unread + 1));
}

TEST_CASE("websocket: unread messages hold the carrier back, however small",
          "[transport][websocket][limits]") {
  constexpr std::size_t most = limits::max_websocket_unread / limits::websocket_message_cost;
  const auto wants = [](std::size_t count) {
    subject it(server_messages());
    for (std::size_t i = 0; i < count; ++i) {
      it.now += 100ms;  // not a flood
      it.feed(binary, "");
    }
    const bool before = it.core.wants_input();
    CHECK(it.message());
    CHECK(it.message());
    CHECK(it.core.wants_input());
    return before;
  };
  CHECK(wants(most - 1));
  CHECK_FALSE(wants(most));
  CHECK_FALSE(wants(most + 1));
}

TEST_CASE("websocket: as many frames that carry nothing as the limit",
          "[transport][websocket][limits]") {
  constexpr unsigned most = limits::websocket_glitch_burst;
  for (const unsigned opcode : {ping, pong, binary}) {
    const auto after = [&](unsigned count) {
      subject it(server_stream());
      for (unsigned i = 0; i < count; ++i) it.feed(opcode, "");
      return code_after(it);
    };
    CHECK(after(most - 1) == 0);
    CHECK(after(most) == 0);
    CHECK(after(most + 1) == 1008);
  }
}

TEST_CASE("websocket: what was used up comes back with time", "[transport][websocket][limits]") {
  subject it(server_stream());
  const auto send = [&](unsigned count) {
    for (unsigned i = 0; i < count; ++i) it.feed(ping, "");
    return code_after(it);
  };
  CHECK(send(limits::websocket_glitch_burst) == 0);
  it.now += 1s;
  CHECK(send(limits::websocket_glitches_per_second) == 0);
  it.now += 1h;
  CHECK(send(limits::websocket_glitch_burst) == 0);
  it.now += 1s;
  CHECK(send(limits::websocket_glitches_per_second + 1) == 1008);
}

TEST_CASE("websocket: a clock that stands still or goes back gives nothing back",
          "[transport][websocket]") {
  subject it(server_stream());
  for (unsigned i = 0; i < limits::websocket_glitch_burst; ++i) it.feed(ping, "");
  it.now -= 10s;
  it.feed(ping, "");
  CHECK(code_after(it) == 1008);
}

TEST_CASE("websocket: frames with content are no flood", "[transport][websocket]") {
  subject it(server_stream());
  for (unsigned i = 0; i < 3 * limits::websocket_glitch_burst; ++i) {
    it.feed(binary, "x", false);
    it.feed(continuation, "y");
    CHECK(it.read());
  }
  CHECK(code_after(it) == 0);
}
