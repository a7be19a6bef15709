// SPDX-License-Identifier: Apache-2.0
// What a peer may not do once connected, and the code each closes with.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <iterator>
#include <string>

#include "hostile_client.hpp"
#include "strata/quic/core/limits.hpp"

using namespace strata;
using namespace strata::quic::core;
using quic::transport_error;
using testkit::hostile_client;

namespace {

const std::array<std::byte, 10> ten{};

struct violation {
  std::string name;
  std::function<void(testkit::raw_peer&)> commit;
  transport_error expected;
};

new_connection_id_frame issue(std::uint64_t sequence, std::uint64_t retire_prior_to) {
  std::array<std::byte, 8> id{};
  id[0] = static_cast<std::byte>(sequence);
  id[1] = std::byte{1};
  quic::stateless_reset_token token{};
  token[0] = static_cast<std::byte>(sequence);
  return {sequence, retire_prior_to, quic::connection_id(id), token};
}

std::vector<std::byte> bytes_of(std::initializer_list<int> octets) {
  std::vector<std::byte> out;
  for (const int octet : octets) out.push_back(static_cast<std::byte>(octet));
  return out;
}

std::vector<violation> stream_violations() {
  using peer = testkit::raw_peer;
  return {
      {"STREAM beyond the stream's limit",
       [](peer& p) { p.send_frames(stream_frame{0, 1 << 30, ten, false}); },
       transport_error::flow_control_error},
      {"RESET_STREAM with a final size beyond the limit (Q11)",
       [](peer& p) { p.send_frames(reset_stream_frame{0, 1, 1 << 30}); },
       transport_error::flow_control_error},
      {"STREAM on a stream beyond the limit of streams",
       [](peer& p) { p.send_frames(stream_frame{4000, 0, ten, false}); },
       transport_error::stream_limit_error},
      {"RESET_STREAM on a stream beyond the limit of streams (Q11)",
       [](peer& p) { p.send_frames(reset_stream_frame{4000, 1, 0}); },
       transport_error::stream_limit_error},
      {"STREAM on a server's unidirectional stream",
       [](peer& p) { p.send_frames(stream_frame{3, 0, ten, false}); },
       transport_error::stream_state_error},
      {"STREAM on a server's stream that was never opened",
       [](peer& p) { p.send_frames(stream_frame{1, 0, ten, false}); },
       transport_error::stream_state_error},
      //= RFC 9000 section 19.4
      //# An endpoint that receives a RESET_STREAM frame for a send-only stream MUST terminate the
      //# connection with error STREAM_STATE_ERROR.
      {"RESET_STREAM on a send-only stream",
       [](peer& p) { p.send_frames(reset_stream_frame{3, 0, 0}); },
       transport_error::stream_state_error},
      //= RFC 9000 section 19.5
      //# Receiving a STOP_SENDING frame for a locally initiated stream that has not yet been
      //# created MUST be treated as a connection error of type STREAM_STATE_ERROR.
      {"STOP_SENDING on a stream that was never opened",
       [](peer& p) { p.send_frames(stop_sending_frame{1, 0}); },
       transport_error::stream_state_error},
      //= RFC 9000 section 19.5
      //# An endpoint that receives a STOP_SENDING frame for a receive-only stream MUST terminate
      //# the connection with error STREAM_STATE_ERROR.
      {"STOP_SENDING on a receive-only stream",
       [](peer& p) { p.send_frames(stop_sending_frame{2, 0}); },
       transport_error::stream_state_error},
      //= RFC 9000 section 19.10
      //# An endpoint that receives a MAX_STREAM_DATA frame for a receive-only stream MUST
      //# terminate the connection with error STREAM_STATE_ERROR.
      {"MAX_STREAM_DATA on a receive-only stream",
       [](peer& p) { p.send_frames(max_stream_data_frame{2, 9}); },
       transport_error::stream_state_error},
      //= RFC 9000 section 19.10
      //# Receiving a MAX_STREAM_DATA frame for a locally initiated stream that has not yet been
      //# created MUST be treated as a connection error of type STREAM_STATE_ERROR.
      {"MAX_STREAM_DATA on a stream that was never opened",
       [](peer& p) { p.send_frames(max_stream_data_frame{1, 9}); },
       transport_error::stream_state_error},
      {"a final size that changes",
       [](peer& p) {
         p.send_frames(stream_frame{0, 0, ten, true}, stream_frame{0, 10, ten, true});
       },
       transport_error::final_size_error},
      {"bytes beyond the final size",
       [](peer& p) {
         p.send_frames(stream_frame{0, 0, ten, true}, stream_frame{0, 5, ten, false});
       },
       transport_error::final_size_error},
      {"a reset with another final size",
       [](peer& p) { p.send_frames(stream_frame{0, 0, ten, true}, reset_stream_frame{0, 0, 11}); },
       transport_error::final_size_error},
  };
}

std::vector<violation> connection_violations() {
  using peer = testkit::raw_peer;
  return {
      {"MAX_STREAMS of more than 2^60 (Q13)",
       [](peer& p) { p.send({.payload = bytes_of({0x12, 0xd0, 0, 0, 0, 0, 0, 0, 1})}); },
       transport_error::frame_encoding_error},
      {"STREAMS_BLOCKED of more than 2^60 (Q13)",
       [](peer& p) { p.send({.payload = bytes_of({0x16, 0xd0, 0, 0, 0, 0, 0, 0, 1})}); },
       transport_error::frame_encoding_error},
      {"an unknown frame type (Q20)",
       [](peer& p) { p.send({.payload = bytes_of({0x40, 0xff, 0, 0})}); },
       transport_error::frame_encoding_error},
      {"a frame type cut short (Q20)",
       [](peer& p) { p.send({.payload = bytes_of({0x01, 0x01, 0x01, 0x40})}); },
       transport_error::frame_encoding_error},
      //= RFC 9000 section 12.4
      //# An endpoint MUST treat receipt of a packet containing no frames as a connection error of
      //# type PROTOCOL_VIOLATION.
      {"a packet without frames", [](peer& p) { p.send({.payload = {}}); },
       transport_error::protocol_violation},
      //= RFC 9000 section 17.3.1
      //# An endpoint MUST treat receipt of a packet that has a non-zero value for these bits,
      //# after removing both packet and header protection, as a connection error of type
      //# PROTOCOL_VIOLATION.
      {"reserved bits in a short header",
       [](peer& p) {
         p.send({.payload = {std::byte{1}, {}, {}, {}}, .flip_first_byte = std::byte{0x18}});
       },
       transport_error::protocol_violation},
      //= RFC 9000 section 19.20
      //# A server MUST treat receipt of a HANDSHAKE_DONE frame as a connection error of type
      //# PROTOCOL_VIOLATION.
      {"HANDSHAKE_DONE from a client (Q24)", [](peer& p) { p.send_frames(handshake_done_frame{}); },
       transport_error::protocol_violation},
      //= RFC 9000 section 19.7
      //# A server MUST treat receipt of a NEW_TOKEN frame as a connection error of type
      //# PROTOCOL_VIOLATION.
      {"NEW_TOKEN from a client", [](peer& p) { p.send_frames(new_token_frame{ten}); },
       transport_error::protocol_violation},
      {"an acknowledgement of a packet that was never sent (Q15)",
       [](peer& p) {
         p.send_frames(
             ack_frame{.largest_acknowledged = 1 << 20, .ack_delay = 0, .first_ack_range = 0});
       },
       transport_error::protocol_violation},
      //= RFC 9000 section 19.16
      //# Receipt of a RETIRE_CONNECTION_ID frame containing a sequence number greater than any
      //# previously sent to the peer MUST be treated as a connection error of type
      //# PROTOCOL_VIOLATION.
      {"RETIRE_CONNECTION_ID of one that was never issued (Q03)",
       [](peer& p) { p.send_frames(retire_connection_id_frame{100}); },
       transport_error::protocol_violation},
      //= RFC 9000 section 19.16
      //# The sequence number specified in a RETIRE_CONNECTION_ID frame MUST NOT refer to the
      //# Destination Connection ID field of the packet in which the frame is contained.
      {"RETIRE_CONNECTION_ID of the packet's own (Q03)",
       [](peer& p) { p.send_frames(retire_connection_id_frame{0}); },
       transport_error::protocol_violation},
      {"NEW_CONNECTION_ID whose sequence number has another ID",
       [](peer& p) {
         new_connection_id_frame twice = issue(1, 0);
         p.send_frames(twice);
         std::array<std::byte, 8> other{};
         other[7] = std::byte{9};
         twice.connection_id = quic::connection_id(other);
         twice.stateless_reset_token[5] = std::byte{7};
         p.send_frames(twice);
       },
       transport_error::protocol_violation},
      {"a stateless reset token used twice (Q37)",
       [](peer& p) {
         new_connection_id_frame second = issue(2, 0);
         second.stateless_reset_token = issue(1, 0).stateless_reset_token;
         p.send_frames(issue(1, 0), second);
       },
       transport_error::protocol_violation},
      //= RFC 9000 section 5.1.1
      //# After processing a NEW_CONNECTION_ID frame and adding and retiring active connection IDs,
      //# if the number of active connection IDs exceeds the value advertised in its
      //# active_connection_id_limit transport parameter, an endpoint MUST close the connection
      //# with an error of type CONNECTION_ID_LIMIT_ERROR.
      {"more connection IDs than the limit",
       [](peer& p) { p.send_frames(issue(1, 0), issue(2, 0), issue(3, 0), issue(4, 0)); },
       transport_error::connection_id_limit_error},
      //= RFC 9000 section 7.5
      //# If an endpoint does not expand its buffer, it MUST close the connection with a
      //# CRYPTO_BUFFER_EXCEEDED error code.
      {"CRYPTO after the handshake beyond the buffer (Q04)",
       [](peer& p) { p.send_frames(crypto_frame{limits::max_crypto_buffer, ten}); },
       transport_error::crypto_buffer_exceeded},
      {"CRYPTO at the end of the number space (Q05)",
       [](peer& p) { p.send_frames(crypto_frame{(std::uint64_t{1} << 62) - 100, ten}); },
       transport_error::crypto_buffer_exceeded},
      {"CONNECTION_CLOSE with a truncated reason",
       [](peer& p) { p.send({.payload = bytes_of({0x1c, 0, 0, 0x20, 1})}); },
       transport_error::frame_encoding_error},
  };
}

}  // namespace

//= RFC 9000 section 10.3
//# An endpoint that wishes to communicate a fatal connection error MUST use a CONNECTION_CLOSE
//# frame if it is able.
//= RFC 9000 section 11.1
//# Errors that result in the connection being unusable, such as an obvious violation of protocol
//# semantics or corruption of state that affects an entire connection, MUST be signaled using a
//# CONNECTION_CLOSE frame (Section 19.19).
TEST_CASE("connection: each broken rule closes with its code, and the server goes on",
          "[quic][connection]") {
  std::vector<violation> all = stream_violations();
  std::ranges::move(connection_violations(), std::back_inserter(all));
  for (const violation& each : all) {
    DYNAMIC_SECTION(each.name) {
      hostile_client pair;
      pair.peer.start();
      REQUIRE(pair.peer.complete_handshake());

      each.commit(pair.peer);

      REQUIRE(pair.close_code());
      CHECK(*pair.close_code() == each.expected);
      REQUIRE(pair.connection().closed());
      CHECK(pair.connection().closed()->origin == quic::close_reason::origin_kind::local_transport);
      testkit::raw_peer other(pair.endpoint, *pair.client_tls, 77);
      other.start();
      CHECK(other.complete_handshake());
    }
  }
}

TEST_CASE("connection: retiring IDs faster than they are acknowledged ends the connection (Q02)",
          "[quic][connection][attack][Q02]") {
  hostile_client pair;
  pair.peer.start();
  REQUIRE(pair.peer.complete_handshake());
  pair.peer.acknowledges = false;

  std::uint64_t sent = 0;
  while (!pair.close_code() && sent < 1000) {
    ++sent;
    pair.peer.send_frames(issue(sent, sent));
  }

  CHECK(pair.close_code() == transport_error::connection_id_limit_error);
  CHECK(sent <= limits::max_pending_retirements + 1);
}

TEST_CASE("connection: a flood of PATH_CHALLENGE is answered in part and kept nowhere (Q01)",
          "[quic][connection][attack][Q01]") {
  hostile_client pair;
  pair.peer.start();
  REQUIRE(pair.peer.complete_handshake());
  pair.peer.acknowledges = false;
  for (int i = 0; i < 1000; ++i) {
    path_challenge_frame challenge;
    challenge.data[0] = static_cast<std::byte>(i);
    pair.peer.send_frames(challenge);
  }
  pair.peer.pump();

  std::size_t answers = 0;
  for (const auto& frame : pair.peer.received())
    answers += std::holds_alternative<path_response_frame>(frame.content);
  CHECK(answers >= 1);
  CHECK(answers <= limits::max_path_responses);
  CHECK(!pair.close_code());
}

//= RFC 9000 section 11
//# A stateless reset MUST NOT be used by an endpoint that has the state necessary to send a frame
//# on the connection.
TEST_CASE("connection: forged packets change nothing", "[quic][connection]") {
  hostile_client pair;
  pair.peer.start();
  REQUIRE(pair.peer.complete_handshake());
  const auto before = pair.connection().statistics().packets_received;
  for (int i = 0; i < 100; ++i) {
    pair.peer.send({.payload = testkit::raw_peer::encode_all(handshake_done_frame{}, ping_frame{}),
                    .corrupt = true});
  }

  CHECK(pair.connection().statistics().packets_received == before);
  CHECK(pair.connection().statistics().packets_dropped >= 100);
  CHECK(pair.endpoint.statistics().stateless_resets_sent == 0);
  CHECK(!pair.close_code());
}

//= RFC 9000 section 12.3
//# A receiver MUST discard a newly unprotected packet unless it is certain that it has not
//# processed another packet with the same packet number from the same packet number space.
TEST_CASE("connection: a packet that comes twice is processed once", "[quic][connection]") {
  hostile_client pair;
  pair.peer.start();
  REQUIRE(pair.peer.complete_handshake());
  const auto datagram = pair.peer.make_packet(
      {.payload = testkit::raw_peer::encode_all(stream_frame{0, 0, ten, true})});
  pair.peer.send_datagram(datagram);
  const auto once = pair.connection().statistics().packets_received;
  pair.peer.send_datagram(datagram);

  CHECK(pair.connection().statistics().packets_received == once);
}
