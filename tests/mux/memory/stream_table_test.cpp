// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <vector>

#include "core/memory/stream_table.hpp"
#include "core/yamux/stream.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::mux::core;

TEST_CASE("stream_table: agrees with a map under random use, whatever the multiplier",
          "[mux][memory]") {
  for (const std::uint32_t multiplier : {0u, 1u, 0x9e3779b9u, UINT32_MAX}) {
    strata::testkit::fake_random random(multiplier);
    stream_table<stream> table(multiplier);
    std::map<std::uint32_t, stream*> model;
    for (std::uint32_t step = 0; step < 20'000; ++step) {
      const auto id = static_cast<std::uint32_t>(1 + random.below(200) * (1 + step % 3 * 997));
      const auto known = model.find(id);
      REQUIRE(table.find(id) == (known == model.end() ? nullptr : known->second));
      if (known == model.end() && random.happens(0.6)) {
        model[id] = &table.insert(id);
        REQUIRE(model[id]->id == id);
      } else if (known != model.end() && random.happens(0.5)) {
        table.erase(*known->second);
        model.erase(known);
        REQUIRE(table.find(id) == nullptr);
      }
      REQUIRE(table.size() == model.size());
    }
    std::size_t seen = 0;
    table.for_each([&](stream& one) {
      ++seen;
      REQUIRE(model.at(one.id) == &one);
    });
    CHECK(seen == model.size());
  }
}

TEST_CASE("stream_table: an object that is used again knows nothing of its past", "[mux][memory]") {
  stream_table<stream> table(77);
  stream& one = table.insert(5);
  one.fin_sent = one.forgotten = true;
  one.sending.take(9);
  one.reset_code = 3;
  table.erase(one);
  stream& two = table.insert(7);
  CHECK(&two == &one);
  CHECK_FALSE(two.fin_sent);
  CHECK_FALSE(two.forgotten);
  CHECK(two.sending.credit() == limits::yamux::initial_window);
  CHECK(two.reset_code == 0);
}

TEST_CASE("stream_table: keeps so many free objects and frees the rest", "[mux][memory]") {
  stream_table<stream> table(77);
  std::vector<stream*> made;
  for (std::uint32_t i = 0; i < limits::kept_streams + 10; ++i)
    made.push_back(&table.insert(2 * i + 1));
  for (stream* const one : made) table.erase(*one);
  CHECK(table.size() == 0);
  CHECK(table.find(1) == nullptr);
}
