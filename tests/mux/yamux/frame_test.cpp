// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <initializer_list>
#include <vector>

#include "core/yamux/frame.hpp"

using namespace strata::mux;
using namespace strata::mux::core;

namespace {

using encoded = std::array<std::byte, frame_header::encoded_size>;

encoded octets(std::initializer_list<unsigned> values) {
  encoded made{};
  std::size_t i = 0;
  for (const unsigned value : values) made[i++] = static_cast<std::byte>(value);
  return made;
}

encoded encode(const frame_header& header) {
  encoded made{};
  core::encode(header, made.data());
  return made;
}

errc why_not(const frame_header& header) {
  const auto decoded = decode(encode(header));
  return decoded ? errc{} : decoded.error();
}

}  // namespace

TEST_CASE("frame: fields stand where the specification has them, big endian", "[mux][yamux]") {
  // Version 0, type, flags, stream ID, length: yamux spec, Framing.
  CHECK(encode({frame_type::data, flag::syn | flag::fin, 0x01020304, 0x0a0b0c0d}) ==
        octets({0, 0, 0, 5, 1, 2, 3, 4, 10, 11, 12, 13}));
  CHECK(encode({frame_type::window_update, flag::ack, 2, 0xffffffff}) ==
        octets({0, 1, 0, 2, 0, 0, 0, 2, 255, 255, 255, 255}));
  CHECK(encode({frame_type::window_update, flag::rst, 0xffffffff, 1}) ==
        octets({0, 1, 0, 8, 255, 255, 255, 255, 0, 0, 0, 1}));
  CHECK(encode({frame_type::ping, flag::syn, 0, 0x00010000}) ==
        octets({0, 2, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0}));
  CHECK(encode({frame_type::go_away, 0, 0, 2}) == octets({0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}));
}

TEST_CASE("frame: every header that may be sent is read as it was written", "[mux][yamux]") {
  std::size_t count = 0;
  for (unsigned type = 0; type < 4; ++type) {
    for (unsigned flags = 0; flags < 16; ++flags) {
      for (const std::uint32_t id : {0u, 1u, 2u, 0x7fffffffu, 0xffffffffu}) {
        for (const std::uint32_t length : {0u, 1u, 255u, 256u, 0x40000u, 0xffffffffu}) {
          const frame_header header{static_cast<frame_type>(type),
                                    static_cast<std::uint16_t>(flags), id, length};
          const auto decoded = decode(encode(header));
          if (!decoded) continue;
          ++count;
          REQUIRE(*decoded == header);
        }
      }
    }
  }
  // Streams: 12 of 16 sets of flags, 4 IDs; ping: 2 sets; go away: 1. Six lengths each.
  CHECK(count == (2 * 12 * 4 + 2 + 1) * 6);
}

TEST_CASE("frame: versions and types beyond those known are refused", "[mux][yamux]") {
  for (unsigned version = 1; version < 256; ++version) {
    encoded input = encode({frame_type::data, 0, 1, 0});
    input[0] = static_cast<std::byte>(version);
    REQUIRE(decode(input).error() == errc::bad_version);
  }
  for (unsigned type = 4; type < 256; ++type) {
    encoded input = encode({frame_type::data, 0, 1, 0});
    input[1] = static_cast<std::byte>(type);
    REQUIRE(decode(input).error() == errc::bad_frame_type);
  }
}

TEST_CASE("frame: flags that are unknown or contradict each other are refused", "[mux][yamux]") {
  for (unsigned bit = 4; bit < 16; ++bit) {
    const auto unknown = static_cast<std::uint16_t>(1u << bit);
    REQUIRE(why_not({frame_type::data, unknown, 1, 0}) == errc::bad_flags);
    REQUIRE(why_not({frame_type::window_update, unknown, 1, 0}) == errc::bad_flags);
    REQUIRE(why_not({frame_type::ping, static_cast<std::uint16_t>(unknown | flag::syn), 0, 0}) ==
            errc::bad_flags);
    REQUIRE(why_not({frame_type::go_away, unknown, 0, 0}) == errc::bad_flags);
  }
  CHECK(why_not({frame_type::data, flag::syn | flag::ack, 1, 0}) == errc::bad_flags);
  CHECK(why_not({frame_type::data, flag::syn | flag::fin, 1, 0}) == errc{});
  CHECK(why_not({frame_type::ping, 0, 0, 0}) == errc::bad_flags);
  CHECK(why_not({frame_type::ping, flag::syn | flag::ack, 0, 0}) == errc::bad_flags);
  CHECK(why_not({frame_type::ping, flag::syn | flag::fin, 0, 0}) == errc::bad_flags);
  CHECK(why_not({frame_type::go_away, flag::rst, 0, 0}) == errc::bad_flags);
}

TEST_CASE("frame: the session's frames have stream zero, all others another", "[mux][yamux]") {
  CHECK(why_not({frame_type::data, 0, 0, 0}) == errc::bad_stream_id);
  CHECK(why_not({frame_type::window_update, 0, 0, 0}) == errc::bad_stream_id);
  CHECK(why_not({frame_type::ping, flag::syn, 1, 0}) == errc::bad_stream_id);
  CHECK(why_not({frame_type::go_away, 0, 1, 0}) == errc::bad_stream_id);
}

TEST_CASE("frame: only data has a payload", "[mux][yamux]") {
  CHECK(frame_header{frame_type::data, 0, 1, 7}.payload() == 7);
  CHECK(frame_header{frame_type::window_update, flag::rst, 1, 7}.payload() == 0);
  CHECK(frame_header{frame_type::ping, flag::syn, 0, 7}.payload() == 0);
}
