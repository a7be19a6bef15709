// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "strata/proxy/core/error.hpp"
#include "strata/proxy/core/user_table.hpp"
#include "strata/transport/core/http1_head.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// A whole response of the proxy itself. The connection ends behind it: what a client sends after
/// a request that was refused may have been meant for somebody else.
struct http_answer {
  std::uint16_t status = 0;
  std::string_view content{};
  std::string_view content_type = "text/plain";
  /// The request was a HEAD: the content is announced, not sent.
  bool head_only = false;
  std::span<const transport::http1_field> fields{};
};

/// False, and nothing appended, for a content type that is none.
bool append_http_answer(std::string& out, const http_answer& answer);
/// The status and the words for a refusal.
void append_http_refusal(std::string& out, refusal why, bool head_only);
/// 407 (RFC 9110 section 15.5.8).
void append_http_challenge(std::string& out, bool head_only);

/// What Proxy-Authorization says.
struct http_credentials_check {
  bool granted = false;
  bool wrong = false;  ///< Something was said, and not the password of anybody.
  std::string user{};
};
http_credentials_check check_http_credentials(const user_table* users,
                                              const transport::http1_head& head);

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
