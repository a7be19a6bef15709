// SPDX-License-Identifier: Apache-2.0
#include "core/http1/message_rules.hpp"
#include "core/http1/syntax.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/http1_head.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// Checked here and not only where the values come from: a CR LF in one of them would be a field,
/// or a message, of somebody else's making.
bool may_write(const http1::message& about, std::span<const http1_field> fields) {
  http1::message_rules rules(about);
  http1_framing framing;
  for (const http1_field& field : fields) {
    if (!http1::is_token(field.name) || !http1::is_field_value(field.value)) return false;
    if (rules.add(field) != nullptr) return false;
  }
  return rules.finish(framing) == nullptr;
}

void append_fields(std::string& out, std::span<const http1_field> fields) {
  for (const http1_field& field : fields) {
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  out.append("\r\n");
}

std::unexpected<std::error_code> refuse() {
  return std::unexpected(make_error_code(errc::invalid_argument));
}

}  // namespace

result<void> append_http1_request(std::string& out, std::string_view method,
                                  std::string_view target, std::span<const http1_field> fields) {
  http1::message about;
  about.method = method;
  if (!http1::is_token(method) || !parse_http1_target(method, target) || !may_write(about, fields))
    return refuse();
  out.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
  append_fields(out, fields);
  return {};
}

result<void> append_http1_response(std::string& out, std::uint16_t status, std::string_view reason,
                                   std::span<const http1_field> fields) {
  http1::message about;
  about.kind = http1_kind::response;
  about.status = status;
  about.answered.upgrade = true;
  if (status < 100 || status > 999 || !http1::is_field_text(reason) || !may_write(about, fields))
    return refuse();
  out.append("HTTP/1.1 ").append(std::to_string(status)).append(" ").append(reason).append("\r\n");
  append_fields(out, fields);
  return {};
}

}  // namespace v0
}  // namespace strata::transport
