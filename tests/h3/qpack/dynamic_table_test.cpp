// SPDX-License-Identifier: Apache-2.0
#include "core/qpack/dynamic_table.hpp"

#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <string>

#include "testkit/fake_random.hpp"

using strata::h3::known_field;
using strata::h3::core::qpack::dynamic_table;

TEST_CASE("dynamic_table: an entry as large as the capacity fits, one byte more does not",
          "[h3][qpack]") {
  dynamic_table table;
  table.set_capacity(100);
  CHECK(table.insert("name", std::string(63, 'v'), known_field::unknown));
  CHECK(table.insert("name", std::string(64, 'v'), known_field::unknown));
  CHECK(!table.insert("name", std::string(65, 'v'), known_field::unknown));
  CHECK(table.size() == 100);
  CHECK(table.insert_count() == 2);
  CHECK(!table.at(0));
  CHECK(table.at(1)->value.size() == 64);
  CHECK(!table.at(2));
}

TEST_CASE(
    "dynamic_table H07: as many empty entries as there can be, then more, evicts before inserting",
    "[h3][qpack][attack][H07]") {
  dynamic_table table;
  table.set_capacity(4096);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(table.insert("", "", known_field::unknown));
    REQUIRE(table.size() <= 4096);
    REQUIRE(table.insert_count() - table.evicted_count() <= 128);
  }
  CHECK(table.insert_count() - table.evicted_count() == 128);
}

TEST_CASE("dynamic_table: an entry may be made of the entry it evicts", "[h3][qpack]") {
  dynamic_table table;
  table.set_capacity(120);
  const std::string name(30, 'n');
  const std::string value(50, 'v');
  REQUIRE(table.insert(name, value, known_field::unknown));
  for (std::uint64_t i = 0; i < 20; ++i) {
    const auto before = table.at(i);
    REQUIRE(before);
    REQUIRE(table.insert(before->name, before->value, known_field::unknown));
    REQUIRE(!table.at(i));
    REQUIRE(table.at(i + 1)->name == name);
    REQUIRE(table.at(i + 1)->value == value);
  }
}

TEST_CASE("dynamic_table: random insertions, duplicates and capacities match a plain model",
          "[h3][qpack]") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    INFO("seed " << seed);
    strata::testkit::fake_random random(seed);
    dynamic_table table;
    std::deque<std::pair<std::string, std::string>> model;
    std::size_t capacity = 0;
    std::size_t size = 0;
    std::uint64_t inserted = 0;
    const auto shrink = [&](std::size_t limit) {
      for (; size > limit; model.pop_front())
        size -= model.front().first.size() + model.front().second.size() + 32;
    };
    for (int step = 0; step < 2000; ++step) {
      if (random.happens(0.02)) {
        capacity = random.below(700);
        shrink(capacity);
        table.set_capacity(capacity);
      } else {
        std::string name(random.below(40), static_cast<char>('a' + step % 26));
        std::string value(random.below(random.happens(0.1) ? 600 : 60),
                          static_cast<char>('A' + step % 26));
        std::string_view name_view = name;
        std::string_view value_view = value;
        if (!model.empty() && random.happens(0.5)) {
          const std::size_t chosen = random.below(model.size());
          const auto entry = table.at(inserted - model.size() + chosen);
          REQUIRE(entry);
          name_view = entry->name;
          name = model[chosen].first;
          if (random.happens(0.5)) {
            value_view = entry->value;
            value = model[chosen].second;
          }
        }
        const std::size_t length = name.size() + value.size() + 32;
        REQUIRE(table.insert(name_view, value_view, known_field::unknown) == (length <= capacity));
        if (length <= capacity) {
          shrink(capacity - length);
          model.emplace_back(name, value);
          size += length;
          ++inserted;
        }
      }
      REQUIRE(table.size() == size);
      REQUIRE(table.insert_count() == inserted);
      for (std::size_t i = 0; i < model.size(); ++i) {
        const auto entry = table.at(inserted - model.size() + i);
        REQUIRE(entry);
        REQUIRE(entry->name == model[i].first);
        REQUIRE(entry->value == model[i].second);
      }
    }
  }
}
