// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/driver/page_pool.hpp"

#include <catch2/catch_test_macros.hpp>
#include <vector>

using namespace strata::transport;

TEST_CASE("page_pool: the page given back last is borrowed first", "[transport][page_pool]") {
  page_pool pool(4096);
  const std::byte* memory = nullptr;
  {
    const page first = pool.borrow();
    const page second = pool.borrow();
    memory = first.span().data();
    CHECK(first.span().size() == 4096);
    CHECK(second.span().data() != memory);
  }

  CHECK(pool.free_pages() == 2);
  CHECK(pool.borrow().span().data() == memory);
}

TEST_CASE("page_pool: a burst is not kept for ever", "[transport][page_pool]") {
  page_pool pool(1024, 3);
  {
    std::vector<page> burst;
    for (int count = 0; count < 10; ++count) burst.push_back(pool.borrow());
    CHECK(pool.free_pages() == 0);
  }

  CHECK(pool.free_pages() == 3);
}

TEST_CASE("page_pool: a page may outlive its pool, and moves", "[transport][page_pool]") {
  page kept;
  {
    page_pool pool(64);
    kept = pool.borrow();
    kept = pool.borrow();
  }

  const page moved = std::move(kept);
  REQUIRE(moved);
  moved.span()[63] = std::byte{1};
  CHECK(moved.span()[63] == std::byte{1});
}
