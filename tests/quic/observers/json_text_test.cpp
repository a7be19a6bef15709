// SPDX-License-Identifier: Apache-2.0
#include "observers/json_text.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>

using namespace strata::quic::observers;

namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

}  // namespace

TEST_CASE("json_text: quotes, escapes and control characters are escaped", "[quic][qlog]") {
  CHECK(quoted("") == R"("")");
  CHECK(quoted("plain ~") == R"("plain ~")");
  CHECK(quoted("a\"b\\c") == R"("a\u0022b\u005cc")");
  CHECK(quoted(std::string_view("\0\x1e\n\x1f\x7f", 5)) == R"("\u0000\u001e\u000a\u001f\u007f")");
  CHECK(quoted("\xc2\x80\xc2\x9f\xc2\xa0") == "\"\\u0080\\u009f\xc2\xa0\"");
}

TEST_CASE("json_text: UTF-8 stays as it is", "[quic][qlog]") {
  for (const std::string_view text :
       {"\xc3\xa4", "\xdf\xbf", "\xe0\xa0\x80", "\xe2\x82\xac", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    CHECK(is_utf8(text));
    CHECK(quoted(text) == '"' + std::string(text) + '"');
    // Cut short it is none.
    CHECK_FALSE(is_utf8(text.substr(0, text.size() - 1)));
  }
  CHECK(is_utf8(""));
  CHECK(is_utf8(std::string_view("a\0b", 3)));
}

TEST_CASE("json_text: each byte that is no UTF-8 becomes a replacement character", "[quic][qlog]") {
  CHECK(quoted("a\xff\x62") == R"("a\ufffdb")");
  CHECK(quoted("\x80") == R"("\ufffd")");
  CHECK(quoted("\xc0\xaf") == R"("\ufffd\ufffd")");  // Overlong.
  CHECK(quoted("\xc1\xbf") == R"("\ufffd\ufffd")");
  CHECK(quoted("\xe0\x9f\xbf") == R"("\ufffd\ufffd\ufffd")");
  CHECK(quoted("\xf0\x8f\xbf\xbf") == R"("\ufffd\ufffd\ufffd\ufffd")");
  CHECK(quoted("\xed\xa0\x80") == R"("\ufffd\ufffd\ufffd")");  // A surrogate.
  CHECK(quoted("\xf4\x90\x80\x80") == R"("\ufffd\ufffd\ufffd\ufffd")");
  CHECK(quoted("\xf5\x80\x80\x80") == R"("\ufffd\ufffd\ufffd\ufffd")");
  CHECK(quoted("\xe2\x82") == R"("\ufffd\ufffd")");            // Cut short.
  CHECK(quoted("\xe2\x22\xac") == R"("\ufffd\u0022\ufffd")");  // A quote is not swallowed.
}

TEST_CASE("json_text: hexadecimal has two digits for each byte", "[quic][qlog]") {
  std::string out = "x";
  append_hexadecimal(out, std::as_bytes(std::span("\x00\x0f\xa5\xff", 4)));
  CHECK(out == "x000fa5ff");
}
