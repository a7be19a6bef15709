// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "strata/h3/export.hpp"

namespace strata::h3 {
inline namespace v0 {

/// Field names that have a number here, so that looking one up compares a byte: those of the QPACK
/// static table (RFC 9204 appendix A) and those that rules of HTTP name. Pseudo-header fields come
/// first.
enum class known_field : std::uint8_t {
  unknown,
  pseudo_authority,
  pseudo_method,
  pseudo_path,
  pseudo_protocol,
  pseudo_scheme,
  pseudo_status,
  accept,
  accept_encoding,
  accept_language,
  accept_ranges,
  access_control_allow_credentials,
  access_control_allow_headers,
  access_control_allow_methods,
  access_control_allow_origin,
  access_control_expose_headers,
  access_control_request_headers,
  access_control_request_method,
  age,
  allow,
  alt_svc,
  authorization,
  cache_control,
  connection,
  content_disposition,
  content_encoding,
  content_language,
  content_length,
  content_location,
  content_range,
  content_security_policy,
  content_type,
  cookie,
  date,
  early_data,
  etag,
  expect,
  expect_ct,
  forwarded,
  host,
  if_match,
  if_modified_since,
  if_none_match,
  if_range,
  if_unmodified_since,
  keep_alive,
  last_modified,
  link,
  location,
  origin,
  pragma,
  priority,
  proxy_authenticate,
  proxy_authorization,
  proxy_connection,
  purpose,
  range,
  referer,
  retry_after,
  server,
  set_cookie,
  strict_transport_security,
  te,
  timing_allow_origin,
  trailer,
  transfer_encoding,
  upgrade,
  upgrade_insecure_requests,
  user_agent,
  vary,
  via,
  www_authenticate,
  x_content_type_options,
  x_forwarded_for,
  x_forwarded_proto,
  x_frame_options,
  x_requested_with,
  x_xss_protection,
};

inline constexpr std::size_t known_field_count = 78;  ///< `unknown` included.

/// The name in lower case, ":path" style for pseudo-header fields; "" for `unknown`.
STRATA_H3_API std::string_view field_name(known_field id) noexcept;

/// The number of a name written in lower case, or `unknown`.
STRATA_H3_API known_field find_known_field(std::string_view name) noexcept;

constexpr bool is_pseudo_header(known_field id) noexcept {
  return id != known_field::unknown && id <= known_field::pseudo_status;
}

}  // namespace v0
}  // namespace strata::h3
