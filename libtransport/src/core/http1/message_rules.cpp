// SPDX-License-Identifier: Apache-2.0
#include "core/http1/message_rules.hpp"

#include "core/http1/problems.hpp"
#include "core/http1/syntax.hpp"
#include "core/http1/target.hpp"

namespace strata::transport {
inline namespace v0 {
namespace http1 {

/// The granted CONNECT has neither content nor coding, whatever its fields say (RFC 9110 section
/// 9.3.6): a reader who believed them would take the first bytes of the tunnel for a body.
bool message_rules::is_tunnel() const noexcept {
  if (about_.kind == http1_kind::request) return about_.method == "CONNECT";
  return about_.status == 101 ||
         (about_.answered.connect && about_.status >= 200 && about_.status < 300);
}

const http1_problem* message_rules::add(const http1_field& field) {
  switch (field.name.size()) {
    case 4: return equal_ignoring_case(field.name, "host") ? add_host(field.value) : nullptr;
    case 10:
      return equal_ignoring_case(field.name, "connection") ? add_connection(field.value) : nullptr;
    case 14:
      return equal_ignoring_case(field.name, "content-length") ? add_content_length(field.value)
                                                               : nullptr;
    case 17:
      return equal_ignoring_case(field.name, "transfer-encoding")
                 ? add_transfer_encoding(field.value)
                 : nullptr;
    default: return nullptr;
  }
}

/// Digits, once. A list of equal numbers might be taken for one (RFC 9110 section 8.6); that is not
/// done here, since the next reader may not do it.
const http1_problem* message_rules::add_content_length(std::string_view value) noexcept {
  if (is_tunnel()) return nullptr;
  if (content_length_) return &problems::repeated_content_length;
  content_length_ = parse_decimal(value, limits::max_http1_content_length);
  return content_length_ ? nullptr : &problems::bad_content_length;
}

/// "chunked", once and alone: another coding would have to be undone here, and a list that only
/// some readers understand, or an empty element in it, is how they come to disagree.
const http1_problem* message_rules::add_transfer_encoding(std::string_view value) noexcept {
  if (is_tunnel()) return nullptr;
  if (has_transfer_encoding_) return &problems::repeated_transfer_encoding;
  has_transfer_encoding_ = true;
  return equal_ignoring_case(value, "chunked") ? nullptr : &problems::unknown_transfer_encoding;
}

const http1_problem* message_rules::add_host(std::string_view value) {
  if (about_.kind == http1_kind::response) return nullptr;
  if (has_host_) return &problems::repeated_host;
  has_host_ = true;
  return value.empty() || parse_authority(value) ? nullptr : &problems::bad_host;
}

const http1_problem* message_rules::add_connection(std::string_view value) noexcept {
  list_reader options(value);
  for (std::string_view option; options.next(option);) {
    if (option.empty()) continue;
    if (!is_token(option)) return &problems::bad_connection;
    if (++connection_options_ > limits::max_http1_connection_options)
      return &problems::many_connection_options;
    close_ = close_ || equal_ignoring_case(option, "close");
  }
  return nullptr;
}

const http1_problem* message_rules::finish(http1_framing& framing) const {
  framing = {};
  // What an interim response says of the connection holds after the final one, which still comes.
  const bool interim = about_.kind == http1_kind::response && about_.status < 200;
  framing.persistent = interim || (about_.version == http1_version::v1_1 && !close_);
  return about_.kind == http1_kind::request ? finish_request(framing) : finish_response(framing);
}

const http1_problem* message_rules::finish_request(http1_framing& framing) const noexcept {
  if (about_.version == http1_version::v1_1 && !has_host_) return &problems::no_host;
  if (!is_tunnel()) return frame_by_fields(framing, http1_body::none);
  framing.body = http1_body::tunnel;
  framing.persistent = false;
  return nullptr;
}

const http1_problem* message_rules::finish_response(http1_framing& framing) const noexcept {
  const std::uint16_t status = about_.status;
  // A switch that nobody asked for would make the next response a tunnel (RFC 9110 section 7.8).
  if (status == 101 && (!about_.answered.upgrade || about_.answered.connect))
    return &problems::unasked_switch;
  if (is_tunnel()) {
    framing.body = http1_body::tunnel;
    framing.persistent = false;
    return nullptr;
  }
  const bool never_a_body = status < 200 || status == 204;
  // RFC 9112 section 6.1 forbids it, and readers that believed it would wait for chunks.
  if (never_a_body && has_transfer_encoding_) return &problems::unexpected_transfer_encoding;
  if (const auto* problem = frame_by_fields(framing, http1_body::until_close)) return problem;
  if (never_a_body || status == 304 || about_.answered.head) {
    framing.body = http1_body::none;
    framing.length = 0;
  }
  if (framing.body == http1_body::until_close) framing.persistent = false;
  return nullptr;
}

/// RFC 9112 section 6.3 lets Transfer-Encoding win over Content-Length, and says that the message
/// is probably an attack. Here it is one.
const http1_problem* message_rules::frame_by_fields(http1_framing& framing,
                                                    http1_body otherwise) const noexcept {
  if (has_transfer_encoding_ && content_length_) return &problems::two_framings;
  if (has_transfer_encoding_ && about_.version == http1_version::v1_0)
    return &problems::coding_before_1_1;
  framing.body = has_transfer_encoding_ ? http1_body::chunked
                 : content_length_      ? http1_body::length
                                        : otherwise;
  framing.length = content_length_.value_or(0);
  return nullptr;
}

}  // namespace http1
}  // namespace v0
}  // namespace strata::transport
