// SPDX-License-Identifier: Apache-2.0
#include "core/qpack/static_table.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core::qpack {
namespace {

using enum known_field;

constexpr std::array<static_entry, static_table_size> entries{{
    {pseudo_authority, ":authority", ""},
    {pseudo_path, ":path", "/"},
    {age, "age", "0"},
    {content_disposition, "content-disposition", ""},
    {content_length, "content-length", "0"},
    {cookie, "cookie", ""},
    {date, "date", ""},
    {etag, "etag", ""},
    {if_modified_since, "if-modified-since", ""},
    {if_none_match, "if-none-match", ""},
    {last_modified, "last-modified", ""},
    {link, "link", ""},
    {location, "location", ""},
    {referer, "referer", ""},
    {set_cookie, "set-cookie", ""},
    {pseudo_method, ":method", "CONNECT"},
    {pseudo_method, ":method", "DELETE"},
    {pseudo_method, ":method", "GET"},
    {pseudo_method, ":method", "HEAD"},
    {pseudo_method, ":method", "OPTIONS"},
    {pseudo_method, ":method", "POST"},
    {pseudo_method, ":method", "PUT"},
    {pseudo_scheme, ":scheme", "http"},
    {pseudo_scheme, ":scheme", "https"},
    {pseudo_status, ":status", "103"},
    {pseudo_status, ":status", "200"},
    {pseudo_status, ":status", "304"},
    {pseudo_status, ":status", "404"},
    {pseudo_status, ":status", "503"},
    {accept, "accept", "*/*"},
    {accept, "accept", "application/dns-message"},
    {accept_encoding, "accept-encoding", "gzip, deflate, br"},
    {accept_ranges, "accept-ranges", "bytes"},
    {access_control_allow_headers, "access-control-allow-headers", "cache-control"},
    {access_control_allow_headers, "access-control-allow-headers", "content-type"},
    {access_control_allow_origin, "access-control-allow-origin", "*"},
    {cache_control, "cache-control", "max-age=0"},
    {cache_control, "cache-control", "max-age=2592000"},
    {cache_control, "cache-control", "max-age=604800"},
    {cache_control, "cache-control", "no-cache"},
    {cache_control, "cache-control", "no-store"},
    {cache_control, "cache-control", "public, max-age=31536000"},
    {content_encoding, "content-encoding", "br"},
    {content_encoding, "content-encoding", "gzip"},
    {content_type, "content-type", "application/dns-message"},
    {content_type, "content-type", "application/javascript"},
    {content_type, "content-type", "application/json"},
    {content_type, "content-type", "application/x-www-form-urlencoded"},
    {content_type, "content-type", "image/gif"},
    {content_type, "content-type", "image/jpeg"},
    {content_type, "content-type", "image/png"},
    {content_type, "content-type", "text/css"},
    {content_type, "content-type", "text/html; charset=utf-8"},
    {content_type, "content-type", "text/plain"},
    {content_type, "content-type", "text/plain;charset=utf-8"},
    {range, "range", "bytes=0-"},
    {strict_transport_security, "strict-transport-security", "max-age=31536000"},
    {strict_transport_security, "strict-transport-security", "max-age=31536000; includesubdomains"},
    {strict_transport_security, "strict-transport-security",
     "max-age=31536000; includesubdomains; preload"},
    {vary, "vary", "accept-encoding"},
    {vary, "vary", "origin"},
    {x_content_type_options, "x-content-type-options", "nosniff"},
    {x_xss_protection, "x-xss-protection", "1; mode=block"},
    {pseudo_status, ":status", "100"},
    {pseudo_status, ":status", "204"},
    {pseudo_status, ":status", "206"},
    {pseudo_status, ":status", "302"},
    {pseudo_status, ":status", "400"},
    {pseudo_status, ":status", "403"},
    {pseudo_status, ":status", "421"},
    {pseudo_status, ":status", "425"},
    {pseudo_status, ":status", "500"},
    {accept_language, "accept-language", ""},
    {access_control_allow_credentials, "access-control-allow-credentials", "FALSE"},
    {access_control_allow_credentials, "access-control-allow-credentials", "TRUE"},
    {access_control_allow_headers, "access-control-allow-headers", "*"},
    {access_control_allow_methods, "access-control-allow-methods", "get"},
    {access_control_allow_methods, "access-control-allow-methods", "get, post, options"},
    {access_control_allow_methods, "access-control-allow-methods", "options"},
    {access_control_expose_headers, "access-control-expose-headers", "content-length"},
    {access_control_request_headers, "access-control-request-headers", "content-type"},
    {access_control_request_method, "access-control-request-method", "get"},
    {access_control_request_method, "access-control-request-method", "post"},
    {alt_svc, "alt-svc", "clear"},
    {authorization, "authorization", ""},
    {content_security_policy, "content-security-policy",
     "script-src 'none'; object-src 'none'; base-uri 'none'"},
    {early_data, "early-data", "1"},
    {expect_ct, "expect-ct", ""},
    {forwarded, "forwarded", ""},
    {if_range, "if-range", ""},
    {origin, "origin", ""},
    {purpose, "purpose", "prefetch"},
    {server, "server", ""},
    {timing_allow_origin, "timing-allow-origin", "*"},
    {upgrade_insecure_requests, "upgrade-insecure-requests", "1"},
    {user_agent, "user-agent", ""},
    {x_forwarded_for, "x-forwarded-for", ""},
    {x_frame_options, "x-frame-options", "deny"},
    {x_frame_options, "x-frame-options", "sameorigin"},
}};

constexpr std::uint8_t none = 0xff;

/// Per known name its first entry, and per entry the next of the same name: 99 entries fit a byte.
struct name_index {
  std::array<std::uint8_t, known_field_count> first{};
  std::array<std::uint8_t, static_table_size> next{};
};

constexpr name_index make_name_index() {
  name_index index;
  index.first.fill(none);
  index.next.fill(none);
  for (std::size_t i = static_table_size; i-- > 0;) {
    std::uint8_t& head = index.first[static_cast<std::size_t>(entries[i].id)];
    index.next[i] = head;
    head = static_cast<std::uint8_t>(i);
  }
  return index;
}

constexpr name_index by_name = make_name_index();

}  // namespace

const static_entry* static_entry_at(std::uint64_t index) noexcept {
  return index < entries.size() ? &entries[static_cast<std::size_t>(index)] : nullptr;
}

static_match find_static(known_field id, std::string_view value) noexcept {
  const std::uint8_t first = by_name.first[static_cast<std::size_t>(id)];
  if (id == unknown || first == none) return {};
  for (std::uint8_t i = first; i != none; i = by_name.next[i])
    if (entries[i].value == value) return {.kind = static_match::whole, .index = i};
  return {.kind = static_match::name, .index = first};
}

}  // namespace core::qpack
}  // namespace v0
}  // namespace strata::h3
