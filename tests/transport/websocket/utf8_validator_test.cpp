// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/utf8_validator.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

using namespace strata::transport;
using namespace strata::transport::websocket;
using namespace std::string_literals;

namespace {

bool is_valid(std::string_view text, std::size_t step = SIZE_MAX) {
  utf8_validator validator;
  bool good = true;
  while (!text.empty()) {
    good = validator.add(as_bytes(text.substr(0, step))) && good;
    text.remove_prefix(std::min(step, text.size()));
  }
  return good && validator.is_complete();
}

std::string encode(char32_t point) {
  const auto unit = [](char32_t bits) { return static_cast<char>(bits); };
  if (point < 0x80) return {unit(point)};
  const auto tail = [&](unsigned shift) { return unit(0x80 | (point >> shift & 0x3f)); };
  if (point < 0x800) return {unit(0xc0 | point >> 6), tail(0)};
  if (point < 0x10000) return {unit(0xe0 | point >> 12), tail(6), tail(0)};
  return {unit(0xf0 | point >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace

TEST_CASE("utf8_validator: every code point but the surrogates", "[transport][websocket]") {
  for (char32_t point = 0; point <= 0x10ffff; ++point) {
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    if (is_valid(encode(point)) == surrogate) FAIL(static_cast<unsigned>(point));
  }
  for (char32_t point = 0x110000; point < 0x200000; ++point)
    if (is_valid(encode(point))) FAIL(static_cast<unsigned>(point));
}

TEST_CASE("utf8_validator: every sequence of two bytes, and three with the worst leads",
          "[transport][websocket]") {
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      const std::string text{static_cast<char>(first), static_cast<char>(second)};
      const bool both_ascii = first < 0x80 && second < 0x80;
      const bool two = first >= 0xc2 && first <= 0xdf && second >= 0x80 && second <= 0xbf;
      REQUIRE(is_valid(text) == (both_ascii || two));
    }
  }
  for (unsigned second = 0; second < 256; ++second) {
    const auto with = [&](char lead, std::string_view tail) {
      return is_valid(std::string{lead, static_cast<char>(second)} + std::string(tail));
    };
    REQUIRE(with('\xe0', "\x80") == (second >= 0xa0 && second <= 0xbf));
    REQUIRE(with('\xed', "\x80") == (second >= 0x80 && second <= 0x9f));
    REQUIRE(with('\xef', "\xbf") == (second >= 0x80 && second <= 0xbf));
    REQUIRE(with('\xf0', "\x80\x80") == (second >= 0x90 && second <= 0xbf));
    REQUIRE(with('\xf4', "\xbf\xbf") == (second >= 0x80 && second <= 0x8f));
    REQUIRE_FALSE(with('\xf5', "\x80\x80"));
    REQUIRE_FALSE(with('\xc0', ""));
    REQUIRE_FALSE(with('\xc1', ""));
  }
}

TEST_CASE("utf8_validator: cut anywhere it says the same", "[transport][websocket]") {
  const std::string good =
      "plain ASCII of more than sixteen bytes \u00e4\u00f6 \u20ac \U0001f600 and again ASCII, long "
      "enough";
  const std::string bad = good + "\xed\xa0\x80" + good;
  for (std::size_t step = 1; step < good.size(); ++step) {
    CHECK(is_valid(good, step));
    CHECK_FALSE(is_valid(bad, step));
  }
  for (std::size_t size = 0; size <= good.size(); ++size) {
    const bool between =
        size == good.size() || (static_cast<unsigned char>(good[size]) & 0xc0) != 0x80;
    CHECK(is_valid(good.substr(0, size)) == between);
  }
}

TEST_CASE("utf8_validator: what is wrong is found at its byte and stays wrong",
          "[transport][websocket]") {
  utf8_validator validator;
  CHECK(validator.add(as_bytes("\xf0")));
  CHECK_FALSE(validator.add(as_bytes("\x8f")));
  CHECK_FALSE(validator.add(as_bytes("\x80")));
  CHECK_FALSE(validator.add(as_bytes("a")));
  CHECK_FALSE(validator.is_complete());
  utf8_validator other;
  CHECK_FALSE(other.add(as_bytes("ok\xff")));
  CHECK_FALSE(other.add(as_bytes("\x80")));
  CHECK_FALSE(other.is_complete());
}
