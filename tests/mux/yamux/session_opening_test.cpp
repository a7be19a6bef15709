// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/yamux/session_end.hpp"

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using failure = strata::transport::errc;
using enum event_kind;

TEST_CASE("opening: clients have odd IDs, servers even ones, in order", "[mux][yamux]") {
  session_end client(role::client);
  session_end server(role::server);
  for (std::uint32_t i = 0; i < 5; ++i) {
    CHECK(client.session.open() == 2 * i + 1);
    CHECK(server.session.open() == 2 * i + 2);
  }
}

TEST_CASE("opening: events that are out of date do not come", "[mux][yamux]") {
  session_end server(role::server);
  server.receive(window_frame(1, flag::syn));
  REQUIRE(server.session.accept());
  REQUIRE_FALSE(server.session.accept());
  CHECK(server.take(stream_opened) == 0);
  server.receive(window_frame(3, flag::syn));
  CHECK(server.take(stream_opened) == 1);

  session_end client(yamux_config{.role = role::client, .ack_backlog = 1});
  client.session.open().value();
  REQUIRE_FALSE(client.session.open());
  client.frames();
  client.receive(window_frame(1, flag::ack));
  client.session.open().value();  // Before the event was seen.
  REQUIRE_FALSE(client.session.open());
  CHECK(client.take(streams_available) == 0);
}

TEST_CASE("opening: SYN goes out at once, so that a server may speak first", "[mux][yamux]") {
  session_end client(role::client);
  client.session.open().value();
  const auto sent = client.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].is(frame_type::window_update, flag::syn, 1, 0));
  CHECK(client.frames().empty());
}

TEST_CASE("opening: SYN rides on the first bytes when there are some", "[mux][yamux]") {
  session_end client(role::client);
  client.session.open().value();
  REQUIRE(client.write(1, "hello"));
  REQUIRE(client.stream(1).finish());
  const auto sent = client.frames();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].is(frame_type::data, flag::syn, 1, 5));
  CHECK(sent[1].is(frame_type::data, flag::fin, 1, 0));  // Alone: see plan_fin().
}

TEST_CASE("opening: SYN and FIN without bytes are two frames", "[mux][yamux]") {
  session_end client(role::client);
  client.session.open().value();
  REQUIRE(client.stream(1).finish());
  const auto sent = client.frames();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].is(frame_type::window_update, flag::syn, 1, 0));
  CHECK(sent[1].is(frame_type::data, flag::fin, 1, 0));
}

TEST_CASE("opening: bytes that are revoked before they are sent leave SYN behind", "[mux][yamux]") {
  session_end client(role::client);
  client.session.open().value();
  REQUIRE(client.lend(1, "hello") == 5u);
  std::vector<bytes> list(8);
  REQUIRE(client.session.poll_output(client.now, list) == 2);
  CHECK(client.stream(1).revoke() == 0);
  const auto sent = client.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].is(frame_type::window_update, flag::syn, 1, 0));
}

TEST_CASE("opening: accept() takes streams in order and acknowledges each once", "[mux][yamux]") {
  session_end server(role::server);
  server.receive(window_frame(1, flag::syn) + data_frame(5, flag::syn) +
                 window_frame(3, flag::syn));
  CHECK(server.take(stream_opened) == 1);
  CHECK(server.frames().empty());  // Not before the application wants it.
  CHECK(server.session.accept() == 1);
  CHECK(server.session.accept() == 5);
  CHECK(server.session.accept() == 3);
  CHECK_FALSE(server.session.accept());
  const auto sent = server.frames();
  REQUIRE(sent.size() == 3);
  CHECK(sent[0].is(frame_type::window_update, flag::ack, 1, 0));
  CHECK(sent[1].is(frame_type::window_update, flag::ack, 5, 0));
  CHECK(sent[2].is(frame_type::window_update, flag::ack, 3, 0));
  CHECK(server.statistics().streams_accepted == 3);
}

TEST_CASE("opening: stream_opened comes again only after accept() had none", "[mux][yamux]") {
  session_end server(role::server);
  server.receive(window_frame(1, flag::syn));
  CHECK(server.take(stream_opened) == 1);
  server.receive(window_frame(3, flag::syn));
  CHECK(server.take(stream_opened) == 0);
  REQUIRE(server.session.accept());
  REQUIRE(server.session.accept());
  server.receive(window_frame(5, flag::syn));
  CHECK(server.take(stream_opened) == 0);
  REQUIRE(server.session.accept());
  REQUIRE_FALSE(server.session.accept());
  server.receive(window_frame(7, flag::syn));
  CHECK(server.take(stream_opened) == 1);
}

TEST_CASE("opening: ACK rides on the first bytes back", "[mux][yamux]") {
  session_end server(role::server);
  server.receive(window_frame(1, flag::syn));
  REQUIRE(server.session.accept() == 1);
  REQUIRE(server.write(1, "banner"));
  const auto sent = server.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].is(frame_type::data, flag::ack, 1, 6));
}

TEST_CASE("opening: ACK and FIN are two frames, for peers that see only the first flag",
          "[mux][yamux]") {
  session_end server(role::server);
  server.receive(window_frame(1, flag::syn));
  REQUIRE(server.session.accept() == 1);
  REQUIRE(server.stream(1).finish());
  const auto sent = server.frames();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].is(frame_type::window_update, flag::ack, 1, 0));
  CHECK(sent[1].is(frame_type::data, flag::fin, 1, 0));
}

TEST_CASE("opening: the peer's acknowledgement is an event, once", "[mux][yamux]") {
  // As hashicorp/yamux and go-yamux have it, and as rust-yamux does: with the first frame back,
  // whatever it is; without the flag as well, since it proves the same.
  const byte_vector answers[] = {window_frame(1, flag::ack),
                                 data_frame(1, flag::ack, "x"),
                                 data_frame(1, flag::ack | flag::fin),
                                 window_frame(1, 0, 100),
                                 data_frame(1, 0, "x"),
                                 data_frame(1, flag::fin)};
  for (const byte_vector& answer : answers) {
    session_end client(role::client);
    client.session.open().value();
    client.frames();
    client.receive(answer);
    CHECK(client.take(acknowledged, 1) == 1);
    client.receive(window_frame(1, flag::ack, 1));
    CHECK(client.take(acknowledged, 1) == 0);
    CHECK(client.closed() == nullptr);
  }
}

TEST_CASE("opening: nothing acknowledges a stream that the peer has not heard of", "[mux][yamux]") {
  session_end client(role::client);
  client.session.open().value();
  client.receive(window_frame(1, flag::ack));
  CHECK(client.take(acknowledged, 1) == 0);
  CHECK(client.statistics().glitches == 1);
}

TEST_CASE("opening: ACK that crosses our reset is nothing", "[mux][yamux]") {
  session_end client(role::client);
  client.session.open().value();
  client.frames();
  client.stream(1).reset(1);
  client.receive(window_frame(1, flag::ack));
  CHECK(client.take(acknowledged, 1) == 0);
  client.frames();
  client.receive(window_frame(1, flag::ack, 5) + data_frame(1, flag::fin));
  CHECK(client.take(acknowledged, 1) == 0);
  CHECK(client.read_error(1) == failure::closed);
}

TEST_CASE("opening: bytes may come with SYN, behind it, and before ACK", "[mux][yamux]") {
  session_end server(role::server);
  server.receive(data_frame(1, flag::syn, "one ") + data_frame(1, 0, "two ") +
                 data_frame(1, flag::fin, "three"));
  REQUIRE(server.session.accept() == 1);
  CHECK(server.take(readable, 1) == 1);  // For what had come before.
  std::error_code end;
  CHECK(server.read(1, &end) == "one two three");
  CHECK(end == failure::eof);
}

TEST_CASE("opening: a window with SYN or ACK adds to the initial one", "[mux][yamux]") {
  // rust-yamux issue 90: taking it as the window itself is too little, or too much.
  const std::string much(2 * limit::initial_window, 'x');
  session_end server(role::server);
  server.receive(window_frame(1, flag::syn, 1000));
  REQUIRE(server.session.accept() == 1);
  REQUIRE(server.lend(1, much));
  server.write_all();
  CHECK(server.statistics().payload_sent == limit::initial_window + 1000);

  session_end client(role::client);
  client.session.open().value();
  REQUIRE(client.lend(1, much));
  client.write_all();
  CHECK(client.statistics().payload_sent == limit::initial_window);
  client.receive(window_frame(1, flag::ack, 1000));
  client.write_all();
  CHECK(client.statistics().payload_sent == limit::initial_window + 1000);
}

TEST_CASE("opening: a larger initial window is announced with SYN and ACK", "[mux][yamux]") {
  yamux_config config;
  config.initial_window = limit::initial_window + 5000;
  session_pair pair(config, config);
  pair.client.session.open().value();
  REQUIRE(pair.client.write(1, "x"));
  const auto first = pair.client.frames();
  REQUIRE(first.size() == 2);
  CHECK(first[0].is(frame_type::window_update, flag::syn, 1, 5000));
  CHECK(first[1].is(frame_type::data, 0, 1, 1));
  pair.server.receive(data_frame(3, flag::syn, "x"));
  REQUIRE(pair.server.session.accept() == 3);
  const auto second = pair.server.frames();
  REQUIRE(second.size() == 2);  // A ping, since bytes came and no round trip is known.
  CHECK(second[1].is(frame_type::window_update, flag::ack, 3, 5000));
  CHECK(pair.server.statistics().window_growth_left == limit::window_growth - 5000);
}

TEST_CASE("opening: without growth left the initial window stays what both ends agree on",
          "[mux][yamux]") {
  yamux_config config;
  config.initial_window = 2 * limit::initial_window;
  config.window_growth = 0;
  session_end client(config);
  client.session.open().value();
  const auto sent = client.frames();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].is(frame_type::window_update, flag::syn, 1, 0));
}

TEST_CASE("opening: a refused stream is reset, by either kind of frame", "[mux][yamux]") {
  for (const byte_vector& refusal :
       {window_frame(1, flag::rst), data_frame(1, flag::rst), window_frame(1, flag::rst, 7)}) {
    session_end client(role::client);
    client.session.open().value();
    REQUIRE(client.write(1, "early"));
    client.frames();
    client.receive(refusal);
    CHECK(client.take(acknowledged, 1) == 0);
    CHECK(client.take(read_reset, 1) == 1);
    CHECK(client.take(write_stopped, 1) == 1);
    CHECK(client.read_error(1) == failure::stream_reset);
    CHECK(client.write_error(1) == failure::stream_reset);
  }
}

TEST_CASE("opening: open() fails after Go Away of either end, and after the end", "[mux][yamux]") {
  session_end client = client_with_stream();
  client.receive(go_away_frame(0));
  CHECK(client.take(event_kind::go_away) == 1);
  CHECK(client.session.open().error() == failure::refused);

  session_end leaving = client_with_stream();
  leaving.session.control().go_away();
  CHECK(leaving.session.open().error() == failure::refused);

  session_end ended(role::client);
  ended.session.receive_end(ended.now);
  CHECK(ended.session.open().error() == failure::closed_by_peer);
}
