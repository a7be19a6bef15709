// SPDX-License-Identifier: Apache-2.0
// Connection IDs and stateless reset tokens as a weapon.
#include <catch2/catch_test_macros.hpp>

#include "stage/stage.hpp"
#include "strata/quic/core/limits.hpp"

using namespace strata;
using namespace strata::quic::core;
using namespace strata::hostile;
using quic::close_reason;

namespace {

quic::stateless_reset_token token_of(std::uint64_t sequence) {
  quic::stateless_reset_token token{};
  token[0] = std::byte{0xab};
  token[1] = static_cast<std::byte>(sequence >> 8);
  token[2] = static_cast<std::byte>(sequence);
  return token;
}

new_connection_id_frame issue(std::uint64_t sequence, std::uint64_t retire_prior_to) {
  const std::array<std::byte, 8> id{static_cast<std::byte>(sequence >> 8),
                                    static_cast<std::byte>(sequence), std::byte{1}};
  return {sequence, retire_prior_to, quic::connection_id(id), token_of(sequence)};
}

std::vector<std::byte> reset_with(std::uint64_t sequence) {
  std::vector<std::byte> datagram(40, std::byte{0x51});
  std::ranges::copy(token_of(sequence), datagram.end() - 16);
  return datagram;
}

}  // namespace

TEST_CASE("identifiers: raising Retire Prior To without acknowledging ends the connection",
          "[attack][Q02]") {
  std::uint64_t sent = 0;
  CHECK(attacked_by([&](raw_peer& p) {
          p.acknowledges = false;
          while (!p.closed_with() && sent < 10'000) {
            ++sent;
            p.send_frames(issue(sent, sent));
            p.pump();
          }
        }) == "CONNECTION_ID_LIMIT_ERROR");
  CHECK(sent == limits::max_pending_retirements + 1);
}

TEST_CASE("identifiers: 15 and 16 retirements may wait, 17 not", "[attack][Q02][limits]") {
  for (const std::uint64_t count : {15u, 16u, 17u}) {
    CHECK(attacked_by([count](raw_peer& p) {
            p.acknowledges = false;
            for (std::uint64_t i = 1; i <= count; ++i) p.send_frames(issue(i, i));
          }) == (count <= limits::max_pending_retirements ? "open" : "CONNECTION_ID_LIMIT_ERROR"));
  }
}

TEST_CASE("identifiers: 3 and 4 may be active, 5 not", "[attack][Q02][limits]") {
  for (const std::uint64_t count : {3u, 4u, 5u}) {
    CHECK(attacked_by([count](raw_peer& p) {
            for (std::uint64_t i = 1; i < count; ++i) p.send_frames(issue(i, 0));
          }) ==
          (count <= limits::active_connection_id_limit ? "open" : "CONNECTION_ID_LIMIT_ERROR"));
  }
}

TEST_CASE("identifiers: what was never sent cannot be retired", "[attack][Q03]") {
  const auto after = [](auto... frames) {
    return attacked_by([&](raw_peer& p) { p.send_frames(frames...); });
  };
  CHECK(after(retire_connection_id_frame{100}) == "PROTOCOL_VIOLATION");
  CHECK(after(retire_connection_id_frame{0}) == "PROTOCOL_VIOLATION");  // the packet's own
  CHECK(after(retire_connection_id_frame{1}) == "open");
  // The place of 1 is taken by 4 at once, but nobody has heard of 4 yet.
  CHECK(after(retire_connection_id_frame{1}, retire_connection_id_frame{4}) ==
        "PROTOCOL_VIOLATION");
}

TEST_CASE("identifiers: retiring for ever makes no more than one new ID each", "[attack][Q03]") {
  stage one;
  one.begin();
  std::uint64_t next = 1;
  for (int i = 0; i < 1000; ++i) {
    one.attacker.send_frames(retire_connection_id_frame{next++});
    one.settle();
    one.attacker.acknowledge_received();
  }
  CHECK(one.attacker.count<new_connection_id_frame>() == 1000);
  CHECK(one.verdict() == "open");
}

TEST_CASE("identifiers: a reset with the token of an unused or retired ID is nothing",
          "[attack][Q36]") {
  stage one;
  one.begin();
  one.attacker.send_frames(issue(1, 0), issue(2, 0));
  one.attacker.send_datagram(reset_with(1));
  CHECK(one.attacked().closed() == nullptr);
  one.attacker.send_frames(issue(3, 2));  // 2 is in use now, 0 and 1 are retired
  one.attacker.send_datagram(reset_with(1));
  one.attacker.send_datagram(reset_with(3));
  CHECK(one.attacked().closed() == nullptr);
  one.attacker.send_datagram(reset_with(2));
  REQUIRE(one.attacked().closed() != nullptr);
  CHECK(one.attacked().closed()->origin == close_reason::origin_kind::stateless_reset);
  CHECK(one.bystander_unharmed());
}

TEST_CASE("identifiers: tokens that are nearly right end nothing", "[attack][Q36]") {
  stage one;
  one.begin();
  one.attacker.send_frames(issue(1, 1));
  for (std::size_t bit = 0; bit < 128; ++bit) {
    auto datagram = reset_with(1);
    datagram[datagram.size() - 16 + bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    one.attacker.send_datagram(datagram);
  }
  for (std::size_t size = 0; size < 21; ++size) {
    auto datagram = reset_with(1);
    datagram.erase(datagram.begin(), datagram.end() - static_cast<std::ptrdiff_t>(size));
    if (!datagram.empty()) one.attacker.send_datagram(datagram);
  }
  CHECK(one.attacked().closed() == nullptr);
  CHECK(one.verdict() == "open");
}

TEST_CASE("identifiers: one token for two IDs is refused", "[attack][Q37]") {
  CHECK(attacked_by([](raw_peer& p) {
          auto second = issue(2, 0);
          second.stateless_reset_token = token_of(1);
          p.send_frames(issue(1, 0), second);
        }) == "PROTOCOL_VIOLATION");
}

TEST_CASE("identifiers: an Initial to the ID of somebody's connection disturbs nobody",
          "[attack][Q40]") {
  stage one;
  one.begin();
  const auto id = one.attacker.peer_id();
  testkit::fake_random random(9);
  auto tls = make_null_tls(random);
  raw_peer copycat(one.server, *tls, 77);
  copycat.own_address = transport::address::loopback_v4(7077);
  copycat.neighbours = one.attacker.neighbours;
  copycat.now = one.attacker.now;
  copycat.start();
  // Its own first packet again, now to the ID that the server gave the other connection.
  const auto hello = raw_peer::encode_all(ping_frame{}, padding_frame{1150});
  copycat.send({.level = quic::encryption_level::initial,
                .payload = hello,
                .pad_datagram_to = 1200,
                .destination = id});
  copycat.send({.level = quic::encryption_level::initial,
                .payload = hello,
                .pad_datagram_to = 1200,
                .destination = one.attacker.own_id()});
  CHECK(one.attacked().closed() == nullptr);
  CHECK(one.verdict() == "open");
}

TEST_CASE("identifiers: packets to a retired ID are answered with a small reset at most",
          "[attack][Q70]") {
  stage one;
  one.begin();
  REQUIRE(!one.attacker.issued.empty());
  const auto late =
      one.attacker.make_packet({.payload = raw_peer::encode_all(ping_frame{}, padding_frame{60})});
  one.attacker.send({.payload = raw_peer::encode_all(retire_connection_id_frame{0}),
                     .destination = one.attacker.issued.front()});
  one.settle();
  const auto before = one.attacked().statistics().packets_received;
  const auto bytes_before = one.attacker.bytes_received();
  one.attacker.send_datagram(late);
  one.attacker.pump();
  CHECK(one.attacked().statistics().packets_received == before);
  CHECK(one.attacker.bytes_received() - bytes_before < late.size());
  CHECK(one.server.statistics().stateless_resets_sent == 1);
  CHECK(one.attacked().closed() == nullptr);
  CHECK(one.verdict() == "open");
}

TEST_CASE("identifiers: a client does not go where a preferred address sends it", "[attack][Q52]") {
  client_stage one;
  one.server.parameters.preferred_address = quic::core::preferred_address{
      .ipv4 = transport::address::loopback_v4(9999),
      .ipv6 = {},
      .connection_id = quic::connection_id(std::array<std::byte, 4>{std::byte{1}}),
      .stateless_reset_token = token_of(1)};
  REQUIRE(one.begin());
  CHECK(one.verdict() == "open");
  CHECK(one.victim().remote_address() == one.server.own_address);
}
