// SPDX-License-Identifier: Apache-2.0
// What a client keeps to, and what it takes from a server that anybody on the path may imitate.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <ranges>
#include <utility>

#include "observed_pair.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/quic/core/version.hpp"

using namespace strata;
using namespace strata::quic::core;
using namespace std::chrono_literals;
using quic::close_reason;
using quic::connection_id;
using quic::encryption_level;
using quic::transport_error;
using quic::observed::packet_kind;
using testkit::forged_initial;
using testkit::headers_of;
using testkit::holds;
using testkit::observed_pair;
using testkit::octets;
using testkit::seal;

namespace {

octets version_negotiation(const observed_pair& pair, const packet_header& first,
                           std::initializer_list<std::uint32_t> versions,
                           std::byte random = std::byte{0}) {
  octets out(1200);
  transport::buffer_writer writer(out);
  encode_version_negotiation(writer, {.first_byte_random = random,
                                      .destination = first.source,
                                      .source = pair.first_destination.bytes(),
                                      .supported_versions = std::span(versions)});
  out.resize(writer.size());
  return out;
}

bool same(transport::bytes a, transport::bytes b) { return transport::equal_bytes(a, b); }

std::size_t count(const testkit::recorder& seen, packet_kind kind) {
  return static_cast<std::size_t>(
      std::ranges::count(seen.sent, kind, &testkit::recorder::packet::kind));
}

}  // namespace

//= RFC 9000 section 7.2
//# This Destination Connection ID MUST be at least 8 bytes in length.
//= RFC 9000 section 8.1
//# Clients MUST ensure that UDP datagrams containing Initial packets have UDP payloads of at least
//# 1200 bytes, adding PADDING frames as necessary.
//= RFC 9000 section 14
//# QUIC MUST NOT be used if the network path cannot support a maximum datagram size of at least
//# 1200 bytes.
//= RFC 9000 section 14.1
//# A client MUST expand the payload of all UDP datagrams carrying Initial packets to at least the
//# smallest allowed maximum datagram size of 1200 bytes
//= RFC 9000 section 14.1
//# a server MUST expand the payload of all UDP datagrams carrying ack-eliciting Initial packets
//= RFC 9001 section 9.3
//# the packet containing a ClientHello MUST be padded to a minimum size
TEST_CASE("client: datagrams with Initial packets have 1200 bytes, whatever is in them",
          "[quic][client]") {
  quic::core::connection_config small;
  small.max_datagram_size = 600;
  observed_pair pair(small);
  pair.connect();
  std::size_t initials = 0;
  pair.run([&](bool from_client, const octets& datagram) {
    if (!holds(datagram, packet_type::initial)) return;
    initials += from_client;
    if (from_client) CHECK(headers_of(datagram)[0].destination.size() >= 8);
    CHECK(datagram.size() >= limits::min_initial_datagram);
  });
  CHECK(initials >= 1);
  CHECK(pair.of_client().handshake_confirmed());
}

//= RFC 9000 section 14.1
//# A client MUST expand the payload of all UDP datagrams carrying Initial packets to at least the
//# smallest allowed maximum datagram size of 1200 bytes
TEST_CASE("client: a close in an Initial packet fills its datagram, too", "[quic][client]") {
  for (const bool answered : {false, true}) {
    observed_pair pair;
    pair.connect();
    const auto first = pair.from_client();
    if (answered) {
      pair.to_server(first);
      pair.to_client(pair.from_server()[0]);
    }
    pair.of_client().close(pair.now, 1, "no");
    const auto close = pair.from_client();
    REQUIRE(close.size() == 1);
    CHECK(holds(close[0], packet_type::initial));
    CHECK(close[0].size() >= limits::min_initial_datagram);
    if (!answered) pair.to_server(first);
    pair.to_server(close);
    CHECK(pair.of_server().closed()->origin == close_reason::origin_kind::peer_transport);
  }
}

//= RFC 9000 section 10.2.3
//# A CONNECTION_CLOSE of type 0x1d MUST be replaced by a CONNECTION_CLOSE of type 0x1c when
//# sending the frame in Initial or Handshake packets.
//= RFC 9000 section 10.2.3
//# Endpoints MUST clear the value of the Reason Phrase field
TEST_CASE("client: the application's reason does not leave before the handshake protects it",
          "[quic][client]") {
  observed_pair pair;
  pair.connect();
  pair.to_server(pair.from_client());
  pair.of_client().close(pair.now, 0x1234, "a secret");
  pair.to_server(pair.from_client());

  REQUIRE(pair.of_server().closed());
  CHECK(pair.of_server().closed()->origin == close_reason::origin_kind::peer_transport);
  CHECK(pair.of_server().closed()->code ==
        static_cast<std::uint64_t>(transport_error::application_error));
  CHECK(pair.of_server().closed()->reason.empty());
}

//= RFC 9000 section 7.2
//# Until a packet is received from the server, the client MUST use the same Destination Connection
//# ID value on all packets in this connection
//= RFC 9000 section 8.1
//# clients MUST send a packet on a Probe Timeout (PTO)
//= RFC 9000 section 8.1
//# the client MUST send an Initial packet in a UDP datagram that contains at least 1200 bytes if
//# it does not have Handshake keys
//= RFC 9001 section 4
//# If QUIC needs to retransmit that data, it MUST use the same keys even if TLS has already
//# updated to newer keys
//= RFC 9001 section 4.9
//# If packets from a lower encryption level contain CRYPTO frames, frames that retransmit that
//# data MUST be sent at the same encryption level.
TEST_CASE("client: until the server answers, its first flight is repeated as it was",
          "[quic][client]") {
  observed_pair pair;
  pair.connect();
  const auto first = pair.from_client();
  const auto said = pair.client_seen.frames(packet_kind::initial);
  const auto kept = std::exchange(pair.client_seen.sent, {});
  pair.pass_time(pair.client);
  const auto again = pair.from_client();

  REQUIRE(!again.empty());
  for (const octets& datagram : again) {
    CHECK(datagram.size() >= limits::min_initial_datagram);
    for (const auto& header : headers_of(datagram)) {
      CHECK(header.type == packet_type::initial);
      CHECK(same(header.destination, pair.first_destination.bytes()));
    }
  }
  const auto repeated = pair.client_seen.frames(packet_kind::initial);
  REQUIRE(!repeated.empty());
  CHECK(same(std::get<crypto_frame>(repeated[0]).data, std::get<crypto_frame>(said[0]).data));
}

//= RFC 9002 section 6.2.2.1
//# When the PTO fires, the client MUST send a Handshake packet if it has Handshake keys, otherwise
//# it MUST send an Initial packet in a UDP datagram with a payload of at least 1200 bytes.
//= RFC 9001 section 4.9.1
//# Endpoints MUST NOT send Initial packets after this point.
TEST_CASE("client: with Handshake keys a probe is a Handshake packet, never an Initial one",
          "[quic][client]") {
  observed_pair pair;
  pair.connect();
  pair.to_server(pair.from_client());
  pair.to_client(pair.from_server());
  pair.from_client();
  const auto initials = count(pair.client_seen, packet_kind::initial);
  const auto handshakes = count(pair.client_seen, packet_kind::handshake);
  REQUIRE(handshakes >= 1);
  pair.pass_time(pair.client);
  pair.from_client();

  CHECK(count(pair.client_seen, packet_kind::initial) == initials);
  CHECK(count(pair.client_seen, packet_kind::handshake) > handshakes);
  CHECK(!pair.client_seen.frames(packet_kind::handshake).empty());
}

//= RFC 9000 section 7.2
//# Once a client has received a valid Initial packet from the server, it MUST discard any
//# subsequent packet it receives on that connection with a different Source Connection ID.
//= RFC 9000 section 7.2
//# A client MUST change the Destination Connection ID it uses for sending packets in response to
//# only the first received Initial or Retry packet.
//= RFC 9000 section 7.2
//# A server MUST set the Destination Connection ID it uses for sending packets based on the first
//# received Initial packet.
TEST_CASE("client: the IDs of the connection are those of the first Initial packets",
          "[quic][client]") {
  observed_pair pair;
  pair.connect();
  const auto first = pair.from_client();
  const connection_id own(headers_of(first[0])[0].source);
  pair.to_server(first);
  const auto answer = pair.from_server();
  const connection_id theirs(headers_of(answer[0])[0].source);
  for (const octets& datagram : answer) {
    for (const auto& header : headers_of(datagram)) CHECK(same(header.destination, own.bytes()));
  }
  pair.to_client(answer[0]);
  auto keys = pair.server_keys();
  pair.to_client(seal(
      keys,
      {.destination = own, .source = connection_id(std::array<std::byte, 5>{}), .number = 100}));
  CHECK(pair.client_seen.has_dropped("unknown_connection_id"));
  pair.to_client(observed_pair::datagrams(answer.begin() + 1, answer.end()));
  for (const octets& datagram : pair.from_client()) {
    for (const auto& header : headers_of(datagram)) CHECK(same(header.destination, theirs.bytes()));
  }
}

//= RFC 9000 section 7.2
//# if subsequent Initial packets include a different Source Connection ID, they MUST be discarded
TEST_CASE("server: an Initial packet with another source is not the client's",
          "[quic][handshake]") {
  observed_pair pair;
  pair.connect();
  pair.to_server(pair.from_client());
  auto keys = pair.client_keys();
  pair.to_server(seal(keys, {.destination = pair.first_destination,
                             .source = connection_id(std::array<std::byte, 8>{}),
                             .number = 100}));
  CHECK(pair.server_seen.has_dropped("unknown_connection_id"));
}

//= RFC 9000 section 6.2
//# A client that supports only this version of QUIC MUST abandon the current connection attempt if
//# it receives a Version Negotiation packet, with the following two exceptions.
//= RFC 9000 section 17.2.1
//# Clients MUST ignore the value of this field.
//= RFC 8999 section 6
//# MUST be ignored on receipt
TEST_CASE("client: Version Negotiation without a version of ours ends the attempt",
          "[quic][client]") {
  for (const unsigned random : {0u, 0x15u, 0x3fu, 0x7fu}) {
    observed_pair pair;
    pair.connect();
    const auto first = pair.from_client();
    const auto header = headers_of(first[0])[0];
    pair.to_client(version_negotiation(pair, header, {0x0a0a0a0a, 0x00000002},
                                       static_cast<std::byte>(random)));
    REQUIRE(pair.of_client().closed());
    CHECK(pair.of_client().closed()->origin == close_reason::origin_kind::version_negotiation);
    CHECK(pair.from_client().empty());
  }
}

//= RFC 9000 section 6.2
//# A client MUST discard a Version Negotiation packet that lists the QUIC version selected by the
//# client.
TEST_CASE("client: Version Negotiation that lists our version is ignored", "[quic][client]") {
  observed_pair pair;
  pair.connect();
  const auto first = pair.from_client();
  pair.to_client(version_negotiation(pair, headers_of(first[0])[0], {2, quic::version_1}));
  CHECK(!pair.of_client().closed());
  pair.to_server(first);
  pair.run();
  CHECK(pair.of_client().handshake_confirmed());
}

//= RFC 9000 section 6.2
//# A client MUST discard any Version Negotiation packet if it has received and successfully
//# processed any other packet, including an earlier Version Negotiation packet.
TEST_CASE("client: Version Negotiation after any other packet is ignored", "[quic][client]") {
  observed_pair pair;
  pair.connect();
  const auto first = pair.from_client();
  const auto negotiation = version_negotiation(pair, headers_of(first[0])[0], {2});
  pair.to_server(first);
  const auto answer = pair.from_server();
  pair.to_client(answer[0]);
  pair.to_client(negotiation);
  CHECK(!pair.of_client().closed());
  pair.to_client(observed_pair::datagrams(answer.begin() + 1, answer.end()));
  pair.run();
  CHECK(pair.of_client().handshake_confirmed());
}

//= RFC 9000 section 6.1
//# An endpoint MUST NOT send a Version Negotiation packet in response to receiving a Version
//# Negotiation packet.
TEST_CASE("server: Version Negotiation is not answered", "[quic][handshake]") {
  observed_pair pair;
  pair.connect();
  const auto first = pair.from_client();
  auto negotiation = version_negotiation(pair, headers_of(first[0])[0], {2});
  negotiation.resize(1300);
  pair.to_server(negotiation);
  CHECK(pair.from_server().empty());
  CHECK(pair.server.statistics().datagrams_dropped == 1);
}

//= RFC 9000 section 5.2.1
//# If a client receives a packet that uses a different version than it initially selected, it MUST
//# discard that packet.
//= RFC 9000 section 17.2.2
//# clients that receive an Initial packet with a non-zero Token Length field MUST either discard
//# the packet or generate a connection error of type PROTOCOL_VIOLATION
//= RFC 9001 section 5.6
//# A client MUST NOT attempt to decrypt 0-RTT packets it receives and instead MUST discard them.
TEST_CASE("client: packets of another version, of 0-RTT, or with a token are dropped",
          "[quic][client]") {
  observed_pair pair;
  pair.connect();
  const auto first = pair.from_client();
  const connection_id own(headers_of(first[0])[0].source);
  auto keys = pair.server_keys();
  const forged_initial plain{.destination = own, .source = pair.first_destination};

  octets other_version = seal(keys, plain);
  other_version[4] = std::byte{2};
  pair.to_client(other_version);
  CHECK(pair.client_seen.has_dropped("unexpected_version"));

  octets early = seal(keys, plain);
  early[0] = (early[0] & std::byte{0xcf}) | std::byte{0x10};
  pair.to_client(early);
  CHECK(pair.client_seen.has_dropped("unsupported_packet"));

  forged_initial with_token = plain;
  with_token.token.assign(3, std::byte{7});
  pair.to_client(seal(keys, with_token));
  CHECK(pair.client_seen.has_dropped("invalid"));

  CHECK(pair.of_client().statistics().packets_received == 0);
  pair.to_server(first);
  pair.run();
  CHECK(pair.of_client().handshake_confirmed());
}

//= RFC 9000 section 9
//# If a client receives packets from an unknown server address, the client MUST discard these
//# packets.
TEST_CASE("client: packets from another address than the server's are dropped", "[quic][client]") {
  observed_pair pair;
  pair.connect();
  pair.to_server(pair.from_client());
  const auto answer = pair.from_server();
  for (const octets& datagram : answer)
    pair.to_client(datagram, transport::address::loopback_v4(444));
  CHECK(pair.of_client().statistics().packets_received == 0);
  CHECK(pair.client_seen.has_dropped("unexpected_source_address"));
  pair.to_client(answer);
  pair.run();
  CHECK(pair.of_client().handshake_confirmed());
}

//= RFC 9000 section 18.2
//# This transport parameter MUST NOT be sent by a client
//= RFC 9000 section 18.2
//# A client MUST NOT include any server-only transport parameter
TEST_CASE("client: its transport parameters hold none that only servers send", "[quic][client]") {
  observed_pair pair;
  pair.connect();
  pair.run();
  REQUIRE(pair.server_seen.peer_parameters);
  CHECK(!pair.server_seen.peer_parameters->original_destination_connection_id);
  CHECK(!pair.server_seen.peer_parameters->preferred_address);
  CHECK(!pair.server_seen.peer_parameters->retry_source_connection_id);
  CHECK(!pair.server_seen.peer_parameters->stateless_reset_token);
}

//= RFC 9001 section 4.9.1
//# a client MUST discard Initial keys when it first sends a Handshake packet
//= RFC 9001 section 4.9.1
//# Endpoints MUST NOT send Initial packets after this point.
//= RFC 9001 section 4.9.2
//# An endpoint MUST discard its Handshake keys when the TLS handshake is confirmed (Section
//# 4.1.2).
TEST_CASE("handshake: keys are discarded in their time, and their packets end with them",
          "[quic][handshake]") {
  observed_pair pair;
  pair.connect();
  pair.run();
  const std::vector expected{encryption_level::initial, encryption_level::handshake};
  CHECK(pair.client_seen.discarded == expected);
  CHECK(pair.server_seen.discarded == expected);
  for (const auto* seen : {&pair.client_seen, &pair.server_seen}) {
    const auto kinds = std::views::transform(seen->sent, &testkit::recorder::packet::kind);
    const auto handshake = std::ranges::find(kinds, packet_kind::handshake);
    REQUIRE(handshake != kinds.end());
    if (seen == &pair.client_seen)
      CHECK(std::find(handshake, kinds.end(), packet_kind::initial) == kinds.end());
  }
}

//= RFC 9001 section 6.1
//# An endpoint MUST NOT initiate a key update prior to having confirmed the handshake (Section
//# 4.1.2).
TEST_CASE("client: it begins no key update before the handshake is confirmed", "[quic][keys]") {
  quic::core::connection_config config;
  config.key_update_after = 1;
  observed_pair pair(config);
  pair.connect();
  pair.to_server(pair.from_client());
  pair.to_client(pair.from_server());
  const auto write = [&] {
    const octets data(10, std::byte{1});
    const transport::bytes piece(data);
    REQUIRE(pair.of_client().stream(*pair.of_client().open(true)).write({&piece, 1}, true));
  };
  write();
  pair.to_server(pair.from_client());
  const auto with_handshake_done = pair.from_server();
  // Its loss is not noticed yet, and the next acknowledgement comes alone.
  for (int i = 0; i < 2; ++i) {
    write();
    pair.to_server(pair.from_client());
  }
  pair.to_client(pair.from_server());
  write();
  pair.from_client();
  REQUIRE(pair.of_client().handshake_complete());
  CHECK(!pair.of_client().handshake_confirmed());
  CHECK(pair.client_seen.key_updates.empty());
  pair.to_client(with_handshake_done);
  REQUIRE(pair.of_client().handshake_confirmed());
  write();
  pair.from_client();
  CHECK(pair.client_seen.key_updates == std::vector<std::string>{"local_update"});
}

//= RFC 9001 section 4.9.1
//# a server MUST discard Initial keys when it first successfully processes a Handshake packet
TEST_CASE("server: after the client's first Handshake packet it sends no Initial packets",
          "[quic][handshake]") {
  observed_pair pair;
  pair.connect();
  pair.to_server(pair.from_client());
  pair.to_client(pair.from_server());
  const auto flight = pair.from_client();
  const auto first = std::ranges::find_if(
      flight, [](const octets& d) { return holds(d, packet_type::handshake); });
  REQUIRE(first != flight.end());
  CHECK(pair.server_seen.discarded.empty());
  pair.to_server(*first);
  CHECK(pair.server_seen.discarded[0] == encryption_level::initial);
  const auto initials = count(pair.server_seen, packet_kind::initial);
  pair.run();
  CHECK(count(pair.server_seen, packet_kind::initial) == initials);
}

//= RFC 9000 section 12.2
//# Senders MUST NOT coalesce QUIC packets with different connection IDs into a single UDP
//# datagram.
//= RFC 9000 section 12.3
//# Subsequent packets sent in the same packet number space MUST increase the packet number by at
//# least one.
//= RFC 9000 section 12.3
//# A QUIC endpoint MUST NOT reuse a packet number within the same packet number space in one
//# connection.
//= RFC 9000 section 12.4
//# The payload of a packet that contains frames MUST contain at least one frame
//= RFC 9000 section 17.4
//# An endpoint that does not support this feature MUST disable it
//= RFC 9000 section 19.7
//# Clients MUST NOT send NEW_TOKEN frames.
TEST_CASE("connection: every packet of a lossy transfer keeps the rules of packets",
          "[quic][connection]") {
  observed_pair pair;
  pair.connect();
  std::uint64_t seen = 0;
  bool finished = false;
  const auto exchange = [&] {
    const auto look = [&](bool from_client, const octets& datagram) {
      const auto headers = headers_of(datagram);
      for (const auto& header : headers) {
        CHECK(same(header.destination, headers[0].destination));
        if (header.type == packet_type::one_rtt) CHECK(!spin_bit_of(header.first_byte));
        if (header.type == packet_type::initial && !from_client) CHECK(header.token.empty());
      }
    };
    for (const octets& datagram : pair.from_client()) {
      look(true, datagram);
      if (++seen % 5 != 0) pair.to_server(datagram);
    }
    for (const octets& datagram : pair.from_server()) {
      look(false, datagram);
      if (++seen % 5 != 0) pair.to_client(datagram);
    }
  };
  for (int i = 0; i < 400 && !finished; ++i) {
    exchange();
    if (pair.of_client().handshake_complete() && i % 4 == 0) {
      const auto stream = pair.of_client().open(true);
      const octets data(3000, std::byte{42});
      const transport::bytes piece(data);
      if (stream) REQUIRE(pair.of_client().stream(*stream).write({&piece, 1}, true));
    }
    pair.now += 10ms;
    pair.client.handle_timeout(pair.now);
    pair.server.handle_timeout(pair.now);
    finished = pair.client_seen.sent.size() > 150 && pair.server_seen.sent.size() > 50;
  }
  CHECK(finished);
  for (const auto* side : {&pair.client_seen, &pair.server_seen}) {
    std::array<std::optional<std::uint64_t>, 8> last{};
    for (const auto& packet : side->sent) {
      auto& before = last[static_cast<std::size_t>(packet.kind)];
      if (before) CHECK(packet.number > *before);
      before = packet.number;
      CHECK(!packet.payload.empty());
    }
  }
  for (const frame& each : pair.client_seen.frames(packet_kind::one_rtt)) {
    CHECK(!std::holds_alternative<new_token_frame>(each));
    CHECK(!std::holds_alternative<handshake_done_frame>(each));
  }
}

//= RFC 9000 section 19.20
//# Servers MUST NOT send a HANDSHAKE_DONE frame before completing the handshake.
TEST_CASE("server: HANDSHAKE_DONE waits for the end of the handshake", "[quic][handshake]") {
  observed_pair pair;
  pair.connect();
  pair.to_server(pair.from_client());
  pair.to_client(pair.from_server());
  CHECK(!pair.of_server().handshake_complete());
  CHECK(pair.server_seen.frames(packet_kind::one_rtt).empty());
  pair.run();
  const auto frames = pair.server_seen.frames(packet_kind::one_rtt);
  CHECK(std::ranges::any_of(
      frames, [](const frame& f) { return std::holds_alternative<handshake_done_frame>(f); }));
}
