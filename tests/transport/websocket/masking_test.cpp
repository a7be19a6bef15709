// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/masking.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <vector>

#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::transport;
using namespace strata::transport::websocket;

namespace {

mask_key key_of(std::array<std::uint8_t, 4> octets) {
  mask_key key;
  std::memcpy(&key, octets.data(), sizeof key);
  return key;
}

constexpr std::array<std::uint8_t, 4> octets{0x37, 0xfa, 0x21, 0x3d};

/// As RFC 6455 section 5.3 has it, byte by byte.
std::vector<std::byte> masked_slowly(bytes in, std::size_t phase) {
  std::vector<std::byte> out(in.begin(), in.end());
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] ^= static_cast<std::byte>(octets[(i + phase) % 4]);
  return out;
}

}  // namespace

TEST_CASE("masking: the example of RFC 6455 section 5.7", "[transport][websocket]") {
  const std::array<std::uint8_t, 5> wire{0x7f, 0x9f, 0x4d, 0x51, 0x58};
  std::array<std::byte, 5> out;
  apply_mask(out.data(), std::as_bytes(std::span(wire)), key_of(octets));
  CHECK(as_text(out) == "Hello");
}

TEST_CASE("masking: every size, alignment and phase, copied and in place",
          "[transport][websocket]") {
  testkit::fake_random random(1);
  std::vector<std::byte> in(400);
  random.fill(in);
  std::vector<std::byte> out(400);
  for (std::size_t size = 0; size <= 200; ++size) {
    for (std::size_t shift = 0; shift < 9; ++shift) {
      const std::size_t phase = shift % 4;
      const bytes piece = bytes(in).subspan(shift, size);
      const auto expected = masked_slowly(piece, phase);
      out.assign(out.size(), std::byte{0xee});
      const mask_key next =
          apply_mask(out.data() + 8 - shift % 8, piece, advance(key_of(octets), phase));
      REQUIRE(equal_bytes(bytes(out).subspan(8 - shift % 8, size), expected));
      REQUIRE(out[8 - shift % 8 + size] == std::byte{0xee});
      REQUIRE(next == advance(key_of(octets), phase + size));
      std::vector<std::byte> place(piece.begin(), piece.end());
      apply_mask(place.data(), place, advance(key_of(octets), phase));
      REQUIRE(place == expected);
    }
  }
}

TEST_CASE("masking: pieces one after the other are the whole", "[transport][websocket]") {
  testkit::fake_random random(2);
  std::vector<std::byte> in(1000);
  random.fill(in);
  std::vector<std::byte> out(in.size());
  mask_key key = key_of(octets);
  for (std::size_t at = 0; at < in.size();) {
    const std::size_t size = std::min<std::size_t>(random.below(70), in.size() - at);
    key = apply_mask(out.data() + at, bytes(in).subspan(at, size), key);
    at += size;
  }
  CHECK(out == masked_slowly(in, 0));
}

TEST_CASE("masking: a key of zeros copies", "[transport][websocket]") {
  std::array<std::byte, 3> in{std::byte{1}, std::byte{2}, std::byte{3}};
  std::array<std::byte, 3> out{};
  CHECK(apply_mask(out.data(), in, 0) == 0);
  CHECK(out == in);
  apply_mask(in.data(), in, 0);
  CHECK(out == in);
  CHECK(apply_mask(nullptr, {}, 5) == 5);
}
