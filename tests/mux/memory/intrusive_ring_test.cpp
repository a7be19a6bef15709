// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <vector>

#include "core/memory/intrusive_ring.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::mux::core;

namespace {

struct element : ring_link<struct first_tag>, ring_link<struct second_tag> {
  int number = 0;
};
using ring = intrusive_ring<element, first_tag>;
using other_ring = intrusive_ring<element, second_tag>;

}  // namespace

TEST_CASE("intrusive_ring: an element is in two rings at once and leaves one alone", "[mux]") {
  element one;
  ring a;
  other_ring b;
  a.push_back(one);
  b.push_back(one);
  a.erase(one);
  CHECK_FALSE(ring::holds(one));
  CHECK(other_ring::holds(one));
  CHECK(a.empty());
  CHECK(b.pop_front() == &one);
  CHECK(b.pop_front() == nullptr);
}

TEST_CASE("intrusive_ring: behaves like a list under random use", "[mux]") {
  strata::testkit::fake_random random(7);
  std::vector<element> elements(12);
  ring tried;
  std::deque<element*> model;
  for (int step = 0; step < 5000; ++step) {
    element& one = elements[random.below(elements.size())];
    if (random.below(8) == 0) {
      element* const first = tried.pop_front();
      REQUIRE(first == (model.empty() ? nullptr : model.front()));
      if (first != nullptr) model.pop_front();
    } else if (ring::holds(one)) {
      tried.erase(one);
      std::erase(model, &one);
    } else if (random.below(4) == 0) {
      tried.erase(one);  // It is in no ring: nothing happens.
    } else {
      tried.push_back(one);
      model.push_back(&one);
    }
    REQUIRE(tried.size() == model.size());
    element* walked = tried.first();
    for (element* const expected : model) {
      REQUIRE(walked == expected);
      walked = ring::after(*walked);
    }
    REQUIRE(walked == tried.first());
  }
}
