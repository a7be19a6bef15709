// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/opening_key.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "core/websocket/sha1.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::transport;
using namespace strata::transport::websocket;

namespace {

std::string hex(std::string_view text) {
  std::string out;
  for (const std::byte octet : sha1(as_bytes(text))) {
    out += "0123456789abcdef"[std::to_integer<unsigned>(octet) >> 4];
    out += "0123456789abcdef"[std::to_integer<unsigned>(octet) & 15];
  }
  return out;
}

}  // namespace

TEST_CASE("sha1: the tests of RFC 3174, and sizes about the block's", "[transport][websocket]") {
  CHECK(hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  CHECK(hex(std::string(1'000'000, 'a')) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  CHECK(hex(std::string(55, 'a')) == "c1c8bbdc22796e28c0e15163d20899b65621d65a");
  CHECK(hex(std::string(56, 'a')) == "c2db330f6083854c99d4b5bfb6e8f29f201be699");
  CHECK(hex(std::string(63, 'a')) == "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
  CHECK(hex(std::string(64, 'a')) == "0098ba824b5c16427bd7a1122a5a442a25ec644d");
}

TEST_CASE("opening_key: the example of RFC 6455 section 1.3", "[transport][websocket]") {
  CHECK(accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("opening_key: keys are sixteen bytes of the source of randomness",
          "[transport][websocket]") {
  testkit::fake_random random(3);
  const std::string first = make_key(random);
  CHECK(is_key(first));
  CHECK(make_key(random) != first);
  testkit::fake_random again(3);
  CHECK(make_key(again) == first);
}

TEST_CASE("opening_key: what may be a key", "[transport][websocket]") {
  CHECK(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
  for (const std::string_view bad :
       {"", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZQAA",
        "dGhlIHNhbXBsZSBub25jZ_==", "dGhlIHNhbXBsZSBub25j====", "dGhlIHNhbXBsZSBub25jZ ==", "=="})
    CHECK_FALSE(is_key(bad));
}

TEST_CASE("opening_key: an Accept is compared whole", "[transport][websocket]") {
  const std::string expected = accept_of("dGhlIHNhbXBsZSBub25jZQ==");
  CHECK(is_accept(expected, expected));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    std::string changed = expected;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    CHECK_FALSE(is_accept(changed, expected));
    CHECK_FALSE(is_accept(expected.substr(0, i), expected));
  }
  CHECK_FALSE(is_accept(expected + "x", expected));
  CHECK_FALSE(is_accept(expected + '\0', expected));
}
