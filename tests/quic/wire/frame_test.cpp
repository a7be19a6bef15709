// SPDX-License-Identifier: Apache-2.0
#include "core/wire/frame.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "hex.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::quic::core;
using quic::transport_error;
using testkit::copy_of;
using testkit::from_hex;
using testkit::to_hex;
using transport::buffer_reader;
using transport::buffer_writer;
using transport::bytes;

namespace {

/// Decodes text that must hold one frame and nothing else.
template <class Frame>
Frame decoded(const std::vector<std::byte>& octets) {
  buffer_reader reader{bytes(octets)};
  const auto result = decode_frame(reader);
  REQUIRE(result);
  CHECK(reader.empty());
  CHECK(reader.ok());
  REQUIRE(std::holds_alternative<Frame>(*result));
  return std::get<Frame>(*result);
}

std::string encoded(const frame& any) {
  std::vector<std::byte> memory(encoded_size(any));
  buffer_writer writer(memory);
  encode(any, writer);
  REQUIRE(writer.ok());
  CHECK(writer.size() == memory.size());
  return to_hex(writer.written());
}

/// Uniform over the sizes of encoding, so that each is met.
std::uint64_t any_varint(testkit::fake_random& random) {
  constexpr unsigned bits[]{6, 14, 30, 62};
  const unsigned width = bits[random.next() % 4];
  return random.next() & ((std::uint64_t{1} << width) - 1);
}

std::vector<std::byte> any_bytes(testkit::fake_random& random, std::size_t size) {
  std::vector<std::byte> value(size);
  random.fill(value);
  return value;
}

ack_frame any_ack(testkit::fake_random& random, std::vector<std::byte>& memory) {
  std::vector<ack_range> ranges;
  std::uint64_t next = any_varint(random);
  const std::size_t count = 1 + random.next() % 20;
  while (ranges.size() < count) {
    const std::uint64_t length = std::min(next, any_varint(random) >> (random.next() % 40));
    ranges.push_back({next - length, next});
    const std::uint64_t gap = random.next() % 100;
    if (next - length < gap + 2) break;
    next = next - length - gap - 2;
  }
  ack_content content{ranges, any_varint(random), std::nullopt};
  if (random.happens(0.5))
    content.ecn_counts = ecn_counts{any_varint(random), any_varint(random), any_varint(random)};
  memory.resize(1000);
  buffer_writer writer(memory);
  REQUIRE(encode_ack(content, writer) == ranges.size());
  memory.resize(writer.size());
  return decoded<ack_frame>(memory);
}

/// A frame of the variant's `index`-th type with values that the wire can carry; its views point
/// into `memory`.
frame any_frame(std::size_t index, testkit::fake_random& random, std::vector<std::byte>& memory) {
  memory = any_bytes(random, 1 + random.next() % 100);
  const auto number = [&random] { return any_varint(random); };
  const auto offset = [&random] { return any_varint(random) >> 1; };
  const auto streams = [&random] { return std::min(any_varint(random), max_streams_limit); };
  path_data path{};
  random.fill(path);
  switch (index) {
    case 0: return padding_frame{1 + random.next() % 2000};
    case 1: return ping_frame{};
    case 2: return any_ack(random, memory);
    case 3: return reset_stream_frame{number(), number(), number()};
    case 4: return stop_sending_frame{number(), number()};
    case 5: return crypto_frame{offset(), memory};
    case 6: return new_token_frame{memory};
    case 7: return stream_frame{number(), offset(), memory, random.happens(0.5)};
    case 8: return max_data_frame{number()};
    case 9: return max_stream_data_frame{number(), number()};
    case 10: return max_streams_frame{random.happens(0.5), streams()};
    case 11: return data_blocked_frame{number()};
    case 12: return stream_data_blocked_frame{number(), number()};
    case 13: return streams_blocked_frame{random.happens(0.5), streams()};
    case 14: {
      new_connection_id_frame issued;
      issued.sequence_number = number();
      issued.retire_prior_to = random.next() % (issued.sequence_number + 1);
      issued.connection_id = quic::connection_id(any_bytes(random, 1 + random.next() % 20));
      random.fill(issued.stateless_reset_token);
      return issued;
    }
    case 15: return retire_connection_id_frame{number()};
    case 16: return path_challenge_frame{path};
    case 17: return path_response_frame{path};
    case 18: {
      const bool application = random.happens(0.5);
      return connection_close_frame{application, number(), application ? 0 : number(), memory};
    }
    default: return handshake_done_frame{};
  }
}

void check_cut_short(const std::vector<std::byte>& whole, std::uint64_t type) {
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto cut = copy_of(bytes(whole).first(size));
    buffer_reader reader{bytes(cut)};
    const auto result = decode_frame(reader);
    INFO(to_hex(cut));
    REQUIRE_FALSE(result);
    CHECK(result.error().code == transport_error::frame_encoding_error);
    CHECK(result.error().frame_type == (size == 0 ? 0 : type));
    CHECK(*result.error().reason != '\0');
  }
}

}  // namespace

//= RFC 9000 section 12.4
//# a frame type MUST use the shortest possible encoding
TEST_CASE("frame: every type survives a round trip, and none survives being cut short",
          "[quic][wire][frame]") {
  testkit::fake_random random(20250101);
  static_assert(std::variant_size_v<frame> == 20);
  for (std::size_t index = 0; index < std::variant_size_v<frame>; ++index) {
    for (int repeat = 0; repeat < 60; ++repeat) {
      std::vector<std::byte> memory;
      const frame original = any_frame(index, random, memory);
      REQUIRE(original.index() == index);
      const std::string text = encoded(original);
      INFO(text);
      const auto octets = from_hex(text);
      buffer_reader reader{bytes(octets)};
      const auto again = decode_frame(reader);
      REQUIRE(again);
      CHECK(reader.empty());
      CHECK(again->index() == index);
      CHECK(type_of(*again) == std::to_integer<std::uint64_t>(octets.front()));
      CHECK(type_of(*again) == type_of(original));
      CHECK(encoded(*again) == text);
      if (index != 0) check_cut_short(octets, type_of(original));
    }
  }
}

TEST_CASE("frame: encoding into too little room fails and writes nothing beyond it",
          "[quic][wire][frame]") {
  testkit::fake_random random(7);
  for (std::size_t index = 0; index < std::variant_size_v<frame>; ++index) {
    std::vector<std::byte> memory;
    const frame original = any_frame(index, random, memory);
    for (std::size_t size = 0; size < encoded_size(original); ++size) {
      std::vector<std::byte> room(size);
      buffer_writer writer(room);
      encode(original, writer);
      CHECK_FALSE(writer.ok());
    }
  }
}

TEST_CASE("frame: decoding consumes one frame and leaves the next", "[quic][wire][frame]") {
  const auto octets = from_hex("01 1004 1e 0000 01");
  buffer_reader reader{bytes(octets)};
  CHECK(std::holds_alternative<ping_frame>(decode_frame(reader).value()));
  CHECK(std::get<max_data_frame>(decode_frame(reader).value()).maximum_data == 4);
  CHECK(std::holds_alternative<handshake_done_frame>(decode_frame(reader).value()));
  CHECK(std::get<padding_frame>(decode_frame(reader).value()).length == 2);
  CHECK(std::holds_alternative<ping_frame>(decode_frame(reader).value()));
  CHECK(reader.empty());
}

TEST_CASE("frame: a run of PADDING is one frame however long", "[quic][wire][frame]") {
  for (std::size_t length = 1; length < 70; ++length) {
    std::vector<std::byte> octets(length);
    CHECK(decoded<padding_frame>(octets).length == length);
    octets.push_back(std::byte{0x01});
    buffer_reader reader{bytes(octets)};
    CHECK(std::get<padding_frame>(decode_frame(reader).value()).length == length);
    CHECK(reader.remaining() == 1);
  }
}

// The layouts of section 19, written by hand.

TEST_CASE("frame: fields are where section 19 puts them", "[quic][wire][frame]") {
  const auto reset = decoded<reset_stream_frame>(from_hex("04 04 4102 80010000"));
  CHECK(reset.stream_id == 4);
  CHECK(reset.application_protocol_error_code == 0x102);
  CHECK(reset.final_size == 65536);

  const auto stop = decoded<stop_sending_frame>(from_hex("05 08 4103"));
  CHECK(stop.stream_id == 8);
  CHECK(stop.application_protocol_error_code == 0x103);

  const auto crypto_octets = from_hex("06 4400 03 aabbcc");
  const auto crypto = decoded<crypto_frame>(crypto_octets);
  CHECK(crypto.offset == 0x400);
  CHECK(to_hex(crypto.data) == "aabbcc");

  const auto token_octets = from_hex("07 02 1234");
  CHECK(to_hex(decoded<new_token_frame>(token_octets).token) == "1234");

  CHECK(decoded<max_data_frame>(from_hex("10 7fff")).maximum_data == 16383);

  const auto max_stream = decoded<max_stream_data_frame>(from_hex("11 05 4064"));
  CHECK(max_stream.stream_id == 5);
  CHECK(max_stream.maximum_stream_data == 100);

  CHECK(decoded<max_streams_frame>(from_hex("12 09")).bidirectional);
  CHECK_FALSE(decoded<max_streams_frame>(from_hex("13 09")).bidirectional);
  CHECK(decoded<max_streams_frame>(from_hex("13 09")).maximum_streams == 9);

  CHECK(decoded<data_blocked_frame>(from_hex("14 11")).maximum_data == 17);

  const auto stream_blocked = decoded<stream_data_blocked_frame>(from_hex("15 06 4065"));
  CHECK(stream_blocked.stream_id == 6);
  CHECK(stream_blocked.maximum_stream_data == 101);

  CHECK(decoded<streams_blocked_frame>(from_hex("16 0a")).bidirectional);
  CHECK_FALSE(decoded<streams_blocked_frame>(from_hex("17 0a")).bidirectional);
  CHECK(decoded<streams_blocked_frame>(from_hex("17 0a")).maximum_streams == 10);

  CHECK(decoded<retire_connection_id_frame>(from_hex("19 4100")).sequence_number == 256);
  CHECK(to_hex(decoded<path_challenge_frame>(from_hex("1a 0102030405060708")).data) ==
        "0102030405060708");
  CHECK(to_hex(decoded<path_response_frame>(from_hex("1b 0807060504030201")).data) ==
        "0807060504030201");
}

TEST_CASE("frame: NEW_CONNECTION_ID and CONNECTION_CLOSE fields are where section 19 puts them",
          "[quic][wire][frame]") {
  const auto issued = decoded<new_connection_id_frame>(
      from_hex("18 07 03 04 c0c1c2c3 000102030405060708090a0b0c0d0e0f"));
  CHECK(issued.sequence_number == 7);
  CHECK(issued.retire_prior_to == 3);
  CHECK(issued.connection_id.hex() == "c0c1c2c3");
  CHECK(to_hex(issued.stateless_reset_token) == "000102030405060708090a0b0c0d0e0f");

  const auto transport_octets = from_hex("1c 0a 18 02 6f6b");
  const auto transport_close = decoded<connection_close_frame>(transport_octets);
  CHECK_FALSE(transport_close.application);
  CHECK(transport_close.error_code == 0x0a);
  CHECK(transport_close.frame_type == 0x18);
  CHECK(transport::as_text(transport_close.reason_phrase) == "ok");

  const auto application_octets = from_hex("1d 4100 03 627965");
  const auto application_close = decoded<connection_close_frame>(application_octets);
  CHECK(application_close.application);
  CHECK(application_close.error_code == 0x100);
  CHECK(application_close.frame_type == 0);
  CHECK(transport::as_text(application_close.reason_phrase) == "bye");
}

TEST_CASE("frame: the eight types of STREAM differ by OFF, LEN and FIN", "[quic][wire][frame]") {
  for (unsigned flags = 0; flags < 8; ++flags) {
    std::string text = std::string("0") + "89abcdef"[flags] + "04";
    if (flags & 4) text += "4400";
    if (flags & 2) text += "02";
    const auto octets = from_hex(text + "aabb" + (flags & 2 ? "01" : ""));
    buffer_reader reader{bytes(octets)};
    const auto stream = std::get<stream_frame>(decode_frame(reader).value());
    INFO(text);
    CHECK(stream.stream_id == 4);
    CHECK(stream.offset == (flags & 4 ? 0x400 : 0));
    CHECK(to_hex(stream.data) == "aabb");
    CHECK(stream.fin == ((flags & 1) != 0));
    CHECK(reader.remaining() == (flags & 2 ? 1 : 0));
  }
}

TEST_CASE("frame: a STREAM header without length and the data behind it make a frame",
          "[quic][wire][frame]") {
  std::vector<std::byte> memory(32);
  for (const bool with_length : {false, true}) {
    const stream_header header{12, 70, with_length ? std::optional<std::uint64_t>(3) : std::nullopt,
                               true};
    buffer_writer writer(memory);
    encode_stream_header(header, writer);
    CHECK(writer.size() == stream_header_size(header));
    writer.put(from_hex("010203"));
    const auto octets = copy_of(writer.written());
    const auto stream = decoded<stream_frame>(octets);
    CHECK(stream.stream_id == 12);
    CHECK(stream.offset == 70);
    CHECK(stream.fin);
    CHECK(to_hex(stream.data) == "010203");
  }
}

TEST_CASE("frame: a CRYPTO header and the data behind it make a frame", "[quic][wire][frame]") {
  std::vector<std::byte> memory(32);
  buffer_writer writer(memory);
  encode_crypto_header(1000, 2, writer);
  CHECK(writer.size() == crypto_header_size(1000, 2));
  writer.put(from_hex("0102"));
  const auto octets = copy_of(writer.written());
  CHECK(decoded<crypto_frame>(octets).offset == 1000);
  CHECK(to_hex(decoded<crypto_frame>(octets).data) == "0102");
}

TEST_CASE("room_after_length: the most that fits beside its own length", "[quic][wire][frame]") {
  for (std::size_t space = 0; space < 20000; ++space) {
    const std::size_t room = room_after_length(space);
    if (space == 0) {
      CHECK(room == 0);
      continue;
    }
    const auto fits = [space](std::size_t size) {
      return transport::varint_size(size) + size <= space;
    };
    if (!fits(room) || fits(room + 1)) FAIL("space " << space << " room " << room);
  }
  CHECK(room_after_length(64) == 63);
  CHECK(room_after_length(65) == 63);
  CHECK(room_after_length(66) == 64);
}

TEST_CASE("frame: the frames of the sample packets decode", "[quic][wire][frame]") {
  // RFC 9001 appendix A.3: an ACK of packet 0, then CRYPTO.
  const auto octets = from_hex(
      "02000000000600405a020000560303ee fce7f7b37ba1d1632e96677825ddf739 "
      "88cfc79825df566dc5430b9a045a1200"
      "130100002e00330024001d00209d3c94 0d89690b84d08a60993c144eca684d10 "
      "81287c834d5311bcf32bb9da1a002b00 020304");
  buffer_reader reader{bytes(octets)};
  const auto ack = std::get<ack_frame>(decode_frame(reader).value());
  CHECK(ack.largest_acknowledged == 0);
  CHECK(ack.range_count == 0);
  const auto crypto = std::get<crypto_frame>(decode_frame(reader).value());
  CHECK(crypto.offset == 0);
  CHECK(crypto.data.size() == 90);
  CHECK(reader.empty());
}
