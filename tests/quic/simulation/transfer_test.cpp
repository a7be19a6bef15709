// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "testkit/quic/quic_world.hpp"
#include "testkit/quic/test_tls.hpp"
#include "testkit/quic/transfer_application.hpp"

using namespace strata;
using namespace strata::testkit;
using namespace std::chrono_literals;

TEST_CASE("transfer: one megabyte arrives over a calm network with OpenSSL", "[quic][simulation]") {
  quic_world world(1);
  world.network.set_conditions(conditions::calm(10ms));
  quic::core::endpoint_config server_config;
  server_config.accept_incoming = true;
  quic_node& server =
      world.add(transport::address::loopback_v4(443), server_config, make_openssl_test_tls());
  quic_node& client = world.add(transport::address::loopback_v4(5000), {}, make_openssl_test_tls());
  const transfer_plan plan{
      .bidirectional_streams = 3, .unidirectional_streams = 2, .bytes_per_stream = 200'000};
  auto server_side = std::make_unique<transfer_application>(plan, 11);
  auto client_side = std::make_unique<transfer_application>(plan, 12);
  transfer_application& watched = *client_side;
  transfer_application& peer = *server_side;
  server.application = std::move(server_side);
  client.application = std::move(client_side);

  const auto connection = client.endpoint.connect(world.now(), server.own, "server.test", {});
  REQUIRE(connection);
  watched.start(client, *connection);
  const bool done = world.run(60s, [&] { return watched.closed() && peer.closed(); });
  if (watched.reason()) UNSCOPED_INFO(watched.reason()->describe());
  if (peer.reason()) UNSCOPED_INFO(peer.reason()->describe());

  CHECK(done);
  CHECK(watched.complete());
  CHECK(peer.reason()->origin == quic::close_reason::origin_kind::peer_application);
  CHECK(peer.reason()->code == 7);
}

TEST_CASE("transfer: a client that closes as soon as it is ready has still finished its handshake",
          "[quic][simulation]") {
  for (const bool real : {false, true}) {
    quic_world world(2);
    world.network.set_conditions(conditions::calm(10ms));
    const auto tls = [real] { return real ? make_openssl_test_tls() : make_null_test_tls(3); };
    quic::core::endpoint_config server_config;
    server_config.accept_incoming = true;
    quic_node& server = world.add(transport::address::loopback_v4(443), server_config, tls());
    quic_node& client = world.add(transport::address::loopback_v4(5000), {}, tls());
    const transfer_plan nothing{.bidirectional_streams = 0};
    auto server_side = std::make_unique<transfer_application>(nothing, 11);
    auto client_side = std::make_unique<transfer_application>(nothing, 12);
    transfer_application& watched = *client_side;
    transfer_application& peer = *server_side;
    server.application = std::move(server_side);
    client.application = std::move(client_side);
    watched.start(client,
                  client.endpoint.connect(world.now(), server.own, "server.test", {}).value());
    CHECK(world.run(60s, [&] { return watched.closed() && peer.closed(); }));
    CHECK(peer.reason()->origin == quic::close_reason::origin_kind::peer_application);
    CHECK(peer.reason()->code == 7);
  }
}
