// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <vector>

#include "strata/h3/core/error.hpp"
#include "strata/h3/core/settings.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

/// Setting identifiers as they stand on the wire.
enum class setting_id : std::uint64_t {
  qpack_max_table_capacity = 0x01,
  max_field_section_size = 0x06,
  qpack_blocked_streams = 0x07,
  enable_connect_protocol = 0x08,  ///< RFC 9220
  h3_datagram = 0x33,              ///< RFC 9297
};

/// Parses the payload of a SETTINGS frame; the error is the code of the connection error.
std::expected<settings, error_code> parse_settings(transport::bytes payload);

/// Appends the whole frame: every value that is not the default, and one reserved setting made of
/// `grease`.
void append_settings_frame(std::vector<std::byte>& out, const settings& values,
                           std::uint64_t grease);

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
