// SPDX-License-Identifier: Apache-2.0
// Addresses, paths and the network itself as a weapon.
#include <catch2/catch_test_macros.hpp>

#include "stage/stage.hpp"
#include "strata/quic/core/limits.hpp"

using namespace strata;
using namespace strata::quic::core;
using namespace strata::hostile;

namespace {

const std::array<std::byte, 10> ten{};
const transport::address elsewhere = transport::address::loopback_v4(7999);

path_challenge_frame challenge(int number) {
  path_challenge_frame frame;
  frame.data[0] = static_cast<std::byte>(number);
  frame.data[1] = static_cast<std::byte>(number >> 8);
  return frame;
}

void send_from(stage& one, const transport::address& from, std::vector<std::byte> datagram,
               transport::ecn mark = transport::ecn::not_ect) {
  const auto stride = static_cast<std::uint16_t>(datagram.size());
  one.server.receive(one.attacker.now,
                     {datagram, stride, mark, from, one.attacker.endpoint_address});
  one.server.release_input();
}

}  // namespace

TEST_CASE("paths: a hundred thousand challenges, nothing acknowledged, leave four answers",
          "[attack][Q01]") {
  stage one;
  one.begin();
  one.attacker.acknowledges = false;
  for (int i = 0; i < 100'000; ++i) one.attacker.send_frames(challenge(i));
  one.settle();
  const auto answers = one.attacker.count<path_response_frame>();
  CHECK(answers >= 1);
  CHECK(answers <= limits::max_path_responses);
  CHECK(one.grown() < 64 * 1024);
  CHECK(one.verdict() == "open");
}

TEST_CASE("paths: 3 and 4 challenges in a packet are answered, of 5 the newest 4",
          "[attack][Q01][limits]") {
  for (const int count : {3, 4, 5}) {
    stage one;
    one.begin();
    std::vector<std::byte> payload;
    for (int i = 0; i < count; ++i) {
      const auto frame = raw_peer::encode_all(challenge(i));
      payload.insert(payload.end(), frame.begin(), frame.end());
    }
    one.attacker.send({.payload = payload});
    one.settle();
    CHECK(one.attacker.count<path_response_frame>() ==
          std::min<std::size_t>(static_cast<std::size_t>(count), limits::max_path_responses));
    const auto& last = one.attacker.received();
    const bool newest = std::ranges::any_of(last, [count](const testkit::raw_frame& each) {
      const auto* response = std::get_if<path_response_frame>(&each.content);
      return response != nullptr && response->data == challenge(count - 1).data;
    });
    CHECK(newest);
  }
}

TEST_CASE("paths: the loss of a packet with a PATH_RESPONSE leaves the timers alive",
          "[attack][Q26]") {
  stage one;
  one.begin();
  one.attacker.send_frames(challenge(1));
  one.attacker.keeps_frames = false;
  one.attacker.pump();  // Comes, and is never acknowledged.
  const auto before = one.attacked().statistics().probe_timeouts;
  CHECK(one.run(std::chrono::seconds(10),
                [&] { return one.attacked().statistics().probe_timeouts >= before + 2; }));
  one.attacker.keeps_frames = true;
  one.attacker.send_frames(ping_frame{}, challenge(2));
  one.settle();
  CHECK(one.attacker.count<path_response_frame>() == 1);
  CHECK(one.bystander_unharmed());
}

TEST_CASE("paths: a datagram refused as too big does not shrink those to come", "[attack][Q27]") {
  stage one;
  one.begin();
  const auto id = one.attacked().open(true).value();
  const std::vector<std::byte> content(100'000);
  const bytes piece(content);
  for (int i = 0; i < 20; ++i) {
    static_cast<void>(one.attacked().stream(id).write({&piece, 1}, false));
    std::vector<std::byte> out(limits::max_batch_bytes);
    const auto batch = one.server.poll_transmit(one.attacker.now, out, 64);
    if (!batch) break;
    CHECK(batch->segment <= 1200);
    if (batch->size > batch->segment) CHECK(batch->segment >= 1190);
    one.server.transmit_failed(*batch, std::make_error_code(std::errc::message_size));
    one.attacker.now += std::chrono::milliseconds(200);
    one.server.handle_timeout(one.attacker.now);
  }
  CHECK(one.attacked().closed() == nullptr);
  CHECK(one.bystander_unharmed());
}

TEST_CASE("paths: batches are whole at every segment count and datagram size", "[attack][Q30]") {
  for (const unsigned segments : {1u, 2u, 63u, 64u}) {
    for (const std::uint16_t size :
         {std::uint16_t{1200}, std::uint16_t{9000}, std::uint16_t{65'000}, std::uint16_t{65'507}}) {
      auto config = accepting();
      config.connection.max_datagram_size = size;
      stage one({.server = config, .memory = 2 * 1024 * 1024});
      one.begin();
      const auto id = one.attacked().open(true).value();
      const std::vector<std::byte> content(100'000);
      const bytes piece(content);
      REQUIRE(one.attacked().stream(id).write({&piece, 1}, false).value() == content.size());
      std::vector<std::byte> out(limits::max_batch_bytes);
      while (const auto batch = one.server.poll_transmit(one.attacker.now, out, segments)) {
        REQUIRE(batch->size <= limits::max_batch_bytes);
        REQUIRE(batch->segment <= size);
        REQUIRE((batch->size + batch->segment - 1) / batch->segment <= segments);
      }
      CHECK(one.attacked().closed() == nullptr);
    }
  }
}

TEST_CASE("paths: a connection's address is the one it was made with", "[attack][Q47][Q50]") {
  stage one;
  one.begin();
  const auto before = one.attacked().statistics().packets_received;
  for (std::uint16_t i = 0; i < 100; ++i) {
    send_from(one, transport::address::loopback_v4(static_cast<std::uint16_t>(20'000 + i)),
              one.attacker.make_packet(
                  {.payload = raw_peer::encode_all(stream_frame{0, 0, ten, false})}));
    REQUIRE(one.attacked().remote_address() == one.attacker.own_address);
  }
  CHECK(one.attacked().statistics().packets_received == before);
  CHECK(one.grown() < 64 * 1024);
  one.attacker.send_frames(stream_frame{0, 0, ten, true});
  CHECK(one.attacked().statistics().packets_received == before + 1);
  CHECK(one.verdict() == "open");
}

TEST_CASE("paths: copies that arrive first, from elsewhere, change nothing", "[attack][Q49]") {
  stage one;
  one.begin();
  const auto before = one.attacked().statistics().packets_received;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const auto datagram = one.attacker.make_packet(
        {.payload = raw_peer::encode_all(stream_frame{0, i, bytes(ten).first(1), false})});
    send_from(one, elsewhere, datagram);
    one.attacker.send_datagram(datagram);
    one.settle();
  }
  CHECK(one.attacked().statistics().packets_received == before + 200);
  CHECK(one.attacked().remote_address() == one.attacker.own_address);
  CHECK(one.attacker.count<new_connection_id_frame>() == 0);
  CHECK(one.verdict() == "open");
}

TEST_CASE("paths: marks that are all set, bleached or made up cost nothing", "[attack][Q59]") {
  for (const auto mark : {transport::ecn::ce, transport::ecn::ect0, transport::ecn::ect1}) {
    stage one;
    one.begin();
    for (std::uint64_t i = 0; i < 50; ++i) {
      send_from(one, one.attacker.own_address,
                one.attacker.make_packet({.payload = raw_peer::encode_all(
                                              stream_frame{0, i, bytes(ten).first(1), false})}),
                i % 3 == 0 ? transport::ecn::not_ect : mark);
      one.settle();
    }
    CHECK(one.verdict() == "open");
  }
}

TEST_CASE("paths: acknowledgements with ECN counts that fit nothing are borne", "[attack][Q17]") {
  stage one;
  one.begin();
  one.attacker.acknowledges = false;
  for (const std::uint64_t counts :
       {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{1} << 61, std::uint64_t{3}}) {
    const auto id = one.attacked().open(false).value();
    const bytes piece(ten);
    REQUIRE(one.attacked().stream(id).write({&piece, 1}, true));
    one.settle();
    one.attacker.send_frames(ack_frame{.largest_acknowledged = 0,
                                       .ack_delay = 0,
                                       .first_ack_range = 0,
                                       .range_count = 0,
                                       .ranges = {},
                                       .ecn_counts = ecn_counts{counts, counts, counts}});
  }
  CHECK(one.verdict() == "open");
}

TEST_CASE("paths: a clock that stands still and one that leaps", "[attack][Q60]") {
  stage one;
  one.begin();
  for (int i = 0; i < 100; ++i) {
    one.attacker.send_frames(stream_frame{0, static_cast<std::uint64_t>(i), ten, false});
    one.server.handle_timeout(one.attacker.now);
    one.settle();
  }
  CHECK(one.attacked().closed() == nullptr);
  one.attacker.now += std::chrono::hours(24 * 365);
  one.server.handle_timeout(one.attacker.now);
  one.settle();
  REQUIRE(one.attacked().closed() != nullptr);
  CHECK(one.attacked().closed()->origin == quic::close_reason::origin_kind::idle_timeout);
}

TEST_CASE("paths: empty datagrams are counted and nothing else", "[attack][Q62]") {
  stage one;
  one.begin();
  const auto before = one.server.statistics();
  for (int i = 0; i < 1'000'000; ++i) {
    one.server.receive(one.attacker.now, {mutable_bytes(), 0, transport::ecn::not_ect, elsewhere,
                                          one.attacker.endpoint_address});
  }
  const auto after = one.server.statistics();
  CHECK(after.datagrams_dropped == before.datagrams_dropped + 1'000'000);
  CHECK(after.connections == before.connections);
  CHECK(one.grown() < 4096);
  CHECK(one.verdict() == "open");
}
