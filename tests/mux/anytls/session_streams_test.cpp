// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/session_end.hpp"

using namespace strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;

TEST_CASE("streams: numbers begin at 1 and go up", "[mux][anytls]") {
  session_end client = new_client();
  for (std::uint32_t id = 1; id <= 5; ++id) CHECK(client.session.open() == id);
  client.stream(5).forget();
  CHECK(client.session.open() == 6u);
}

TEST_CASE("streams: only clients open, only servers accept", "[mux][anytls]") {
  CHECK(new_server().session.open().error() == failure::invalid_argument);
  CHECK_FALSE(new_client().session.accept());
}

TEST_CASE("streams: bytes go both ways, of two streams at once", "[mux][anytls]") {
  session_pair both;
  const auto one = both.open_stream("to one");
  const auto two = both.open_stream("to two");
  CHECK(both.server.read(one) == "to one");
  CHECK(both.server.read(two) == "to two");
  const std::string large(100'000, 'l');
  both.client.write(one, large).value();
  both.server.write(two, large + "!").value();
  both.settle();
  CHECK(both.server.read(one) == large);
  CHECK(both.client.read(two) == large + "!");
  CHECK(both.client.read(one).empty());
}

TEST_CASE("streams: a server learns of each stream once", "[mux][anytls]") {
  session_end server = new_server();
  server.receive(frame(command::syn, 1) + frame(command::syn, 2));
  CHECK(server.take(kind::stream_opened) == 1);
  server.receive(frame(command::syn, 3));
  CHECK(server.take(kind::stream_opened) == 0);
  CHECK(server.session.accept() == 1u);
  CHECK(server.session.accept() == 2u);
  CHECK(server.session.accept() == 3u);
  CHECK_FALSE(server.session.accept());
  server.receive(frame(command::syn, 4));
  CHECK(server.take(kind::stream_opened) == 1);
}

TEST_CASE("streams: what came before a stream was accepted is there", "[mux][anytls]") {
  session_end server = new_server();
  server.receive(frame(command::syn, 1) + frame(command::psh, 1, "early") + frame(command::fin, 1));
  CHECK(server.session.accept() == 1u);
  CHECK(server.take(kind::readable, 1) == 1);
  std::error_code end;
  CHECK(server.read(1, &end) == "early");
  CHECK(end == failure::eof);
  CHECK(server.write_error(1) == failure::write_stopped);
}

TEST_CASE("streams: readable comes once, and again after a read would have blocked",
          "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.receive(frame(command::psh, 1, "one"));
  client.receive(frame(command::psh, 1, "two"));
  CHECK(client.take(kind::readable, 1) == 1);
  CHECK(client.read(1) == "onetwo");
  client.receive(frame(command::psh, 1, "three"));
  CHECK(client.take(kind::readable, 1) == 1);
}

TEST_CASE("streams: reading straight from the input, and of what was kept", "[mux][anytls]") {
  session_end client = client_in_bulk();
  const byte_vector input = frame(command::psh, 1, "straight") + frame(command::psh, 1, "kept");
  client.session.receive(client.now, input);
  bool end = true;
  const auto piece = client.stream(1).peek(end);
  REQUIRE(piece);
  CHECK_FALSE(end);
  CHECK(text_of(*piece) == "straight");
  CHECK(piece->data() == input.data() + 7);  // Where the carrier put it.
  client.stream(1).consume(piece->size());
  CHECK(client.stream(1).peek(end)->data() == input.data() + 2 * 7 + 8);
  client.session.release_input();
  CHECK(client.statistics().unread == 4);
  CHECK(client.read(1) == "kept");
  CHECK(client.statistics().unread == 0);
}

TEST_CASE("streams: peek() shows all pieces at once, kept ones and input", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.receive(frame(command::psh, 1, "kept"));
  const byte_vector input =
      frame(command::psh, 1, "one") + frame(command::psh, 1, "two") + frame(command::fin, 1);
  client.session.receive(client.now, input);
  std::array<bytes, 4> pieces;
  bool end = true;
  REQUIRE(client.stream(1).peek(pieces, end) == 3u);
  CHECK_FALSE(end);
  CHECK(text_of(pieces[0]) == "kept");
  CHECK(pieces[1].data() == input.data() + 7);
  CHECK(text_of(pieces[2]) == "two");
  client.stream(1).consume(4 + 3 + 3);
  CHECK(client.stream(1).peek(pieces, end) == 0u);
  CHECK(end);
  client.session.release_input();
}

TEST_CASE("streams: reading in parts, into several pieces, with an end", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.receive(frame(command::psh, 1, "abcdef") + frame(command::fin, 1));
  std::array<std::byte, 2> first;
  std::array<std::byte, 3> second;
  const std::array<mutable_bytes, 2> pieces{first, second};
  CHECK(client.stream(1).read(pieces) == 5u);
  CHECK(text_of(first) == "ab");
  CHECK(text_of(second) == "cde");
  bool end = false;
  CHECK(client.stream(1).peek(end)->size() == 1);
  CHECK_FALSE(end);
  client.stream(1).consume(100);
  CHECK(client.stream(1).peek(end)->empty());
  CHECK(end);
}

TEST_CASE("streams: a write takes as much as the watermark leaves, and says when there is room",
          "[mux][anytls]") {
  session_end client = client_in_bulk({.write_watermark = limit::min_watermark});
  const std::string text(limit::min_watermark + 1, 'x');
  CHECK(client.write(1, text.substr(0, limit::min_watermark - 1)) == limit::min_watermark - 1);
  CHECK(client.write(1, "xy") == 1u);
  CHECK(client.write(1, "y") == 0u);
  CHECK(client.take(kind::writable, 1) == 0);
  client.write_once(limit::min_watermark / 2 - 1000);
  CHECK(client.take(kind::writable, 1) == 0);
  client.write_once(2000);
  CHECK(client.take(kind::writable, 1) == 1);
  CHECK(client.write(1, "z") == 1u);
  client.write_all();
  CHECK(client.take(kind::writable, 1) == 0);
}

TEST_CASE("streams: many that write share what a session may hold", "[mux][anytls]") {
  session_end client = client_in_bulk({.max_unsent = 200'000});
  const std::string text(300'000, 'x');
  std::size_t total = 0;
  for (int i = 0; i < 20; ++i) {
    const auto id = client.session.open().value();
    const auto taken = client.write(id, text).value();
    CHECK(taken >= limit::min_watermark);
    total += taken;
  }
  CHECK(total < 200'000 + 20 * limit::min_watermark);
}

TEST_CASE("streams: what was forgotten is closed, and unknown ones are too", "[mux][anytls]") {
  session_end client = client_in_bulk();
  client.stream(1).forget();
  for (const std::uint32_t id : {0u, 1u, 77u}) {
    CHECK(client.read_error(id) == failure::closed);
    CHECK(client.write_error(id) == failure::closed);
    CHECK(client.stream(id).finish(client.now).error() == failure::closed);
    client.stream(id).reset();
    client.stream(id).consume(7);
    client.stream(id).acknowledge();
    client.stream(id).refuse("x");
    client.stream(id).forget();
    CHECK_FALSE(client.stream(id).failure());
    CHECK(client.stream(id).refusal().empty());
  }
  CHECK(client.frames() == std::vector<seen_frame>{{command::fin, 1, ""}});
}

TEST_CASE("streams: frames go round, one of each stream at a time", "[mux][anytls]") {
  session_end client = client_in_bulk({.frame_payload = 10});
  client.session.open().value();
  client.write(2, "x").value();
  client.frames();
  client.write(1, std::string(30, 'a')).value();
  client.write(2, std::string(30, 'b')).value();
  std::string order;
  for (const seen_frame& one : client.frames()) order += one.content.substr(0, 1);
  CHECK(order == "ababab");
}

TEST_CASE("streams: empty writes and frames move nothing", "[mux][anytls]") {
  session_end client = client_in_bulk();
  CHECK(client.write(1, "") == 0u);
  CHECK(client.write_once().empty());
  client.receive(frame(command::psh, 1));
  CHECK(client.take(kind::readable, 1) == 0);
  CHECK(client.statistics().glitches == 1);
}

TEST_CASE("streams: numbers come to an end", "[mux][anytls]") {
  // Not by opening 2^32 of them: a server sees to it that a client which does is not answered.
  session_end server = new_server();
  server.receive(frame(command::syn, UINT32_MAX));
  CHECK(server.session.accept() == UINT32_MAX);
  server.receive(frame(command::syn, 5));
  CHECK(server.statistics().streams_refused == 1);
}
