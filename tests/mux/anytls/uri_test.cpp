// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "strata/mux/core/anytls_uri.hpp"
#include "strata/mux/core/limits.hpp"
#include "strata/transport/core/error.hpp"

using strata::mux::core::anytls_uri;
using strata::transport::errc;
namespace limit = strata::mux::core::limits::anytls;

namespace {

anytls_uri parsed(std::string_view text) {
  INFO(text);
  const auto made = anytls_uri::parse(text);
  REQUIRE(made);
  // What it is written as means the same.
  CHECK(anytls_uri::parse(made->string()).value() == *made);
  return *made;
}

void check_malformed(std::string_view text) {
  INFO(text);
  const auto made = anytls_uri::parse(text);
  REQUIRE_FALSE(made);
  CHECK(made.error() == errc::malformed);
}

}  // namespace

TEST_CASE("uri: the examples of the format", "[mux][anytls][uri]") {
  CHECK(parsed("anytls://letmein@example.com/?sni=real.example.com") ==
        anytls_uri{.password = "letmein", .host = "example.com", .sni = "real.example.com"});
  const auto no_sni = parsed("anytls://letmein@example.com/?sni=127.0.0.1&insecure=1");
  CHECK(no_sni.insecure);
  CHECK(no_sni.server_name().empty());
  const auto v6 = parsed(
      "anytls://0fdf77d7-d4ba-455e-9ed9-a98dd6d5489a@[2409:8a71:6a00:1953::615]:8964/?insecure=1");
  CHECK(v6.host == "2409:8a71:6a00:1953::615");
  CHECK(v6.port == 8964);
  CHECK(v6.password == "0fdf77d7-d4ba-455e-9ed9-a98dd6d5489a");
  CHECK(v6.server_name().empty());
}

TEST_CASE("uri: the port is 443 unless it says otherwise", "[mux][anytls][uri]") {
  CHECK(parsed("anytls://host").port == 443);
  CHECK(parsed("anytls://host:1/").port == 1);
  CHECK(parsed("anytls://host:65535").port == 65535);
  CHECK(parsed("anytls://[::1]").port == 443);
  for (const std::string_view text : {"anytls://host:0", "anytls://host:65536", "anytls://host:",
                                      "anytls://host:-1", "anytls://host:8x", "anytls://[::1]:"})
    check_malformed(text);
}

TEST_CASE("uri: passwords are percent-decoded, and may be anything", "[mux][anytls][uri]") {
  CHECK(parsed("anytls://p%40ss%3A%2F%3f%23%25w@host").password == "p@ss:/?#%w");
  CHECK(parsed("anytls://user:pass@host").password == "user:pass");
  CHECK(parsed("anytls://a+b@host").password == "a+b");
  CHECK(parsed("anytls://%00%ff@host").password == std::string("\0\xff", 2));
  CHECK(parsed("anytls://a@b@host").password == "a@b");
  CHECK(parsed("anytls://@host").password.empty());
  CHECK(parsed("anytls://host").password.empty());
  check_malformed("anytls://%@host");
  check_malformed("anytls://%4@host");
  check_malformed("anytls://a%4g@host");
  check_malformed("anytls://a%g4@host");
}

TEST_CASE("uri: which name TLS asks for", "[mux][anytls][uri]") {
  CHECK(parsed("anytls://host").server_name() == "host");
  CHECK(parsed("anytls://host/?sni=other").server_name() == "other");
  CHECK(parsed("anytls://192.0.2.1/?sni=other").server_name() == "other");
  CHECK(parsed("anytls://192.0.2.1").server_name().empty());
  CHECK(parsed("anytls://host/?sni=::1").server_name().empty());
  CHECK(parsed("anytls://host/?sni=").server_name() == "host");
}

TEST_CASE("uri: keys", "[mux][anytls][uri]") {
  CHECK_FALSE(parsed("anytls://host/?insecure=0").insecure);
  CHECK(parsed("anytls://host?insecure=1").insecure);
  CHECK(parsed("anytls://host/?a=b&&insecure=1&c&=d&sni=x").sni == "x");
  CHECK(parsed("anytls://host/?sni=a%2Eb").sni == "a.b");
  CHECK(parsed("anytls://host/?sni=a#my%20server").label == "my server");
  check_malformed("anytls://host/?insecure=2");
  check_malformed("anytls://host/?insecure=true");
  check_malformed("anytls://host/?insecure");
  check_malformed("anytls://host/?sni=%");
  check_malformed("anytls://host/#%");
}

TEST_CASE("uri: schemes, hosts and paths that are none", "[mux][anytls][uri]") {
  CHECK(parsed("ANYtls://host").host == "host");
  for (const std::string_view text : {"",
                                      "anytls:",
                                      "anytls:/host",
                                      "anytls://",
                                      "anytls:///",
                                      "anytls://@",
                                      "anytls://:443",
                                      "http://host",
                                      " anytls://host",
                                      "anytls://host/path",
                                      "anytls://ho st",
                                      "anytls://ho\nst",
                                      "anytls://[::1",
                                      "anytls://::1",
                                      "anytls://[host]",
                                      "anytls://[127.0.0.1]",
                                      "anytls://[::1]x",
                                      "anytls://[]",
                                      "anytls://a]b",
                                      "anytls://a%41"})
    check_malformed(text);
}

TEST_CASE("uri: below, at and above the longest", "[mux][anytls][uri]") {
  for (const std::size_t size : {limit::max_uri - 1, limit::max_uri, limit::max_uri + 1}) {
    std::string text = "anytls://";
    text += std::string(size - text.size() - 5, 'p') + "@host";
    REQUIRE(text.size() == size);
    const auto made = anytls_uri::parse(text);
    CHECK(made.has_value() == (size <= limit::max_uri));
    if (!made) CHECK(made.error() == errc::limit_exceeded);
  }
  CHECK(parsed("anytls://" + std::string(255, 'h')).host.size() == 255);
  check_malformed("anytls://" + std::string(256, 'h'));
}
