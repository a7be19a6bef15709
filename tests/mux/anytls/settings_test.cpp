// SPDX-License-Identifier: Apache-2.0
#include "core/anytls/settings.hpp"

#include <catch2/catch_test_macros.hpp>

#include "strata/mux/core/limits.hpp"

using namespace strata::mux::core;
namespace limit = limits::anytls;

namespace {

unsigned version_in(std::string_view text) {
  anytls::settings said;
  CHECK(said.parse(text));
  return said.version;
}

}  // namespace

TEST_CASE("settings: what this side writes, and reads of it", "[mux][anytls]") {
  const std::string text = anytls::client_settings(2, "strata/0.1", "75cf");
  CHECK(text == "v=2\nclient=strata/0.1\npadding-md5=75cf");
  anytls::settings said;
  REQUIRE(said.parse(text));
  CHECK(said.version == 2);
  CHECK(said.client == "strata/0.1");
  CHECK(said.padding_md5 == "75cf");
  CHECK(anytls::server_settings(2) == "v=2");
}

TEST_CASE("settings: a name cannot make lines of its own", "[mux][anytls]") {
  CHECK(anytls::client_settings(1, "a\nv=7\r\x01", "x") == "v=1\nclient=av=7\npadding-md5=x");
}

TEST_CASE("settings: versions that are none count as the first", "[mux][anytls]") {
  CHECK(version_in("") == 1);
  CHECK(version_in("v=") == 1);
  CHECK(version_in("v=0") == 1);
  CHECK(version_in("v=-2") == 1);
  CHECK(version_in("v=+2") == 1);
  CHECK(version_in("v=2x") == 1);
  CHECK(version_in("v= 2") == 1);
  CHECK(version_in("w=2") == 1);
  CHECK(version_in("v=1") == 1);
  CHECK(version_in("v=2") == 2);
  CHECK(version_in("v=3") == 3);
  CHECK(version_in("v=1\nv=2") == 2);
  CHECK(version_in("\n\nv=2\n") == 2);
  CHECK(version_in("v=999999999999") > 2);
}

TEST_CASE("settings: unknown keys, lines without '=' and values with one are passed over",
          "[mux][anytls]") {
  anytls::settings said;
  REQUIRE(said.parse("idle_session_timeout=60\nv\n=\nclient=a=b\npadding-md5="));
  CHECK(said.client == "a=b");
  CHECK(said.padding_md5.empty());
}

TEST_CASE("settings: lines below, at and above the limit", "[mux][anytls]") {
  for (const std::size_t lines :
       {limit::max_settings_lines - 1, limit::max_settings_lines, limit::max_settings_lines + 1}) {
    std::string text;
    for (std::size_t i = 1; i < lines; ++i) text += "k=v\n";
    text += "v=2";
    anytls::settings said;
    CHECK(said.parse(text) == (lines <= limit::max_settings_lines));
  }
}

TEST_CASE("settings: of a long name the front is kept", "[mux][anytls]") {
  for (const std::size_t size :
       {limit::max_peer_name - 1, limit::max_peer_name, limit::max_peer_name + 1}) {
    anytls::settings said;
    const std::string text = "client=" + std::string(size, 'n');
    REQUIRE(said.parse(text));
    CHECK(said.client.size() == std::min(size, limit::max_peer_name));
  }
}
