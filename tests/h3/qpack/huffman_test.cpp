// SPDX-License-Identifier: Apache-2.0
#include "core/qpack/huffman.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "octets.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::h3::core::qpack;
using strata::h3::test::octets;

namespace {

std::vector<std::byte> encoded(std::string_view text) {
  std::vector<std::byte> out(huffman_encoded_size(text));
  CHECK(huffman_encode(text, out.data()) == out.data() + out.size());
  return out;
}

std::optional<std::string> decoded(const std::vector<std::byte>& input) {
  std::string out(huffman_decoded_bound(input.size()), '\0');
  const auto size = huffman_decode(input, out.data());
  if (!size) return std::nullopt;
  REQUIRE(*size <= input.size() * 8 / 5);
  out.resize(*size);
  return out;
}

}  // namespace

TEST_CASE("huffman: the strings of RFC 7541 appendix C encode and decode", "[h3][qpack][huffman]") {
  const std::pair<const char*, const char*> examples[] = {
      {"www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"},
      {"no-cache", "a8eb10649cbf"},
      {"custom-key", "25a849e95ba97d7f"},
      {"custom-value", "25a849e95bb8e8b4bf"},
      {"302", "6402"},
      {"private", "aec3771a4b"},
      {"Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff"},
      {"https://www.example.com", "9d29ad171863c78f0b97c8e9ae82ae43d3"},
      {"307", "640eff"},
      {"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
       "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d500"
       "7"},
  };
  for (const auto& [text, hexadecimal] : examples) {
    CHECK(encoded(text) == octets(hexadecimal));
    CHECK(decoded(octets(hexadecimal)) == text);
  }
}

TEST_CASE("huffman: every octet, alone and in pairs, survives a round trip",
          "[h3][qpack][huffman]") {
  for (int a = 0; a < 256; ++a) {
    REQUIRE(decoded(encoded(std::string(1, static_cast<char>(a)))) ==
            std::string(1, static_cast<char>(a)));
    for (int b = 0; b < 256; ++b) {
      const std::string text{static_cast<char>(a), static_cast<char>(b)};
      REQUIRE(decoded(encoded(text)) == text);
    }
  }
}

TEST_CASE("huffman: random texts of every length survive a round trip", "[h3][qpack][huffman]") {
  strata::testkit::fake_random random(7);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string text(size, '\0');
    random.fill(std::as_writable_bytes(std::span<char>(text)));
    REQUIRE(decoded(encoded(text)) == text);
    for (char& c : text) c = static_cast<char>('0' + (c & 63));
    REQUIRE(decoded(encoded(text)) == text);
  }
}

TEST_CASE("huffman H09: padding of eight bits or more, or not of ones, is refused",
          "[h3][qpack][huffman][attack][H09]") {
  CHECK(decoded(octets("1f")) == "a");  // 00011 and three ones
  CHECK(!decoded(octets("18")));        // 00011 and three zeros
  CHECK(!decoded(octets("1fff")));      // eleven bits of padding
  CHECK(!decoded(octets("ff")));        // eight ones and nothing else
  CHECK(decoded(octets("")) == "");
  CHECK(decoded(octets("fe")) == std::nullopt);  // an incomplete code of seven ones and a zero
}

TEST_CASE("huffman H09: the end-of-string symbol is refused wherever it stands",
          "[h3][qpack][huffman][attack][H09]") {
  CHECK(!decoded(octets("ffffffff")));
  CHECK(!decoded(octets("1fffffffff")));
  CHECK(!decoded(octets("ffffffff1f1f1f1f1f1f1f1f")));
  CHECK(!decoded(octets("fffffffc")));
}

TEST_CASE("huffman: every truncation is refused or gives a prefix", "[h3][qpack][huffman]") {
  const std::string text = "a longer text \x01\xff with rare octets \\~{}|^";
  const auto whole = encoded(text);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const auto part = decoded({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)});
    if (part) CHECK(text.starts_with(*part));
  }
}
