// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <iostream>
#include <string>

#include "testkit/counting_allocator.hpp"
#include "testkit/mux/yamux_world.hpp"

using namespace strata;
using namespace strata::testkit;
using namespace std::chrono_literals;

namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

mux::core::yamux_config draw_config(choices& chosen) {
  mux::core::yamux_config config;
  if (chosen.one_in(3)) config.initial_window += static_cast<std::uint32_t>(chosen.below(500'000));
  if (chosen.one_in(3))
    config.max_window = static_cast<std::uint32_t>(256 * 1024 + chosen.below(1'000'000));
  if (chosen.one_in(3)) config.window_growth = chosen.below(2'000'000);
  if (chosen.one_in(3)) config.max_buffered = 256 * 1024 + chosen.below(500'000);
  if (chosen.one_in(2)) config.frame_payload = static_cast<std::uint32_t>(1 + chosen.below(60'000));
  if (chosen.one_in(3)) config.write_watermark = 16 * 1024 + chosen.below(100'000);
  if (chosen.one_in(3)) config.max_unsent = chosen.below(300'000);
  if (chosen.one_in(3)) config.max_streams = 1 + chosen.below(30);
  if (chosen.one_in(3)) config.max_incoming_streams = chosen.below(20);
  if (chosen.one_in(3)) config.accept_backlog = chosen.below(10);
  if (chosen.one_in(3)) config.ack_backlog = 1 + chosen.below(5);
  if (chosen.one_in(4)) config.keep_alive_interval = 0ms;
  config.close_timeout = std::chrono::seconds(chosen.one_in(2) ? 5 : 0);
  config.open_timeout = std::chrono::seconds(chosen.one_in(2) ? 75 : 0);
  return config;
}

yamux_world::plan draw_plan(choices& chosen) {
  return {
      .client = draw_config(chosen),
      .server = draw_config(chosen),
      .delay = std::chrono::milliseconds(chosen.one_in(2) ? chosen.below(5) : chosen.below(200)),
      .capacity = 1 + chosen.below(chosen.one_in(4) ? 1000 : 200'000),
      .stalls = chosen.one_in(3),
      .clock_jumps = chosen.one_in(5),
      .slow_reader = chosen.one_in(5),
      .gives_up = !chosen.one_in(3)};
}

struct run_outcome {
  bool done = false;
  std::string text;
  transport::duration elapsed{};
};

run_outcome run_seed(std::uint64_t seed) {
  seeded_choices chosen(seed);
  yamux_world world(draw_plan(chosen), chosen, seed);
  const std::size_t before = held_bytes();
  const std::uint64_t steps = 200 + chosen.below(1500);
  const std::uint64_t cut_at = chosen.one_in(4) ? chosen.below(steps) : steps;
  for (std::uint64_t i = 0; i < steps; ++i) {
    if (i == cut_at) world.cut_carrier(static_cast<yamux_world::cut>(chosen.below(3)));
    world.step();
    // Both sessions, both applications and the pipes: a leak for each step is more.
    if (held_bytes() > before + 60'000'000) throw std::logic_error("memory");
  }
  const bool converged = world.converge();
  if (converged) world.compare();
  return {converged, world.text(), world.elapsed()};
}

run_outcome run_guarded(std::uint64_t seed) {
  try {
    return run_seed(seed);
  } catch (const std::logic_error& failure) {
    return {false, failure.what(), {}};
  }
}

}  // namespace

TEST_CASE("seeds: sessions over any carrier agree on every byte, and end when they are told to",
          "[mux][simulation][seeds]") {
  const std::uint64_t first = from_environment("STRATA_SEED", 1);
  const std::uint64_t count = from_environment("STRATA_SEEDS", 1000);
  transport::duration simulated{};
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    INFO("replay with STRATA_SEED=" << seed << " STRATA_SEEDS=1");
    const run_outcome outcome = run_guarded(seed);
    INFO(outcome.text);
    CHECK(outcome.done);
    simulated += outcome.elapsed;
    if (std::getenv("STRATA_SEED_TEXT") != nullptr)
      std::cout << "seed " << seed << ": " << outcome.text << '\n';
  }
  std::cout << "simulated hours: " << simulated / 1h << '\n';
}

TEST_CASE("seeds: a run replays to the bit", "[mux][simulation][seeds]") {
  for (std::uint64_t seed = 1; seed < 30; ++seed)
    CHECK(run_guarded(seed).text == run_guarded(seed).text);
}
