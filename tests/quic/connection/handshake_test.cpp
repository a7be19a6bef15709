// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <functional>

#include "hostile_client.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/quic/core/version.hpp"

using namespace strata;
using namespace strata::quic::core;
using namespace std::chrono_literals;
using quic::encryption_level;
using quic::transport_error;
using testkit::hostile_client;

//= RFC 9001 section 4.1.2
//# The server MUST send a HANDSHAKE_DONE frame as soon as the handshake is complete.
TEST_CASE("handshake: it completes with one flight split over any number of packets",
          "[quic][handshake]") {
  for (const std::size_t hello : {300u, 1100u, 1700u, 3000u}) {
    for (const std::size_t flight : {100u, 3000u, 9000u}) {
      hostile_client pair(hostile_client::accepting(),
                          {.client_hello_size = hello, .server_flight_size = flight});
      pair.peer.start();
      CHECK(pair.peer.complete_handshake());
      CHECK(pair.connection().handshake_confirmed());
    }
  }
}

//= RFC 9000 section 8
//# an endpoint MUST limit the amount of data it sends to the unvalidated address to three times
//# the amount of data received from that address
//= RFC 9000 section 8.1
//# Prior to validating the client address, servers MUST NOT send more than three times as many
//# bytes as the number of bytes they have received.
//= RFC 9000 section 14.1
//# The server MUST also limit the number of bytes it sends before validating the address of the
//# client.
TEST_CASE("handshake: an unvalidated client is sent at most three times what it sent (Q31)",
          "[quic][handshake][attack][Q31]") {
  hostile_client pair(hostile_client::accepting(), {.server_flight_size = 20'000});
  pair.peer.acknowledges = false;
  pair.peer.start();
  for (int i = 0; i < 20; ++i) {
    pair.peer.pump();
    REQUIRE(pair.peer.bytes_received() <= limits::amplification_factor * pair.peer.bytes_sent());
    if (!pair.peer.pass_time()) break;
  }
  CHECK(pair.peer.bytes_received() > 2 * pair.peer.bytes_sent());
}

TEST_CASE("handshake: one that never ends is given up at its deadline (Q43)",
          "[quic][handshake][attack][Q43]") {
  hostile_client pair;
  pair.peer.acknowledges = false;
  pair.peer.start();
  const auto begun = pair.peer.now;
  while (!pair.connection().closed()) {
    pair.peer.now += 1s;
    pair.endpoint.handle_timeout(pair.peer.now);
    pair.peer.send({.level = encryption_level::initial,
                    .payload = testkit::raw_peer::encode_all(ping_frame{}),
                    .pad_datagram_to = 1200});
    pair.peer.pump();
    REQUIRE(pair.peer.now - begun < 60s);
  }
  CHECK(pair.connection().closed()->origin == quic::close_reason::origin_kind::handshake_timeout);
  CHECK(pair.peer.now - begun <= 12s);
  CHECK(pair.endpoint.statistics().half_open == 0);
}

//= RFC 9000 section 7.3
//# An endpoint MUST treat the following as a connection error of type TRANSPORT_PARAMETER_ERROR or
//# PROTOCOL_VIOLATION:
TEST_CASE(
    "handshake: transport parameters that break a rule are refused with their code (Q22, Q68)",
    "[quic][handshake][attack][Q22][Q68]") {
  const auto run = [](const std::function<void(testkit::raw_peer&)>& spoil) {
    hostile_client pair;
    spoil(pair.peer);
    pair.peer.start();
    pair.peer.complete_handshake();
    return pair.close_code();
  };
  const auto wrong = transport_error::transport_parameter_error;
  CHECK(run([](auto& p) { p.parameters.initial_source_connection_id.reset(); }) == wrong);
  CHECK(run([](auto& p) {
          p.parameters.initial_source_connection_id =
              quic::connection_id(std::array<std::byte, 3>{});
        }) == wrong);
  const auto with = [&run](std::initializer_list<int> octets) {
    return run([&octets](testkit::raw_peer& p) {
      for (const int octet : octets) p.extra_parameters.push_back(static_cast<std::byte>(octet));
    });
  };
  CHECK(with({0x00, 1, 9}) == wrong);  // original_destination_connection_id, from a client
  CHECK(with({0x02, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) ==
        wrong);                                       // stateless_reset_token
  CHECK(with({0x10, 1, 9}) == wrong);                 // retry_source_connection_id
  CHECK(with({0x03, 2, 0x44, 0xaf}) == wrong);        // max_udp_payload_size of 1199
  CHECK(with({0x0a, 1, 21}) == wrong);                // ack_delay_exponent
  CHECK(with({0x0b, 4, 0x80, 0, 0x40, 0}) == wrong);  // max_ack_delay of 2^14
  CHECK(with({0x0e, 1, 1}) == wrong);   // active_connection_id_limit, twice and too small
  CHECK(with({0x01, 1}) == wrong);      // cut short
  CHECK(!with({0x40, 0x99, 2, 1, 2}));  // unknown
  CHECK(!run([](auto&) {}));
}

//= RFC 9000 section 12.4
//# An endpoint MUST treat receipt of a frame in a packet type that is not permitted as a
//# connection error of type PROTOCOL_VIOLATION.
//= RFC 9000 section 17.2.4
//# Endpoints MUST treat receipt of Handshake packets with other frames as a connection error of
//# type PROTOCOL_VIOLATION.
TEST_CASE("handshake: PATH_CHALLENGE and STREAM may not stand in Handshake packets (Q25)",
          "[quic][handshake][attack][Q25]") {
  for (const bool stream : {true, false}) {
    hostile_client pair;
    pair.peer.start();
    pair.peer.pump();
    auto payload = stream ? testkit::raw_peer::encode_all(stream_frame{0, 0, {}, true})
                          : testkit::raw_peer::encode_all(path_challenge_frame{});
    pair.peer.send({.level = encryption_level::handshake, .payload = std::move(payload)});
    CHECK(pair.close_code() == transport_error::protocol_violation);
  }
}

//= RFC 9000 section 5.2.2
//# Servers MUST drop incoming packets under all other circumstances.
//= RFC 9000 section 7.2
//# This Destination Connection ID MUST be at least 8 bytes in length.
//= RFC 9000 section 14.1
//# A server MUST discard an Initial packet that is carried in a UDP datagram with a payload that
//# is smaller than the smallest allowed maximum datagram size of 1200 bytes.
//= RFC 9000 section 10.3
//# Endpoints MUST discard packets that are too small to be valid QUIC packets.
TEST_CASE("handshake: small or strange first datagrams make no state", "[quic][handshake]") {
  hostile_client pair;
  const auto offer = [&](std::vector<std::byte> datagram) {
    pair.peer.send_datagram(std::move(datagram));
  };
  std::vector<std::byte> initial(1199, std::byte{0});
  initial[0] = std::byte{0xc0};
  initial[4] = std::byte{1};
  initial[5] = std::byte{8};
  offer(initial);
  initial.resize(1200);
  initial[5] = std::byte{7};
  offer(initial);
  offer({std::byte{0xc0}});
  offer(std::vector<std::byte>(1200, std::byte{0xff}));
  CHECK(pair.endpoint.statistics().connections == 0);
  CHECK(std::ranges::none_of(pair.peer.events,
                             [](const event& e) { return e.kind == event_kind::incoming; }));
}

TEST_CASE("handshake: an Initial that was not sealed for its ID asks for nothing",
          "[quic][handshake]") {
  hostile_client pair;
  std::vector<std::byte> noise(1200, std::byte{0x5c});
  noise[0] = std::byte{0xc3};
  noise[1] = noise[2] = noise[3] = std::byte{0};
  noise[4] = std::byte{1};
  noise[5] = std::byte{8};
  noise[14] = std::byte{8};
  noise[23] = std::byte{0};
  noise[24] = std::byte{0x44};
  noise[25] = std::byte{0x90};
  pair.peer.send_datagram(noise);

  CHECK(pair.peer.events.empty());
  CHECK(pair.endpoint.statistics().datagrams_dropped == 1);
  pair.peer.start();
  CHECK(pair.peer.complete_handshake());
}

//= RFC 9000 section 5.2.2
//# Servers MUST drop smaller packets that specify unsupported versions.
//= RFC 9000 section 17.2.1
//# The server MUST include the value from the Source Connection ID field of the packet it receives
//# in the Destination Connection ID field.
//= RFC 9000 section 17.2.1
//# The value for Source Connection ID MUST be copied from the Destination Connection ID of the
//# received packet
//= RFC 9000 section 17.2.1
//# Version-specific rules for the connection ID therefore MUST NOT influence a decision about
//# whether to send a Version Negotiation packet.
//= RFC 9000 section 17.2.1
//# A server MUST NOT send more than one Version Negotiation packet in response to a single UDP
//# datagram.
//= RFC 8999 section 6
//# An endpoint MUST include the value from the Source Connection ID field of the packet it
//# receives in the Destination Connection ID field.
//= RFC 8999 section 6
//# The value for the Source Connection ID field MUST be copied from the Destination Connection ID
//# field of the received packet
TEST_CASE("handshake: an unknown version is answered with the ones we speak, however long the IDs",
          "[quic][handshake]") {
  hostile_client pair;
  std::vector<std::byte> datagram(1300, std::byte{0});
  datagram[0] = std::byte{0xc0};
  datagram[1] = std::byte{0x57};
  datagram[5] = std::byte{200};
  const std::size_t source = 6 + 200;
  datagram[source] = std::byte{30};
  pair.peer.send_datagram(datagram);
  std::vector<std::byte> out(limits::max_batch_bytes);
  const auto answer = pair.endpoint.poll_transmit(pair.peer.now, out, 64);
  REQUIRE(answer);
  const auto parsed = parse_version_negotiation(transport::bytes(out).first(answer->size));
  REQUIRE(parsed);
  CHECK(parsed->contains(quic::version_1));
  CHECK(parsed->destination.size() == 30);
  CHECK(parsed->source.size() == 200);
  CHECK(!pair.endpoint.poll_transmit(pair.peer.now, out, 64));

  datagram.resize(1199);
  pair.peer.send_datagram(datagram);
  CHECK(!pair.endpoint.poll_transmit(pair.peer.now, out, 64));
}

//= RFC 9000 section 10.3
//# An endpoint MUST NOT send a Stateless Reset that is three times or more larger than the packet
//# it receives
//= RFC 9000 section 10.3.3
//# An endpoint MUST ensure that every Stateless Reset that it sends is smaller than the packet
//# that triggered it, unless it maintains state sufficient to prevent looping.
//= RFC 9000 section 10.3
//# Endpoints MUST send Stateless Resets formatted as a packet with a short header.
TEST_CASE("handshake: packets of no connection are answered by few and smaller resets (Q35)",
          "[quic][handshake][attack][Q35]") {
  hostile_client pair;
  std::vector<std::byte> out(limits::max_batch_bytes);
  std::size_t answers = 0;
  for (std::size_t i = 0; i < 5000; ++i) {
    std::vector<std::byte> stray(21 + i % 60, std::byte{0x42});
    pair.peer.send_datagram(stray);
    while (const auto answer = pair.endpoint.poll_transmit(pair.peer.now, out, 64)) {
      CHECK(answer->size < stray.size());
      CHECK((out[0] & std::byte{0xc0}) == std::byte{0x40});
      ++answers;
    }
  }
  CHECK(answers >= 1);
  CHECK(answers <= limits::stateless_resets_per_second);
}
