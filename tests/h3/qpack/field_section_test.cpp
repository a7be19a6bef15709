// SPDX-License-Identifier: Apache-2.0
#include "strata/h3/core/field_section.hpp"

#include <catch2/catch_test_macros.hpp>

#include "octets.hpp"

using namespace strata::h3;

TEST_CASE("known_field: every name is found again, and neighbours are not", "[h3][field]") {
  for (std::size_t id = 1; id < known_field_count; ++id) {
    const auto known = static_cast<known_field>(id);
    const std::string name(field_name(known));
    REQUIRE(!name.empty());
    CHECK(find_known_field(name) == known);
    CHECK(find_known_field(name + "x") == known_field::unknown);
    CHECK(is_pseudo_header(known) == (name.front() == ':'));
  }
  CHECK(find_known_field("") == known_field::unknown);
  CHECK(find_known_field("Host") == known_field::unknown);
}

TEST_CASE("field_section: order and repeats are kept", "[h3][field]") {
  field_section section;
  section.add(":status", "200");
  section.add("set-cookie", "a=1");
  section.add("x-own", "");
  section.add("set-cookie", "b=2", true);
  CHECK(test::printed(section) == ":status: 200\nset-cookie: a=1\nx-own: \nset-cookie: b=2\n");
  CHECK(section.count(known_field::set_cookie) == 2);
  CHECK(section.find(known_field::set_cookie) == "a=1");
  CHECK(section.find("x-own") == "");
  CHECK(!section.find("x-other"));
  CHECK(section[3].never_indexed);
  CHECK(section.field_section_size() == 4 * 32 + 10 + 13 + 5 + 13);
}

TEST_CASE("field_section: a cleared section keeps its memory", "[h3][field]") {
  field_section section;
  for (int i = 0; i < 50; ++i) section.add("accept-encoding", "gzip, deflate, br");
  const std::size_t memory = section.memory();
  section.clear();
  CHECK(section.empty());
  for (int i = 0; i < 50; ++i) section.add("accept-encoding", "gzip, deflate, br");
  CHECK(section.memory() == memory);
}
