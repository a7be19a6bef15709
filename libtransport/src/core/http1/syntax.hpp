// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace strata::transport {
inline namespace v0 {
namespace http1 {

bool is_digit(char octet) noexcept;
/// Zero to fifteen, or nothing.
std::optional<unsigned> hex_digit(char octet) noexcept;

/// token (RFC 9110 section 5.6.2); not empty.
bool is_token(std::string_view text) noexcept;
/// What may stand between the blanks around a field value: no control character but HTAB (RFC 9110
/// section 5.5), so neither CR, LF nor NUL.
bool is_field_text(std::string_view text) noexcept;
bool is_field_octet(char octet) noexcept;
/// As is_field_text, and no blank at either end.
bool is_field_value(std::string_view text) noexcept;
/// Visible ASCII without '#': a fragment never goes on the wire.
bool is_target_text(std::string_view text) noexcept;
/// The letters of a registered name or an IPv4 address (RFC 3986 section 3.2.2), a percent sign
/// only before two hexadecimal digits; not empty. No '@': what is before one hides the true host
/// from a reader.
bool is_host_name(std::string_view text) noexcept;
bool is_scheme(std::string_view text) noexcept;

/// ASCII letters only.
bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;
/// Without the spaces and tabs around it.
std::string_view trim(std::string_view text) noexcept;

/// The elements of a comma-separated list (RFC 9110 section 5.6.1), trimmed; empty ones too.
class list_reader {
 public:
  explicit list_reader(std::string_view text) noexcept : rest_(text) {}
  /// False at the end of the list.
  bool next(std::string_view& element) noexcept;

 private:
  std::string_view rest_;
  bool over_ = false;
};

/// Digits only, without sign, and no larger than `most`.
std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t most) noexcept;

}  // namespace http1
}  // namespace v0
}  // namespace strata::transport
