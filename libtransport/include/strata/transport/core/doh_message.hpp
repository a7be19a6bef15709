// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/http1_chunked.hpp"
#include "strata/transport/core/http1_head.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// DNS over HTTPS, RFC 8484: what both versions of HTTP share.
inline constexpr std::string_view doh_media_type = "application/dns-message";

/// The path of a GET: the query in base64url, without padding.
STRATA_TRANSPORT_API std::string doh_path(std::string_view path, bytes query);

/// The fields of a response that count.
struct doh_reply_fields {
  unsigned status = 0;
  std::string_view content_type{};
  std::string_view age{};
};

/// How long a cache has had the response; zero where it does not say. name_server_failed for any
/// status but 200, also redirections, which could lead to where nothing is encrypted;
/// protocol_error for content of another type.
STRATA_TRANSPORT_API result<std::chrono::seconds> judge_doh_reply(const doh_reply_fields&);

/// Where a request goes; a path with the query in it makes it a GET.
struct doh_request_line {
  std::string_view authority;
  std::string_view path;
};

/// Appends a request of HTTP/1.1: a GET when `query` is empty, because it is in the path, else a
/// POST. errc::invalid_argument when authority or path cannot stand in one.
STRATA_TRANSPORT_API result<void> append_doh_request(std::string& out, const doh_request_line& line,
                                                     bytes query);

/// Reads one response of HTTP/1.1 from bytes cut anywhere. Its content is bounded by
/// limits::max_dns_message.
class STRATA_TRANSPORT_API doh_reply_reader {
 public:
  doh_reply_reader() : head_(http1_head_parser::of_responses({})) {}

  /// Takes bytes up to the end of the response and says how many those are. Errors are those of
  /// judge_doh_reply(), message_too_large, and malformed for what is not HTTP; they are final.
  result<std::size_t> receive(bytes input);
  /// The connection ended. errc::truncated when more was to come.
  result<void> receive_end();

  bool is_done() const noexcept { return is_done_; }
  /// Complete when is_done().
  const std::vector<std::byte>& message() const noexcept { return message_; }
  std::chrono::seconds age() const noexcept { return age_; }
  /// Another request may follow on the connection.
  bool is_persistent() const noexcept { return is_done_ && head_.head().framing().persistent; }

 private:
  result<std::size_t> receive_head(bytes input);
  result<std::size_t> receive_content(bytes input);
  result<void> begin_content();
  result<void> append(bytes content);

  http1_head_parser head_;
  http1_chunked_decoder chunks_;
  std::uint64_t left_ = 0;  // of content with a length
  unsigned interim_ = 0;
  std::vector<std::byte> message_;
  std::chrono::seconds age_{0};
  bool is_done_ = false;
};

}  // namespace v0
}  // namespace strata::transport
