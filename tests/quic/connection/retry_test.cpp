// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <utility>

#include "core/crypto/address_token.hpp"
#include "core/crypto/key_schedule.hpp"
#include "observed_pair.hpp"
#include "strata/quic/core/limits.hpp"

using namespace strata;
using namespace strata::quic::core;
using quic::connection_id;
using quic::observed::packet_kind;
using testkit::headers_of;
using testkit::holds;
using testkit::observed_pair;
using testkit::octets;

namespace {

struct forged_retry {
  connection_id destination;
  connection_id source;
  std::byte unused{};
  bool right_tag = true;
};

octets seal(const observed_pair& pair, const forged_retry& retry) {
  const octets token(20, std::byte{9});
  octets out(200);
  transport::buffer_writer writer(out);
  encode_retry(writer, {.unused = retry.unused,
                        .destination = retry.destination.bytes(),
                        .source = retry.source.bytes(),
                        .token = token,
                        .integrity_tag = {}});
  auto tag = retry_integrity_tag(pair.first_destination, writer.written()).value();
  if (!retry.right_tag) tag[0] ^= std::byte{1};
  writer.put(tag);
  out.resize(writer.size());
  return out;
}

connection_id id_of(int value) {
  std::array<std::byte, 8> octets{};
  octets[3] = static_cast<std::byte>(value);
  return connection_id(octets);
}

bool same(transport::bytes a, transport::bytes b) { return transport::equal_bytes(a, b); }

connection_id destination_of(const observed_pair::datagrams& flight) {
  return connection_id(headers_of(flight.at(0))[0].destination);
}

}  // namespace

//= RFC 9000 section 8.1.2
//# This token MUST be repeated by the client in all Initial packets it sends for that connection
//# after it receives the Retry packet.
//= RFC 9000 section 8.1.3
//# The client MUST NOT use the token provided in a Retry for future connections.
//= RFC 9000 section 8.1.3
//# a token obtained in a Retry packet MUST be used immediately during the connection attempt
//= RFC 9000 section 8.1.3
//# When a server receives an Initial packet with an address validation token, it MUST attempt to
//# validate the token
//= RFC 9000 section 17.2.5.1
//# This value MUST NOT be equal to the Destination Connection ID field of the packet sent by the
//# client.
//= RFC 9000 section 17.2.5.1
//# The client MUST use the value from the Source Connection ID field of the Retry packet in the
//# Destination Connection ID field of subsequent packets that it sends.
//= RFC 9000 section 17.2.5.1
//# A server MUST NOT send more than one Retry packet in response to a single UDP datagram.
//= RFC 9000 section 17.2.5.2
//# The client MUST NOT change the Source Connection ID
//= RFC 9000 section 17.2.5.3
//# A client MUST use the same cryptographic handshake message it included in this packet.
//= RFC 9000 section 17.2.5.3
//# A client MUST NOT reset the packet number for any packet number space after processing a Retry
//# packet.
TEST_CASE("retry: the client goes on with the token and the ID of the Retry", "[quic][retry]") {
  observed_pair pair;
  pair.admission = decision::retry;
  pair.connect();
  const auto first = pair.from_client();
  const connection_id own(headers_of(first[0])[0].source);
  const auto hello = pair.client_seen.frames(packet_kind::initial);
  const auto numbers = pair.client_seen.sent.size();
  pair.to_server(first);
  const auto answers = pair.from_server();
  REQUIRE(answers.size() == 1);
  const auto retry = parse_retry(answers[0]);
  REQUIRE(retry);
  CHECK(!same(retry->source, pair.first_destination.bytes()));
  const auto kept = std::exchange(pair.client_seen.sent, {});
  pair.to_client(answers[0]);
  pair.admission = decision::accept;

  const auto second = pair.from_client();
  REQUIRE(!second.empty());
  CHECK(pair.client_seen.sent.front().number >= numbers);
  const auto again = pair.client_seen.frames(packet_kind::initial);
  CHECK(same(std::get<crypto_frame>(again[0]).data, std::get<crypto_frame>(hello[0]).data));
  std::size_t initials = 0;
  const auto look = [&](bool from_client, const octets& datagram) {
    for (const auto& header : headers_of(datagram)) {
      if (header.type != packet_type::initial) continue;
      if (!from_client) {
        CHECK(header.token.empty());
        continue;
      }
      ++initials;
      CHECK(same(header.token, retry->token));
      CHECK(same(header.source, own.bytes()));
    }
  };
  for (const octets& datagram : second) {
    look(true, datagram);
    CHECK(same(headers_of(datagram)[0].destination, retry->source));
  }
  pair.to_server(second);
  CHECK(pair.address_validated == true);
  pair.run(look);
  CHECK(initials >= 2);
  CHECK(pair.of_client().handshake_confirmed());

  const auto other =
      pair.client.connect(pair.now, transport::address::loopback_v4(443), "server.test", {});
  REQUIRE(other);
  CHECK(headers_of(pair.from_client().at(0))[0].token.empty());
}

//= RFC 9000 section 17.2.5.2
//# A client MUST accept and process at most one Retry packet for each connection attempt.
//= RFC 9000 section 17.2.5.2
//# After the client has received and processed an Initial or Retry packet from the server, it MUST
//# discard any subsequent Retry packets that it receives.
TEST_CASE("retry: a second one, and one after an Initial packet, is discarded", "[quic][retry]") {
  observed_pair pair;
  pair.connect();
  const connection_id own(headers_of(pair.from_client()[0])[0].source);
  pair.to_client(seal(pair, {own, id_of(1)}));
  CHECK(destination_of(pair.from_client()) == id_of(1));
  pair.to_client(seal(pair, {own, id_of(2)}));
  CHECK(pair.client_seen.has_dropped("unexpected_packet"));
  CHECK(pair.from_client().empty());

  observed_pair late;
  late.connect();
  const auto first = late.from_client();
  late.to_server(first);
  late.to_client(late.from_server()[0]);
  late.to_client(seal(late, {connection_id(headers_of(first[0])[0].source), id_of(1)}));
  CHECK(late.client_seen.has_dropped("unexpected_packet"));
  for (const octets& datagram : late.from_client()) {
    for (const auto& header : headers_of(datagram))
      CHECK(!same(header.destination, id_of(1).bytes()));
  }
}

//= RFC 9000 section 17.2.5
//# a client MUST ignore these bits
//= RFC 9000 section 17.2.5.1
//# A client MUST discard a Retry packet that contains a Source Connection ID field that is
//# identical to the Destination Connection ID field of its Initial packet.
//= RFC 9000 section 17.2.5.2
//# Clients MUST discard Retry packets that have a Retry Integrity Tag that cannot be validated.
TEST_CASE("retry: a wrong tag, and a source that is our own choice, is discarded",
          "[quic][retry]") {
  observed_pair pair;
  pair.connect();
  const connection_id own(headers_of(pair.from_client()[0])[0].source);
  pair.to_client(seal(pair, {own, id_of(1), {}, false}));
  CHECK(pair.client_seen.has_dropped("decryption_failure"));
  pair.to_client(seal(pair, {own, pair.first_destination}));
  CHECK(pair.client_seen.has_dropped("unexpected_packet"));
  CHECK(pair.from_client().empty());
  pair.to_client(seal(pair, {own, id_of(1), std::byte{0x0f}}));
  CHECK(destination_of(pair.from_client()) == id_of(1));
}

//= RFC 9000 section 8.1.4
//# If the client IP address has changed, the server MUST adhere to the anti-amplification limit.
TEST_CASE("retry: a token of another address validates nothing", "[quic][retry]") {
  endpoint_config config;
  config.accept_incoming = true;
  config.static_key.assign(32, std::byte{7});
  for (const std::uint8_t host : {std::uint8_t{1}, std::uint8_t{2}}) {
    testkit::fake_random random(4);
    testkit::fake_wall_clock clock;
    token_issuer tokens(config.static_key, random, clock);
    const std::array<std::byte, 4> issued_for{std::byte{127}, {}, {}, static_cast<std::byte>(host)};
    const octets token = tokens.mint_new_token(transport::address(issued_for, 9));
    const auto tls = make_null_tls(random);
    endpoint server(config, random, clock, *tls);
    auto keys = derive_initial_protection(id_of(5), true).value();
    octets datagram =
        testkit::seal(keys.client, {.destination = id_of(5), .source = id_of(6), .token = token});
    server.receive(transport::time_point(std::chrono::hours(1)),
                   {datagram, static_cast<std::uint16_t>(datagram.size()), transport::ecn::not_ect,
                    transport::address::loopback_v4(7000), transport::address::loopback_v4(443)});
    event occurred;
    REQUIRE(server.poll_event(occurred));
    CHECK(server.incoming(occurred.value)->address_validated == (host == 1));
  }
}
