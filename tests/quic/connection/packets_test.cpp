// SPDX-License-Identifier: Apache-2.0
// How a server takes packets apart, answers and acknowledges them.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "hostile_client.hpp"
#include "observed_pair.hpp"
#include "strata/quic/core/limits.hpp"

using namespace strata;
using namespace strata::quic::core;
using namespace std::chrono_literals;
using quic::encryption_level;
using quic::transport_error;
using quic::observed::packet_kind;
using testkit::hostile_client;
using testkit::octets;
using testkit::raw_peer;

namespace {

struct connected_client : hostile_client {
  explicit connected_client(const endpoint_config& config = accepting()) : hostile_client(config) {
    peer.start();
    REQUIRE(peer.complete_handshake());
    endpoint.observe(&seen);
  }
  /// The whole answer of the endpoint, as it leaves.
  std::vector<octets> answers(transport::address* to = nullptr) {
    std::vector<octets> all;
    octets out(limits::max_batch_bytes);
    while (const auto batch = endpoint.poll_transmit(peer.now, out, 1)) {
      all.emplace_back(out.begin(), out.begin() + batch->size);
      if (to != nullptr) *to = batch->remote;
    }
    return all;
  }
  void send_from_elsewhere(octets datagram) {
    endpoint.receive(
        peer.now, {datagram, static_cast<std::uint16_t>(datagram.size()), transport::ecn::not_ect,
                   transport::address::loopback_v4(7001), transport::address::loopback_v4(443)});
    endpoint.release_input();
  }
  testkit::recorder seen;
};

template <class Frame>
std::vector<testkit::raw_frame> frames_of(const raw_peer& peer) {
  std::vector<testkit::raw_frame> found;
  for (const auto& each : peer.received()) {
    if (std::holds_alternative<Frame>(each.content)) found.push_back(each);
  }
  return found;
}

octets joined(octets first, const octets& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

bool acknowledges(const testkit::raw_frame& frame, std::uint64_t number) {
  bool found = false;
  std::get<ack_frame>(frame.content)
      .for_each_range([&](std::uint64_t smallest, std::uint64_t largest) {
        found = found || (smallest <= number && number <= largest);
        return true;
      });
  return found;
}

quic::stateless_reset_token token_of(int value) {
  quic::stateless_reset_token token;
  token.fill(static_cast<std::byte>(value));
  return token;
}

new_connection_id_frame issue(std::uint64_t sequence, std::uint64_t retire_prior_to) {
  std::array<std::byte, 8> id{};
  id[0] = static_cast<std::byte>(0x70 + sequence);
  return {sequence, retire_prior_to, quic::connection_id(id),
          token_of(0xa0 + static_cast<int>(sequence))};
}

/// Of the connection ID with that sequence number, and not for any ID of this side.
octets reset_of(std::uint64_t sequence, std::byte first = std::byte{0x51}) {
  octets reset(60, first);
  std::ranges::copy(token_of(0xa0 + static_cast<int>(sequence)), reset.end() - 16);
  return reset;
}

}  // namespace

//= RFC 9000 section 8.2.1
//# Unlike other cases where datagrams are expanded, endpoints MUST NOT discard datagrams that
//# appear to be too small when they contain PATH_CHALLENGE or PATH_RESPONSE.
//= RFC 9000 section 8.2.2
//# On receiving a PATH_CHALLENGE frame, an endpoint MUST respond by echoing the data contained in
//# the PATH_CHALLENGE frame in a PATH_RESPONSE frame.
//= RFC 9000 section 8.2.2
//# An endpoint MUST NOT delay transmission of a packet containing a PATH_RESPONSE frame unless
//# constrained by congestion control.
//= RFC 9000 section 8.2.2
//# A PATH_RESPONSE frame MUST be sent on the network path where the PATH_CHALLENGE frame was
//# received.
//= RFC 9000 section 8.2.2
//# An endpoint MUST expand datagrams that contain a PATH_RESPONSE frame to at least the smallest
//# allowed maximum datagram size of 1200 bytes.
//= RFC 9000 section 8.2.2
//# An endpoint MUST NOT send more than one PATH_RESPONSE frame in response to one PATH_CHALLENGE
//# frame.
//= RFC 9000 section 19.17
//# The recipient of this frame MUST generate a PATH_RESPONSE frame (Section 19.18) containing the
//# same Data value.
TEST_CASE("packets: a PATH_CHALLENGE is answered once, at once, by a full datagram",
          "[quic][connection]") {
  connected_client pair;
  pair.peer.acknowledges = false;
  path_challenge_frame challenge;
  challenge.data[2] = std::byte{0x5a};
  const std::uint64_t before = pair.peer.bytes_received();
  const std::size_t datagrams = pair.peer.datagrams_received();
  pair.peer.send_frames(challenge);
  pair.peer.pump();

  const auto responses = frames_of<path_response_frame>(pair.peer);
  REQUIRE(responses.size() == 1);
  CHECK(std::get<path_response_frame>(responses[0].content).data == challenge.data);
  CHECK(pair.peer.datagrams_received() == datagrams + 1);
  CHECK(pair.peer.bytes_received() - before >= limits::min_initial_datagram);
  for (int i = 0; i < 3; ++i) pair.peer.pass_time();
  CHECK(frames_of<path_response_frame>(pair.peer).size() == 1);

  pair.peer.send_frames(challenge);
  transport::address to;
  CHECK(pair.answers(&to).size() == 1);
  CHECK(to == transport::address::loopback_v4(7000));
}

//= RFC 9000 section 12.2
//# Receivers MUST be able to process coalesced packets.
//= RFC 9000 section 12.2
//# MUST attempt to process the remaining packets
TEST_CASE("packets: what stands behind a packet that cannot be read is read",
          "[quic][connection]") {
  connected_client pair;
  const auto unreadable = pair.peer.make_packet(
      {.level = encryption_level::handshake, .payload = raw_peer::encode_all(ping_frame{})});
  const std::array<std::byte, 3> data{};
  const auto readable =
      pair.peer.make_packet({.payload = raw_peer::encode_all(stream_frame{0, 0, data, true})});
  pair.peer.send_datagram(joined(unreadable, readable));
  CHECK(pair.connection().accept(true) == 0);
}

//= RFC 9000 section 12.2
//# The receiver of coalesced QUIC packets MUST individually process each QUIC packet and
//# separately acknowledge them, as if they were received as the payload of different UDP
//# datagrams.
TEST_CASE("packets: each packet of a datagram is acknowledged", "[quic][connection]") {
  hostile_client pair;
  pair.peer.start();
  const auto ping = [&](std::uint64_t number, std::size_t size) {
    return pair.peer.make_packet({.level = encryption_level::initial,
                                  .payload = raw_peer::encode_all(ping_frame{}),
                                  .number = number,
                                  .pad_datagram_to = size});
  };
  const auto first = ping(10, 300);
  pair.peer.send_datagram(joined(first, ping(12, 1000)));
  pair.peer.pump();
  const auto acks = frames_of<ack_frame>(pair.peer);
  REQUIRE(!acks.empty());
  CHECK(acks[0].level == encryption_level::initial);
  CHECK(acknowledges(acks[0], 10));
  CHECK(!acknowledges(acks[0], 11));
  CHECK(acknowledges(acks[0], 12));
}

//= RFC 9000 section 13.1
//# A packet MUST NOT be acknowledged until packet protection has been successfully removed and all
//# frames contained in the packet have been processed.
//= RFC 9000 section 13.2.1
//# an endpoint MUST NOT send more than one such packet in response to receiving an ack-eliciting
//# packet
//= RFC 9000 section 13.2.1
//# an endpoint MUST NOT send an ack-eliciting frame in all packets that would otherwise be
//# non-ack-eliciting
//= RFC 9000 section 13.2.6
//# ACK frames MUST only be carried in a packet that has the same packet number space as the packet
//# being acknowledged
//= RFC 9000 section 13.2.6
//# packets that are protected with 1-RTT keys MUST be acknowledged in packets that are also
//# protected with 1-RTT keys
//= RFC 9000 section 17.2.3
//# An acknowledgment for a 1-RTT packet MUST be carried in a 1-RTT packet.
TEST_CASE(
    "packets: an ACK stands alone, comes once, in the space of the packet, for what was opened",
    "[quic][connection]") {
  connected_client pair;
  pair.peer.send({.payload = raw_peer::encode_all(ping_frame{}), .number = 1000, .corrupt = true});
  pair.peer.send({.payload = raw_peer::encode_all(ping_frame{}), .number = 1001});
  pair.seen.sent.clear();
  for (int i = 0; i < 3; ++i) pair.peer.pump();
  while (frames_of<ack_frame>(pair.peer).empty()) REQUIRE(pair.peer.pass_time());
  pair.peer.pump();

  const auto acks = frames_of<ack_frame>(pair.peer);
  REQUIRE(acks.size() == 1);
  CHECK(acks[0].level == encryption_level::application);
  CHECK(acknowledges(acks[0], 1001));
  CHECK(!acknowledges(acks[0], 1000));
  CHECK(pair.seen.sent.size() == 1);
  for (const frame& each : pair.seen.frames(packet_kind::one_rtt))
    CHECK((std::holds_alternative<ack_frame>(each) || std::holds_alternative<padding_frame>(each)));
}

//= RFC 9000 section 13.4.1
//# Even if an endpoint does not set an ECT field in packets it sends, the endpoint MUST provide
//# feedback about ECN markings it receives, if these are accessible.
TEST_CASE("packets: ECN marks are reported to the peer", "[quic][connection]") {
  connected_client pair;
  octets datagram = pair.peer.make_packet({.payload = raw_peer::encode_all(ping_frame{})});
  pair.endpoint.receive(
      pair.peer.now, {datagram, static_cast<std::uint16_t>(datagram.size()), transport::ecn::ce,
                      transport::address::loopback_v4(7000), transport::address::loopback_v4(443)});
  pair.endpoint.release_input();
  pair.peer.pump();
  const auto acks = frames_of<ack_frame>(pair.peer);
  REQUIRE(acks.size() == 1);
  REQUIRE(std::get<ack_frame>(acks[0].content).ecn_counts);
  CHECK(std::get<ack_frame>(acks[0].content).ecn_counts->ecn_ce == 1);
}

//= RFC 9000 section 13.3
//# The HANDSHAKE_DONE frame MUST be retransmitted until it is acknowledged.
TEST_CASE("packets: a lost HANDSHAKE_DONE is sent again", "[quic][connection]") {
  hostile_client pair;
  testkit::recorder seen;
  pair.endpoint.observe(&seen);
  pair.peer.start();
  pair.peer.acknowledges = false;
  REQUIRE(pair.peer.complete_handshake());
  const auto holds_done = [](const testkit::recorder::packet& packet) {
    return std::ranges::find(packet.payload, std::byte{0x1e}) != packet.payload.end() &&
           packet.kind == packet_kind::one_rtt;
  };
  const auto done = std::ranges::find_if(seen.sent, holds_done);
  REQUIRE(done != seen.sent.end());
  const std::uint64_t lost = done->number;
  const auto handshake_done_frames = [&] {
    const auto all = seen.frames(packet_kind::one_rtt);
    return std::ranges::count_if(
        all, [](const frame& f) { return std::holds_alternative<handshake_done_frame>(f); });
  };
  REQUIRE(handshake_done_frames() == 1);
  for (int i = 0; i < 6; ++i) {
    path_challenge_frame challenge;
    challenge.data[0] = static_cast<std::byte>(i);
    pair.peer.send_frames(challenge);
    pair.peer.pump();
  }
  const std::uint64_t largest = seen.sent.back().number;
  REQUIRE(largest >= lost + 3);
  pair.peer.send_frames(ack_frame{
      .largest_acknowledged = largest, .ack_delay = 0, .first_ack_range = largest - lost - 3});
  pair.peer.pump();
  CHECK(handshake_done_frames() == 2);
}

//= RFC 9002 section 7
//# An endpoint MUST NOT send a packet if it would cause bytes_in_flight (see Section B.2) to be
//# larger than the congestion window
//= RFC 9002 section 6.2.4
//# All probe packets sent on a PTO MUST be ack-eliciting.
TEST_CASE("packets: unacknowledged data stays within the congestion window, and probes elicit",
          "[quic][connection]") {
  connected_client pair;
  pair.peer.send_frames(stream_frame{0, 0, {}, false});
  pair.peer.pump();
  pair.peer.acknowledges = false;
  const octets data(100'000, std::byte{1});
  const transport::bytes piece(data);
  REQUIRE(pair.connection().stream(0).write({&piece, 1}, true));
  pair.seen.sent.clear();
  for (int i = 0; i < 200; ++i) {
    pair.peer.pump();
    const auto now = pair.connection().statistics();
    REQUIRE(now.bytes_in_flight <= now.congestion_window);
    pair.peer.now += 1ms;
  }
  const auto full = pair.connection().statistics();
  CHECK(full.bytes_in_flight + 1200 > full.congestion_window);
  pair.seen.sent.clear();
  while (pair.connection().statistics().probe_timeouts == 0) REQUIRE(pair.peer.pass_time());
  REQUIRE(!pair.seen.sent.empty());
  for (const auto& probe : pair.seen.sent) {
    bool elicits = false;
    for (transport::buffer_reader reader(probe.payload); !reader.empty();)
      elicits = elicits || is_ack_eliciting(type_of(decode_frame(reader).value()));
    CHECK(elicits);
  }
}

//= RFC 9000 section 10.1
//# To avoid excessively small idle timeout periods, endpoints MUST increase the idle timeout
//# period to be at least three times the current Probe Timeout (PTO).
TEST_CASE("packets: the idle timeout is never below three probe timeouts", "[quic][connection]") {
  endpoint_config config = hostile_client::accepting();
  config.connection.max_idle_timeout = 1ms;
  connected_client pair(config);
  const auto begun = pair.peer.now;
  while (!pair.connection().closed()) REQUIRE(pair.peer.pass_time());
  CHECK(pair.connection().closed()->origin == quic::close_reason::origin_kind::idle_timeout);
  CHECK(pair.peer.now - begun >= 3 * pair.connection().statistics().smoothed_rtt);
  CHECK(pair.peer.now - begun >= 3ms);
}

//= RFC 9000 section 17.2
//# An endpoint MUST treat receipt of a packet that has a non-zero value for these bits after
//# removing both packet and header protection as a connection error of type PROTOCOL_VIOLATION.
//= RFC 9000 section 17.4
//# When the spin bit is disabled, endpoints MAY set the spin bit to any value and MUST ignore any
//# incoming value.
TEST_CASE("packets: reserved bits of an Initial packet close, the spin bit says nothing",
          "[quic][connection]") {
  hostile_client reserved;
  reserved.peer.start();
  reserved.peer.send({.level = encryption_level::initial,
                      .payload = raw_peer::encode_all(ping_frame{}),
                      .flip_first_byte = std::byte{0x0c},
                      .pad_datagram_to = 1200});
  CHECK(reserved.close_code() == transport_error::protocol_violation);

  connected_client pair;
  const auto before = pair.connection().statistics().packets_received;
  pair.peer.send(
      {.payload = raw_peer::encode_all(ping_frame{}), .flip_first_byte = std::byte{0x20}});
  CHECK(pair.connection().statistics().packets_received == before + 1);
  CHECK(!pair.close_code());
}

//= RFC 9001 section 5.4.2
//# An endpoint MUST discard packets that are not long enough to contain a complete sample.
TEST_CASE("packets: one too short for a header protection sample is dropped",
          "[quic][connection]") {
  connected_client pair;
  octets packet = pair.peer.make_packet({.payload = raw_peer::encode_all(ping_frame{})});
  for (const std::size_t size : {9u, 13u, 20u, 28u}) {
    octets cut(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size));
    pair.peer.send_datagram(cut);
  }
  CHECK(pair.seen.has_dropped("payload_too_short"));
  CHECK(!pair.connection().closed());
}

//= RFC 9000 section 5.2
//# An endpoint MUST generate a connection error if processing the contents of these packets prior
//# to discovering an error, or fully revert any changes made during that processing.
TEST_CASE("packets: an error behind frames that were processed closes, in an Initial packet too",
          "[quic][connection]") {
  hostile_client pair;
  pair.peer.start();
  octets payload = raw_peer::encode_all(ping_frame{});
  payload.push_back(std::byte{0x3f});
  pair.peer.send({.level = encryption_level::initial, .payload = payload, .pad_datagram_to = 1200});
  CHECK(pair.close_code() == transport_error::frame_encoding_error);
}

//= RFC 9001 section 5.7
//# Endpoints in either role MUST NOT decrypt 1-RTT packets from their peer prior to completing the
//# handshake.
//= RFC 9001 section 5.7
//# A server MUST NOT process incoming 1-RTT protected packets before the TLS handshake is
//# complete.
TEST_CASE("packets: 1-RTT packets wait for the end of the handshake", "[quic][handshake]") {
  hostile_client pair;
  pair.peer.start();
  pair.peer.pump();
  const std::array<std::byte, 3> data{std::byte{7}, std::byte{8}, std::byte{9}};
  pair.peer.send_frames(stream_frame{0, 0, data, true});
  CHECK(!pair.connection().accept(true));
  CHECK(!pair.connection().handshake_complete());
  REQUIRE(pair.peer.complete_handshake());
  CHECK(pair.connection().accept(true) == 0);
  std::array<std::byte, 8> memory;
  bool fin = false;
  REQUIRE(pair.connection().stream(0).read(memory, fin) == data.size());
  CHECK(transport::equal_bytes(transport::bytes(memory).first(data.size()), data));
}

//= RFC 9001 section 4.8
//# a QUIC endpoint MUST treat any alert from TLS as if it were at the "fatal" level
//= RFC 9001 section 8.1
//# The server MUST treat the inability to select a compatible application protocol as a connection
//# error of type 0x0178 (no_application_protocol).
TEST_CASE("packets: an alert of TLS closes with its code", "[quic][handshake]") {
  hostile_client pair(hostile_client::accepting(), {.alpn = {"test"}});
  testkit::fake_random random(8);
  const auto other = make_null_tls(random, {.alpn = {"other"}});
  raw_peer stranger(pair.endpoint, *other, 9);
  stranger.start();
  stranger.pump();
  REQUIRE(stranger.closed_with());
  CHECK(stranger.closed_with()->error_code == 0x178);
}

//= RFC 9000 section 12.3
//# A receiver MUST discard a newly unprotected packet unless it is certain that it has not
//# processed another packet with the same packet number from the same packet number space.
//= RFC 9000 section 12.3
//# Duplicate suppression MUST happen after removing packet protection for the reasons described in
//# Section 9.5 of [QUIC-TLS].
TEST_CASE("packets: a duplicate is told only after it has been opened", "[quic][connection]") {
  connected_client pair;
  octets packet = pair.peer.make_packet({.payload = raw_peer::encode_all(ping_frame{})});
  pair.peer.send_datagram(packet);
  pair.peer.send_datagram(packet);
  CHECK(pair.seen.dropped == std::vector<std::string>{"duplicate"});
  packet.back() ^= std::byte{1};
  pair.peer.send_datagram(packet);
  CHECK(pair.seen.dropped == std::vector<std::string>{"duplicate", "decryption_failure"});
}

//= RFC 9000 section 14
//# an endpoint MUST NOT close a connection when it receives a datagram that does not meet size
//# constraints
//= RFC 9000 section 14.1
//# A server MUST discard an Initial packet that is carried in a UDP datagram with a payload that
//# is smaller than the smallest allowed maximum datagram size of 1200 bytes.
TEST_CASE("packets: a small datagram with an Initial packet is dropped and harms nothing",
          "[quic][handshake]") {
  for (const std::size_t size : {1199u, 1200u}) {
    hostile_client pair;
    pair.peer.start();
    const auto before = pair.connection().statistics().packets_received;
    pair.peer.send({.level = encryption_level::initial,
                    .payload = raw_peer::encode_all(ping_frame{}),
                    .pad_datagram_to = size});
    CHECK(pair.connection().statistics().packets_received - before == (size == 1200 ? 1 : 0));
    CHECK(pair.peer.complete_handshake());
  }
}

//= RFC 9000 section 8.1
//# servers MUST count all of the payload bytes received in datagrams that are uniquely attributed
//# to a single connection
TEST_CASE("packets: all bytes of a client's datagrams allow three times as many in return",
          "[quic][handshake]") {
  for (const std::size_t rest : {0u, 600u}) {
    hostile_client pair(hostile_client::accepting(), {.server_flight_size = 20'000});
    pair.peer.acknowledges = false;
    pair.peer.start();
    pair.peer.pump();
    const octets noise(rest, std::byte{0x40});
    pair.peer.send_datagram(
        joined(pair.peer.make_packet({.level = encryption_level::initial,
                                      .payload = raw_peer::encode_all(ping_frame{}),
                                      .pad_datagram_to = 1200}),
               noise));
    for (int i = 0; i < 30 && pair.peer.pass_time(); ++i) {}
    CHECK(pair.peer.bytes_received() <= limits::amplification_factor * pair.peer.bytes_sent());
    CHECK(pair.peer.bytes_received() > 3 * (2400 + rest) - 1200);
  }
}

//= RFC 9000 section 10.2.1
//# such endpoints MUST limit the cumulative size of packets it sends to three times the cumulative
//# size of the packets that are received and attributed to the connection
TEST_CASE("closing: answers are at most three times what asks for them", "[quic][closing]") {
  connected_client pair;
  pair.connection().close(pair.peer.now, 1, std::string(500, 'x'));
  pair.peer.pump();
  const std::uint64_t before = pair.peer.bytes_received();
  octets stub = pair.peer.make_packet({.payload = raw_peer::encode_all(ping_frame{})});
  stub.resize(10);
  std::uint64_t sent = 0;
  for (int i = 0; i < 3000; ++i) {
    pair.peer.send_datagram(stub);
    sent += stub.size();
    pair.peer.pump();
    REQUIRE(pair.peer.bytes_received() - before <= limits::amplification_factor * sent);
  }
  CHECK(pair.peer.bytes_received() > before);
}

//= RFC 9000 section 9
//# the endpoint MUST either drop the incoming packets on that path without generating a Stateless
//# Reset
//= RFC 9000 section 10.2.1
//# An endpoint in the closing state MUST either discard packets received from an unvalidated
//# address
TEST_CASE("closing: packets from another address are dropped without an answer",
          "[quic][closing]") {
  connected_client pair;
  const std::array<std::byte, 3> data{};
  pair.send_from_elsewhere(
      pair.peer.make_packet({.payload = raw_peer::encode_all(stream_frame{0, 0, data, true})}));
  CHECK(!pair.connection().accept(true));
  CHECK(pair.answers().empty());
  pair.connection().close(pair.peer.now, 1, {});
  CHECK(pair.answers().size() == 1);
  for (int i = 0; i < 20; ++i) {
    pair.send_from_elsewhere(
        pair.peer.make_packet({.payload = raw_peer::encode_all(ping_frame{})}));
  }
  CHECK(pair.answers().empty());
  CHECK(pair.endpoint.statistics().stateless_resets_sent == 0);
}

//= RFC 9000 section 10.3
//# However, endpoints MUST treat any packet ending in a valid stateless reset token as a Stateless
//# Reset, as other QUIC versions might allow the use of a long header.
//= RFC 9000 section 10.3.1
//# the comparison MUST be performed when the first packet in an incoming datagram either cannot be
//# associated with a connection or cannot be decrypted
//= RFC 9000 section 10.3.1
//# If the last 16 bytes of the datagram are identical in value to a stateless reset token, the
//# endpoint MUST enter the draining period and not send any further packets on this connection.
TEST_CASE("closing: a stateless reset is one with any header, also for an ID of ours",
          "[quic][closing]") {
  for (const int shape : {0, 1, 2}) {
    connected_client pair;
    pair.peer.send_frames(issue(1, 1));
    octets reset = reset_of(1, shape == 1 ? std::byte{0xd1} : std::byte{0x51});
    if (shape == 2) std::ranges::copy(pair.peer.peer_id().bytes(), reset.begin() + 1);
    pair.peer.send_datagram(reset);
    INFO(shape);
    REQUIRE(pair.connection().closed());
    CHECK(pair.connection().closed()->origin == quic::close_reason::origin_kind::stateless_reset);
    pair.peer.send_frames(ping_frame{});
    CHECK(pair.answers().empty());
  }
}

//= RFC 9000 section 10.3.1
//# An endpoint MUST NOT check for any stateless reset tokens associated with connection IDs it has
//# not used or for connection IDs that have been retired.
TEST_CASE("closing: tokens of IDs that are unused or retired reset nothing", "[quic][closing]") {
  connected_client pair;
  pair.peer.send_frames(issue(1, 1), issue(2, 1));
  pair.peer.send_datagram(reset_of(2));
  CHECK(!pair.connection().closed());
  pair.peer.send_frames(issue(3, 2));
  pair.peer.send_datagram(reset_of(1));
  CHECK(!pair.connection().closed());
  pair.peer.send_datagram(reset_of(2));
  CHECK(pair.connection().closed());
}
