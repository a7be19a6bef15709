// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/yamux/session_end.hpp"

// Each bound of limits.hpp just below, at, and just above. Those of single rooms are in their
// tests.

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;
using enum event_kind;

namespace {

yamux_config server_config() { return {.role = role::server}; }

byte_vector syns(std::size_t count, std::uint32_t first = 1) {
  byte_vector made;
  for (std::uint32_t i = 0; i < count; ++i) made = made + window_frame(first + 2 * i, flag::syn);
  return made;
}

std::size_t accept_all(session_end& end) {
  std::size_t count = 0;
  while (end.session.accept()) ++count;
  return count;
}

std::size_t resets(const std::vector<seen_frame>& frames) {
  return static_cast<std::size_t>(
      std::ranges::count_if(frames, [](const auto& one) { return one.header.has(flag::rst); }));
}

}  // namespace

TEST_CASE("limits: the accept backlog", "[mux][yamux][limits]") {
  for (const std::size_t more : {0u, 1u, 2u}) {
    session_end server(server_config());
    server.receive(syns(limit::accept_backlog - 1 + more));
    CHECK(resets(server.frames()) == (more == 2 ? 1u : 0u));
    CHECK(accept_all(server) == limit::accept_backlog - (more == 0 ? 1u : 0u));
    CHECK(server.statistics().streams_refused == (more == 2 ? 1u : 0u));
  }
}

TEST_CASE("limits: incoming streams", "[mux][yamux][limits]") {
  yamux_config config = server_config();
  config.max_incoming_streams = 300;
  for (const std::size_t more : {0u, 1u, 2u}) {
    session_end server(config);
    server.receive(syns(200));
    accept_all(server);
    server.receive(syns(99 + more, 401));
    CHECK(resets(server.frames()) == (more == 2 ? 1u : 0u));
    accept_all(server);
    CHECK(server.statistics().streams_open == std::min<std::size_t>(299 + more, 300));
  }
}

TEST_CASE("limits: a stream counts until it is over and read", "[mux][yamux][limits]") {
  yamux_config config = server_config();
  config.max_incoming_streams = 1;
  session_end server(config);
  server.receive(data_frame(1, flag::syn | flag::fin, "x"));
  REQUIRE(server.session.accept() == 1);
  REQUIRE(server.stream(1).finish());
  server.frames();
  server.receive(window_frame(3, flag::syn));  // Its byte is not read.
  CHECK(resets(server.frames()) == 1);
  CHECK(server.read(1) == "x");
  server.receive(window_frame(5, flag::syn));
  CHECK(resets(server.frames()) == 0);
}

TEST_CASE("limits: streams of both ends together, as rust-yamux counts them",
          "[mux][yamux][limits]") {
  yamux_config config;
  config.ack_backlog = SIZE_MAX;
  for (const std::size_t incoming : {0u, 12u}) {
    session_end client(config);
    byte_vector input;
    for (std::uint32_t i = 1; i <= incoming; ++i) input = input + window_frame(2 * i, flag::syn);
    client.receive(input);
    accept_all(client);
    for (std::size_t i = incoming; i < limit::max_streams; ++i) REQUIRE(client.session.open());
    CHECK(client.session.open().error() == failure::limit_exceeded);
    client.receive(window_frame(1000, flag::syn));  // And none of the peer's either.
    client.frames();
    CHECK(client.statistics().streams_refused == 1);
    CHECK(client.take(streams_available) == 0);
    client.stream(1).forget();
    client.frames();
    CHECK(client.take(streams_available) == 1);
    CHECK(client.session.open());
    CHECK_FALSE(client.session.open());
  }
}

TEST_CASE("limits: the backlog of streams that are not acknowledged", "[mux][yamux][limits]") {
  session_end client(role::client);
  for (std::size_t i = 0; i < limit::ack_backlog; ++i) REQUIRE(client.session.open());
  CHECK(client.session.open().error() == failure::limit_exceeded);
  client.frames();
  client.receive(window_frame(3, flag::ack));
  CHECK(client.take(streams_available) == 1);
  CHECK(client.session.open());
  CHECK_FALSE(client.session.open());
  client.receive(window_frame(5, flag::rst));  // Refused: that makes room as well.
  CHECK(client.take(streams_available) == 1);
  client.stream(5).forget();
  CHECK(client.session.open());
  client.receive(window_frame(7, flag::ack));
  CHECK(client.take(streams_available) == 0);  // Nobody has asked since.
}

TEST_CASE("limits: stream IDs end, and do not begin again", "[mux][yamux][limits]") {
  for (const role side : {role::client, role::server}) {
    yamux_config config{.role = side};
    config.max_streams = config.ack_backlog = SIZE_MAX;
    config.first_stream_id = UINT32_MAX - 4;
    session_end end(config);
    const std::uint32_t last = side == role::client ? UINT32_MAX : UINT32_MAX - 1;
    CHECK(end.session.open() == last - 4);
    CHECK(end.session.open() == last - 2);
    CHECK(end.session.open() == last);
    CHECK(end.session.open().error() == failure::limit_exceeded);
    end.stream(last).forget();
    CHECK(end.session.open().error() == failure::limit_exceeded);
    CHECK(end.take(streams_available) == 0);
  }
}

TEST_CASE("limits: unread bytes of a session", "[mux][yamux][limits]") {
  yamux_config config;
  config.max_buffered = limit::initial_window + 1000;
  session_end server = server_with_stream(config);
  server.receive(data_frame(1, 0, std::string(limit::initial_window, 'x')) +
                 data_frame(3, flag::syn, "y"));
  CHECK(server.session.wants_input());
  server.receive(data_frame(3, 0, std::string(998, 'y')));
  CHECK(server.session.wants_input());
  server.receive(data_frame(3, 0, "y"));
  CHECK_FALSE(server.session.wants_input());
  server.receive(data_frame(3, 0, "y"));  // What is there already is taken all the same.
  CHECK_FALSE(server.session.wants_input());
  server.stream(1).consume(1);
  CHECK_FALSE(server.session.wants_input());
  server.stream(1).consume(1);
  CHECK(server.session.wants_input());
  CHECK(server.statistics().unread == config.max_buffered - 1);
}

TEST_CASE("limits: a session takes one initial window, whatever it is told",
          "[mux][yamux][limits]") {
  yamux_config config;
  config.max_buffered = 0;
  config.max_window = 0;
  config.initial_window = 0;
  config.write_watermark = 0;
  session_end server = server_with_stream(config);
  server.receive(data_frame(1, 0, std::string(limit::initial_window - 1, 'x')));
  CHECK(server.session.wants_input());
  server.receive(data_frame(1, 0, "x"));
  CHECK_FALSE(server.session.wants_input());
  CHECK(server.write(1, std::string(100'000, 'x')) == limit::min_watermark);
}

TEST_CASE("limits: pings that wait for their answers", "[mux][yamux][limits]") {
  for (const std::size_t more : {0u, 1u, 2u}) {
    session_end server(server_config());
    byte_vector input;
    const std::size_t count = limit::max_pending_pongs - 1 + more;
    for (std::uint32_t i = 0; i < count; ++i) input = input + ping_frame(flag::syn, i);
    server.receive(input);
    CHECK(server.session.wants_input() == (more == 0));
    const auto sent = server.frames();
    CHECK(sent.size() == std::min(count, limit::max_pending_pongs));
    CHECK(sent.back().header.length == sent.size() - 1);
    CHECK(server.session.wants_input());
    CHECK(server.closed() == nullptr);
  }
}

TEST_CASE("limits: refusals that wait to be sent", "[mux][yamux][limits]") {
  yamux_config config = server_config();
  config.max_incoming_streams = 0;
  for (const std::size_t more : {0u, 1u, 2u}) {
    session_end server(config);
    server.receive(syns(limit::max_pending_refusals - 1 + more));
    CHECK_FALSE(server.session.wants_input());
    if (more == 2) {
      CHECK(server.cause() == mux::errc::flood);
    } else {
      CHECK(server.closed() == nullptr);
      CHECK(resets(server.frames()) == limit::max_pending_refusals - 1 + more);
      CHECK(server.session.wants_input());
    }
  }
  for (const std::size_t more : {0u, 1u}) {  // The carrier is left alone before that.
    session_end server(config);
    server.receive(syns(limit::max_pending_refusals / 2 - 1 + more));
    CHECK(server.session.wants_input() == (more == 0));
  }
}

TEST_CASE("limits: frames that serve nobody", "[mux][yamux][limits]") {
  for (const std::size_t more : {0u, 1u, 2u}) {
    session_end server = server_with_stream();
    byte_vector input;
    for (std::size_t i = 0; i < limit::glitch_burst - 1 + more; ++i)
      input = input + data_frame(1, 0);
    server.receive(input);
    CHECK((server.closed() == nullptr) == (more != 2));
    if (more == 2) CHECK(server.cause() == mux::errc::flood);
  }
}

TEST_CASE("limits: payload up to the window of a stream, also in its first frame",
          "[mux][yamux][limits]") {
  for (const std::size_t more : {0u, 1u, 2u}) {
    const std::string text(limit::initial_window - 1 + more, 'x');
    session_end first(server_config());
    first.receive(data_frame(1, flag::syn, text));
    session_end second = server_with_stream();
    second.receive(data_frame(1, 0, text));
    for (session_end* const server : {&first, &second}) {
      CHECK((server->closed() == nullptr) == (more != 2));
      if (more == 2) CHECK(server->cause() == mux::errc::window_exceeded);
    }
  }
}

TEST_CASE("limits: no frame is longer than any window", "[mux][yamux][limits]") {
  yamux_config config;
  config.max_window = limit::initial_window + 100;
  for (const std::uint32_t more : {0u, 1u, 2u}) {
    session_end server = server_with_stream(config);
    server.stream(1).forget();
    server.frames();
    server.receive(frame({frame_type::data, 0, 1, config.max_window - 1 + more}));
    CHECK((server.closed() == nullptr) == (more != 2));
  }
}

TEST_CASE("limits: copied bytes of one stream", "[mux][yamux][limits]") {
  session_end client = client_with_stream();
  CHECK(client.write(1, std::string(limit::write_watermark - 1, 'x')) ==
        limit::write_watermark - 1);
  CHECK(client.write(1, "x") == 1u);
  CHECK(client.write(1, "x") == 0u);
}

TEST_CASE("limits: copied bytes of a session are shared among its streams",
          "[mux][yamux][limits]") {
  yamux_config config;
  config.max_unsent = 160 * 1024;
  session_end client(config);
  const std::string text(limit::write_watermark, 'x');
  std::size_t left = config.max_unsent;
  for (int i = 0; i < 100; ++i) {  // At most half of what is left, but each has a little.
    const std::size_t share = std::max(left / 2, limit::min_watermark);
    REQUIRE(client.write(client.session.open().value(), text) == share);
    left -= std::min(left, share);
  }
  CHECK(left == 0);
  const std::uint64_t waiting = client.write_all().size();
  CHECK(waiting > config.max_unsent);
  CHECK(waiting < config.max_unsent + 100 * (limit::min_watermark + 100));
  CHECK(client.write(1, text) == 80 * 1024);  // All of it came back.
}
