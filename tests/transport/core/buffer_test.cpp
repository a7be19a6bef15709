// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <limits>
#include <vector>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/buffer_writer.hpp"

using namespace strata::transport;

namespace {

/// Every kind of field once, and what a reader finds in it.
void write_all(buffer_writer& writer) {
  writer.u8(0x12);
  writer.u16(0x1234);
  writer.u32(0x12345678);
  writer.u64(0x123456789abcdef0);
  writer.fixed(0xabcdef, 3);
  writer.varint(15'293);
  writer.varint(37, 8);
  writer.put(as_bytes("bytes"));
  writer.put_varint_prefixed(as_bytes("prefixed"));
  writer.zeros(4);
}

constexpr std::size_t all_size = 1 + 2 + 4 + 8 + 3 + 2 + 8 + 5 + 9 + 4;

std::array<std::byte, all_size> all_bytes() {
  std::array<std::byte, all_size> memory;
  buffer_writer writer(memory);
  write_all(writer);
  REQUIRE(writer.ok());
  REQUIRE(writer.size() == all_size);
  return memory;
}

}  // namespace

TEST_CASE("buffer: what is written is read again, in network order", "[transport][buffer]") {
  const auto memory = all_bytes();
  CHECK(memory[1] == std::byte{0x12});
  CHECK(memory[2] == std::byte{0x34});
  buffer_reader reader(memory);
  CHECK(reader.peek_u8() == 0x12);
  CHECK(reader.u8() == 0x12);
  CHECK(reader.u16() == 0x1234);
  CHECK(reader.u32() == 0x12345678);
  CHECK(reader.u64() == 0x123456789abcdef0);
  CHECK(reader.fixed(3) == 0xabcdef);
  CHECK(reader.varint() == 15'293);
  CHECK(reader.varint() == 37);
  const bytes taken = reader.take(5);
  CHECK(as_text(taken) == "bytes");
  CHECK(taken.data() >= memory.data());  // a view, not a copy
  CHECK(taken.data() < memory.data() + memory.size());
  CHECK(as_text(reader.take_varint_prefixed()) == "prefixed");
  CHECK(reader.rest().size() == 4);
  reader.skip(4);
  CHECK(reader.ok());
  CHECK(reader.empty());
}

TEST_CASE("buffer_reader: input cut anywhere fails once and for all", "[transport][buffer]") {
  const auto memory = all_bytes();
  for (std::size_t cut = 0; cut < all_size; ++cut) {
    CAPTURE(cut);
    buffer_reader reader(bytes(memory).first(cut));
    reader.u8(), reader.u16(), reader.u32(), reader.u64();
    reader.fixed(3), reader.varint(), reader.varint();
    reader.take(5), reader.take_varint_prefixed(), reader.skip(4);
    CHECK(!reader.ok());
    CHECK(reader.empty());
    CHECK(reader.rest().empty());
    CHECK(reader.remaining() == 0);
    CHECK(reader.u8() == 0);
    CHECK(reader.u64() == 0);
    CHECK(reader.varint() == 0);
    CHECK(reader.take(1).empty());
    CHECK(reader.take_varint_prefixed().empty());
    CHECK(reader.peek_u8() == 0);
    CHECK(!reader.ok());
  }
}

TEST_CASE("buffer_reader: a failed field consumes the rest, so a smaller one cannot succeed",
          "[transport][buffer]") {
  const std::array<std::byte, 3> memory{std::byte{1}, std::byte{2}, std::byte{3}};
  buffer_reader reader(memory);
  CHECK(reader.u32() == 0);
  CHECK(reader.u8() == 0);
  CHECK(!reader.ok());
}

TEST_CASE("buffer_reader: lengths beyond the input and beyond size_t's half do not wrap",
          "[transport][buffer]") {
  for (const std::uint64_t length :
       {std::uint64_t{4}, varint_max, std::numeric_limits<std::uint64_t>::max()}) {
    const std::array<std::byte, 3> memory{};
    buffer_reader reader(memory);
    CHECK(reader.take(length).empty());
    CHECK(!reader.ok());
    buffer_reader skipper(memory);
    skipper.skip(length);
    CHECK(!skipper.ok());
  }
  std::array<std::byte, 9> memory;
  buffer_writer writer(memory);
  writer.varint(varint_max);
  writer.u8(1);
  buffer_reader reader(memory);
  CHECK(reader.take_varint_prefixed().empty());
  CHECK(!reader.ok());
}

TEST_CASE("buffer_reader: no input is not a failure until something is read",
          "[transport][buffer]") {
  buffer_reader reader;
  CHECK(reader.ok());
  CHECK(reader.empty());
  CHECK(reader.peek_u8() == 0);
  CHECK(reader.take(0).empty());
  reader.skip(0);
  CHECK(reader.ok());
  CHECK(reader.u8() == 0);
  CHECK(!reader.ok());
}

TEST_CASE("buffer_reader: fail() ends reading", "[transport][buffer]") {
  const std::array<std::byte, 3> memory{};
  buffer_reader reader(memory);
  reader.fail();
  CHECK(!reader.ok());
  CHECK(reader.empty());
}

TEST_CASE("buffer_writer: memory of any smaller size fails, and nothing is written past it",
          "[transport][buffer]") {
  const auto whole = all_bytes();
  for (std::size_t room = 0; room < all_size; ++room) {
    CAPTURE(room);
    std::vector<std::byte> memory(all_size + 8, std::byte{0xee});
    buffer_writer writer(mutable_bytes(memory).first(room));
    write_all(writer);
    CHECK(!writer.ok());
    CHECK(writer.size() <= room);
    CHECK(writer.remaining() == 0);
    CHECK(equal_bytes(writer.written(), bytes(whole).first(writer.size())));
    CHECK(std::ranges::all_of(bytes(memory).subspan(writer.size()),
                              [](std::byte b) { return b == std::byte{0xee}; }));
    const std::size_t size = writer.size();
    writer.u8(1);
    writer.put({});
    CHECK(writer.size() == size);
    CHECK(!writer.ok());
  }
}

TEST_CASE("buffer_writer: free_space is filled in place, then advance claims it",
          "[transport][buffer]") {
  std::array<std::byte, 4> memory{};
  buffer_writer writer(memory);
  writer.u8(1);
  REQUIRE(writer.free_space().size() == 3);
  writer.free_space()[0] = std::byte{2};
  writer.advance(1);
  CHECK(writer.size() == 2);
  CHECK(memory[1] == std::byte{2});
  writer.advance(3);
  CHECK(!writer.ok());
  CHECK(writer.size() == 2);
  CHECK(writer.free_space().empty());
}

TEST_CASE("buffer_writer: a varint must fit the size asked for", "[transport][buffer]") {
  struct sized {
    std::uint64_t value;
    std::size_t size;
    bool fits;
  };
  for (const auto& [value, size, fits] :
       {sized{63, 1, true}, sized{64, 1, false}, sized{64, 2, true}, sized{16'383, 2, true},
        sized{16'384, 2, false}, sized{(1u << 30) - 1, 4, true}, sized{1u << 30, 4, false},
        sized{varint_max, 8, true}, sized{varint_max + 1, 8, false}, sized{0, 0, false}}) {
    CAPTURE(value, size);
    std::array<std::byte, 8> memory;
    buffer_writer writer(memory);
    writer.varint(value, size);
    CHECK(writer.ok() == fits);
    CHECK(writer.size() == (fits ? size : 0));
    if (fits) CHECK(buffer_reader(writer.written()).varint() == value);
  }
}

TEST_CASE("buffer_writer: empty pieces and empty memory are fine", "[transport][buffer]") {
  buffer_writer writer{mutable_bytes()};
  writer.put({});
  writer.zeros(0);
  writer.advance(0);
  CHECK(writer.ok());
  CHECK(writer.written().empty());
  writer.u8(0);
  CHECK(!writer.ok());
}
