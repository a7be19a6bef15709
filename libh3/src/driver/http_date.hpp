// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace strata::h3 {
inline namespace v0 {
namespace detail {

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7), whatever the locale.
std::string format_http_date(std::chrono::sys_seconds time);

/// All three forms that section 5.6.7 asks recipients to read; the day's name is not checked.
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text);

}  // namespace detail
}  // namespace v0
}  // namespace strata::h3
