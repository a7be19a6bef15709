// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <system_error>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/http1_head.hpp"

/// Every reason to refuse a message, with the status that a server answers it with.
namespace strata::transport {
inline namespace v0 {
namespace http1::problems {

inline constexpr http1_problem bad_line_end{400, "a line that does not end in CR LF"};
inline constexpr http1_problem bad_request_line{400, "a request line of another shape"};
inline constexpr http1_problem bad_method{400, "a method that is no token"};
inline constexpr http1_problem bad_target{400, "a request target that this method does not have"};
inline constexpr http1_problem bad_version{400, "an HTTP version of another shape"};
inline constexpr http1_problem other_version{505, "an HTTP version that is not 1.0 or 1.1"};
inline constexpr http1_problem bad_status_line{400, "a status line of another shape"};
inline constexpr http1_problem folded_line{400, "a field line that begins with a blank"};
inline constexpr http1_problem bad_field_name{400, "a field name that is no token"};
inline constexpr http1_problem bad_field_value{400, "a field value with control characters"};
inline constexpr http1_problem long_head{431, "a head that is too large"};
inline constexpr http1_problem long_target{414, "a request line that is too long"};
inline constexpr http1_problem many_fields{431, "too many field lines"};
inline constexpr http1_problem repeated_content_length{400, "Content-Length twice"};
inline constexpr http1_problem bad_content_length{400, "a Content-Length that is no number"};
inline constexpr http1_problem repeated_transfer_encoding{400, "Transfer-Encoding twice"};
inline constexpr http1_problem unknown_transfer_encoding{501, "a Transfer-Encoding but chunked"};
inline constexpr http1_problem unexpected_transfer_encoding{
    400, "Transfer-Encoding in a response that has no content"};
inline constexpr http1_problem two_framings{400, "Transfer-Encoding beside Content-Length"};
inline constexpr http1_problem coding_before_1_1{400, "Transfer-Encoding in HTTP/1.0"};
inline constexpr http1_problem no_host{400, "no Host"};
inline constexpr http1_problem repeated_host{400, "Host twice"};
inline constexpr http1_problem bad_host{400, "a Host that is no host"};
inline constexpr http1_problem bad_connection{400, "a Connection option that is no token"};
inline constexpr http1_problem many_connection_options{431, "too many Connection options"};
inline constexpr http1_problem unasked_switch{400, "a switch of protocols that nobody asked for"};

inline constexpr http1_problem bad_chunk_size{400, "a chunk size that is no number"};
inline constexpr http1_problem bad_chunk_extension{
    400, "a chunk extension with control characters, or an open quote"};
inline constexpr http1_problem long_chunk_extension{400, "too much chunk extension"};
inline constexpr http1_problem bad_chunk_end{400, "a chunk that does not end in CR LF"};
inline constexpr http1_problem long_trailer{431, "a trailer section that is too large"};

inline std::error_code code_of(const http1_problem& problem) noexcept {
  switch (problem.status) {
    case 414:
    case 431: return errc::limit_exceeded;
    case 501:
    case 505: return errc::not_supported;
    default: return &problem == &long_chunk_extension ? errc::limit_exceeded : errc::malformed;
  }
}

}  // namespace http1::problems
}  // namespace v0
}  // namespace strata::transport
