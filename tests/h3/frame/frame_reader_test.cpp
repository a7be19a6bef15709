// SPDX-License-Identifier: Apache-2.0
#include "core/frame/frame_reader.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/frame/frame_writer.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::h3::core;
using strata::transport::bytes;

namespace {

struct seen_frame {
  std::uint64_t type;
  std::string payload;
  bool operator==(const seen_frame&) const = default;
};

/// Cuts `stream` into frames, shown in pieces of the given sizes.
template <class NextSize>
std::vector<seen_frame> read_all(const std::vector<std::byte>& stream, NextSize next_size,
                                 bool& clean) {
  frame_reader reader;
  std::vector<seen_frame> frames;
  for (bytes rest(stream); !rest.empty();) {
    bytes piece = rest.first(std::min<std::size_t>(rest.size(), next_size()));
    rest = rest.subspan(piece.size());
    while (true) {
      if (!reader.in_payload()) {
        if (!reader.read_header(piece)) break;
        frames.push_back({reader.type(), ""});
      }
      const bytes payload = reader.payload_of(piece);
      frames.back().payload += strata::transport::as_text(payload);
      piece = piece.subspan(payload.size());
      reader.took(payload.size());
      if (reader.in_payload()) break;
    }
  }
  clean = reader.between_frames();
  return frames;
}

std::vector<std::byte> stream_of(const std::vector<seen_frame>& frames) {
  std::vector<std::byte> out;
  for (const seen_frame& frame : frames) {
    append_frame_header(out, static_cast<frame_type>(frame.type), frame.payload.size());
    const bytes payload = strata::transport::as_bytes(frame.payload);
    out.insert(out.end(), payload.begin(), payload.end());
  }
  return out;
}

}  // namespace

TEST_CASE("frame_reader: frames survive every single split and byte by byte", "[h3][frame]") {
  const std::vector<seen_frame> frames{
      {1, "head"}, {0, ""}, {0, std::string(70, 'b')}, {0x21, "pad"}, {0x3fffffffffffffff, "x"},
      {1, ""}};
  const auto stream = stream_of(frames);
  bool clean = false;
  for (std::size_t split = 1; split <= stream.size(); ++split) {
    bool first = true;
    REQUIRE(read_all(
                stream, [&] { return std::exchange(first, false) ? split : stream.size(); },
                clean) == frames);
    REQUIRE(clean);
  }
  CHECK(read_all(stream, [] { return std::size_t{1}; }, clean) == frames);
  CHECK(clean);
}

TEST_CASE("frame_reader: random frames in random pieces", "[h3][frame]") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    INFO("seed " << seed);
    strata::testkit::fake_random random(seed);
    std::vector<seen_frame> frames;
    for (std::uint64_t i = random.below(20); i-- > 0;)
      frames.push_back({random.next() >> (2 + random.below(60)),
                        std::string(random.below(200), static_cast<char>('a' + random.below(26)))});
    bool clean = false;
    REQUIRE(read_all(stream_of(frames), [&] { return 1 + random.below(30); }, clean) == frames);
    REQUIRE(clean);
  }
}

TEST_CASE("frame_reader: no truncation of a frame is between frames", "[h3][frame]") {
  const auto stream = stream_of({{0x1234, std::string(100, 'x')}});
  bool clean = false;
  for (std::size_t cut = 1; cut < stream.size(); ++cut) {
    read_all(
        {stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(cut)},
        [&] { return stream.size(); }, clean);
    CHECK(!clean);
  }
}

TEST_CASE("frame_reader: integers longer than needed are legal", "[h3][frame]") {
  const std::vector<std::byte> stream{
      std::byte{0x40}, std::byte{0x01}, std::byte{0xc0}, std::byte{0}, std::byte{0},  std::byte{0},
      std::byte{0},    std::byte{0},    std::byte{0},    std::byte{1}, std::byte{'z'}};
  bool clean = false;
  CHECK(
      read_all(stream, [] { return std::size_t{3}; }, clean) == std::vector<seen_frame>{{1, "z"}});
}

TEST_CASE("frame_reader H24: a frame of 2^62-1 bytes is skipped without being stored",
          "[h3][frame][attack][H24]") {
  frame_reader reader;
  std::vector<std::byte> header;
  append_frame_header(header, static_cast<frame_type>(grease_id(7)), strata::transport::varint_max);
  bytes input(header);
  REQUIRE(reader.read_header(input));
  const std::vector<std::byte> chunk(1 << 16);
  for (int i = 0; i < 100; ++i) reader.took(reader.payload_of(chunk).size());
  CHECK(reader.remaining() == strata::transport::varint_max - 100 * chunk.size());
  static_assert(sizeof(frame_reader) <= 40);
}
