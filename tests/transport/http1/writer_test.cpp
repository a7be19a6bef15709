// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch_test_macros.hpp>

#include "heads.hpp"

using namespace strata::transport;
using namespace strata::transport::tests;
using namespace std::string_literals;

namespace {

result<void> write_request(std::string& out, std::string_view name, std::string_view value) {
  const std::array<http1_field, 2> fields{{{"Host", "a"}, {name, value}}};
  return append_http1_request(out, "GET", "/", fields);
}

}  // namespace

TEST_CASE("http1_head: a request is written as it is read", "[transport][http1]") {
  std::string out = "before";
  const std::array<http1_field, 2> fields{{{"Host", "a:80"}, {"X-Empty", ""}}};
  REQUIRE(append_http1_request(out, "CONNECT", "a:80", fields));
  CHECK(out == "beforeCONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nX-Empty: \r\n\r\n");
  const outcome seen = request(std::string_view(out).substr(6));
  REQUIRE(seen.is_done());
  CHECK(seen.head().request_line().target == "a:80");
  CHECK(seen.head()[1].value.empty());
}

TEST_CASE("http1_head: a response is written as it is read", "[transport][http1]") {
  std::string out;
  const std::array<http1_field, 1> fields{{{"Content-Length", "2"}}};
  REQUIRE(append_http1_response(out, 407, "Proxy Authentication Required", fields));
  CHECK(out == "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\n");
  CHECK(append_http1_response(out, 101, "", {}));
  CHECK(append_http1_response(out, 100, "", {}));
  CHECK(append_http1_response(out, 999, "", {}));
}

TEST_CASE("http1_head: what a reader could misunderstand is not written", "[transport][http1]") {
  std::string out = "untouched";
  for (const std::string& bad :
       {"a\r\nX: y"s, "a\nb"s, "a\rb"s, "a\0b"s, " a"s, "a\t"s, "a\x7f"s}) {
    CHECK_FALSE(write_request(out, "X", bad));
  }
  for (const std::string& bad : {""s, "X "s, "X:"s, "X\r\nY"s, "X\0"s, "\xe4"s})
    CHECK_FALSE(write_request(out, bad, "v"));
  CHECK_FALSE(write_request(out, "Content-Length", "+1"));
  CHECK_FALSE(write_request(out, "host", "b"));
  const std::array<http1_field, 1> host{{{"Host", "a"}}};
  CHECK_FALSE(append_http1_request(out, "GET", "/", {}));
  CHECK_FALSE(append_http1_request(out, "G T", "/", host));
  CHECK_FALSE(append_http1_request(out, "", "/", host));
  CHECK_FALSE(append_http1_request(out, "GET", "/ HTTP/1.1\r\nX: y", host));
  CHECK_FALSE(append_http1_request(out, "GET", "", host));
  CHECK_FALSE(append_http1_request(out, "CONNECT", "a", host));
  const std::array<http1_field, 2> both{
      {{"Content-Length", "1"}, {"Transfer-Encoding", "chunked"}}};
  CHECK_FALSE(append_http1_response(out, 200, "OK", both));
  CHECK_FALSE(append_http1_response(out, 204, "", std::span(both).last(1)));
  CHECK_FALSE(append_http1_response(out, 99, "", {}));
  CHECK_FALSE(append_http1_response(out, 1000, "", {}));
  CHECK_FALSE(append_http1_response(out, 200, "a\r\nb", {}));
  const auto refused = append_http1_response(out, 0, "", {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == errc::invalid_argument);
  CHECK(out == "untouched");
}
