// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "core/inbound/forwarded_body.hpp"
#include "strata/transport/core/http1_head.hpp"
#include "strata/transport/target.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// What is to become of a request.
struct forwarded_request {
  transport::target where{transport::address()};
  std::string head{};  ///< As the origin gets it.
  forwarded_body::form body = forwarded_body::form::plain;
  /// Max-Forwards ends here: the proxy answers in the origin's place (RFC 9110 section 7.6.2).
  bool is_for_proxy = false;
};

/// The request rewritten for its origin; or what is wrong with it, with a static text.
std::variant<forwarded_request, transport::http1_problem> forward_request(
    const transport::http1_head& head);

struct forwarded_response_options {
  bool to_http_1_0 = false;
  bool closes = false;  ///< The client's connection ends behind it.
};
/// Appends the response's head; how its body is to be written. Nothing when it can't be forwarded.
std::optional<forwarded_body::form> append_forwarded_response(
    std::string& out, const transport::http1_head& head, const forwarded_response_options& options);

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
