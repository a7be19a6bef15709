// SPDX-License-Identifier: Apache-2.0
#include "strata/quic/core/null_tls.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "core/crypto/packet_protection.hpp"
#include "strata/quic/core/limits.hpp"
#include "testkit/fake_random.hpp"
#include "tls_pair.hpp"

namespace {

using namespace strata::quic;
using namespace strata::quic::core;
using namespace strata::quic::tests;
using strata::testkit::fake_random;
using strata::transport::as_bytes;
using strata::transport::as_text;
using strata::transport::equal_bytes;
using direction = traffic_secret::direction;
using octets = std::vector<std::byte>;

tls_pair pair_of(fake_random& random, const null_tls_options& client_options = {},
                 const null_tls_options& server_options = {}) {
  auto client =
      make_null_tls(random, client_options)->connect("name.test", as_bytes("from the client"));
  auto server = make_null_tls(random, server_options)->accept(as_bytes("from the server"));
  REQUIRE((client.has_value() && server.has_value()));
  return {std::move(*client), std::move(*server)};
}

void check_complete(const tls_pair& pair) {
  REQUIRE(pair.complete());
  for (const auto level : {encryption_level::handshake, encryption_level::application}) {
    for (const auto way : {direction::read, direction::write}) {
      const auto* const ours = find_secret(pair.client, level, way);
      const auto* const theirs = find_secret(
          pair.server, level, way == direction::read ? direction::write : direction::read);
      REQUIRE((ours != nullptr && theirs != nullptr));
      CHECK(equal_bytes(ours->view(), theirs->view()));
      CHECK(packet_protection::from_secret(ours->cipher, ours->view()).has_value());
    }
  }
}

}  // namespace

TEST_CASE("null_tls: a handshake agrees on everything, however it is cut", "[quic][crypto]") {
  fake_random random(1);
  auto pair = pair_of(random);
  pair.chunk = GENERATE(1u, 3u, 4u, 5u, 299u, 10'000u);
  pair.run();
  check_complete(pair);
  CHECK(as_text(*pair.client.session->peer_transport_parameters()) == "from the server");
  CHECK(as_text(*pair.server.session->peer_transport_parameters()) == "from the client");
  CHECK(pair.client.session->summary().alpn == "test");
  CHECK(pair.server.session->summary().alpn == "test");
  CHECK(pair.server.session->summary().server_name == "name.test");
  CHECK(pair.server.secrets[0].way == direction::write);
  CHECK(pair.server.secrets[3].level == encryption_level::application);
  CHECK(pair.server.secrets[3].way == direction::read);
}

TEST_CASE("null_tls: flights have the sizes that were asked for", "[quic][crypto]") {
  fake_random random(1);
  for (const std::size_t size : {300u, 1200u, 1700u, 20'000u}) {
    auto pair = pair_of(random, {.client_hello_size = size}, {.server_flight_size = 2 * size});
    pair.run();
    check_complete(pair);
    CHECK(pair.client.sent[static_cast<std::size_t>(encryption_level::initial)] == size);
    CHECK(pair.server.sent[static_cast<std::size_t>(encryption_level::handshake)] == 2 * size);
  }
  auto small = pair_of(random, {.client_hello_size = 0}, {.server_flight_size = 0});
  small.run();
  check_complete(small);
  CHECK(small.client.sent[static_cast<std::size_t>(encryption_level::initial)] < 100);
  CHECK(small.server.sent[static_cast<std::size_t>(encryption_level::handshake)] < 100);
}

TEST_CASE("null_tls: a seed replays, another seed differs", "[quic][crypto]") {
  const auto secret_of = [](std::uint64_t seed) {
    fake_random random(seed);
    auto pair = pair_of(random);
    pair.run();
    check_complete(pair);
    const bytes view = pair.client.secrets.back().view();
    return octets(view.begin(), view.end());
  };
  CHECK(secret_of(1) == secret_of(1));
  CHECK(secret_of(1) != secret_of(2));
}

TEST_CASE("null_tls: the server's order of protocols wins, and none in common is 120",
          "[quic][crypto]") {
  fake_random random(1);
  auto pair = pair_of(random, {.alpn = {"a", "b"}}, {.alpn = {"x", "b", "a"}});
  pair.run();
  check_complete(pair);
  CHECK(pair.client.session->summary().alpn == "b");
  auto none = pair_of(random, {.alpn = {"a"}}, {.alpn = {"b"}});
  none.run();
  REQUIRE(none.server.session->failure() != nullptr);
  CHECK(none.server.session->failure()->alert == 120);
}

TEST_CASE("null_tls: every damaged byte of the handshake is a failure", "[quic][crypto]") {
  fake_random random(1);
  const null_tls_options small{.client_hello_size = 120, .server_flight_size = 150};
  for (const bool from : {false, true}) {
    for (const auto at : {encryption_level::initial, encryption_level::handshake}) {
      for (std::size_t position = 0, size = 1; position < size; ++position) {
        auto pair = pair_of(random, small, small);
        pair.tamper = [&](bool from_client, encryption_level level, octets& message) {
          if (from_client != from || level != at) return;
          size = message.size();
          message[position] ^= std::byte{0x81};
        };
        pair.run();
        REQUIRE_FALSE(pair.complete());
      }
    }
  }
}

TEST_CASE("null_tls: truncation at every length only waits", "[quic][crypto]") {
  fake_random random(1);
  const null_tls_options small{.client_hello_size = 0, .server_flight_size = 0};
  for (std::size_t length = 0, size = 1; length < size; ++length) {
    auto pair = pair_of(random, small, small);
    pair.tamper = [&](bool from_client, encryption_level, octets& message) {
      if (!from_client) return;
      size = message.size();
      message.resize(length);
    };
    pair.run();
    REQUIRE_FALSE(pair.server.session->handshake_complete());
    REQUIRE(pair.server.session->failure() == nullptr);
  }
}

TEST_CASE("null_tls: bodies cut short are decode errors", "[quic][crypto]") {
  fake_random random(1);
  // The length says so, so the message is whole but its content is not.
  for (std::size_t length = 0; length < 60; ++length) {
    auto pair = pair_of(random, {.client_hello_size = 0}, {});
    pair.tamper = [&](bool from_client, encryption_level, octets& message) {
      if (!from_client) return;
      message.resize(4 + length);
      message[3] = static_cast<std::byte>(length);
    };
    pair.run();
    REQUIRE(pair.server.session->failure() != nullptr);
    CHECK(pair.server.session->failure()->alert == 50);
  }
}

TEST_CASE("null_tls: bytes at the wrong time are refused", "[quic][crypto]") {
  fake_random random(1);
  const std::byte more[1]{};
  auto pair = pair_of(random);
  pair.run();
  check_complete(pair);
  pair.client.session->receive(encryption_level::initial, more);
  REQUIRE(pair.client.session->failure() != nullptr);
  CHECK(pair.client.session->failure()->protocol_violation);
  pair.server.session->receive(encryption_level::application, more);
  REQUIRE(pair.server.session->failure() != nullptr);
  CHECK(pair.server.session->failure()->alert == 10);
  CHECK_FALSE(pair.complete());

  auto trailing = pair_of(random);
  trailing.tamper = [](bool from_client, encryption_level, octets& message) {
    if (from_client) message.push_back(std::byte{});
  };
  trailing.run();
  REQUIRE(trailing.server.session->failure() != nullptr);
  CHECK(trailing.server.session->failure()->protocol_violation);
}

TEST_CASE("null_tls: what is kept is bounded", "[quic][crypto]") {
  fake_random random(1);
  for (const int over : {-1, 0, 1}) {
    auto pair = pair_of(random);
    const octets early(
        static_cast<std::size_t>(static_cast<int>(limits::max_crypto_buffer) + over));
    pair.server.session->receive(encryption_level::handshake, early);
    CHECK((pair.server.session->failure() != nullptr) == (over > 0));
  }
  auto huge = pair_of(random);
  const std::byte header[4]{std::byte{1}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}};
  huge.server.session->receive(encryption_level::initial, header);
  REQUIRE(huge.server.session->failure() != nullptr);
  CHECK(huge.server.session->failure()->alert == 47);
}

TEST_CASE("null_tls: says that it protects nothing, and refuses what does not fit",
          "[quic][crypto]") {
  fake_random random(1);
  CHECK(make_null_tls(random)->null_protection());
  CHECK_FALSE(make_null_tls(random, {.alpn = {}})->accept({}).has_value());
  CHECK(make_null_tls(random)->connect(std::string(255, 'n'), {}).has_value());
  CHECK_FALSE(make_null_tls(random)->connect(std::string(256, 'n'), {}).has_value());
}
