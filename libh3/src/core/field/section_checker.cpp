// SPDX-License-Identifier: Apache-2.0
#include "core/field/section_checker.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace strata::h3 {
inline namespace v0 {
namespace core {
namespace {

using octet_set = std::array<bool, 256>;

constexpr octet_set set_of(std::string_view letters, bool lower, bool upper, bool digits) {
  octet_set set{};
  for (const char c : letters) set[static_cast<unsigned char>(c)] = true;
  for (unsigned i = 0; i < 26; ++i) {
    set['a' + i] = lower;
    set['A' + i] = upper;
  }
  for (unsigned i = 0; i < 10; ++i) set['0' + i] = digits;
  return set;
}

constexpr std::string_view token_marks = "!#$%&'*+-.^_`|~";
constexpr octet_set method_octets = set_of(token_marks, true, true, true);
constexpr octet_set name_octets = set_of(token_marks, true, false, true);
constexpr octet_set scheme_octets = set_of("+-.", true, true, true);
// RFC 3986: unreserved, sub-delims, percent, colon and brackets; no userinfo, whose '@' hides the
// true host from a reader.
constexpr octet_set authority_octets = set_of("-._~%!$&'()*+,;=:[]", true, true, true);

bool all_in(std::string_view text, const octet_set& set) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return set[static_cast<unsigned char>(c)]; });
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

/// Whether any byte is a control (below 0x20 or 0x7f), eight bytes at a time. HTAB counts: the
/// caller looks closer.
bool has_control(std::string_view text) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t highs = 0x8080808080808080;
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    const std::uint64_t below_space = (word - ones * 0x20) & ~word;
    const std::uint64_t del = word ^ ones * 0x7f;
    if (((below_space | ((del - ones) & ~del)) & highs) != 0) return true;
  }
  return std::any_of(at, at + left,
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

//= RFC 9114 section 10.3
//# Any request or
//# response that contains a character not permitted in a field value MUST be
//# treated as malformed.
bool is_field_value(std::string_view value) noexcept {
  if (value.empty()) return true;
  if (is_blank(value.front()) || is_blank(value.back())) return false;
  if (!has_control(value)) return true;
  return std::none_of(value.begin(), value.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

/// host:port with a port of 1 to 65535, as CONNECT needs.
bool has_port(std::string_view authority) noexcept {
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view port = authority.substr(colon + 1);
  if (port.empty() || port.size() > 5 || !std::all_of(port.begin(), port.end(), is_digit))
    return false;
  std::uint32_t number = 0;
  for (const char c : port) number = 10 * number + static_cast<std::uint32_t>(c - '0');
  return number >= 1 && number <= 65535;
}

bool is_path(std::string_view path) noexcept {
  return std::none_of(path.begin(), path.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '#';
  });
}

}  // namespace

const char* section_checker::check(const field_line& line) noexcept {
  if (line.name.empty()) return "empty field name";
  known_field id = line.id;
  if (id == known_field::unknown) id = find_known_field(line.name);
  if (line.name.front() == ':') return check_pseudo(line, id);
  regular_begun_ = true;
  //= RFC 9114 section 4.2
  //# A request or response containing uppercase characters in field
  //# names MUST be treated as malformed.
  //= RFC 9114 section 10.3
  //# Requests or
  //# responses containing invalid field names MUST be treated as malformed.
  if (id == known_field::unknown && !all_in(line.name, name_octets)) return "invalid field name";
  if (!is_field_value(line.value)) return "invalid field value";
  return id == known_field::unknown ? nullptr : check_known(line, id);
}

const char* section_checker::check_pseudo(const field_line& line, known_field id) noexcept {
  //= RFC 9114 section 4.3
  //# Pseudo-header fields MUST NOT appear in trailer sections.
  if (kind_ == section_kind::trailers) return "pseudo-header field in trailers";
  //= RFC 9114 section 4.3
  //# Any request or response that contains a pseudo-header field that
  //# appears in a header section after a regular header field MUST be treated as
  //# malformed.
  //= RFC 9114 section 4.3
  //# All pseudo-header fields MUST appear in the header section before regular header fields.
  if (regular_begun_) return "pseudo-header field after a regular field";
  //= RFC 9114 section 4.3
  //# Endpoints MUST treat a
  //# request or response that contains undefined or invalid pseudo-header fields as
  //# malformed.
  if (!is_pseudo_header(id)) return "undefined pseudo-header field";
  if (seen(id)) return "repeated pseudo-header field";
  seen_ |= 1u << static_cast<unsigned>(id);
  const bool is_status = id == known_field::pseudo_status;
  //= RFC 9114 section 4.3
  //# Pseudo-header fields defined for requests MUST NOT appear in responses; pseudo-header fields
  //# defined for responses MUST NOT appear in requests.
  if (is_status != (kind_ == section_kind::response))
    return "pseudo-header field of the other direction";
  return is_status ? check_status(line.value) : check_request_pseudo(line.value, id);
}

const char* section_checker::check_status(std::string_view value) noexcept {
  if (value.size() != 3 || !std::all_of(value.begin(), value.end(), is_digit) || value[0] == '0')
    return "invalid :status";
  status_ =
      static_cast<std::uint16_t>((value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0'));
  // RFC 9114 section 4.5: HTTP/3 has no 101 (Switching Protocols).
  return status_ == 101 ? ":status 101" : nullptr;
}

const char* section_checker::check_request_pseudo(std::string_view value, known_field id) noexcept {
  switch (id) {
    case known_field::pseudo_method:
      method_ = value;
      return value.empty() || !all_in(value, method_octets) ? "invalid :method" : nullptr;
    case known_field::pseudo_scheme:
      scheme_ = value;
      return value.empty() || !all_in(value, scheme_octets) || is_digit(value.front())
                 ? "invalid :scheme"
                 : nullptr;
    case known_field::pseudo_authority:
      authority_ = value;
      //= RFC 9114 section 4.3.1
      //# The authority MUST NOT include the deprecated userinfo
      //# subcomponent for URIs of scheme "http" or "https".
      return value.empty() || !all_in(value, authority_octets) ? "invalid :authority" : nullptr;
    case known_field::pseudo_path: path_ = value; return is_path(value) ? nullptr : "invalid :path";
    case known_field::pseudo_protocol:
      if (!extended_connect_) return ":protocol that was not negotiated";
      return value.empty() || !all_in(value, method_octets) ? "invalid :protocol" : nullptr;
    default: return "undefined pseudo-header field";
  }
}

const char* section_checker::check_known(const field_line& line, known_field id) noexcept {
  switch (id) {
    //= RFC 9114 section 4.2
    //# any message containing connection-specific fields
    //# MUST be treated as malformed.
    //= RFC 9114 section 4.1
    //# the Transfer-Encoding header field MUST NOT be used
    case known_field::connection:
    case known_field::keep_alive:
    case known_field::proxy_connection:
    case known_field::transfer_encoding:
    case known_field::upgrade: return "connection-specific field";
    //= RFC 9114 section 4.2
    //# The only exception to this is the TE header field, which MAY be present in an
    //# HTTP/3 request header; when it is, it MUST NOT contain any value other than
    //# "trailers".
    case known_field::te:
      return kind_ == section_kind::request && line.value == "trailers" ? nullptr : "invalid te";
    case known_field::content_length: return check_content_length(line.value);
    case known_field::host:
      if (kind_ == section_kind::trailers) return "host in trailers";
      if (kind_ == section_kind::response) return nullptr;
      if (has_host_) return "repeated host";
      has_host_ = true;
      host_ = line.value;
      return all_in(line.value, authority_octets) ? nullptr : "invalid host";
    default: return nullptr;
  }
}

/// Digits only, once: a list, a sign or a second line is how one receiver is made to see another
/// length than the next.
const char* section_checker::check_content_length(std::string_view value) noexcept {
  if (kind_ == section_kind::trailers) return "content-length in trailers";
  if (content_length_) return "repeated content-length";
  if (value.empty() || value.size() > 18 || !std::all_of(value.begin(), value.end(), is_digit))
    return "invalid content-length";
  std::uint64_t length = 0;
  for (const char c : value) length = 10 * length + static_cast<std::uint64_t>(c - '0');
  content_length_ = length;
  return nullptr;
}

const char* section_checker::finish() noexcept {
  switch (kind_) {
    case section_kind::trailers: return nullptr;
    //= RFC 9114 section 4.3.2
    //# This pseudo-header
    //# field MUST be included in all responses; otherwise, the response is malformed
    case section_kind::response: return status_ == 0 ? "no :status" : nullptr;
    case section_kind::request: return finish_request();
  }
  return nullptr;
}

const char* section_checker::finish_request() const noexcept {
  if (!seen(known_field::pseudo_method)) return "no :method";
  if (seen(known_field::pseudo_protocol) && !is_connect()) return ":protocol without CONNECT";
  //= RFC 9114 section 4.3.1
  //# If both fields are present, they
  //# MUST contain the same value.
  if (has_host_ && seen(known_field::pseudo_authority) && !equal_ignoring_case(host_, authority_))
    return "host differs from :authority";
  if (is_plain_connect()) return finish_connect();
  //= RFC 9114 section 4.3.1
  //# All HTTP/3 requests MUST include exactly one value for the :method, :scheme,
  //# and :path pseudo-header fields, unless the request is a CONNECT request;
  if (!seen(known_field::pseudo_scheme)) return "no :scheme";
  if (!seen(known_field::pseudo_path)) return "no :path";
  if (is_connect() && !seen(known_field::pseudo_authority)) return "no :authority";
  if (!equal_ignoring_case(scheme_, "https") && !equal_ignoring_case(scheme_, "http"))
    return nullptr;
  //= RFC 9114 section 4.3.1
  //# If the :scheme pseudo-header field identifies a scheme that has a mandatory
  //# authority component (including "http" and "https"), the request MUST contain
  //# either an :authority pseudo-header field or a Host header field.  If these
  //# fields are present, they MUST NOT be empty.
  if (!seen(known_field::pseudo_authority) && !has_host_) return "neither :authority nor host";
  if (has_host_ && host_.empty()) return "empty host";
  //= RFC 9114 section 4.3.1
  //# This pseudo-header field MUST NOT be empty for "http" or "https" URIs;
  const bool is_asterisk = path_ == "*" && method_ == "OPTIONS";
  return path_.starts_with('/') || is_asterisk ? nullptr : ":path that does not begin with a slash";
}

//= RFC 9114 section 4.4
//# A CONNECT request MUST be constructed as follows:
const char* section_checker::finish_connect() const noexcept {
  //= RFC 9114 section 4.4
  //# The :scheme and :path pseudo-header fields are omitted
  if (seen(known_field::pseudo_scheme) || seen(known_field::pseudo_path))
    return "CONNECT with :scheme or :path";
  return has_port(authority_) ? nullptr : "CONNECT without host and port";
}

const char* section_checker::check_all(const field_section& section) noexcept {
  for (const field_line line : section)
    if (const char* reason = check(line)) return reason;
  return finish();
}

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
