// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/frames.hpp"

using namespace strata::mux::core;
using namespace strata::mux::core::testing;

TEST_CASE("frame: a header is command, stream and length, big-endian", "[mux][anytls]") {
  const byte_vector made = frame(command::psh, 0x01020304, std::string(0x0506, 'x'));
  CHECK(text_of(bytes(made).first(7)) == std::string("\x02\x01\x02\x03\x04\x05\x06", 7));
  CHECK(made.size() == 7 + 0x0506);
}

TEST_CASE("frame: every command, at the ends of every field, comes back", "[mux][anytls]") {
  for (unsigned which = 0; which < 256; ++which) {
    for (const std::uint32_t id : {0u, 1u, UINT32_MAX}) {
      for (const unsigned length : {0u, 1u, 65535u}) {
        const frame_header header{static_cast<command>(which), id,
                                  static_cast<std::uint16_t>(length)};
        std::array<std::byte, frame_header::encoded_size> encoded;
        encode(header, encoded.data());
        CHECK(anytls::decode(encoded) == header);
      }
    }
  }
}

TEST_CASE("frame: commands that may carry data", "[mux][anytls]") {
  std::string may;
  for (unsigned which = 0; which < 256; ++which)
    if (anytls::may_carry_data(static_cast<command>(which))) may += std::to_string(which) + ' ';
  CHECK(may == "0 2 4 5 6 7 10 ");
}
