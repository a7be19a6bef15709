// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <string>

#include "testkit/quic/quic_world.hpp"
#include "testkit/quic/test_tls.hpp"
#include "testkit/quic/transfer_application.hpp"

using namespace strata;
using namespace strata::testkit;
using namespace std::chrono_literals;

namespace {

struct run_outcome {
  bool done = false;
  std::string text;
};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

transfer_plan draw_plan(fake_random& random) {
  return {.bidirectional_streams = static_cast<unsigned>(1 + random.below(6)),
          .unidirectional_streams = static_cast<unsigned>(random.below(4)),
          .bytes_per_stream = random.below(random.happens(0.2) ? 400'000 : 40'000),
          .write_size = 1 + random.below(30'000),
          .read_size = 1 + random.below(30'000),
          .borrowed = random.happens(0.5) ? 0.5 : 0};
}

quic::core::connection_config draw_config(fake_random& random) {
  quic::core::connection_config config;
  config.max_idle_timeout = 600s;
  config.handshake_timeout = 600s;
  config.congestion = random.happens(0.5) ? quic::core::congestion_algorithm::cubic
                                          : quic::core::congestion_algorithm::new_reno;
  config.max_datagram_size =
      random.happens(0.5) ? 1200 : static_cast<std::uint16_t>(1200 + random.below(250));
  if (random.happens(0.3)) config.initial_max_data = 1 + random.below(20'000);
  if (random.happens(0.3)) config.initial_max_stream_data = 1 + random.below(10'000);
  if (random.happens(0.3)) config.max_streams_bidi = 1 + random.below(3);
  if (random.happens(0.3)) config.max_streams_uni = 1 + random.below(3);
  return config;
}

/// One connection over a network drawn from the seed; then the faults end, and everything must
/// converge.
run_outcome run_seed(std::uint64_t seed) {
  fake_random random(seed);
  quic_world world(seed);
  quic::core::endpoint_config server_config;
  server_config.accept_incoming = true;
  server_config.connection = draw_config(random);
  const auto client_config = draw_config(random);
  // One seed in eight pays for real cryptography.
  const bool real = seed % 8 == 0;
  const auto make_tls = [&] {
    return real ? make_openssl_test_tls() : make_null_test_tls(random.next());
  };
  quic_node& server = world.add(transport::address::loopback_v4(443), server_config, make_tls());
  quic_node& client = world.add(transport::address::loopback_v4(5000), {}, make_tls());
  world.network.set_conditions(0, 1, conditions::from_seed(random.next()));
  world.network.set_conditions(1, 0, conditions::from_seed(random.next()));
  const transfer_plan plan = draw_plan(random);
  auto server_side = std::make_unique<transfer_application>(plan, random.next());
  auto client_side = std::make_unique<transfer_application>(plan, random.next());
  transfer_application& watched = *client_side;
  transfer_application& peer = *server_side;
  server.application = std::move(server_side);
  client.application = std::move(client_side);

  const auto connection =
      client.endpoint.connect(world.now(), server.own, "server.test", client_config);
  if (!connection) return {false, "connect failed"};
  watched.start(client, *connection);
  const auto over = [&] { return watched.closed() && peer.closed(); };
  if (!world.run(30s, over)) {
    world.network.set_conditions(conditions::calm(10ms));
    world.run(400s, over);
  }
  std::string text = "client: " + (watched.reason() ? watched.reason()->describe() : "open") +
                     "; server: " + (peer.reason() ? peer.reason()->describe() : "open") +
                     "; received " + std::to_string(watched.bytes_received()) + " and " +
                     std::to_string(peer.bytes_received());
  // The socket may refuse the very first packets of a client: then it is to fail at once, and say
  // so.
  const bool refused =
      watched.reason() && watched.reason()->origin == quic::close_reason::origin_kind::network;
  return {(watched.complete() && watched.closed()) || refused, std::move(text)};
}

}  // namespace

TEST_CASE("seeds: every transfer over a faulty network ends exact once the faults end",
          "[quic][simulation][seeds]") {
  const std::uint64_t first = from_environment("STRATA_SEED", 1);
  const std::uint64_t count = from_environment("STRATA_SEEDS", 1000);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    INFO("replay with STRATA_SEED=" << seed << " STRATA_SEEDS=1");
    run_outcome outcome;
    try {
      outcome = run_seed(seed);
    } catch (const std::exception& failure) {
      outcome.text = failure.what();
    }
    INFO(outcome.text);
    CHECK(outcome.done);
  }
}
