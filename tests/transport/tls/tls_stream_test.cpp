// SPDX-License-Identifier: Apache-2.0
// Bytes over a finished handshake: order, back pressure, records, keys, memory.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "connected_pair.hpp"

using namespace strata::transport;
using namespace strata::transport::tests;
using namespace std::chrono_literals;
using event = tls_connection::event;

TEST_CASE("tls_stream: bytes arrive in order, whatever the sizes", "[transport][tls]") {
  const bool old = GENERATE(false, true);
  const std::size_t step = GENERATE(1u, 5u, 16'384u, 1'000'000u);
  const std::size_t read_size = GENERATE(1u, 1000u, 100'000u);
  if (step == 1 && read_size == 1) return;  // Says nothing that its neighbours do not.
  auto pair = connected(old ? tls12() : tls13(), {.step = step});
  pair.server.read_size = pair.client.read_size = read_size;
  const std::string text = pattern(70'000);
  std::size_t written = 0;
  while (written < text.size()) {
    written += pair.client.write(std::string_view(text).substr(written, 30'001));
    pair.run();
  }
  CHECK(pair.server.received == text);
  REQUIRE(pair.server.write("an answer") == 9);
  pair.run();
  CHECK(pair.client.received == "an answer");
}

TEST_CASE("tls_stream: a large write is records of full size in few pieces", "[transport][tls]") {
  auto pair = connected();
  const std::string text = pattern(100'000);
  REQUIRE(pair.client.write(text) == text.size());
  std::array<bytes, 16> pieces;
  CHECK(pair.client.core.poll_output(pair.now, pieces) == 7);
  pair.run();
  const auto records = records_of(pair.to_server);
  REQUIRE(records.size() == 7);
  // 5 of header, 1 of type, 16 of tag (RFC 8446 section 5.2).
  for (std::size_t i = 0; i < 6; ++i) CHECK(records[i].size() == 16'384 + 22);
  CHECK(records[6].size() == 100'000 - 6 * 16'384 + 22);
  CHECK(pair.server.received == text);
}

TEST_CASE("tls_stream: short pieces share records", "[transport][tls]") {
  auto pair = connected();
  const std::string body = pattern(40'000);
  std::string text;
  std::vector<bytes> pieces = {as_bytes("header"), {}, as_bytes(body), as_bytes("trailer")};
  for (const bytes each : pieces) text += as_text(each);
  CHECK(pair.client.core.write(pieces) == text.size());
  pair.run();
  CHECK(pair.server.received == text);
  CHECK(records_of(pair.to_server).size() == 3);

  pair.to_server.clear();
  const std::vector<bytes> crumbs(1000, as_bytes("0123456789"));
  CHECK(pair.client.core.write(crumbs) == 10'000);
  pair.run();
  CHECK(records_of(pair.to_server).size() == 1);
}

TEST_CASE("tls_stream: records are as small as was asked", "[transport][tls]") {
  const auto of = both(tls_version::tls13, 1000);
  auto pair = connected(of);
  const std::vector<bytes> pieces = {as_bytes("head"), as_bytes("er")};
  const std::string text = pattern(2500);
  CHECK(pair.client.write(text) == text.size());
  CHECK(pair.client.core.write(pieces) == 6u);
  pair.run();
  const auto records = records_of(pair.to_server);
  REQUIRE(records.size() == 4);
  CHECK(records[0].size() == 1022);
  CHECK(records[2].size() == 522);
  CHECK(pair.server.received == text + "header");
  for (const auto& [size, accepted] : {std::pair{511u, false},
                                       {512u, true},
                                       {513u, true},
                                       {16'383u, true},
                                       {16'384u, true},
                                       {16'385u, false}}) {
    auto client = trusting_client();
    auto server = test_server();
    client.record_size = server.record_size = size;
    CHECK(make_tls_client_context(client).has_value() == accepted);
    CHECK(make_tls_server_context(server).has_value() == accepted);
  }
}

TEST_CASE("tls_stream: writing stops at the watermark and goes on below its half",
          "[transport][tls]") {
  tls_pair_options options;
  options.client.write_watermark = 50'000;
  const std::string text = pattern(60'000);
  for (const std::size_t size : {49'999u, 50'000u, 50'001u}) {
    auto pair = connected(tls13(), options);
    pair.client.events.clear();
    CHECK(pair.client.write(std::string_view(text).substr(0, size)) ==
          std::min<std::size_t>(size, 50'000));
    if (size >= 50'000) CHECK(write_error(pair.client.core) == errc::would_block);
    std::array<bytes, 16> pieces;
    pair.client.core.poll_output(pair.now, pieces);
    pair.client.core.sent(20'000);
    pair.client.drain();
    CHECK_FALSE(pair.client.saw(event::writable));
    pair.client.core.sent(10'000);
    pair.client.drain();
    CHECK(pair.client.count(event::writable) == (size >= 50'000 ? 1 : 0));
    pair.client.core.sent(10'000);
    pair.client.drain();
    CHECK(pair.client.count(event::writable) == (size >= 50'000 ? 1 : 0));
    CHECK(write_error(pair.client.core) == std::error_code());
  }
}

TEST_CASE("tls_stream: the carrier may take any part of the output", "[transport][tls]") {
  auto pair = connected();
  const std::string text = pattern(50'000);
  REQUIRE(pair.client.write(text) == text.size());
  std::vector<std::byte> wire;
  std::array<bytes, 2> pieces;
  for (std::size_t turn = 1;
       const std::size_t count = pair.client.core.poll_output(pair.now, pieces); ++turn) {
    REQUIRE(count <= 2);
    const bytes part = pieces[0].first(std::min(pieces[0].size(), turn * 37));
    wire.insert(wire.end(), part.begin(), part.end());
    pair.client.core.sent(part.size());
  }
  pair.server.core.receive(pair.now, wire);
  pair.server.drain();
  CHECK(pair.server.received == text);
}

TEST_CASE("tls_stream: what nobody reads is kept, and the carrier is left alone at the limit",
          "[transport][tls]") {
  tls_pair_options options;
  options.server.input_limit = 40'000;
  for (const int difference : {-1, 0, 1}) {
    auto pair = connected(tls13(), options);
    pair.server.reads = false;
    const std::string text = pattern(60'000);
    REQUIRE(pair.client.write(text) == text.size());
    std::vector<std::byte> wire = take_output(pair.client.core, pair.now);
    // The first record is taken in, to know that there is something to read.
    const auto size = static_cast<std::size_t>(16'384 + 22 + 40'000 + difference);
    pair.server.core.receive(pair.now, bytes(wire).first(size));
    pair.server.core.release_input();
    pair.server.drain();
    CHECK(pair.server.count(event::readable) == 1);
    CHECK(pair.server.core.readable());
    CHECK(pair.server.core.wants_input() == (difference < 0));
    pair.server.core.receive(pair.now, bytes(wire).subspan(size));
    pair.server.core.release_input();
    CHECK_FALSE(pair.server.core.wants_input());
    std::fill(wire.begin(), wire.end(), std::byte{0});
    pair.server.read_all();
    CHECK(pair.server.core.wants_input());
    CHECK(pair.server.received == text);
  }
}

TEST_CASE("tls_stream: readable is an edge", "[transport][tls]") {
  auto pair = connected();
  pair.server.reads = false;
  pair.server.events.clear();
  CHECK(read_error(pair.server.core) == errc::would_block);
  CHECK_FALSE(pair.server.core.readable());
  for (int i = 0; i < 3; ++i) {
    REQUIRE(pair.client.write("hello") == 5);
    pair.run();
  }
  CHECK(pair.server.count(event::readable) == 1);
  CHECK(pair.server.core.readable());
  std::array<std::byte, 10> ten;
  CHECK(pair.server.core.read(ten) == 10u);
  CHECK(pair.server.core.readable());
  REQUIRE(pair.client.write("!") == 1);
  pair.run();
  CHECK(pair.server.count(event::readable) == 1);
  CHECK(pair.server.core.read(ten) == 6u);
  CHECK_FALSE(pair.server.core.readable());
  REQUIRE(pair.client.write("again") == 5);
  pair.run();
  CHECK(pair.server.count(event::readable) == 2);
  CHECK(pair.server.core.read({}) == 0u);
  // A read that came short because of the end says so, like one that came short for now.
  REQUIRE(pair.client.core.finish().has_value());
  pair.run();
  CHECK(pair.server.core.read(ten) == 5u);
  pair.server.drain();
  CHECK(pair.server.count(event::readable) == 3);
  CHECK(read_error(pair.server.core) == errc::eof);
}

TEST_CASE("tls_stream: a record that was changed on the way ends it for both", "[transport][tls]") {
  auto pair = connected();
  REQUIRE(pair.client.write("good") == 4);
  pair.run();
  pair.edit = [](bool, std::vector<std::byte>& wire) { wire.back() ^= std::byte{1}; };
  REQUIRE(pair.client.write("bad") == 3);
  pair.carry(pair.client, pair.server);
  pair.edit = nullptr;
  pair.run();
  CHECK(pair.server.received == "good");
  REQUIRE(pair.server.core.failure() != nullptr);
  CHECK(pair.server.core.failure()->code == errc::protocol_error);
  CHECK(pair.server.core.failure()->alert_sent == 20);
  REQUIRE(pair.client.core.failure() != nullptr);
  CHECK(pair.client.core.failure()->alert_received == 20);
  CHECK(pair.client.core.failure()->code == errc::closed_by_peer);
  CHECK(read_error(pair.client.core) == errc::closed_by_peer);
  CHECK(write_error(pair.client.core) == errc::closed_by_peer);
  CHECK(pair.server.core.finished());
  CHECK(pair.client.core.finished());
}

TEST_CASE("tls_stream: keys change while bytes flow", "[transport][tls]") {
  auto pair = connected();
  for (int round = 0; round < 5; ++round) {
    REQUIRE(pair.client.write("before ") == 7);
    REQUIRE(pair.client.core.update_keys(round % 2 == 0).has_value());
    REQUIRE(pair.client.write("after ") == 6);
    pair.run();
    REQUIRE(pair.server.write("answer ") == 7);
    pair.run();
  }
  CHECK(pair.server.received ==
        "before after before after before after before after before after ");
  CHECK(pair.client.received.size() == 35);
  auto old = connected(tls12());
  CHECK(old.client.core.update_keys(true).error() == errc::not_supported);
}

TEST_CASE("tls_stream: a key seals so many records and no more", "[transport][tls]") {
  tls_pair_options options;
  options.client.records_per_key = 4;
  auto pair = connected(tls13(), options);
  for (int i = 0; i < 4; ++i) REQUIRE(pair.client.write("x") == 1);
  pair.run();
  CHECK(records_of(pair.to_server).size() == 4);
  REQUIRE(pair.client.write("x") == 1);
  pair.run();
  // The update is a record of its own.
  CHECK(records_of(pair.to_server).size() == 6);
  for (int i = 0; i < 40; ++i) REQUIRE(pair.client.write("x") == 1);
  pair.run();
  CHECK(pair.server.received == std::string(45, 'x'));
}

TEST_CASE("tls_stream: nothing is written or ended before the handshake is done",
          "[transport][tls]") {
  tls_pair pair(tls13().client, tls13().server);
  CHECK(write_error(pair.client.core) == errc::would_block);
  CHECK(read_error(pair.client.core) == errc::would_block);
  CHECK(pair.client.core.finish().error() == errc::would_block);
  CHECK(pair.client.core.update_keys(false).error() == errc::would_block);
  REQUIRE(pair.shake_hands());
  CHECK(pair.client.write("now") == 3);
}

TEST_CASE("tls_stream: bytes in the last flight of the handshake are not lost",
          "[transport][tls]") {
  tls_pair pair(tls13().client, tls13().server);
  pair.carry(pair.client, pair.server);
  pair.carry(pair.server, pair.client);
  REQUIRE(pair.client.core.is_ready());
  REQUIRE(pair.client.write("early bird") == 10);
  REQUIRE(pair.client.core.finish().has_value());
  pair.carry(pair.client, pair.server);
  CHECK(pair.server.received == "early bird");
  CHECK(pair.server.read_end == errc::eof);
}

TEST_CASE("tls_stream: buffers go when it is quiet and come back", "[transport][tls]") {
  auto pair = connected();
  for (int round = 0; round < 3; ++round) {
    REQUIRE(pair.client.write("tick") == 4);
    pair.run();
    REQUIRE(pair.client.core.next_timeout().has_value());
    CHECK(*pair.client.core.next_timeout() == pair.now + limits::tls_memory_kept_after_little);
    pair.advance(limits::tls_memory_kept_after_little - 1ns);
    CHECK(pair.client.core.next_timeout().has_value());
    pair.advance(1ns);
    CHECK_FALSE(pair.client.core.next_timeout().has_value());
    CHECK_FALSE(pair.server.core.next_timeout().has_value());
  }
  CHECK(pair.server.received == "tickticktick");
}

TEST_CASE("tls_stream: buffers stay longer behind more traffic", "[transport][tls]") {
  for (const std::size_t size : {limits::tls_little_traffic - 1, limits::tls_little_traffic}) {
    auto pair = connected();
    pair.advance(limits::tls_memory_kept_when_idle);  // What the handshake moved is forgotten.
    const bool is_little = size < limits::tls_little_traffic;
    REQUIRE(pair.client.write(std::string(size, 'x')) == size);
    pair.run();
    CHECK(*pair.client.core.next_timeout() ==
          pair.now + (is_little ? limits::tls_memory_kept_after_little : duration(1s)));
    pair.advance(limits::tls_memory_kept_when_idle);
    CHECK_FALSE(pair.client.core.next_timeout().has_value());
  }
}
