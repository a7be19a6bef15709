// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "testkit/counting_allocator.hpp"

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
  if (random.happens(0.3)) config.key_update_after = 1 + random.below(50);
  return config;
}

/// A machine that was suspended, or a program that was stopped, at some time of the run.
void draw_interruptions(quic_world& world, fake_random& random, std::array<quic_node*, 2> nodes) {
  for (quic_node* node : nodes) {
    const auto when = world.now() + std::chrono::milliseconds(random.below(5'000));
    const auto how_long = std::chrono::milliseconds(random.below(20'000));
    if (random.happens(0.15)) {
      world.at(when, [&world, node, how_long] { world.jump_clock(*node, how_long); });
    } else if (random.happens(0.15)) {
      world.at(when, [&world, node, how_long] { world.put_to_sleep(*node, how_long); });
    }
  }
}

/// What both ends and the network may hold of a plan, generously; a leak per packet is more.
std::size_t memory_bound(const transfer_plan& plan) {
  const std::size_t streams = 2 * plan.bidirectional_streams + plan.unidirectional_streams;
  return 8'000'000 + 6 * streams * static_cast<std::size_t>(plan.bytes_per_stream);
}

/// One seed in eight pays for real cryptography.
bool has_real_tls(std::uint64_t seed) { return seed % 8 == 0; }

/// One connection over a network drawn from the seed; then the faults end, and everything must
/// converge.
run_outcome run_seed(std::uint64_t seed) {
  fake_random random(seed);
  quic_world world(seed);
  quic::core::endpoint_config server_config;
  server_config.accept_incoming = true;
  server_config.connection = draw_config(random);
  const auto client_config = draw_config(random);
  const bool real = has_real_tls(seed);
  const auto make_tls = [&] {
    return real ? make_openssl_test_tls() : make_null_test_tls(random.next());
  };
  quic_node& server = world.add(transport::address::loopback_v4(443), server_config, make_tls());
  quic_node& client = world.add(transport::address::loopback_v4(5000), {}, make_tls());
  world.network.set_conditions(0, 1, conditions::from_seed(random.next()));
  world.network.set_conditions(1, 0, conditions::from_seed(random.next()));
  draw_interruptions(world, random, {&server, &client});
  transfer_plan plan = draw_plan(random);
  plan.retried = random.happens(0.2);
  const std::size_t held_before = held_bytes();
  world.watch = [held_before, most = memory_bound(plan)] {
    if (held_bytes() > held_before + most)
      throw std::logic_error("memory: " + std::to_string(held_bytes() - held_before) + " bytes");
  };
  auto server_side = std::make_unique<transfer_application>(plan, random.next());
  auto client_side = std::make_unique<transfer_application>(plan, random.next());
  transfer_application& watched = *client_side;
  transfer_application& peer = *server_side;
  server.application = std::move(server_side);
  client.application = std::move(client_side);

  const auto began = world.now();
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
  const auto counters = world.network.counters();
  text += "; turns " + std::to_string(world.turns) + "; seconds " +
          std::to_string((world.now() - began) / 1s) + "; datagrams " +
          std::to_string(counters.sent) + "; dropped " + std::to_string(counters.dropped()) +
          "; corrupted " + std::to_string(counters.corrupted) + "; reordered " +
          std::to_string(counters.reordered) + "; digest " + std::to_string(world.network.digest());
  return {(watched.complete() && watched.closed()) || refused, std::move(text)};
}

run_outcome run_guarded(std::uint64_t seed) {
  try {
    return run_seed(seed);
  } catch (const std::exception& failure) {
    return {false, failure.what()};
  }
}

/// Seeds kept for ever: each has shown a fault once, or ran into more than its share of one kind

std::vector<std::uint64_t> frozen_seeds() {
  std::ifstream file(STRATA_FROZEN_SEEDS);
  std::vector<std::uint64_t> seeds;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.front() != '#') seeds.push_back(std::stoull(line));
  }
  return seeds;
}

}  // namespace

TEST_CASE("seeds: every transfer over a faulty network ends exact once the faults end",
          "[quic][simulation][seeds][attack][Q69]") {
  const std::uint64_t first = from_environment("STRATA_SEED", 1);
  const std::uint64_t count = from_environment("STRATA_SEEDS", 5000);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    INFO("replay with STRATA_SEED=" << seed << " STRATA_SEEDS=1");
    const run_outcome outcome = run_guarded(seed);
    INFO(outcome.text);
    CHECK(outcome.done);
    if (std::getenv("STRATA_SEED_TEXT") != nullptr)
      std::cout << "seed " << seed << ": " << outcome.text << '\n';
  }
}

TEST_CASE("seeds: the frozen ones end exact too, and replay to the bit",
          "[quic][simulation][seeds]") {
  const auto seeds = frozen_seeds();
  CHECK(seeds.size() >= 100);
  for (const std::uint64_t seed : seeds) {
    INFO("replay with STRATA_SEED=" << seed << " STRATA_SEEDS=1");
    const run_outcome first = run_guarded(seed);
    INFO(first.text);
    CHECK(first.done);
    // Tickets of OpenSSL hold the time of day.
    if (!has_real_tls(seed)) CHECK(run_guarded(seed).text == first.text);
  }
}
