// SPDX-License-Identifier: Apache-2.0
// Every way in which bytes over a finished handshake can end, and what is told of it.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "connected_pair.hpp"

using namespace strata::transport;
using namespace strata::transport::tests;
using event = tls_connection::event;

TEST_CASE("tls_stream: an end on one side leaves the other direction open", "[transport][tls]") {
  auto pair = connected();
  REQUIRE(pair.client.write("last words") == 10);
  REQUIRE(pair.client.core.finish().has_value());
  CHECK(pair.client.core.finish().has_value());
  CHECK(write_error(pair.client.core) == errc::write_finished);
  pair.run();
  CHECK(pair.server.received == "last words");
  CHECK(pair.server.read_end == errc::eof);
  CHECK(read_error(pair.server.core) == errc::eof);
  CHECK(pair.client.core.output_ended());
  CHECK_FALSE(pair.client.core.finished());
  CHECK_FALSE(pair.server.core.finished());
  const std::string answer = pattern(200'000);
  for (std::size_t written = 0; written < answer.size();) {
    written += pair.server.write(std::string_view(answer).substr(written));
    pair.run();
  }
  CHECK(pair.client.received == answer);
  REQUIRE(pair.server.core.finish().has_value());
  pair.run();
  CHECK(pair.client.read_end == errc::eof);
  CHECK(pair.client.core.finished());
  CHECK(pair.server.core.finished());
  CHECK_FALSE(pair.client.saw(event::failed));
}

TEST_CASE("tls_stream: with TLS 1.2 the peer's end is both ends", "[transport][tls]") {
  auto pair = connected(tls12());
  REQUIRE(pair.client.write("last words") == 10);
  REQUIRE(pair.client.core.finish().has_value());
  pair.run();
  CHECK(pair.server.received == "last words");
  CHECK(pair.server.read_end == errc::eof);
  CHECK(write_error(pair.server.core) == errc::closed_by_peer);
  CHECK(pair.client.read_end == errc::eof);
  CHECK(pair.client.core.finished());
  CHECK(pair.server.core.finished());
}

TEST_CASE("tls_stream: an end of the carrier alone is truncation, and never an end",
          "[transport][tls]") {
  auto pair = connected();
  REQUIRE(pair.client.write("some") == 4);
  pair.run();
  pair.end_carrier(pair.server);
  CHECK(pair.server.received == "some");
  CHECK(pair.server.read_end == errc::truncated);
  CHECK_FALSE(pair.server.core.wants_input());
  // The peer may still be reading.
  REQUIRE(pair.server.write("answer") == 6);
  pair.run();
  CHECK(pair.client.received == "answer");
  REQUIRE(pair.server.core.finish().has_value());
  pair.run();
  CHECK(pair.server.core.finished());
}

TEST_CASE("tls_stream: a record cut short is truncation too", "[transport][tls]") {
  auto pair = connected();
  REQUIRE(pair.client.write("whole") == 5);
  REQUIRE(pair.client.write("half") == 4);
  std::vector<std::byte> wire = take_output(pair.client.core, pair.now);
  pair.server.core.receive(pair.now, bytes(wire).first(wire.size() - 1));
  pair.server.core.release_input();
  pair.end_carrier(pair.server);
  CHECK(pair.server.received == "whole");
  CHECK(pair.server.read_end == errc::truncated);
}

TEST_CASE("tls_stream: an end that comes while bytes are unread follows them", "[transport][tls]") {
  auto pair = connected();
  pair.server.reads = false;
  REQUIRE(pair.client.write(pattern(30'000)) == 30'000);
  const bool proven = GENERATE(true, false);
  if (proven) REQUIRE(pair.client.core.finish().has_value());
  pair.run();
  pair.end_carrier(pair.server);
  CHECK(pair.server.read_end == std::error_code());
  pair.server.read_all();
  CHECK(pair.server.received == pattern(30'000));
  CHECK(pair.server.read_end == (proven ? errc::eof : errc::truncated));
}

TEST_CASE("tls_stream: a carrier that is lost lets what arrived be read", "[transport][tls]") {
  const std::error_code reset = std::make_error_code(std::errc::connection_reset);
  auto pair = connected();
  pair.server.reads = false;
  REQUIRE(pair.client.write("some") == 4);
  pair.run();
  REQUIRE(pair.server.write("never sent") == 10);
  pair.server.core.carrier_lost(reset);
  pair.server.read_all();
  CHECK(pair.server.received == "some");
  CHECK(pair.server.read_end == reset);
  CHECK(write_error(pair.server.core) == reset);
  CHECK(pair.server.core.finished());
  CHECK(take_output(pair.server.core, pair.now).empty());
  // What had ended in order stays so.
  auto ended = connected();
  REQUIRE(ended.client.core.finish().has_value());
  ended.run();
  ended.server.core.carrier_lost(reset);
  CHECK(read_error(ended.server.core) == errc::eof);
  CHECK(write_error(ended.server.core) == reset);
}

TEST_CASE("tls_stream: nothing is said to a carrier that is lost", "[transport][tls]") {
  for (const bool old : {false, true}) {
    auto pair = connected(old ? tls12() : tls13());
    pair.server.reads = false;
    REQUIRE(pair.client.write("some") == 4);
    if (!old) REQUIRE(pair.client.core.update_keys(true).has_value());
    REQUIRE(pair.client.core.finish().has_value());
    pair.run();
    pair.server.core.carrier_lost(std::make_error_code(std::errc::connection_reset));
    pair.server.read_all();
    CHECK(pair.server.received == "some");
    CHECK(pair.server.read_end == errc::eof);
    CHECK(pair.server.core.finished());
    CHECK(take_output(pair.server.core, pair.now).empty());
  }
}

TEST_CASE("tls_stream: reset gives up without a word", "[transport][tls]") {
  auto pair = connected();
  REQUIRE(pair.client.write("never sent") == 10);
  pair.client.core.reset();
  CHECK(pair.client.core.finished());
  CHECK(read_error(pair.client.core) == errc::closed);
  CHECK(write_error(pair.client.core) == errc::closed);
  CHECK(pair.client.core.finish().error() == errc::closed);
  CHECK(take_output(pair.client.core, pair.now).empty());
  pair.client.core.reset();
  pair.client.core.receive(pair.now, as_bytes("ignored"));
  pair.client.core.release_input();
  CHECK(read_error(pair.client.core) == errc::closed);
}

TEST_CASE("tls_stream: a write of the carrier that ended before a reset may be told after it",
          "[transport][tls]") {
  auto pair = connected();
  REQUIRE(pair.client.write("on its way") == 10);
  std::array<bytes, 4> pieces;
  REQUIRE(pair.client.core.poll_output(pair.now, pieces) == 1);
  pair.client.core.reset();
  pair.client.core.sent(pieces[0].size());
  CHECK(pair.client.core.finished());
}
