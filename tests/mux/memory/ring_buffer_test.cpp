// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "core/memory/ring_buffer.hpp"

TEST_CASE("ring_buffer: keeps the order around its end, and says when it is full", "[mux]") {
  strata::mux::core::ring_buffer<int, 3> ring;
  int next = 0;
  int oldest = 0;
  for (int round = 0; round < 10; ++round) {
    while (!ring.full()) ring.push_back(next++);
    REQUIRE(ring.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(ring[i] == oldest + static_cast<int>(i));
    for (int i = 0; i <= round % 3; ++i) ring.pop_front(), ++oldest;
    REQUIRE(ring.size() == static_cast<std::size_t>(next - oldest));
  }
  ring.clear();
  CHECK(ring.size() == 0);
  ring.push_back(5);
  CHECK(ring[0] == 5);
}
