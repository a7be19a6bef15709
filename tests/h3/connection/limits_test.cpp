// SPDX-License-Identifier: Apache-2.0
// Limits of limits.hpp that no other file has at the limit, one below and one above.
#include "strata/h3/core/limits.hpp"

#include <catch2/catch_test_macros.hpp>

#include "core/connection/request_table.hpp"
#include "harness.hpp"
#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/error.hpp"

using namespace strata::h3;
using namespace strata::h3::test;
namespace limits = strata::h3::core::limits;

namespace {

byte_vector set_capacity(std::uint64_t capacity) {
  byte_vector out(core::qpack::max_prefix_integer_size);
  const std::byte* end = core::qpack::write_prefix_integer(out.data(), 0x20, 5, capacity);
  out.resize(static_cast<std::size_t>(end - out.data()));
  return out;
}

/// SETTINGS_QPACK_MAX_TABLE_CAPACITY as a server of this configuration sends it.
std::uint64_t announced(std::uint64_t capacity) {
  harness server({.role = role::server, .qpack_table_capacity = capacity});
  strata::transport::buffer_reader reader(server.streams[server.control].written);
  REQUIRE(reader.varint() == 0);     // the stream's type
  REQUIRE(reader.varint() == 0x04);  // SETTINGS
  return core::parse_settings(reader.take_varint_prefixed()).value().qpack_max_table_capacity;
}

}  // namespace

TEST_CASE("limits: a QPACK table of 4095 and 4096 bytes may be had, of 4097 not",
          "[h3][connection][limits]") {
  for (const std::uint64_t size : {limits::qpack_table_capacity - 1, limits::qpack_table_capacity,
                                   limits::qpack_table_capacity + 1}) {
    harness server = harness::server();
    server.feed(6, varint(2) + set_capacity(size));
    CHECK(server.closed_with() ==
          (size > limits::qpack_table_capacity ? "QPACK_ENCODER_STREAM_ERROR" : ""));
  }
}

TEST_CASE("limits: an application may ask for a table of a mebibyte and gets no more",
          "[h3][connection][limits]") {
  constexpr std::uint64_t most = limits::max_qpack_table_capacity;
  CHECK(announced(most - 1) == most - 1);
  CHECK(announced(most) == most);
  CHECK(announced(most + 1) == most);
}

TEST_CASE("limits: GOAWAY of 8 bytes is read, of 7 and of 9 refused", "[h3][connection][limits]") {
  for (const std::size_t size :
       {limits::max_varint_frame_payload - 1, limits::max_varint_frame_payload,
        limits::max_varint_frame_payload + 1}) {
    harness server = harness::server();
    byte_vector payload(size);
    payload[0] = std::byte{0xc0};
    server.feed(2, varint(0) + settings_frame() + frame(frame_type::goaway, payload));
    CHECK(server.closed_with() ==
          (size == limits::max_varint_frame_payload ? "" : "H3_FRAME_ERROR"));
  }
}

TEST_CASE("limits: 1023 and 1024 requests may be open, the next is rejected",
          "[h3][connection][limits]") {
  harness server = harness::server();
  for (std::uint64_t i = 0; i < limits::max_requests; ++i) server.feed(4 * i, headers(get_lines));
  CHECK(server.core.request_count() == limits::max_requests);
  CHECK(server.commands.empty());
  const std::uint64_t beyond = 4 * limits::max_requests;
  server.feed(beyond, headers(get_lines));
  CHECK(server.core.request_count() == limits::max_requests);
  CHECK(server.commands.starts_with("reset " + std::to_string(beyond) + " H3_REQUEST_REJECTED"));
}

TEST_CASE("limits: content in 15 and 16 pieces is taken, in 17 refused",
          "[h3][connection][limits]") {
  for (const std::size_t count :
       {limits::max_body_pieces - 1, limits::max_body_pieces, limits::max_body_pieces + 1}) {
    harness server = harness::server();
    server.feed(0, headers(get_lines), true);
    auto request = server.core.request(0);
    REQUIRE(request.send_headers(ok_lines, false));
    const byte_vector one(1, std::byte{'x'});
    const std::vector<bytes> pieces(count, bytes(one));
    const auto taken = request.send_body(pieces, true);
    if (count <= limits::max_body_pieces) {
      CHECK(taken.value() == count);
    } else {
      REQUIRE(!taken);
      CHECK(taken.error() == strata::transport::errc::invalid_argument);
    }
    server.flush();
  }
}

TEST_CASE("limits: a cookie of 19 bytes is never indexed, of 20 and 21 it may be",
          "[h3][connection][limits]") {
  for (const std::size_t size :
       {limits::never_indexed_cookie_size - 1, limits::never_indexed_cookie_size,
        limits::never_indexed_cookie_size + 1}) {
    const std::string value(size, 'c');
    CHECK(core::qpack::is_never_indexed({"cookie", value, known_field::cookie, false}) ==
          (size < limits::never_indexed_cookie_size));
  }
}

TEST_CASE("limits: 31 and 32 finished requests leave their slots, 33 leave one fewer",
          "[h3][connection][limits]") {
  for (const std::size_t count : {limits::max_pooled_requests - 1, limits::max_pooled_requests,
                                  limits::max_pooled_requests + 1}) {
    core::request_table table;
    std::vector<core::request_stream*> made;
    for (std::uint64_t i = 0; i < count; ++i) {
      made.push_back(&table.insert(4 * i));
      made.back()->unsent.reserve(1000);
    }
    for (core::request_stream* each : made) table.erase(*each);
    // A slot that was kept still has its memory.
    std::size_t kept = 0;
    for (std::uint64_t i = 0; i < count; ++i)
      kept += table.insert(4 * (count + i)).unsent.capacity() >= 1000;
    CHECK(kept == std::min(count, limits::max_pooled_requests));
  }
}
