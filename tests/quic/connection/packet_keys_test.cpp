// SPDX-License-Identifier: Apache-2.0
#include "core/connection/packet_keys.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace strata;
using namespace strata::quic;
using namespace strata::quic::core;
using namespace std::chrono_literals;

namespace {

constexpr transport::time_point start{1h};
constexpr std::size_t header_size = 13;
constexpr std::size_t payload_size = 20;

/// One side of a connection whose handshake has given it secrets.
struct side {
  explicit side(bool client, cipher_suite suite = cipher_suite::aes_128_gcm_sha256) {
    for (const bool reads : {true, false}) {
      traffic_secret secret;
      secret.level = encryption_level::application;
      secret.way = reads ? traffic_secret::direction::read : traffic_secret::direction::write;
      secret.cipher = suite;
      secret.size = 32;
      secret.octets[0] = static_cast<std::byte>(client == reads);
      REQUIRE(keys.install(secret));
    }
  }
  struct packet {
    std::uint64_t number;
    bool phase;
    std::vector<std::byte> octets;
  };
  packet seal(std::uint64_t number) {
    packet made{number, keys.write_phase(),
                std::vector<std::byte>(header_size + payload_size + aead_tag_size)};
    keys.writer(encryption_level::application)
        ->seal(number, made.octets.data(), header_size, payload_size);
    keys.on_application_sealed(number);
    return made;
  }
  std::expected<packet_keys::opened, protocol_failure> open(packet received,
                                                            transport::time_point now = start) {
    const transport::mutable_bytes all(received.octets);
    return keys.open_application(
        now, {received.number, received.phase, all.first(header_size), all.subspan(header_size)},
        100ms);
  }
  packet_keys keys;
};

}  // namespace

//= RFC 9001 section 6.1
//# An endpoint MUST retain old keys until it has successfully unprotected a packet sent using the
//# new keys.
//= RFC 9001 section 6.2
//# The endpoint MUST update its send keys to the corresponding key phase in response, as described
//# in Section 6.1.
//= RFC 9001 section 6.2
//# Sending keys MUST be updated before sending an acknowledgment for the packet that was received
//# with updated keys.
//= RFC 9001 section 6.3
//# endpoints MUST be able to retain two sets of packet protection keys for receiving packets: the
//# current and the next
//= RFC 9001 section 6.4
//# Packets with higher packet numbers MUST be protected with either the same or newer packet
//# protection keys than packets with lower packet numbers.
TEST_CASE("packet_keys: an update is followed before anything else is sealed", "[quic][keys]") {
  side client(true), server(false);
  CHECK(server.open(client.seal(0)) == packet_keys::opened::yes);
  const auto late = client.seal(1);
  client.keys.on_application_acknowledged(0);
  REQUIRE(client.keys.initiate_update());
  const auto updated = client.seal(2);
  CHECK(updated.phase);
  CHECK(server.open(updated) == packet_keys::opened::updated);
  CHECK(server.keys.write_phase());
  const auto answer = server.seal(0);
  CHECK(answer.phase);
  CHECK(client.open(answer) == packet_keys::opened::updated);
  // What the update overtook opens with the keys before it, for a while.
  CHECK(server.open(late) == packet_keys::opened::yes);
  CHECK(server.open(late, start + 1s) == packet_keys::opened::forged);
  CHECK(client.seal(3).phase);
}

//= RFC 9001 section 6.1
//# An endpoint MUST NOT initiate a subsequent key update unless it has received an acknowledgment
//# for a packet that was sent protected with keys from the current key phase.
TEST_CASE("packet_keys: the next update waits until this one is acknowledged", "[quic][keys]") {
  side client(true);
  client.seal(0);
  CHECK_FALSE(client.keys.initiate_update());
  client.keys.on_application_acknowledged(0);
  CHECK(client.keys.initiate_update());
  client.seal(1);
  client.keys.on_application_acknowledged(0);
  CHECK_FALSE(client.keys.initiate_update());
}

//= RFC 9001 section 5.5
//# it MUST discard all packets in the same packet number space with higher packet numbers if they
//# cannot be successfully unprotected
//= RFC 9001 section 5.5
//# Similarly, a packet that appears to trigger a key update but cannot be unprotected successfully
//# MUST be discarded.
TEST_CASE("packet_keys: a forged packet of either phase is dropped and changes no keys",
          "[quic][keys]") {
  side client(true), server(false);
  CHECK(server.open(client.seal(0)) == packet_keys::opened::yes);
  for (const bool phase : {false, true}) {
    auto forged = client.seal(5);
    forged.phase = phase;
    forged.octets.back() ^= std::byte{1};
    CHECK(server.open(forged) == packet_keys::opened::forged);
  }
  auto wrong_phase = client.seal(6);
  wrong_phase.phase = true;
  CHECK(server.open(wrong_phase) == packet_keys::opened::forged);
  CHECK_FALSE(server.keys.write_phase());
  CHECK(server.open(client.seal(7)) == packet_keys::opened::yes);
}

//= RFC 9001 section 5.3
//# An endpoint MUST initiate a key update (Section 6) prior to exceeding any limit set for the
//# AEAD that is in use.
//= RFC 9001 section 6.6
//# Endpoints MUST count the number of encrypted packets for each set of keys.
//= RFC 9001 section 6.6
//# If the total number of encrypted packets with the same key exceeds the confidentiality limit
//# for the selected AEAD, the endpoint MUST stop using those keys.
//= RFC 9001 section 6.6
//# Endpoints MUST initiate a key update before sending more protected packets than the
//# confidentiality limit for the selected AEAD permits.
TEST_CASE("packet_keys: packets are counted, an update is due in time, and the limit ends it all",
          "[quic][keys]") {
  side client(true);
  constexpr std::uint64_t limit = std::uint64_t{1} << 23;  // Of AES-128-GCM.
  for (std::uint64_t n = 0; n < limit; ++n) {
    if (n == limit / 2 - 1) CHECK_FALSE(client.keys.update_due());
    if (n == limit / 2) CHECK(client.keys.update_due());
    if (n == limit - 1) CHECK_FALSE(client.keys.confidentiality_exhausted());
    client.keys.on_application_sealed(n);
  }
  CHECK(client.keys.confidentiality_exhausted());
  client.keys.on_application_acknowledged(0);
  REQUIRE(client.keys.initiate_update());
  CHECK_FALSE(client.keys.confidentiality_exhausted());
  CHECK_FALSE(client.keys.update_due());
}
