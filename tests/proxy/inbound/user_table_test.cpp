// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/core/user_table.hpp"

#include <catch2/catch_test_macros.hpp>

#include "core/basic_credentials.hpp"
#include "strata/transport/core/error.hpp"

using namespace strata;
using namespace strata::proxy::core;
using strata::transport::errc;

namespace {

user_table table() {
  user_table made;
  REQUIRE(made.add("Aladdin", "open sesame"));
  REQUIRE(made.add("ab", "c"));
  REQUIRE(made.add("test", "123\xC2\xA3"));
  return made;
}

std::error_code refused(std::string_view name, std::string_view password) {
  user_table made = table();
  const auto added = made.add(name, password);
  CHECK(made.size() == (added ? 4 : 3));
  return added ? std::error_code() : added.error();
}

}  // namespace

TEST_CASE("user_table: only the password of that very user matches", "[proxy][users]") {
  const user_table users = table();
  CHECK(users.size() == 3);
  CHECK_FALSE(users.empty());
  CHECK(users.matches("Aladdin", "open sesame"));
  CHECK(users.matches("ab", "c"));
  CHECK_FALSE(users.matches("a", "bc"));
  CHECK_FALSE(users.matches("ab", "open sesame"));
  CHECK_FALSE(users.matches("Aladdin", "c"));
  CHECK_FALSE(users.matches("aladdin", "open sesame"));
  CHECK_FALSE(users.matches("Aladdin", "open sesam"));
  CHECK_FALSE(users.matches("Aladdin", "open sesame "));
  CHECK_FALSE(users.matches("Aladdin", ""));
  CHECK_FALSE(users.matches("", ""));
  CHECK_FALSE(user_table().matches("", ""));
  CHECK(user_table().empty());
}

TEST_CASE("user_table: names and passwords of 1 to 255 bytes, a name once and without colon",
          "[proxy][users]") {
  const std::string longest(255, 'x');
  CHECK(refused("", "x") == errc::invalid_argument);
  CHECK(refused("x", "") == errc::invalid_argument);
  CHECK(refused(longest + "x", "x") == errc::invalid_argument);
  CHECK(refused("x", longest + "x") == errc::invalid_argument);
  CHECK(refused("a:b", "x") == errc::invalid_argument);
  CHECK(refused("ab", "other") == errc::invalid_argument);
  CHECK_FALSE(refused(longest, longest));
  CHECK_FALSE(refused(longest.substr(1), longest.substr(1)));
  CHECK_FALSE(refused("x", "a:b"));
}

TEST_CASE("user_table: Basic credentials as in RFC 7617 section 2", "[proxy][users]") {
  const user_table users = table();
  CHECK(users.authorized("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == "Aladdin");
  CHECK(users.authorized("bAsIc   QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == "Aladdin");
  CHECK(users.authorized("Basic dGVzdDoxMjPCow==") == "test");
  CHECK(users.authorized("Basic YWI6Yw==") == "ab");
  for (const std::string_view wrong : {"",
                                       "Basic",
                                       "Basic ",
                                       "Basic  ",
                                       "BasicYWI6Yw==",
                                       "Bearer YWI6Yw==",
                                       "Basic YWI6Yw",
                                       "Basic YWI6Yw=",
                                       "Basic YWI6Yw===",
                                       "Basic YWI6Yx==",
                                       "Basic YWI6Yw== ",
                                       "Basic YWI6Yw==,",
                                       "Basic YWI6 Yw==",
                                       "Basic YWI=",
                                       "Basic =",
                                       "Basic ====",
                                       "Basic YW==Yw==",
                                       "Basic YWI6Y_==",
                                       "Basic YTpiYw==",
                                       "Basic YWI6",
                                       "Basic OmM=",
                                       "Digest username=\"ab\"",
                                       "Basic\tYWI6Yw=="}) {
    INFO(wrong);
    CHECK(users.authorized(wrong).empty());
  }
}

TEST_CASE("user_table: a password with a colon, and credentials that Basic cannot carry",
          "[proxy][users]") {
  user_table users;
  REQUIRE(users.add("u", "a:b:"));
  const auto field = encode_basic_credentials("u", "a:b:");
  REQUIRE(field);
  CHECK(*field == "Basic dTphOmI6");
  CHECK(users.authorized(*field) == "u");
  for (const std::string_view text : {"", "1", "22", "333", "4444", "\xff\xfe"}) {
    const auto read = decode_basic_credentials(encode_basic_credentials(text, text).value());
    REQUIRE(read);
    CHECK(read->user == text);
    CHECK(read->password == text);
  }
  CHECK_FALSE(encode_basic_credentials("a:b", "c"));
  CHECK_FALSE(encode_basic_credentials("a\n", "c"));
  CHECK_FALSE(encode_basic_credentials("a", "c\x7f"));
  CHECK_FALSE(encode_basic_credentials("a", std::string_view("\0", 1)));
}
