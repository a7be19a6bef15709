// SPDX-License-Identifier: Apache-2.0
// What strangers send: before there is a connection, or where there never will be one.
#include <catch2/catch_test_macros.hpp>

#include "core/connection/outgoing_batch.hpp"
#include "core/crypto/key_schedule.hpp"
#include "stage/stage.hpp"
#include "strata/quic/core/limits.hpp"

using namespace strata;
using namespace strata::quic::core;
using namespace strata::hostile;
using namespace std::chrono_literals;
using quic::encryption_level;

namespace {

transport::address port(std::uint16_t number) { return transport::address::loopback_v4(number); }

struct sent_datagram {
  std::vector<std::byte> content;
  transport::address to;
};

std::vector<sent_datagram> take_all(core::endpoint& endpoint, transport::time_point now) {
  std::vector<sent_datagram> all;
  std::vector<std::byte> out(limits::max_batch_bytes);
  while (const auto batch = endpoint.poll_transmit(now, out, 64)) {
    for (std::size_t at = 0; at < batch->size; at += batch->segment) {
      const auto piece =
          bytes(out).subspan(at, std::min<std::size_t>(batch->segment, batch->size - at));
      all.push_back({{piece.begin(), piece.end()}, batch->remote});
    }
  }
  return all;
}

void offer(core::endpoint& endpoint, transport::time_point now, std::vector<std::byte> datagram,
           const transport::address& from) {
  const auto stride = static_cast<std::uint16_t>(datagram.size());
  endpoint.receive(now, {datagram, stride, transport::ecn::not_ect, from, port(443)});
  endpoint.release_input();
}

std::vector<std::byte> of_unknown_version() {
  auto datagram = octets({0xc0, 0x57, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 4, 1, 2, 3, 4});
  datagram.resize(1200);
  return datagram;
}

/// An attacker whose first flight is on its way, asked for a Retry.
struct retried {
  retried() {
    one.begin_with_bystander();
    one.attacker.admission = decision::retry;
    one.attacker.start();
    one.attacker.pump();
  }
  stage one;
};

}  // namespace

TEST_CASE("endpoint: services that answer anything are answered nothing", "[attack][Q34]") {
  stage one;
  one.begin_with_bystander();
  for (const std::uint16_t service : {std::uint16_t{53}, std::uint16_t{123}, std::uint16_t{1900},
                                      std::uint16_t{11211}, std::uint16_t{19}}) {
    offer(one.server, one.attacker.now, of_unknown_version(), port(service));
    offer(one.server, one.attacker.now, std::vector<std::byte>(100, std::byte{0x42}),
          port(service));
    CHECK(take_all(one.server, one.attacker.now).empty());
  }
  offer(one.server, one.attacker.now, of_unknown_version(), port(5353));
  CHECK(take_all(one.server, one.attacker.now).size() == 1);
  CHECK(one.bystander_unharmed());
}

TEST_CASE("endpoint: resets that two endpoints send each other die out", "[attack][Q35]") {
  stage one;
  one.begin_with_bystander();
  stage two;
  two.begin_with_bystander();
  std::vector<std::byte> ball(1200, std::byte{0x42});
  std::size_t throws = 0;
  for (; throws < 1000; ++throws) {
    auto& catcher = throws % 2 == 0 ? one : two;
    offer(catcher.server, one.attacker.now, ball, port(4433));
    const auto answers = take_all(catcher.server, one.attacker.now);
    if (answers.empty()) break;
    REQUIRE(answers.size() == 1);
    REQUIRE(answers[0].content.size() < ball.size());
    ball = answers[0].content;
  }
  CHECK(throws < 30);
  CHECK(one.bystander_unharmed());
}

TEST_CASE("endpoint: 999 and 1000 resets a second are sent, the next waits for the next second",
          "[attack][Q35][limits]") {
  stage one;
  one.begin_with_bystander();
  const auto answered = [&] {
    offer(one.server, one.attacker.now, std::vector<std::byte>(60, std::byte{0x42}), port(4433));
    return !take_all(one.server, one.attacker.now).empty();
  };
  for (unsigned i = 0; i < limits::stateless_resets_per_second; ++i) REQUIRE(answered());
  CHECK(!answered());
  one.attacker.now += 1s;
  CHECK(answered());
}

TEST_CASE("endpoint: a token that is damaged, foreign or old proves nothing", "[attack][Q21]") {
  retried scene;
  raw_peer& attacker = scene.one.attacker;
  REQUIRE(attacker.retries.size() == 1);
  const auto good = attacker.retries[0];
  attacker.admission = decision::accept;
  const auto follow = [&](raw_peer::retry with) {
    attacker.follow(with);
    attacker.pump();
    return attacker.closed_with() ? name_of(*attacker.closed_with()) : "open";
  };
  for (const std::size_t bit : {std::size_t{8}, good.token.size() * 4, good.token.size() * 8 - 1}) {
    auto spoilt = good;
    spoilt.token[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    CHECK(follow(spoilt) == "INVALID_TOKEN");
  }
  // To another ID than the Retry packet named.
  auto elsewhere = good;
  elsewhere.source = quic::connection_id(std::array<std::byte, 8>{std::byte{7}});
  CHECK(follow(elsewhere) == "INVALID_TOKEN");
  CHECK(scene.one.server.statistics().connections == 1);
  CHECK(scene.one.bystander_unharmed());
}

TEST_CASE("endpoint: tokens of every length are no token", "[attack][Q21]") {
  for (const int first : {0x00, 0x72, 0x9d, 0xff}) {
    stage one;
    one.begin_with_bystander();
    one.attacker.keeps_frames = false;
    for (std::size_t size = 1; size <= 300; ++size) {
      std::vector<std::byte> token(size, std::byte{0x31});
      token[0] = static_cast<std::byte>(first);
      testkit::fake_random random(size);
      std::array<std::byte, 8> id;
      random.fill(id);
      one.attacker.admission = decision::ignore;
      one.attacker.follow({quic::connection_id(id), token});
      one.attacker.pump();
    }
    // Whatever they are, all of them are attempts whose address is not validated, or refused.
    CHECK(one.server.statistics().connections == 1);
    CHECK(one.grown() < 128 * 1024);
    CHECK(one.bystander_unharmed());
  }
}

TEST_CASE("endpoint: a Retry asked for a thousand times leaves nothing behind", "[attack][Q39]") {
  stage one;
  one.begin_with_bystander();
  one.attacker.admission = decision::retry;
  one.attacker.start();
  for (int i = 0; i < 1000; ++i) {
    one.attacker.send({.level = encryption_level::initial,
                       .payload = raw_peer::encode_all(ping_frame{}),
                       .pad_datagram_to = 1200});
    one.attacker.pump();
    one.attacker.retries.clear();
  }
  CHECK(one.server.statistics().connections == 1);
  CHECK(one.server.statistics().half_open == 0);
  CHECK(one.grown() < 64 * 1024);
  CHECK(one.bystander_unharmed());
}

TEST_CASE("endpoint: refused after a Retry, its Initial again: one connection, then none",
          "[attack][Q39]") {
  retried scene;
  raw_peer& attacker = scene.one.attacker;
  const auto good = attacker.retries.at(0);
  attacker.admission = decision::refuse;
  attacker.follow(good);
  attacker.pump();
  REQUIRE(attacker.closed_with());
  CHECK(name_of(*attacker.closed_with()) == "CONNECTION_REFUSED");
  attacker.admission = decision::accept;
  attacker.sends_twice = true;
  attacker.follow(good);
  CHECK(scene.one.server.statistics().connections == 2);
  CHECK(scene.one.bystander_unharmed());
}

TEST_CASE("endpoint: a client follows one Retry, and only one that is sealed for it",
          "[attack][Q39]") {
  client_stage one;
  one.server.pump();  // The client's first packet has come; nothing was answered.
  const auto original = *one.server.parameters.original_destination_connection_id;
  const auto retry = [&](std::vector<std::byte> token, int source, bool damaged) {
    const std::array<std::byte, 8> id{static_cast<std::byte>(source)};
    std::vector<std::byte> memory(1200);
    transport::buffer_writer writer(memory);
    encode_retry(writer, {.destination = one.server.peer_id().bytes(),
                          .source = id,
                          .token = token,
                          .integrity_tag = {}});
    auto tag = retry_integrity_tag(original, writer.written()).value();
    if (damaged) tag[3] ^= std::byte{1};
    writer.put(tag);
    memory.resize(writer.size());
    one.server.send_datagram(memory);
    std::string tokens;
    for (const auto& each : take_all(one.client, one.server.now)) {
      const auto header = parse_header(each.content, 8);
      if (header && !header->token.empty())
        tokens += std::to_string(std::to_integer<int>(header->token[0])) + " ";
    }
    return tokens;
  };
  CHECK(retry(octets({1, 2, 3}), 1, true).empty());
  CHECK(retry({}, 1, false).empty());
  CHECK(retry(octets({2, 2, 3}), 1, false) == "2 ");
  CHECK(retry(octets({3, 2, 3}), 2, false).empty());
  CHECK(one.victim().closed() == nullptr);
}

TEST_CASE("endpoint: forged Version Negotiation ends only an attempt that heard nothing yet",
          "[attack][Q38]") {
  const auto after = [](std::initializer_list<std::uint32_t> versions, bool right_ids,
                        bool late) -> std::string {
    client_stage one;
    one.server.pump();
    const auto original = *one.server.parameters.original_destination_connection_id;
    if (late && !one.begin()) return "no handshake";
    std::vector<std::byte> memory(200);
    transport::buffer_writer writer(memory);
    const std::vector<std::uint32_t> list(versions);
    const std::array<std::byte, 8> wrong{};
    encode_version_negotiation(writer, {.first_byte_random = std::byte{0x2a},
                                        .destination = one.server.peer_id().bytes(),
                                        .source = right_ids ? original.bytes() : bytes(wrong),
                                        .supported_versions = list});
    memory.resize(writer.size());
    one.server.send_datagram(memory);
    const auto* closed = one.victim().closed();
    if (closed == nullptr) return "open";
    return closed->origin == quic::close_reason::origin_kind::version_negotiation ? "ended" : "?";
  };
  CHECK(after({1, 0x0a0a0a0a}, true, false) == "open");
  CHECK(after({0x6b3343cf}, false, false) == "open");
  CHECK(after({0x6b3343cf}, true, true) == "open");
  CHECK(after({}, true, false) == "open");
  CHECK(after({0x6b3343cf}, true, false) == "ended");
}

TEST_CASE("endpoint: connection IDs drawn twice are drawn again", "[attack][Q40]") {
  // A source of randomness that repeats itself: the endpoint must notice, and never misroute.
  class stuck_random final : public transport::random_source {
   public:
    void fill(mutable_bytes out) override {
      // Each value eight times in a row.
      for (std::byte& each : out) each = static_cast<std::byte>(calls_ / 8);
      ++calls_;
    }

   private:
    unsigned calls_ = 0;
  };
  stuck_random random;
  testkit::fake_random tls_random(1);
  testkit::fake_wall_clock clock;
  auto tls = make_null_tls(tls_random);
  core::endpoint server(accepting(), random, clock, *tls);
  for (int i = 0; i < 20; ++i) {
    raw_peer peer(server, *tls, static_cast<std::uint64_t>(100 + i));
    peer.start();
    REQUIRE(peer.complete_handshake());
  }
  CHECK(server.statistics().connections == 20);
}

TEST_CASE("endpoint: a million datagrams of noise with new IDs hold nothing", "[attack][Q41]") {
  stage one;
  one.begin_with_bystander();
  testkit::fake_random random(8);
  auto datagram = octets({0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 8, 1, 2, 3, 4, 5, 6, 7, 8});
  datagram.resize(1200, std::byte{0x44});
  datagram[23] = std::byte{0};
  datagram[24] = std::byte{0x44};
  datagram[25] = std::byte{0x80};
  for (int i = 0; i < 100'000; ++i) {
    random.fill(mutable_bytes(datagram).subspan(6, 8));
    offer(one.server, one.attacker.now, datagram, port(6000));
  }
  CHECK(one.server.statistics().connections == 1);
  CHECK(one.grown() < 16 * 1024);
  CHECK(one.bystander_unharmed());
}

TEST_CASE("endpoint: Initial packets in datagrams of 1199 bytes are dropped, of 1200 not",
          "[attack][R01][limits]") {
  for (const std::size_t size : {std::size_t{1199}, std::size_t{1200}, std::size_t{1201}}) {
    stage one;
    one.begin_with_bystander();
    one.attacker.start();
    const auto before = one.attacked().statistics().packets_received;
    one.attacker.send({.level = encryption_level::initial,
                       .payload = raw_peer::encode_all(ping_frame{}),
                       .pad_datagram_to = size});
    CHECK(one.attacked().statistics().packets_received == before + (size >= 1200 ? 1 : 0));
    CHECK(one.attacker.complete_handshake());
  }
}

TEST_CASE("endpoint: a server's Initial packet with a token is dropped", "[attack][R02]") {
  client_stage one;
  one.server.token = octets({1, 2, 3});
  CHECK(!one.begin());
  CHECK(one.verdict() == "open");
  CHECK(one.victim().statistics().packets_received == 0);
}

TEST_CASE("endpoint: 1023 and 1024 attempts wait for a decision, of 1025 one is dropped",
          "[attack][R03][limits]") {
  for (const std::size_t count : {limits::max_pending_incoming - 1, limits::max_pending_incoming,
                                  limits::max_pending_incoming + 1}) {
    testkit::fake_random random(1);
    testkit::fake_wall_clock clock;
    auto tls = make_null_tls(random);
    core::endpoint server(accepting(), random, clock, *tls);
    testkit::fake_random other(2);
    auto client_tls = make_null_tls(other);
    core::endpoint clients({}, other, clock, *client_tls);
    const transport::time_point now(1h);
    for (std::size_t i = 0; i < count; ++i) {
      static_cast<void>(clients.connect(now, port(443), "server.test", {}));
      for (auto& each : take_all(clients, now)) offer(server, now, each.content, port(5000));
    }
    CHECK(server.statistics().incoming_dropped == (count > limits::max_pending_incoming ? 1 : 0));
  }
}

TEST_CASE("endpoint: an attempt keeps 16383 and 16384 bytes, not 16385", "[attack][R03][limits]") {
  constexpr std::size_t most = limits::max_pending_incoming_bytes;
  for (const std::size_t total : {most - 1, most, most + 1}) {
    testkit::fake_random random(1);
    testkit::fake_wall_clock clock;
    auto tls = make_null_tls(random);
    core::endpoint server(accepting(), random, clock, *tls);
    raw_peer peer(server, *tls, 4);
    peer.decides = false;
    peer.start();
    peer.send({.level = encryption_level::initial,
               .payload = raw_peer::encode_all(ping_frame{}),
               .pad_datagram_to = total - 1200});
    const auto handle = server.decide(peer.now, peer.events.at(0).value, decision::accept).value();
    CHECK(server.at(handle).statistics().datagrams_received == (total <= most ? 2 : 1));
  }
}

TEST_CASE("endpoint: NEW_TOKEN that is empty, and ten thousand of them", "[attack][R05]") {
  client_stage empty;
  REQUIRE(empty.begin());
  empty.server.send({.payload = octets({0x07, 0x00, 0x00, 0x00})});
  CHECK(empty.verdict() == "FRAME_ENCODING_ERROR");

  client_stage flooded;
  REQUIRE(flooded.begin());
  const std::vector<std::byte> token(1000, std::byte{7});
  flooded.server.keeps_frames = false;
  flooded.server.send_frames(new_token_frame{token});
  const auto before = testkit::held_bytes();
  for (int i = 0; i < 10'000; ++i) {
    flooded.server.send_frames(new_token_frame{token});
    flooded.server.pump();
  }
  CHECK(testkit::held_bytes() < before + 200 * 1024);
  CHECK(flooded.verdict() == "open");
}

TEST_CASE("endpoint: the client breaks the tie when the server may send no more", "[attack][Q32]") {
  testkit::fake_random random(1), other(2);
  testkit::fake_wall_clock clock;
  auto tls = make_null_tls(random, {.server_flight_size = 9000});
  auto client_tls = make_null_tls(other, {.server_flight_size = 9000});
  core::endpoint server(accepting(), random, clock, *tls);
  core::endpoint client({}, other, clock, *client_tls);
  transport::time_point now(1h);
  const auto dialled = client.connect(now, port(443), "server.test", {}).value();
  std::size_t lost = 0;
  for (int step = 0; step < 200 && !client.at(dialled).handshake_confirmed(); ++step) {
    for (auto& each : take_all(client, now)) {
      if (!client.at(dialled).handshake_complete()) REQUIRE(each.content.size() >= 1200);
      offer(server, now, each.content, port(5000));
    }
    event occurred;
    while (server.poll_event(occurred)) {
      if (occurred.kind == event_kind::incoming)
        REQUIRE(server.decide(now, occurred.value, decision::accept));
    }
    for (auto& each : take_all(server, now)) {
      if (lost < 3) {  // All that the server may say to an address it does not know.
        ++lost;
        continue;
      }
      const auto stride = static_cast<std::uint16_t>(each.content.size());
      client.receive(now, {each.content, stride, transport::ecn::not_ect, port(443), port(5000)});
    }
    while (client.poll_event(occurred)) {}
    client.release_input();
    now += 20ms;
    server.handle_timeout(now);
    client.handle_timeout(now);
  }
  CHECK(lost == 3);
  CHECK(client.at(dialled).handshake_confirmed());
}
