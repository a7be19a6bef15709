// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/http1_chunked.hpp"

using namespace strata::transport;

namespace {

struct outcome {
  std::string content;
  std::size_t consumed = 0;
  bool done = false;
  std::error_code error;
};

outcome decode(std::string_view text, std::size_t step = SIZE_MAX) {
  http1_chunked_decoder decoder;
  outcome seen;
  while (seen.consumed < text.size() && !decoder.is_done()) {
    const auto piece = decoder.next(as_bytes(text.substr(seen.consumed, step)));
    if (!piece) {
      seen.error = piece.error();
      CHECK(decoder.problem() != nullptr);
      CHECK(decoder.next(as_bytes("0\r\n\r\n")).error() == seen.error);
      break;
    }
    seen.consumed += piece->consumed;
    seen.content += as_text(piece->content);
  }
  seen.done = decoder.is_done();
  return seen;
}

}  // namespace

TEST_CASE("http1_chunked: a body cut anywhere is the same body", "[transport][http1]") {
  const std::string body =
      "5\r\nhello\r\n00a;x=\"y;z\"\r\n, wo\r\nrld!\r\n0;last\r\nTrailer: yes\r\nOther:\r\n\r\n";
  for (std::size_t step = 1; step <= body.size(); ++step) {
    const outcome seen = decode(body + "GET", step);
    CHECK(seen.done);
    CHECK(seen.content == "hello, wo\r\nrld!");
    CHECK(seen.consumed == body.size());
  }
  for (std::size_t size = 0; size < body.size(); ++size) {
    const outcome seen = decode(std::string_view(body).substr(0, size));
    CHECK_FALSE(seen.done);
    CHECK_FALSE(seen.error);
  }
}

TEST_CASE("http1_chunked: content is lent, not copied", "[transport][http1]") {
  const std::string_view text = "5\r\nhello\r\n";
  http1_chunked_decoder decoder;
  const auto piece = decoder.next(as_bytes(text));
  REQUIRE(piece);
  CHECK(piece->consumed == 8);
  CHECK(reinterpret_cast<const char*>(piece->content.data()) == text.data() + 3);
}

TEST_CASE("http1_chunked: sizes that another reader might read otherwise", "[transport][http1]") {
  for (const std::string_view line : {"",
                                      ";a",
                                      " 5",
                                      "5 ",
                                      "5\t",
                                      "+5",
                                      "-5",
                                      "0x5",
                                      "5h",
                                      "5,",
                                      "5 ;a",
                                      "\"5\"",
                                      "5\v",
                                      "00000000000000005",
                                      "8000000000000000",
                                      "ffffffffffffffff",
                                      "10000000000000000",
                                      "5;a\x7f",
                                      "5;a\x01",
                                      "5;\n",
                                      "5\n"}) {
    INFO(line);
    CHECK(decode(std::string(line) + "\r\nhello\r\n0\r\n\r\n").error == errc::malformed);
  }
  for (const std::string_view text :
       {"5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n", "5\rhello\r\n0\r\n\r\n", "0\n\r\n", "5\r\nhello!\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n", "5\r\nhello\rX"}) {
    INFO(text);
    CHECK(decode(text).error == errc::malformed);
  }
  for (const std::string_view second : {"\r\n", ";a\r\n", "g\r\n", "00000000000000001\r\n"})
    CHECK(decode("5\r\nhello\r\n" + std::string(second) + "0\r\n\r\n").error == errc::malformed);
  CHECK(decode("5\r\nhello\r\n0000000000000001\r\n!\r\n0\r\n\r\n").content == "hello!");
  CHECK(decode("0000000000000005\r\nhello\r\n0000\r\n\r\n").content == "hello");
}

TEST_CASE("http1_chunked: a quote in an extension ends before its line does",
          "[transport][http1]") {
  for (const std::string_view extension : {R"(a="b)", R"(a="b\")", R"(a="b";c=")", R"(")"}) {
    INFO(extension);
    const std::string line = "5;" + std::string(extension) + "\r\n";
    CHECK(decode(line + "hello\r\n0\r\n\r\n").error == errc::malformed);
    CHECK(decode("1\r\n!\r\n" + line + "hello\r\n0\r\n\r\n").error == errc::malformed);
  }
  for (const std::string_view extension :
       {R"(a="b")", R"(a="b;c")", R"(a="b\"c")", R"(a="b\\")", R"(a=\)", R"(a="";b="")"}) {
    INFO(extension);
    const std::string line = "1;" + std::string(extension) + "\r\n!\r\n";
    CHECK(decode(line + line + "0\r\n\r\n").content == "!!");
  }
}

TEST_CASE("http1_chunked: trailers are checked like the fields of a head", "[transport][http1]") {
  for (const std::string_view trailer :
       {" a: b\r\n", "a : b\r\n", ": b\r\n", "a\r\n", "a: b\n", "a: \x01\r\n", "a: b\rc\r\n", "\n",
        "\r"
        "x"}) {
    INFO(trailer);
    CHECK(decode("0\r\n" + std::string(trailer) + "\r\n").error == errc::malformed);
  }
  CHECK(decode("0\r\nContent-Length: 5\r\nHost: x\r\n\r\nhello").consumed == 33);
}

TEST_CASE("http1_chunked: the next body after a restart", "[transport][http1]") {
  http1_chunked_decoder decoder;
  CHECK(decoder.next(as_bytes("0\r\n\r\n")));
  CHECK(decoder.is_done());
  CHECK(decoder.next(as_bytes("0"))->consumed == 0);
  decoder.restart();
  CHECK_FALSE(decoder.is_done());
  CHECK(decoder.next(as_bytes("0\r\n\r\n")));
  CHECK(decoder.is_done());
}

TEST_CASE("http1_chunked: chunk sizes up to their limit", "[transport][http1][limits]") {
  CHECK_FALSE(decode("7ffffffffffffffe\r\n").error);
  CHECK_FALSE(decode("7fffffffffffffff\r\n").error);
  CHECK(decode("8000000000000000\r\n").error == errc::malformed);
}

TEST_CASE("http1_chunked: extensions up to their limit", "[transport][http1][limits]") {
  const auto with = [](std::size_t size) {
    return decode("0;" + std::string(size, 'x') + "\r\n\r\n");
  };
  CHECK(with(limits::max_http1_chunk_extension - 1).done);
  CHECK(with(limits::max_http1_chunk_extension).done);
  CHECK(with(limits::max_http1_chunk_extension + 1).error == errc::limit_exceeded);
}

TEST_CASE("http1_chunked: extensions in proportion to the content", "[transport][http1][limits]") {
  // Each chunk but the last has 200 bytes of extension and one of content.
  constexpr std::size_t chunks = 82;
  constexpr std::size_t most = limits::http1_chunk_extension_allowance + chunks - 200 * chunks;
  const auto with = [](std::size_t last, std::string_view before = "") {
    std::string text(before);
    for (std::size_t i = 0; i < chunks; ++i) text += "1;" + std::string(200, 'x') + "\r\n!\r\n";
    return decode(text + "0;" + std::string(last, 'x') + "\r\n\r\n");
  };
  CHECK(with(most - 1).done);
  CHECK(with(most).done);
  CHECK(with(most + 1).error == errc::limit_exceeded);
  CHECK(with(most + 1, "2\r\n!!\r\n").done);
}

TEST_CASE("http1_chunked: trailers up to their limits", "[transport][http1][limits]") {
  const auto sized = [](std::size_t size) {
    return decode("0\r\nX: " + std::string(size - 7, 'x') + "\r\n\r\n");
  };
  CHECK(sized(limits::max_http1_trailer_bytes - 1).done);
  CHECK(sized(limits::max_http1_trailer_bytes).done);
  CHECK(sized(limits::max_http1_trailer_bytes + 1).error == errc::limit_exceeded);
  const auto counted = [](std::size_t count) {
    std::string text = "0\r\n";
    for (std::size_t i = 0; i < count; ++i) text += "X:\r\n";
    return decode(text + "\r\n");
  };
  CHECK(counted(limits::max_http1_fields - 1).done);
  CHECK(counted(limits::max_http1_fields).done);
  CHECK(counted(limits::max_http1_fields + 1).error == errc::limit_exceeded);
}

TEST_CASE("http1_chunked: chunk lines are written in hexadecimal", "[transport][http1]") {
  std::string out;
  append_http1_chunk_line(out, 0x1a2b);
  append_http1_chunk_line(out, limits::max_http1_content_length);
  append_http1_chunk_line(out, 0);
  CHECK(out == "1a2b\r\n7fffffffffffffff\r\n0\r\n\r\n");
}
