// SPDX-License-Identifier: Apache-2.0
#include "core/frame/settings_frame.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "core/frame/frame_type.hpp"
#include "core/frame/frame_writer.hpp"
#include "strata/h3/core/limits.hpp"
#include "strata/transport/core/buffer_reader.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {
namespace {

/// False: the value is not one this setting can have.
bool apply(settings& values, std::uint64_t id, std::uint64_t value) noexcept {
  switch (static_cast<setting_id>(id)) {
    case setting_id::qpack_max_table_capacity: values.qpack_max_table_capacity = value; return true;
    case setting_id::max_field_section_size: values.max_field_section_size = value; return true;
    case setting_id::qpack_blocked_streams: values.qpack_blocked_streams = value; return true;
    case setting_id::enable_connect_protocol:
      values.enable_connect_protocol = value == 1;
      return value <= 1;
    case setting_id::h3_datagram: values.datagrams = value == 1; return value <= 1;
  }
  //= RFC 9114 section 7.2.4.1
  //# Endpoints MUST NOT consider such settings to have any meaning upon receipt.
  return true;
}

/// SETTINGS of HTTP/2 that HTTP/3 has no use for: ENABLE_PUSH to MAX_FRAME_SIZE (RFC 9114
/// section 11.2.2).
constexpr bool is_http2_setting(std::uint64_t id) noexcept {
  return id == 0 || (id >= 2 && id <= 5);
}

}  // namespace

std::expected<settings, error_code> parse_settings(transport::bytes payload) {
  settings values;
  std::array<std::uint64_t, limits::max_settings_count> seen;
  std::size_t count = 0;
  transport::buffer_reader reader(payload);
  while (!reader.empty()) {
    const std::uint64_t id = reader.varint();
    const std::uint64_t value = reader.varint();
    if (!reader.ok()) return std::unexpected(error_code::frame_error);
    //= RFC 9114 section 7.2.4.1
    //# These
    //# reserved settings MUST NOT be sent, and their receipt MUST be treated as a
    //# connection error of type H3_SETTINGS_ERROR.
    if (is_http2_setting(id)) return std::unexpected(error_code::settings_error);
    //= RFC 9114 section 7.2.4
    //# The same setting identifier MUST NOT occur more than once in the SETTINGS frame.
    const std::span<const std::uint64_t> earlier(seen.data(), count);
    if (std::find(earlier.begin(), earlier.end(), id) != earlier.end())
      return std::unexpected(error_code::settings_error);
    if (count == seen.size()) return std::unexpected(error_code::excessive_load);
    seen[count++] = id;
    //= RFC 9114 section 7.2.4
    //# An implementation MUST ignore any parameter with an identifier it does
    //# not understand.
    if (!apply(values, id, value)) return std::unexpected(error_code::settings_error);
  }
  return values;
}

void append_settings_frame(std::vector<std::byte>& out, const settings& values,
                           std::uint64_t grease) {
  std::vector<std::byte> payload;
  const auto add = [&](std::uint64_t id, std::uint64_t value) {
    append_varint(payload, id);
    append_varint(payload, value);
  };
  const settings defaults;
  const auto add_changed = [&](setting_id id, std::uint64_t value, std::uint64_t initial) {
    if (value != initial) add(static_cast<std::uint64_t>(id), value);
  };
  //= RFC 9114 section 7.2.4.2
  //# The server MUST include all settings that differ from their default values.
  add_changed(setting_id::qpack_max_table_capacity, values.qpack_max_table_capacity,
              defaults.qpack_max_table_capacity);
  add_changed(setting_id::max_field_section_size, values.max_field_section_size,
              defaults.max_field_section_size);
  add_changed(setting_id::qpack_blocked_streams, values.qpack_blocked_streams,
              defaults.qpack_blocked_streams);
  add_changed(setting_id::enable_connect_protocol, values.enable_connect_protocol, 0);
  add_changed(setting_id::h3_datagram, values.datagrams, 0);
  //= RFC 9114 section 7.2.4.1
  //# Endpoints SHOULD include at
  //# least one such setting in their SETTINGS frame.
  add(grease_id(grease % 0x3fff'ffff), grease & 0x3fff);
  append_frame_header(out, frame_type::settings, payload.size());
  out.insert(out.end(), payload.begin(), payload.end());
}

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
