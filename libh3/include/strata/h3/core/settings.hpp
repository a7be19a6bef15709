// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::h3 {
inline namespace v0 {

/// What a peer says it accepts (RFC 9114 section 7.2.4.1, RFC 9204 section 5, RFC 9220, RFC 9297).
/// The initial values are what holds until its SETTINGS frame has come.
struct settings {
  static constexpr std::uint64_t unlimited = ~std::uint64_t{0};

  std::uint64_t qpack_max_table_capacity = 0;
  std::uint64_t qpack_blocked_streams = 0;
  std::uint64_t max_field_section_size = unlimited;
  bool enable_connect_protocol = false;  ///< Counts only when it comes from a server.
  bool datagrams = false;

  friend bool operator==(const settings&, const settings&) = default;
};

}  // namespace v0
}  // namespace strata::h3
