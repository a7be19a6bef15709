// SPDX-License-Identifier: Apache-2.0
// Input: the choices of a simulated run of two sessions, two bytes each: what the applications do,
// how many bytes pass, when time does. Every byte arrives as it was written, every event when it
// may, and in the end nothing is left.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "strata/mux/core/limits.hpp"
#include "testkit/mux/yamux_world.hpp"

using namespace strata;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  testkit::spelled_choices chosen(std::as_bytes(std::span(input, size)));
  testkit::yamux_world::plan plan;
  for (mux::core::yamux_config* const config : {&plan.client, &plan.server}) {
    config->frame_payload = static_cast<std::uint32_t>(1 + chosen.below(60'000));
    config->max_streams = 1 + chosen.below(30);
    config->max_incoming_streams = chosen.below(20);
    config->ack_backlog = 1 + chosen.below(10);
    config->max_unsent = chosen.below(60'000);
  }
  plan.capacity = 1 + chosen.below(60'000);
  plan.delay = std::chrono::milliseconds(chosen.below(100));
  plan.stalls = chosen.one_in(2);
  testkit::yamux_world world(plan, chosen, 1);
  for (const std::size_t side : {0u, 1u}) {
    world.application(side).most_per_stream = 20'000;
    world.application(side).most_per_write = 6'000;
  }
  for (int i = 0; i < 500 && !chosen.ended(); ++i) {
    if (chosen.one_in(60'000))
      world.cut_carrier(static_cast<testkit::yamux_world::cut>(chosen.below(3)));
    world.step();
  }
  if (!world.converge()) std::abort();
  world.compare();
  return 0;
}
