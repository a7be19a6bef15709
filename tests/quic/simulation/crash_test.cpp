// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <stdexcept>
#include <string>

#include "testkit/quic/quic_world.hpp"
#include "testkit/quic/test_tls.hpp"
#include "testkit/quic/transfer_application.hpp"

using namespace strata;
using namespace strata::testkit;
using namespace std::chrono_literals;
using origin = quic::close_reason::origin_kind;

namespace {

/// A server and a client in the middle of a transfer that is too long to end before the fault.
struct interrupted_transfer {
  explicit interrupted_transfer(std::uint64_t seed)
      : random(seed), world(seed), server(&world.add(address(), server_config(), tls())) {
    client = &world.add(transport::address::loopback_v4(5000), {}, tls());
    const auto delay = std::chrono::milliseconds(1 + random.below(100));
    conditions slow = conditions::calm(delay);
    slow.rate = 20'000'000;
    slow.queue = 200;
    world.network.set_conditions(slow);
    const transfer_plan plan{.bidirectional_streams = 2, .bytes_per_stream = 4'000'000};
    auto client_side = std::make_unique<transfer_application>(plan, random.next());
    watched = client_side.get();
    client->application = std::move(client_side);
    server->application = std::make_unique<transfer_application>(plan, random.next());
    quic::core::connection_config config;
    config.max_idle_timeout = 20s;
    const auto connection = client->endpoint.connect(world.now(), address(), "server.test", config);
    watched->start(*client, connection.value());
    // Time for the handshake, however far apart the two are.
    fault_at = world.now() + 4 * delay + std::chrono::milliseconds(random.below(300));
  }

  static transport::address address() { return transport::address::loopback_v4(443); }
  static quic::core::endpoint_config server_config() {
    quic::core::endpoint_config config;
    config.accept_incoming = true;
    config.static_key.assign(32, std::byte{7});
    return config;
  }
  std::unique_ptr<quic::core::tls_backend> tls() { return make_null_test_tls(random.next()); }
  std::string how_it_ended() const {
    return watched->reason() ? watched->reason()->describe() : "open";
  }

  fake_random random;
  quic_world world;
  quic_node* server;
  quic_node* client = nullptr;
  transfer_application* watched = nullptr;
  time_point fault_at{};
};

}  // namespace

TEST_CASE("crash: a server that comes back with its key ends the old connection at once",
          "[quic][simulation]") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    interrupted_transfer run(seed);
    std::optional<time_point> back;
    run.world.at(run.fault_at, [&] {
      const auto config = interrupted_transfer::server_config();
      run.server = &run.world.restart(*run.server, config, run.tls());
      back = run.world.now();
    });
    const bool ended = run.world.run(60s, [&] { return run.watched->closed(); });
    INFO("seed " << seed << ": " << run.how_it_ended());
    REQUIRE(ended);
    CHECK(run.watched->reason()->origin == origin::stateless_reset);
    CHECK(run.world.now() - *back < 3s);
  }
}

TEST_CASE("crash: a server that comes back without its key is noticed by the idle timeout",
          "[quic][simulation]") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    interrupted_transfer run(seed);
    run.world.at(run.fault_at, [&] {
      auto config = interrupted_transfer::server_config();
      config.static_key.assign(32, std::byte{8});
      run.server = &run.world.restart(*run.server, config, run.tls());
    });
    const bool ended = run.world.run(120s, [&] { return run.watched->closed(); });
    INFO("seed " << seed << ": " << run.how_it_ended());
    REQUIRE(ended);
    CHECK(run.watched->reason()->origin == origin::idle_timeout);
  }
}

// Migration is not built yet and refused by disable_active_migration, so RFC 9000 section 9 leaves
// dropping: both ends then see silence.
TEST_CASE("crash: a client whose address changes is dropped, and both ends end by themselves",
          "[quic][simulation]") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    interrupted_transfer run(seed);
    auto& peer = static_cast<transfer_application&>(*run.server->application);
    run.world.at(run.fault_at,
                 [&] { run.world.network.rebind(run.client->address_in_network, seed % 2 == 0); });
    const bool ended = run.world.run(120s, [&] { return run.watched->closed() && peer.closed(); });
    INFO("seed " << seed << ": " << run.how_it_ended());
    REQUIRE(ended);
    CHECK(run.watched->reason()->origin == origin::idle_timeout);
    CHECK(peer.reason()->origin == origin::idle_timeout);
  }
}
