// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/frame_header.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "raw_frames.hpp"

using namespace strata::transport;
using namespace strata::transport::websocket;

namespace {

std::optional<std::size_t> size_of(unsigned first, unsigned second,
                                   websocket_role reader = websocket_role::client) {
  return frame_header_size(static_cast<std::byte>(first), static_cast<std::byte>(second), reader);
}

std::optional<frame_header> parse(std::string_view octets) {
  return parse_frame_header(as_bytes(octets));
}

}  // namespace

TEST_CASE("frame_header: every pair of first bytes, to both readers", "[transport][websocket]") {
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      const unsigned code = first & 15;
      const unsigned length = second & 127;
      const bool control = code >= 8;
      const bool known = code <= 2 || (code >= 8 && code <= 10);
      const bool good =
          (first & 0x70) == 0 && known && (!control || (first >= 0x80 && length <= 125));
      const bool masked = second >= 0x80;
      const std::size_t size = 2u +
                               (length == 126   ? 2u
                                : length == 127 ? 8u
                                                : 0u) +
                               (masked ? 4u : 0u);
      const auto expected = good ? std::optional(size) : std::nullopt;
      REQUIRE(size_of(first, second, websocket_role::server) == (masked ? expected : std::nullopt));
      REQUIRE(size_of(first, second, websocket_role::client) == (masked ? std::nullopt : expected));
    }
  }
}

TEST_CASE("frame_header: only the shortest form of a length", "[transport][websocket]") {
  using namespace std::string_literals;
  CHECK_FALSE(parse("\x82\x7e\x00\x7d"s));
  CHECK(parse("\x82\x7e\x00\x7e"s)->length == 126);
  CHECK(parse("\x82\x7e\xff\xff"s)->length == 65535);
  CHECK_FALSE(parse("\x82\x7f\0\0\0\0\0\0\xff\xff"s));
  CHECK(parse("\x82\x7f\0\0\0\0\0\1\0\0"s)->length == 65536);
  CHECK(parse("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"s)->length == (std::uint64_t{1} << 63) - 1);
  CHECK_FALSE(parse("\x82\x7f\x80\0\0\0\0\0\0\0"s));
}

TEST_CASE("frame_header: what is written is what others read", "[transport][websocket]") {
  for (const unsigned length : {0u, 1u, 125u, 126u, 127u, 65535u, 65536u, 1u << 20}) {
    for (const bool masked : {false, true}) {
      for (const opcode code : {opcode::continuation, opcode::text, opcode::binary}) {
        frame_header header;
        header.code = code;
        header.fin = length % 2 == 0;
        header.masked = masked;
        header.key = masked ? 0x01020304 : 0;
        header.length = length;
        std::array<std::byte, max_frame_header> out;
        const std::size_t size = write_frame_header(header, out.data());
        const auto reader = masked ? websocket_role::server : websocket_role::client;
        CHECK(frame_header_size(out[0], out[1], reader) == size);
        const auto parsed = parse_frame_header(bytes(out).first(size));
        REQUIRE(parsed);
        CHECK(parsed->code == code);
        CHECK(parsed->fin == header.fin);
        CHECK(parsed->masked == masked);
        CHECK(parsed->key == header.key);
        CHECK(parsed->length == length);
        std::string stream(as_text(bytes(out).first(size)));
        stream.append(static_cast<std::size_t>(length), '\0');
        std::string_view rest = stream;
        const auto seen = tests::decode(rest);
        REQUIRE(seen);
        CHECK(seen->payload.size() == length);
        CHECK(rest.empty());
        CHECK(
            encode(tests::raw_frame{
                       .opcode = static_cast<unsigned>(code), .fin = header.fin, .length = length})
                .size() == size - (masked ? 4 : 0));
      }
    }
  }
}
