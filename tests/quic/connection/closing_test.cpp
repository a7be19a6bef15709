// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "hostile_client.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/transport/core/error.hpp"

using namespace strata;
using namespace strata::quic::core;
using quic::close_reason;
using testkit::hostile_client;

//= RFC 9000 section 10.2.3
//# After the handshake is confirmed (see Section 4.1.2 of [QUIC-TLS]), an endpoint MUST send any
//# CONNECTION_CLOSE frames in a 1-RTT packet.
TEST_CASE("closing: the application's code and reason reach the peer", "[quic][closing]") {
  hostile_client pair;
  pair.peer.start();
  REQUIRE(pair.peer.complete_handshake());
  pair.connection().close(pair.peer.now, 0x1234, "had enough");
  pair.peer.pump();

  REQUIRE(pair.peer.closed_with());
  CHECK(pair.peer.closed_with()->application);
  CHECK(pair.peer.closed_with()->error_code == 0x1234);
  for (const auto& frame : pair.peer.received()) {
    if (std::holds_alternative<connection_close_frame>(frame.content))
      CHECK(frame.level == quic::encryption_level::application);
  }
  CHECK(transport::as_text(pair.peer.closed_with()->reason_phrase) == "had enough");
}

TEST_CASE("closing: answers to a peer that goes on grow rarer and the state goes away (Q57)",
          "[quic][closing][attack][Q57]") {
  hostile_client pair;
  pair.peer.start();
  REQUIRE(pair.peer.complete_handshake());
  pair.connection().close(pair.peer.now, 1, {});
  pair.peer.pump();
  const auto handle = pair.peer.connection();
  const std::size_t before = pair.peer.datagrams_received();
  for (int i = 0; i < 10'000; ++i) {
    pair.peer.send_frames(ping_frame{});
    pair.peer.pump();
  }

  CHECK(pair.peer.datagrams_received() - before <= 15);
  pair.endpoint.at(handle).release();
  while (pair.peer.pass_time()) {}
  CHECK(pair.endpoint.statistics().connections == 0);
  CHECK(!pair.endpoint.at(handle));
}

//= RFC 9000 section 10.2.2
//# While otherwise identical to the closing state, an endpoint in the draining state MUST NOT send
//# any packets.
//= RFC 9000 section 10.2.2
//# An endpoint MUST NOT send further packets.
TEST_CASE("closing: a peer's close drains without an answer, and says who and why",
          "[quic][closing]") {
  hostile_client pair;
  pair.peer.start();
  REQUIRE(pair.peer.complete_handshake());
  const auto reason = transport::as_bytes("bye\x1b[31m");
  pair.peer.send_frames(connection_close_frame{
      .application = true, .error_code = 99, .frame_type = 0, .reason_phrase = reason});
  const std::size_t before = pair.peer.datagrams_received();
  pair.peer.pump();
  pair.peer.send_frames(ping_frame{});
  pair.peer.pump();

  CHECK(pair.peer.datagrams_received() == before);
  REQUIRE(pair.connection().closed());
  CHECK(pair.connection().closed()->origin == close_reason::origin_kind::peer_application);
  CHECK(pair.connection().closed()->code == 99);
  CHECK(pair.connection().closed()->describe().find('\x1b') == std::string::npos);
  CHECK(pair.connection().open(true).error() == transport::errc::closed_by_peer);
}

TEST_CASE("closing: a reason of any length is kept up to its limit (Q58)",
          "[quic][closing][attack][Q58]") {
  for (const std::size_t size : {limits::max_reason_size - 1, limits::max_reason_size,
                                 limits::max_reason_size + 1, std::size_t{1300}}) {
    hostile_client pair;
    pair.peer.start();
    REQUIRE(pair.peer.complete_handshake());
    const std::string text(size, '\xff');
    pair.peer.send_frames(connection_close_frame{.application = false,
                                                 .error_code = 1,
                                                 .frame_type = 0,
                                                 .reason_phrase = transport::as_bytes(text)});

    REQUIRE(pair.connection().closed());
    CHECK(pair.connection().closed()->reason.size() == std::min(size, limits::max_reason_size));
  }
}

TEST_CASE("closing: silence ends in an idle timeout, and nothing is sent", "[quic][closing]") {
  hostile_client pair;
  pair.peer.start();
  REQUIRE(pair.peer.complete_handshake());
  pair.peer.acknowledges = true;
  for (int i = 0; i < 100 && !pair.connection().closed(); ++i) pair.peer.pass_time();

  REQUIRE(pair.connection().closed());
  CHECK(pair.connection().closed()->origin == close_reason::origin_kind::idle_timeout);
  CHECK(!pair.peer.closed_with());
  CHECK(pair.connection().closed()->code_for_operations() == transport::errc::timed_out);
}

TEST_CASE("closing: buffered bytes stay readable after the peer has closed", "[quic][closing]") {
  hostile_client pair;
  pair.peer.start();
  REQUIRE(pair.peer.complete_handshake());
  const std::array<std::byte, 5> data{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},
                                      std::byte{5}};
  pair.peer.send_frames(stream_frame{0, 0, data, true});
  pair.peer.send_frames(connection_close_frame{
      .application = true, .error_code = 0, .frame_type = 0, .reason_phrase = {}});

  std::array<std::byte, 16> memory;
  bool fin = false;
  const auto size = pair.connection().stream(0).read(memory, fin);
  REQUIRE(size);
  CHECK(*size == 5);
  CHECK(fin);
}

//= RFC 9000 section 10.3.1
//# If the last 16 bytes of the datagram are identical in value to a stateless reset token, the
//# endpoint MUST enter the draining period and not send any further packets on this connection.
TEST_CASE("closing: after a stateless reset the connection is over at once", "[quic][closing]") {
  hostile_client pair;
  pair.peer.parameters.active_connection_id_limit = 2;
  pair.peer.start();
  REQUIRE(pair.peer.complete_handshake());
  quic::stateless_reset_token token;
  token.fill(std::byte{0xab});
  std::array<std::byte, 8> id{};
  id[0] = std::byte{0x77};
  pair.peer.send_frames(new_connection_id_frame{1, 1, quic::connection_id(id), token});
  std::vector<std::byte> reset(40, std::byte{0x51});
  std::ranges::copy(token, reset.end() - 16);

  auto wrong = reset;
  wrong.back() ^= std::byte{1};
  pair.peer.send_datagram(wrong);
  CHECK(!pair.connection().closed());
  pair.peer.send_datagram(reset);

  REQUIRE(pair.connection().closed());
  CHECK(pair.connection().closed()->origin == close_reason::origin_kind::stateless_reset);
}
