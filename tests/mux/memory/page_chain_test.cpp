// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "core/memory/page_chain.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::mux::core;
namespace transport = strata::transport;

namespace {

std::string text(const page_chain& chain) {
  std::string all;
  for (const page* at = chain.first(); at != nullptr; at = at->next)
    all += transport::as_text(at->used());
  return all;
}

std::string random_text(strata::testkit::fake_random& random, std::size_t size) {
  std::string made(size, '\0');
  for (char& one : made) one = static_cast<char>('a' + random.below(26));
  return made;
}

}  // namespace

TEST_CASE("page_chain: what goes in comes out, in any pieces", "[mux]") {
  strata::testkit::fake_random random(3);
  page_recycler pages(4);
  page_chain chain;
  std::string model;
  for (int step = 0; step < 2000; ++step) {
    if (random.happens(0.5)) {
      const std::string added = random_text(random, random.below(3 * page::capacity));
      chain.append(pages, transport::as_bytes(added));
      model += added;
    } else {
      const std::size_t size = random.below(model.size() + 1);
      chain.consume(pages, size);
      model.erase(0, size);
    }
    REQUIRE(chain.size() == model.size());
    REQUIRE(chain.front().empty() == model.empty());
    if (step % 16 == 0) REQUIRE(text(chain) == model);
  }
  chain.clear(pages);
  CHECK(chain.first() == nullptr);
}

TEST_CASE("page_chain: small appends share a page, and an emptied one goes back", "[mux]") {
  page_recycler pages(4);
  page_chain chain;
  for (std::size_t i = 0; i < page::capacity; ++i) chain.append(pages, transport::as_bytes("x"));
  CHECK(chain.first()->next == nullptr);
  chain.append(pages, transport::as_bytes("y"));
  CHECK(chain.first()->next != nullptr);
  CHECK(pages.kept() == 0);
  chain.consume(pages, page::capacity);
  CHECK(pages.kept() == 1);
  CHECK(transport::as_text(chain.front()) == "y");
  chain.consume(pages, 1);
  CHECK(pages.kept() == 2);
  CHECK(chain.empty());
}

TEST_CASE("page_chain: splicing moves everything behind", "[mux]") {
  page_recycler pages(4);
  page_chain to;
  page_chain from;
  to.splice(from);
  CHECK(to.empty());
  from.append(pages, transport::as_bytes("one"));
  to.splice(from);
  CHECK(from.first() == nullptr);
  CHECK(from.empty());
  from.append(pages, transport::as_bytes("two"));
  to.splice(from);
  to.append(pages, transport::as_bytes("three"));
  CHECK(text(to) == "onetwothree");
  to.clear(pages);
}

TEST_CASE("page_chain: truncating keeps the front where it is, and goes on behind it", "[mux]") {
  strata::testkit::fake_random random(5);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, page::capacity - 7,
                                 page::capacity - 6, page::capacity, 2 * page::capacity}) {
    page_recycler pages(4);
    page_chain chain;
    const std::string content = random_text(random, 3 * page::capacity);
    chain.append(pages, transport::as_bytes(content));
    chain.consume(pages, 7);
    const std::byte* const front = chain.front().data();
    chain.truncate(pages, size);
    CHECK(chain.size() == size);
    CHECK(text(chain) == content.substr(7, size));
    if (size != 0) CHECK(chain.front().data() == front);
    chain.append(pages, transport::as_bytes("behind"));
    CHECK(text(chain) == content.substr(7, size) + "behind");
    chain.clear(pages);
  }
}

TEST_CASE("page_recycler: keeps so many pages and no more", "[mux]") {
  page_recycler pages(2);
  page* const taken[] = {pages.take(), pages.take(), pages.take()};
  for (page* const one : taken) {
    one->begin = one->end = 9;
    pages.give_back(one);
  }
  CHECK(pages.kept() == 2);
  page* const again = pages.take();
  CHECK(again == taken[1]);  // The one that is still warm.
  CHECK(again->begin == 0);
  CHECK(again->end == 0);
  CHECK(again->next == nullptr);
  pages.give_back(again);
  pages.trim();
  CHECK(pages.kept() == 0);
}
