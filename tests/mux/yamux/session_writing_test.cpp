// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/yamux/session_end.hpp"

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;
using enum event_kind;

namespace {

std::string pattern(std::size_t size) {
  std::string made(size, '\0');
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<char>('a' + i * 7 % 26);
  return made;
}

std::string payload_of(const std::vector<seen_frame>& frames, std::uint32_t id) {
  std::string all;
  for (const seen_frame& one : frames)
    if (one.header.stream_id == id) all += one.payload;
  return all;
}

}  // namespace

TEST_CASE("writing: what was copied may change afterwards, what was lent is named in place",
          "[mux][yamux]") {
  session_end client = client_with_stream();
  std::string copied = "copied ";
  const std::string lent = "lent";
  REQUIRE(client.write(1, copied) == copied.size());
  copied = "???????";
  REQUIRE(client.lend(1, lent) == 4u);
  std::vector<bytes> list(8);
  const std::size_t count = client.session.poll_output(client.now, list);
  REQUIRE(count == 3);
  CHECK(strata::transport::as_text(list[1]) == "copied ");
  CHECK(static_cast<const void*>(list[2].data()) == lent.data());
  client.session.sent(list[0].size() + list[1].size() + list[2].size());
  CHECK(client.take(written, 1) == 1);
}

TEST_CASE("writing: a write is short at the watermark, and one event says when there is room",
          "[mux][yamux]") {
  yamux_config config;
  config.write_watermark = 100'000;
  session_end client = client_with_stream(config);
  const std::string much = pattern(150'000);
  CHECK(client.write(1, much) == 100'000u);
  CHECK(client.write(1, "x") == 0u);
  CHECK(client.take(writable, 1) == 0);
  const byte_vector first = client.write_once(40'000);
  CHECK(client.take(writable, 1) == 0);  // More than half still waits.
  const byte_vector second = client.write_once();
  CHECK(client.take(writable, 1) == 1);
  byte_vector sent = first + second;
  CHECK(payload_of(take_frames(sent), 1) == much.substr(0, 100'000));
  CHECK(client.write(1, std::string_view(much).substr(100'000)) == 50'000u);
  client.write_all();
  CHECK(client.take(writable, 1) == 0);  // That write was taken whole.
}

TEST_CASE("writing: all pieces of a write count, empty ones too", "[mux][yamux]") {
  session_end client = client_with_stream();
  const bytes pieces[] = {strata::transport::as_bytes("ab"), {}, strata::transport::as_bytes("c")};
  CHECK(client.stream(1).write(pieces) == 3u);
  CHECK(client.stream(1).write({}) == 0u);
  const bytes nothing[] = {{}, {}};
  CHECK(client.stream(1).lend(nothing) == 0u);
  const auto sent = client.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].payload == "abc");
  CHECK(client.take(writable, 1) == 0);
  CHECK(client.take(written, 1) == 0);

  session_end reset = client_with_stream();
  REQUIRE(reset.lend(1, "lent"));
  reset.frames();
  reset.receive(window_frame(1, flag::rst));
  reset.stream(1).reset(1);  // Whoever was first: it hands everything back.
  CHECK(reset.take(written, 1) == 0);
}

TEST_CASE("writing: one thing is lent at a time, and nothing is copied behind it", "[mux][yamux]") {
  session_end client = client_with_stream();
  REQUIRE(client.lend(1, "lent"));
  CHECK(client.lend(1, "more").error() == failure::invalid_argument);
  CHECK(client.write(1, "more").error() == failure::invalid_argument);
  CHECK(client.stream(1).finish().error() == failure::invalid_argument);
  client.frames();
  CHECK(client.take(written, 1) == 1);
  CHECK(client.write(1, "more") == 4u);
  CHECK(client.lend(1, "more") == 4u);
}

TEST_CASE("writing: revoke() before anything was sent commits nothing", "[mux][yamux]") {
  session_end client = client_with_stream();
  REQUIRE(client.lend(1, "lent"));
  CHECK(client.stream(1).revoke() == 0);
  CHECK(client.frames().empty());
  CHECK(client.take(written, 1) == 0);
  CHECK(client.write_error(1) == std::error_code());
}

TEST_CASE("writing: revoke() in the middle of a frame keeps the frame whole", "[mux][yamux]") {
  const std::string original = pattern(40'000);
  for (const std::size_t taken : {1u, 12u, 13u, 16'000u, 12u + 16'384u, 12u + 16'384u + 1u}) {
    session_end client = client_with_stream();
    std::string lent = original;
    REQUIRE(client.lend(1, lent) == lent.size());
    byte_vector sent = client.write_once(taken);
    const std::size_t committed = client.stream(1).revoke();
    lent.assign(lent.size(), '?');
    CHECK(committed == (taken <= 12 + 16'384 ? 16'384u : 2 * 16'384u));
    sent = sent + client.write_all();
    CHECK(payload_of(take_frames(sent), 1) == original.substr(0, committed));
    CHECK(sent.empty());
    CHECK(client.take(written, 1) == 0);
    CHECK(client.write(1, "next") == 4u);
  }
}

TEST_CASE("writing: revoke() is all of it until `written` was told, and then nothing",
          "[mux][yamux]") {
  session_end client = client_with_stream();
  REQUIRE(client.lend(1, "lent"));
  client.frames();
  CHECK(client.stream(1).revoke() == 4);
  CHECK(client.stream(1).revoke() == 0);
  CHECK(client.take(written, 1) == 0);
  REQUIRE(client.lend(1, "lent"));
  client.frames();
  CHECK(client.take(written, 1) == 1);
  CHECK(client.stream(1).revoke() == 0);
  CHECK(client.stream(9).revoke() == 0);
}

TEST_CASE("writing: revoke() voids the list that was not sent", "[mux][yamux]") {
  session_end client = client_with_stream();
  REQUIRE(client.lend(1, "lent"));
  std::vector<bytes> list(8);
  REQUIRE(client.session.poll_output(client.now, list) == 2);
  CHECK(client.stream(1).revoke() == 0);
  const auto before = client.statistics();
  client.session.sent(16);
  CHECK(client.statistics().frames_sent == before.frames_sent);
  CHECK(client.frames().empty());
}

TEST_CASE("writing: events that are out of date do not come", "[mux][yamux]") {
  yamux_config config;
  config.write_watermark = limit::min_watermark;
  session_end client = client_with_stream(config);
  const std::string much(limit::min_watermark + 1, 'x');
  REQUIRE(client.write(1, much) == limit::min_watermark);
  client.frames();
  REQUIRE(client.write(1, much) == limit::min_watermark);  // Before the event was seen.
  CHECK(client.take(writable, 1) == 0);
  client.frames();
  CHECK(client.take(writable, 1) == 1);

  REQUIRE(client.write(1, much) == limit::min_watermark);
  client.frames();
  REQUIRE(client.lend(1, "lent"));
  client.frames();
  client.stream(1).reset(1);
  CHECK(client.take(writable, 1) == 0);
  CHECK(client.take(written, 1) == 0);
}

TEST_CASE("writing: any short sent() is gone on with, byte by byte", "[mux][yamux]") {
  const std::string text = pattern(100);
  session_end client = client_with_stream();
  client.session.open().value();
  REQUIRE(client.write(1, text.substr(0, 60)));
  REQUIRE(client.lend(3, text));
  byte_vector all;
  for (;;) {
    const byte_vector one = client.write_once(1);
    if (one.empty()) break;
    all = all + one;
  }
  const auto frames = take_frames(all);
  CHECK(all.empty());
  CHECK(payload_of(frames, 1) == text.substr(0, 60));
  CHECK(payload_of(frames, 3) == text);
  CHECK(client.take(written, 3) == 1);
}

TEST_CASE("writing: what the carrier did not take is offered again", "[mux][yamux]") {
  session_end client = client_with_stream();
  REQUIRE(client.write(1, "hello"));
  std::vector<bytes> list(8);
  for (int i = 0; i < 3; ++i) CHECK(client.session.poll_output(client.now, list) == 2);
  client.session.sent(0);
  CHECK(client.statistics().frames_sent == 1);  // The SYN.
  const auto sent = client.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].is(frame_type::data, 0, 1, 5));
}

TEST_CASE("writing: finish() sends FIN behind everything, once", "[mux][yamux]") {
  session_end client = client_with_stream();
  REQUIRE(client.write(1, "copied "));
  REQUIRE(client.stream(1).finish());
  REQUIRE(client.stream(1).finish());
  CHECK(client.write_error(1) == failure::write_finished);
  CHECK(client.lend(1, "x").error() == failure::write_finished);
  const auto sent = client.frames();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].is(frame_type::data, 0, 1, 7));
  CHECK(sent[1].is(frame_type::data, flag::fin, 1, 0));
  REQUIRE(client.stream(1).finish());
  CHECK(client.frames().empty());
}

TEST_CASE("writing: FIN needs no window", "[mux][yamux]") {
  session_end client = client_with_stream();
  const std::string all(limit::initial_window, 'x');
  REQUIRE(client.lend(1, all));
  client.frames();
  REQUIRE(client.stream(1).finish());
  const auto sent = client.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].is(frame_type::data, flag::fin, 1, 0));
}

TEST_CASE("writing: after the peer's end this side goes on writing", "[mux][yamux]") {
  session_end server = server_with_stream();
  server.receive(data_frame(1, flag::fin));
  CHECK(server.read_error(1) == failure::eof);
  REQUIRE(server.write(1, "answer"));
  REQUIRE(server.stream(1).finish());
  CHECK(payload_of(server.frames(), 1) == "answer");
  CHECK(server.statistics().streams_open == 0);
}

TEST_CASE("writing: the peer's reset stops it, drops what waits and hands back what was lent",
          "[mux][yamux]") {
  session_end client = client_with_stream();
  std::string lent = pattern(100'000);
  REQUIRE(client.lend(1, lent));
  byte_vector sent = client.write_once(10'000);
  client.receive(window_frame(1, flag::rst, 5));
  lent.assign(lent.size(), '?');
  CHECK(client.value_of(write_stopped, 1) == 5);
  CHECK(client.take(write_stopped, 1) == 1);
  CHECK(client.take(written, 1) == 0);
  CHECK(client.write_error(1) == failure::stream_reset);
  CHECK(client.stream(1).finish().error() == failure::stream_reset);
  sent = sent + client.write_all();
  // The frame that had begun is whole, and nothing comes behind it.
  const auto frames = take_frames(sent);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].payload == pattern(16'384));
  CHECK(sent.empty());
}

TEST_CASE("writing: the peer's reset after our end is told only when bytes were still to go",
          "[mux][yamux]") {
  session_end done = client_with_stream();
  REQUIRE(done.write(1, "x"));
  REQUIRE(done.stream(1).finish());
  done.frames();
  done.receive(window_frame(1, flag::rst));
  CHECK(done.take(write_stopped, 1) == 0);
  CHECK(done.take(read_reset, 1) == 1);
  CHECK(done.write_error(1) == failure::write_finished);

  session_end waiting = client_with_stream();
  REQUIRE(waiting.write(1, "x"));
  REQUIRE(waiting.stream(1).finish());
  waiting.receive(window_frame(1, flag::rst));
  CHECK(waiting.take(write_stopped, 1) == 1);
}

TEST_CASE("writing: to a stream that was reset here, or that is not there", "[mux][yamux]") {
  session_end client = client_with_stream();
  client.stream(1).reset(4);
  CHECK(client.write_error(1) == failure::closed);
  CHECK(client.stream(1).finish().error() == failure::closed);
  CHECK(client.write_error(99) == failure::closed);
  CHECK(client.stream(99).finish().error() == failure::closed);
}

TEST_CASE("writing: reset() in the middle of a frame keeps the frame whole, then RST",
          "[mux][yamux]") {
  for (const bool lends : {false, true}) {
    const std::string original = pattern(50'000);
    session_end client = client_with_stream();
    std::string memory = original;
    REQUIRE((lends ? client.lend(1, memory) : client.write(1, memory)));
    byte_vector sent = client.write_once(20'000);
    client.stream(1).reset(77);
    memory.assign(memory.size(), '?');
    sent = sent + client.write_all();
    const auto frames = take_frames(sent);
    REQUIRE(frames.size() == 3);
    CHECK(frames[0].payload + frames[1].payload == original.substr(0, 2 * 16'384));
    CHECK(frames[2].is(frame_type::window_update, flag::rst, 1, 77));
    CHECK(client.take(written, 1) == 0);
  }
}

TEST_CASE("writing: reset() between poll_output() and sent() leaves the list as it is",
          "[mux][yamux]") {
  const std::string original = pattern(50'000);
  session_end client = client_with_stream();
  REQUIRE(client.write(1, original));
  std::vector<bytes> list(64);
  const std::size_t count = client.session.poll_output(client.now, list);
  client.stream(1).reset(7);
  client.stream(1).forget();
  client.session.open().value();
  REQUIRE(client.write(3, std::string(200'000, '!')));  // Would use pages that went back.
  byte_vector sent;
  for (std::size_t i = 0; i < count; ++i) sent.insert(sent.end(), list[i].begin(), list[i].end());
  sent.resize(20'000);
  client.session.sent(20'000);
  sent = sent + client.write_all();
  const auto frames = take_frames(sent);
  CHECK(sent.empty());
  CHECK(payload_of(frames, 1) == original.substr(0, 2 * 16'384));
  REQUIRE(frames.size() > 2);
  CHECK(frames[2].is(frame_type::window_update, flag::rst, 1, 7));
  CHECK(payload_of(frames, 3).size() == 200'000);
}

TEST_CASE("writing: what was lent and reset is not told as written", "[mux][yamux]") {
  session_end client = client_with_stream();
  REQUIRE(client.lend(1, "lent"));
  std::vector<bytes> list(8);
  REQUIRE(client.session.poll_output(client.now, list) == 2);
  client.stream(1).reset(7);
  client.session.sent(16);
  CHECK(client.take(written, 1) == 0);
}

TEST_CASE("writing: a stream that the peer never heard of goes without a word", "[mux][yamux]") {
  session_end client(role::client);
  client.session.open().value();
  REQUIRE(client.write(1, "x"));
  client.stream(1).reset(1);
  CHECK(client.frames().empty());
  CHECK(client.statistics().streams_open == 0);
  client.session.open().value();
  client.stream(3).forget();
  CHECK(client.frames().empty());
  CHECK(client.statistics().streams_open == 0);
}

TEST_CASE("writing: a SYN that is on offer decides with sent() whether RST must follow",
          "[mux][yamux]") {
  for (const std::size_t taken : {0u, 1u}) {
    session_end client(role::client);
    client.session.open().value();
    std::vector<bytes> list(8);
    REQUIRE(client.session.poll_output(client.now, list) == 1);
    client.stream(1).forget();
    byte_vector sent(list[0].begin(), list[0].begin() + static_cast<std::ptrdiff_t>(taken));
    client.session.sent(taken);
    sent = sent + client.write_all();
    const auto frames = take_frames(sent);
    if (taken == 0) {
      CHECK(frames.empty());
    } else {
      REQUIRE(frames.size() == 2);
      CHECK(frames[0].is(frame_type::window_update, flag::syn, 1, 0));
      CHECK(frames[1].is(frame_type::window_update, flag::rst, 1, 0));
    }
    CHECK(client.statistics().streams_open == 0);
  }
}

TEST_CASE("writing: codes of resets can be left out", "[mux][yamux]") {
  yamux_config config;
  config.reset_codes = false;
  session_end client = client_with_stream(config);
  client.stream(1).reset(77);
  const auto sent = client.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].is(frame_type::window_update, flag::rst, 1, 0));
}
