// SPDX-License-Identifier: Apache-2.0
#include "core/frame/settings_frame.hpp"

#include <catch2/catch_test_macros.hpp>

#include "core/frame/frame_type.hpp"
#include "core/frame/frame_writer.hpp"
#include "strata/h3/core/limits.hpp"
#include "strata/transport/core/buffer_reader.hpp"

using namespace strata::h3;
using namespace strata::h3::core;

namespace {

std::vector<std::byte> payload(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& values) {
  std::vector<std::byte> out;
  for (const auto& [id, value] : values) {
    append_varint(out, id);
    append_varint(out, value);
  }
  return out;
}

error_code error_of(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& values) {
  const auto parsed = parse_settings(payload(values));
  return parsed ? error_code::no_error : parsed.error();
}

}  // namespace

//= RFC 9114 section 7.2.4.2
//# The server MUST include all settings that differ from their default values.
TEST_CASE("settings: what is written is read back", "[h3][frame]") {
  const settings values{.qpack_max_table_capacity = 4096,
                        .qpack_blocked_streams = 16,
                        .max_field_section_size = 32768,
                        .enable_connect_protocol = true,
                        .datagrams = true};
  for (const std::uint64_t grease :
       {std::uint64_t{0}, std::uint64_t{12345}, (std::uint64_t{1} << 30) - 1}) {
    std::vector<std::byte> frame;
    append_settings_frame(frame, values, grease);
    strata::transport::buffer_reader reader(frame);
    CHECK(reader.varint() == 4);
    const auto content = reader.take_varint_prefixed();
    REQUIRE(reader.ok());
    CHECK(reader.empty());
    CHECK(parse_settings(content) == values);
  }
}

//= RFC 9114 section 7.2.4
//# An implementation MUST ignore any parameter with an identifier it does not understand.
//= RFC 9114 section 7.2.4.1
//# Endpoints MUST NOT consider such settings to have any meaning upon receipt.
TEST_CASE("settings: nothing said is the initial values, unknown identifiers are ignored",
          "[h3][frame]") {
  CHECK(parse_settings({}) == settings{});
  CHECK(parse_settings(payload({{grease_id(3), 99}, {0x2b603742, 1}, {0x3fffffffffffffff, 0}})) ==
        settings{});
  // The low 16 bits of 0x2b603742 are 0x3742, of this one 0x0001: identifiers have 62 bits.
  CHECK(parse_settings(payload({{0x2b600001, 77}})) == settings{});
}

//= RFC 9114 section 7.2.4.1
//= type=test
//# These
//# reserved settings MUST NOT be sent, and their receipt MUST be treated as a
//# connection error of type H3_SETTINGS_ERROR.
TEST_CASE("settings H12: identifiers of HTTP/2 are refused", "[h3][frame][attack][H12]") {
  for (const std::uint64_t id : {0u, 2u, 3u, 4u, 5u})
    CHECK(error_of({{id, 1}}) == error_code::settings_error);
  for (const std::uint64_t id : {1u, 6u, 7u, 8u})
    CHECK(error_of({{id, 1}}) == error_code::no_error);
}

TEST_CASE("settings H12: a repeated identifier is refused, known or not",
          "[h3][frame][attack][H12]") {
  CHECK(error_of({{1, 5}, {1, 5}}) == error_code::settings_error);
  CHECK(error_of({{0x77, 5}, {6, 1}, {0x77, 6}}) == error_code::settings_error);
}

TEST_CASE("settings: booleans are 0 or 1", "[h3][frame]") {
  for (const std::uint64_t id : {0x08u, 0x33u}) {
    CHECK(error_of({{id, 0}}) == error_code::no_error);
    CHECK(error_of({{id, 1}}) == error_code::no_error);
    CHECK(error_of({{id, 2}}) == error_code::settings_error);
  }
}

TEST_CASE("settings: 63 and 64 parameters are read, 65 are not", "[h3][frame]") {
  for (const std::size_t count : {limits::max_settings_count - 1, limits::max_settings_count,
                                  limits::max_settings_count + 1}) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> values;
    for (std::size_t i = 0; i < count; ++i) values.emplace_back(1000 + i, 0);
    CHECK(error_of(values) == (count <= limits::max_settings_count ? error_code::no_error
                                                                   : error_code::excessive_load));
  }
}

TEST_CASE("settings: every truncation inside a parameter is a frame error", "[h3][frame]") {
  const auto whole = payload({{0x2b603742, 1 << 20}});
  for (std::size_t cut = 1; cut < whole.size(); ++cut)
    CHECK(parse_settings(strata::transport::bytes(whole).first(cut)) ==
          std::unexpected(error_code::frame_error));
}
