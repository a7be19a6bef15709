// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/limits.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

enum class http1_kind : std::uint8_t { request, response };
enum class http1_version : std::uint8_t { v1_0, v1_1 };

/// What follows a head (RFC 9112 section 6.3).
enum class http1_body : std::uint8_t {
  none,
  length,       ///< As many bytes as http1_framing::length says.
  chunked,      ///< What http1_chunked_decoder reads.
  until_close,  ///< All bytes until the carrier ends; of a response only.
  /// Not HTTP: the bytes of a tunnel, once a CONNECT is granted or a protocol was switched (101).
  /// After a CONNECT that is refused nothing more may be read from the connection.
  tunnel,
};

struct http1_framing {
  http1_body body = http1_body::none;
  std::uint64_t length = 0;
  /// Another message may follow on the connection; after an interim response (1xx but 101) one
  /// does. Never after a request or a final response of HTTP/1.0, whose keep-alive intermediaries
  /// have forwarded blindly.
  bool persistent = false;

  friend bool operator==(const http1_framing&, const http1_framing&) = default;
};

/// Why a head was refused: the status that a server answers it with, and a static text.
struct http1_problem {
  std::uint16_t status;
  const char* text;
};

struct http1_field {
  std::string_view name;
  std::string_view value;
};

/// The four forms of RFC 9112 section 3.2.
enum class http1_target_form : std::uint8_t { origin, absolute, authority, asterisk };

/// A request target taken apart; the views point into what was parsed.
struct http1_target {
  http1_target_form form = http1_target_form::origin;
  std::string_view scheme;  ///< Of the absolute form.
  std::string_view host;    ///< Of the absolute and the authority form; IPv6 without brackets.
  std::optional<std::uint16_t> port{};
  /// Host and port as they were written.
  std::string_view authority;
  /// Path and query of the origin and the absolute form. Of the latter it may be empty or begin
  /// with '?': who forwards it writes a '/' first.
  std::string_view path;
};

struct http1_request_line {
  std::string_view method;
  std::string_view target;
  http1_version version;
};

struct http1_status_line {
  http1_version version;
  std::uint16_t status;
  std::string_view reason;
};

/// The start line and field lines of one message, which a parser has found to be in order. It owns
/// its text; views live until it is changed or destroyed.
class STRATA_TRANSPORT_API http1_head {
 public:
  http1_kind kind() const noexcept { return kind_; }
  /// Of a request.
  http1_request_line request_line() const noexcept;
  http1_target target() const noexcept;
  /// Of a response.
  http1_status_line status_line() const noexcept;
  http1_framing framing() const noexcept { return framing_; }

  std::size_t size() const noexcept { return fields_.size(); }
  /// In the order of the message; names as they were written.
  http1_field operator[](std::size_t index) const noexcept;
  /// Names are compared without case. The value of the first line of that name.
  std::optional<std::string_view> find(std::string_view name) const noexcept;
  std::size_t count(std::string_view name) const noexcept;
  /// Whether the lines of that name, read as one list, have this element, compared without case.
  bool has_token(std::string_view name, std::string_view token) const noexcept;
  /// Whether an intermediary must not forward the field line (RFC 9110 section 7.6.1): it is of
  /// this hop by its nature, or Connection names it. Host and Content-Length never are, whatever
  /// Connection says: dropping them would change what the message means.
  bool is_hop_by_hop(std::size_t index) const noexcept;

 private:
  friend class http1_head_parser;
  struct stored_field {
    std::uint32_t name = 0;  // offsets into text_
    std::uint32_t value = 0;
    std::uint32_t value_end = 0;
    std::uint16_t name_size = 0;
    bool hop_by_hop = false;
  };
  std::string_view text(std::size_t from, std::size_t to) const noexcept {
    return std::string_view(text_).substr(from, to - from);
  }
  void clear() noexcept;

  std::string text_;
  std::vector<stored_field> fields_;
  http1_framing framing_;
  http1_kind kind_ = http1_kind::request;
  http1_version version_ = http1_version::v1_1;
  std::uint16_t status_ = 0;
  std::uint32_t method_end_ = 0;    // the text begins with the start line
  std::uint32_t second_begin_ = 0;  // target, or reason
  std::uint32_t second_end_ = 0;
};

struct http1_head_limits {
  std::size_t bytes = limits::max_http1_head_bytes;
  std::size_t fields = limits::max_http1_fields;
};

/// What a response answers: its framing depends on that.
struct http1_exchange {
  bool head = false;     ///< A HEAD request.
  bool connect = false;  ///< A CONNECT request.
  bool upgrade = false;  ///< A request that offered an upgrade; without it a 101 is refused.
};

/// Reads one head at a time from bytes cut anywhere; looks at each byte a fixed number of times,
/// however they are cut. It refuses whatever two readers might understand differently: what is
/// smuggled past one of them is smuggled in such places (RFC 9112 section 11.2).
class STRATA_TRANSPORT_API http1_head_parser {
 public:
  static http1_head_parser of_requests(const http1_head_limits& bounds = {});
  static http1_head_parser of_responses(const http1_exchange& answered,
                                        const http1_head_limits& bounds = {});

  /// Takes bytes up to the end of the head and says how many those are; beyond them is what
  /// framing() of the head says. Errors: malformed, limit_exceeded, not_supported; problem() says
  /// more, and every later call fails alike.
  result<std::size_t> receive(bytes input);
  bool is_done() const noexcept { return state_ == state::done; }
  /// Nothing of a head has been seen: the carrier may end here in order.
  bool is_idle() const noexcept { return state_ == state::start_line && head_.text_.empty(); }
  const http1_problem* problem() const noexcept { return problem_; }
  /// Complete when is_done().
  const http1_head& head() const noexcept { return head_; }
  /// The next head, of the same kind; keeps memory.
  void restart() noexcept;
  void restart(const http1_exchange& answered) noexcept;

 private:
  enum class state : std::uint8_t { start_line, fields, done, failed };
  http1_head_parser(http1_kind kind, const http1_exchange& answered,
                    const http1_head_limits& bounds);
  const http1_problem* end_line();
  const http1_problem* read_start_line(std::string_view line);
  const http1_problem* read_request_line(std::string_view line);
  const http1_problem* read_status_line(std::string_view line);
  const http1_problem* read_field_line(std::string_view line);
  const http1_problem* finish();
  void mark_hop_by_hop();
  std::unexpected<std::error_code> fail(const http1_problem& problem);

  http1_head head_;
  http1_head_limits bounds_;
  http1_exchange answered_;
  const http1_problem* problem_ = nullptr;
  std::size_t line_begin_ = 0;
  bool skipped_empty_line_ = false;
  state state_ = state::start_line;
};

/// Appends a head of HTTP/1.1. invalid_argument, and nothing appended, when a parser of this
/// library would refuse it or understand something else.
STRATA_TRANSPORT_API result<void> append_http1_request(std::string& out, std::string_view method,
                                                       std::string_view target,
                                                       std::span<const http1_field> fields);
STRATA_TRANSPORT_API result<void> append_http1_response(std::string& out, std::uint16_t status,
                                                        std::string_view reason,
                                                        std::span<const http1_field> fields);

/// A request target, in the form that this method allows; nothing for any other text.
STRATA_TRANSPORT_API std::optional<http1_target> parse_http1_target(std::string_view method,
                                                                    std::string_view target);

}  // namespace v0
}  // namespace strata::transport
