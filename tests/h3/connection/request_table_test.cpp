// SPDX-License-Identifier: Apache-2.0
#include "core/connection/request_table.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>

#include "strata/h3/core/limits.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::h3::core;

TEST_CASE("request_table: random insertions and removals match a set", "[h3][connection]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    strata::testkit::fake_random random(seed);
    request_table table;
    std::set<std::uint64_t> model;
    for (int step = 0; step < 5000; ++step) {
      const std::uint64_t id = 4 * random.below(random.happens(0.5) ? 40 : 4000);
      if (model.contains(id)) {
        request_stream* stream = table.find(id);
        REQUIRE(stream != nullptr);
        REQUIRE(stream->id == id);
        if (random.happens(0.6)) {
          table.erase(*stream);
          model.erase(id);
        }
      } else {
        REQUIRE(table.find(id) == nullptr);
        if (random.happens(0.6)) {
          REQUIRE(table.insert(id).id == id);
          model.insert(id);
        }
      }
      REQUIRE(table.size() == model.size());
    }
    for (const std::uint64_t id : model) REQUIRE(table.find(id)->id == id);
    std::size_t seen = 0;
    for (std::size_t i = 0; i < table.slot_count(); ++i)
      if (const request_stream* stream = table.slot(i)) seen += model.contains(stream->id);
    CHECK(seen == model.size());
  }
}

TEST_CASE("request_table: slots come back cleared, their buffers kept up to a limit",
          "[h3][connection]") {
  request_table table;
  request_stream* first = &table.insert(0);
  first->visible = first->fin_pending = first->blocked = true;
  first->body_received = 77;
  first->unsent.resize(1000);
  first->encoded.resize(limits::max_pooled_buffer + 1);
  table.erase(*first);
  request_stream& again = table.insert(4);
  CHECK(&again == first);
  CHECK(again.id == 4);
  CHECK(!again.visible);
  CHECK(!again.fin_pending);
  CHECK(!again.blocked);
  CHECK(again.body_received == 0);
  CHECK(again.unsent.empty());
  CHECK(again.unsent.capacity() >= 1000);
  CHECK(again.encoded.capacity() == 0);
}
