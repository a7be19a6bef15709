// SPDX-License-Identifier: Apache-2.0
#include "core/stream/stream_index.hpp"

#include <catch2/catch_test_macros.hpp>
#include <map>

#include "testkit/fake_random.hpp"

using namespace strata::quic::core;

TEST_CASE("stream_index: streams are idle when opened, and closed for ever after",
          "[quic][stream]") {
  stream_index index;
  index.open_to(3);
  CHECK(index.opened() == 3);
  CHECK(index.find(2) == stream_index::idle);
  index.place(2, 7);
  CHECK(index.find(2) == 7);
  index.close(2);
  CHECK(index.find(2) == stream_index::closed);
  index.close(0);
  index.close(1);
  CHECK(index.find(0) == stream_index::closed);
  CHECK(index.find(1) == stream_index::closed);
}

TEST_CASE("stream_index: memory does not grow with the streams that come and go while one stays",
          "[quic][stream]") {
  stream_index index;
  index.open_to(1);
  index.place(0, 1234);
  for (std::uint64_t number = 1; number < 200'000; ++number) {
    index.open_to(number + 1);
    index.place(number, 1);
    index.close(number);
  }
  CHECK(index.find(0) == 1234);
  CHECK(index.memory() < 2048);
}

TEST_CASE("stream_index: agrees with a map for any operations", "[quic][stream][property]") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    strata::testkit::fake_random random(seed);
    const double closing = 0.3 + 0.1 * static_cast<double>(random.below(7));
    stream_index index;
    std::map<std::uint64_t, std::uint32_t> live;
    for (std::uint32_t step = 0; step < 3000; ++step) {
      if (random.happens(0.5) || live.empty()) {
        const std::uint64_t more = index.opened() + 1 + random.below(4);
        for (std::uint64_t number = index.opened(); number < more; ++number)
          live[number] = stream_index::idle;
        index.open_to(more);
      }
      auto chosen = live.lower_bound(random.happens(0.2) ? 0 : random.below(index.opened()));
      if (chosen == live.end()) chosen = live.begin();
      if (random.happens(closing)) {
        index.close(chosen->first);
        live.erase(chosen);
      } else {
        index.place(chosen->first, step);
        chosen->second = step;
      }
      const std::uint64_t asked = random.below(index.opened());
      const auto expected = live.find(asked);
      REQUIRE(index.find(asked) ==
              (expected == live.end() ? stream_index::closed : expected->second));
    }
    for (std::uint64_t number = 0; number < index.opened(); ++number) {
      const auto expected = live.find(number);
      REQUIRE(index.find(number) ==
              (expected == live.end() ? stream_index::closed : expected->second));
    }
    REQUIRE(index.memory() <= 4096 + 80 * (live.size() + 1));
    for (const auto& [number, slot] : live) index.close(number);
    index.shrink();
    REQUIRE(index.memory() < 64);
  }
}
