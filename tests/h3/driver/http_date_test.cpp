// SPDX-License-Identifier: Apache-2.0
#include "driver/http_date.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace strata::h3::detail;
using std::chrono::seconds;
using std::chrono::sys_seconds;

TEST_CASE("http_date: all three forms of RFC 9110 section 5.6.7 are the same moment",
          "[h3][date]") {
  const sys_seconds moment{seconds(784'111'777)};

  CHECK(format_http_date(moment) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == moment);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == moment);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == moment);
}

TEST_CASE("http_date: what is no date is none", "[h3][date]") {
  for (const char* text : {"", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 31 Feb 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49:3 GMT",
                           "Sun, 06 Nov 10000 08:49:37 GMT", "Sun, 06 Nov 4294969290 08:49:37 GMT",
                           "Fri, 31 Dec 9999 23:59:60 GMT", "Sun, 06 Nix 1994 08:49:37 GMT",
                           "Sun, 06 Nov 99999999999 08:49:37 GMT"})
    CHECK_FALSE(parse_http_date(text));
  CHECK(parse_http_date("Fri, 31 Dec 9999 23:59:59 GMT"));
}
