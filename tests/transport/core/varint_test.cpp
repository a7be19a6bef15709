// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch_test_macros.hpp>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/buffer_writer.hpp"

using namespace strata::transport;

namespace {

template <class... Octet>
auto octets(Octet... value) {
  return std::array<std::byte, sizeof...(Octet)>{static_cast<std::byte>(value)...};
}

}  // namespace

TEST_CASE("varint: the examples of RFC 9000 appendix A.1 decode", "[transport][varint]") {
  CHECK(buffer_reader(octets(0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c)).varint() ==
        151288809941952652);
  CHECK(buffer_reader(octets(0x9d, 0x7f, 0x3e, 0x7d)).varint() == 494878333);
  CHECK(buffer_reader(octets(0x7b, 0xbd)).varint() == 15293);
  CHECK(buffer_reader(octets(0x25)).varint() == 37);
  CHECK(buffer_reader(octets(0x40, 0x25)).varint() == 37);
}

TEST_CASE("varint: every boundary survives a round trip in its shortest form",
          "[transport][varint]") {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{63}, std::uint64_t{64}, std::uint64_t{16383},
        std::uint64_t{16384}, (std::uint64_t{1} << 30) - 1, std::uint64_t{1} << 30, varint_max}) {
    std::array<std::byte, 8> memory;
    buffer_writer writer(memory);
    writer.varint(value);
    REQUIRE(writer.ok());
    CHECK(writer.size() == varint_size(value));
    CHECK(buffer_reader(writer.written()).varint() == value);
    for (std::size_t cut = 0; cut < writer.size(); ++cut) {
      buffer_reader reader(writer.written().first(cut));
      CHECK(reader.varint() == 0);
      CHECK(!reader.ok());
    }
  }
}

TEST_CASE("varint: a value beyond 2^62-1 makes the writer fail", "[transport][varint]") {
  std::array<std::byte, 8> memory;
  buffer_writer writer(memory);
  writer.varint(varint_max + 1);
  CHECK(!writer.ok());
}
